"""syncache/cli/patience.py: work with files that may never end."""

from __future__ import annotations

import argparse
import errno
import threading
from pathlib import Path

import pytest

from syncache.cli import (
    Failure,
    files,
    keys,
    main,
    options,
    patience,
    record,
    sink,
    state,
    tunables,
)
from syncache.cli.output import Output
from syncache.cli.patience import patiently


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No disk was silent yet."""
    monkeypatch.setattr(patience, "_was_silent", threading.Event())


def test_result_and_error_of_the_work_are_the_callers():
    """As if it was done here."""
    assert patiently(lambda: 5) == 5
    with pytest.raises(FileNotFoundError):
        patiently(lambda: open("/nonexistent"))  # noqa: PTH123, SIM115


def test_work_that_does_not_end_is_left_behind_and_undone_later():
    """A descriptor that comes too late is closed."""
    go, undone = threading.Event(), threading.Event()
    found = []

    def undo(result):
        found.append(result)
        undone.set()

    def open_slowly():
        go.wait()
        return 7

    with pytest.raises(OSError, match="does not answer") as raised:
        patiently(open_slowly, undo, seconds=0.01)
    assert raised.value.errno == errno.ETIMEDOUT
    assert not found
    go.set()
    undone.wait()
    assert found == [7]


def test_second_call_on_a_silent_disk_waits_for_less(monkeypatch):
    """A start that asks it five times is no five times as late."""
    monkeypatch.setattr(patience, "SECONDS", 0.01)
    monkeypatch.setattr(patience, "SECONDS_AGAIN", 0.0)
    forever = threading.Event()
    for _ in range(2):
        with pytest.raises(OSError, match="does not answer"):
            patiently(forever.wait)
        monkeypatch.setattr(patience, "SECONDS", threading.TIMEOUT_MAX)
    forever.set()


def test_work_is_done_here_where_there_can_be_no_thread(monkeypatch):
    """Want of threads is no reason to fail."""

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert patiently(threading.current_thread) is threading.main_thread()


@pytest.fixture
def silent(monkeypatch):
    """A disk that does not answer until the test is over."""
    monkeypatch.setattr(patience, "SECONDS", 0.01)
    answer = threading.Event()

    def hang(*_):
        answer.wait()
        raise OSError(errno.EIO, "it answers too late")

    yield hang
    answer.set()


def test_log_on_a_silent_disk_is_a_warning(silent, monkeypatch, capfd, tmp_path):
    """The start goes on, and so does the end."""
    monkeypatch.setattr(sink, "open_append", silent)
    output = Output(name="x", path=tmp_path / "log")
    output.write("a line\n")
    assert output.close(0.01) == 1
    assert "log: the disk does not answer; going on without" in capfd.readouterr().err


def test_recording_on_a_silent_disk_is_a_warning(silent, monkeypatch, caplog, tmp_path):
    """No packet waits."""
    monkeypatch.setattr(sink, "open_fresh", silent)
    monkeypatch.setattr(record, "CLOSE_SECONDS", 0.01)
    record.Writer(tmp_path / "x", live=True).close()
    assert "x: the disk does not answer; packets are not recorded" in caplog.text


def test_state_on_a_silent_disk_is_a_warning(silent, monkeypatch, tmp_path):
    """It is not set aside: it may be good."""
    path = tmp_path / "state"
    path.write_bytes(b"good")
    path.chmod(0o600)
    lines = []
    file = files.StateFile(path, lines.append, 100)
    monkeypatch.setattr(file, "_read", silent)
    assert file.load() is None
    assert lines == [f"{path} is not read: the disk does not answer"]
    assert path.read_bytes() == b"good"
    file.close()


def test_folder_on_a_silent_disk_is_taken_for_one(silent, monkeypatch, tmp_path):
    """The state may be kept there later."""
    monkeypatch.setattr(Path, "is_dir", silent)
    state._check(tmp_path / "state", 5.0)


def test_check_says_that_the_disk_is_silent(silent, monkeypatch, tmp_path):
    """It ends, with the path."""
    monkeypatch.setattr(options, "_obstacle", silent)
    given = argparse.Namespace(log=tmp_path / "log")
    with pytest.raises(Failure, match=r"--log .*log: the disk does not answer"):
        options.check_outputs(given)
    given.check = False
    options.check_outputs(given)  # a start goes on


@pytest.fixture
def late(monkeypatch):
    """A disk that answers once it was named in the log."""
    monkeypatch.setattr(patience, "SECONDS", 0.01)
    named = threading.Event()

    def warning(_, *arguments):
        late.named = arguments
        named.set()

    def late(work):
        def wait(*arguments, **options):
            named.wait()
            return work(*arguments, **options)

        return wait

    monkeypatch.setattr(patience.log, "warning", warning)
    return late


def test_file_that_is_needed_is_named_and_waited_for(late):
    """The line is one, whatever the file's name is."""
    assert patience.attended("a\nb", late(lambda: 5)) == 5
    assert late.named == ("a\\nb",)


def test_start_names_the_tunables_it_waits_for(late, monkeypatch, tmp_path):
    """Of a file and of a folder."""
    conf = tmp_path / "a.conf"
    conf.write_text("net.inet.tcp.syncookies=1\n")
    monkeypatch.setattr(tunables, "read_text", late(tunables.read_text))
    tunables.load(conf=tmp_path)
    assert late.named == (str(conf),)


def test_start_names_the_keyring_it_waits_for(late, monkeypatch, tmp_path):
    """It is read once the disk answers."""
    path = tmp_path / "keys"
    assert main(["key", "init", str(path)]) == 0
    monkeypatch.setattr(Path, "stat", late(Path.stat))
    assert keys.KeySource(path).keys.masters
    assert late.named == (str(path),)
