"""syncache/cli/sink.py: what is written to, and never waited for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from full_pipe import fill

from syncache.cli import sink

COMMAND = [sys.executable, "-m", "syncache"]


def run(words, **given):
    """Run the command; its standard error is read unless it is given."""
    given.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(
        [*COMMAND, *words],
        check=False,
        timeout=120,
        text=True,
        errors="replace",
        **given,
    )


@pytest.mark.parametrize("shut", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_process_without_standard_descriptors_uses_none_of_them(shut, tmp_path):
    """What it opens first is not what it warns on."""
    program = (
        "import os, sys\n"
        "from syncache.cli import sink\n"
        "sink.open_standard()\n"
        f"made = os.open({str(tmp_path / 'log')!r}, os.O_CREAT | os.O_WRONLY)\n"
        "sink.say('a warning')\n"
        "print('a line', flush=True)\n"
        "os._exit(0 if made > 2 else 1)\n"
    )
    line = f'"$0" -c "$1" {shut}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, program], check=False, timeout=120
    )
    assert 0 == done.returncode
    assert "" == (tmp_path / "log").read_text()


def test_warning_that_nobody_reads_is_given_up(capfd):
    """A full pipe does not hold the command up; one that is read gets the line."""
    reader, writer = os.pipe()
    before = os.dup(2)
    fill(writer)
    os.dup2(writer, 2)
    try:
        with os.fdopen(2, "w", closefd=False) as stream:
            kept, sys.stderr = sys.stderr, stream
            try:
                sink.say("lost", seconds=0.01)
            finally:
                sys.stderr = kept
    finally:
        os.dup2(before, 2)
        for descriptor in (before, reader, writer):
            os.close(descriptor)
    sink.say("heard")
    assert "heard\n" == capfd.readouterr().err


def test_mistake_ends_with_its_status_whatever_the_standard_error_is():
    """Full, closed by its reader: no traceback, status 1."""
    with Path("/dev/full").open("w", encoding="ascii") as full:
        assert 1 == run(["sysctl", "no.such"], stderr=full).returncode
    reader, writer = os.pipe()
    os.close(reader)
    assert 1 == run(["sysctl", "no.such"], stderr=writer).returncode
    os.close(writer)


@pytest.mark.parametrize("words", [[], ["nonsense"], ["serve", "--nonsense"]])
def test_wrong_usage_ends_with_its_status_whatever_the_standard_error_is(words):
    """Full: 2; 1 by an argparse of old, whose error is that it cannot be read."""
    with Path("/dev/full").open("w", encoding="ascii") as full:
        assert run(words, stderr=full).returncode in {1, 2}


def test_what_the_standard_error_did_not_take_is_forgotten():
    """Python's last flush, which has the last word on the status, finds it empty."""
    program = (
        "import os, sys\n"
        "from syncache.cli import sink\n"
        "sys.stderr = open(2, 'w', encoding='utf-8', closefd=False)\n"
        "sys.stderr.write('lost')\n"
        "sink.forget_errors()\n"
        "sys.stderr.flush()\n"
        "sys.stderr = None\n"
        "sink.forget_errors()\n"
    )
    words = [sys.executable, "-c", program]
    with Path("/dev/full").open("w", encoding="ascii") as full:
        done = subprocess.run(words, check=False, stderr=full, timeout=120)
    assert 0 == done.returncode


def test_output_without_room_is_one_line():
    """Instead of a traceback, or of an error at the very end."""
    for words in (["sysctl", "-a"], ["completion", "bash"], ["sysctl", "-n", "-a"]):
        with Path("/dev/full").open("w", encoding="ascii") as full:
            done = run(words, stdout=full)
        text = f"syncache {words[0]}: cannot write the output: No space left on device"
        assert (1, f"{text}\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize("coding", ["ascii", "latin-1", "utf-8"])
def test_strange_name_is_spelled_in_any_locale(coding, tmp_path):
    """A character that the terminal has not is escaped."""
    name = os.fsencode(tmp_path) + b"/\xffn\xc3\xb6ne"
    environment = os.environ | {"PYTHONIOENCODING": coding, "LC_ALL": "C"}
    done = run(["inspect", name], env=environment)
    assert 1 == done.returncode
    assert 1 == done.stderr.count("\n")


def test_file_that_is_written_fresh_is_not_emptied_under_a_writer(tmp_path):
    """The second process is refused, and the file stays."""
    path = tmp_path / "file"
    first = sink.open_fresh(path)
    os.write(first, b"mine")
    with pytest.raises(BlockingIOError):
        sink.open_fresh(path)
    assert b"mine" == path.read_bytes()
    os.close(first)
    os.close(sink.open_fresh(path))
    assert b"" == path.read_bytes()


def test_file_that_is_made_is_given_to_who_opens_it_again(tmp_path, monkeypatch):
    """One that was there before keeps its owner, whoever that is."""
    given = []
    monkeypatch.setattr(os, "fchown", lambda _, *owner: given.append(owner))
    path = tmp_path / "log"
    for _ in range(2):
        descriptor = sink.open_append(path, (65534, 65533))
        os.write(descriptor, b"a line\n")
        os.close(descriptor)
    assert [(65534, 65533)] == given
    assert b"a line\n" * 2 == path.read_bytes()


def test_write_returns_what_is_left_and_why(tmp_path):
    """On a full disk."""
    descriptor = sink.open_append(tmp_path / "file")
    assert (b"", None) == sink.write_all(descriptor, memoryview(b"text"))
    os.close(descriptor)
    full = os.open("/dev/full", os.O_WRONLY)
    rest, error = sink.write_all(full, memoryview(b"text"))
    os.close(full)
    assert b"text" == rest
    assert errno.ENOSPC == error.errno
