"""syncache/cli/files.py: files that replace one another whole, off the packet loop."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from syncache.cli import files
from syncache.cli.files import StateFile, replace


def test_file_is_replaced_whole_with_its_mode(tmp_path):
    """More parts than one writev(2) takes; what a killed process left is no trap."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    (tmp_path / "file.new").write_bytes(b"half")
    parts = [bytes([i % 256]) * (i % 7) for i in range(3000)]
    replace(path, parts, 0o640)
    assert b"".join(parts) == path.read_bytes()
    assert 0o640 == path.stat().st_mode & 0o777
    assert [path] == list(tmp_path.iterdir())


def test_link_laid_in_the_way_is_not_followed(tmp_path):
    """A file of another name stays as it is."""
    other = tmp_path / "other"
    other.write_bytes(b"other")
    (tmp_path / "file.new").symlink_to(other)
    replace(tmp_path / "file", [b"new"])
    assert b"other" == other.read_bytes()


def test_file_is_on_the_disk_before_it_is_renamed(tmp_path, monkeypatch):
    """fsync of the file, the rename, fsync of the folder."""
    calls = []
    sync = os.fsync
    monkeypatch.setattr(
        files.os,
        "fsync",
        lambda fd: (calls.append(sorted(os.listdir(tmp_path))), sync(fd)),  # noqa: PTH208
    )
    replace(tmp_path / "file", [b"new"])
    assert [["file.new"], ["file"]] == calls


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    """And the error has the path."""
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "writev", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        replace(path, [b"new"])
    assert [path] == list(tmp_path.iterdir())
    assert b"before" == path.read_bytes()


def test_short_writes_are_continued(tmp_path, monkeypatch):
    """A disk may take less than it was given."""
    write = os.writev
    monkeypatch.setattr(files.os, "writev", lambda fd, views: write(fd, [views[0][:3]]))
    replace(tmp_path / "file", [b"abcdefgh", b"", b"ij"])
    assert b"abcdefghij" == (tmp_path / "file").read_bytes()


def test_error_of_the_disk_is_said_once_and_its_end_too(tmp_path, monkeypatch):
    """The process goes on."""
    lines = []
    path = tmp_path / "state"
    file = StateFile(path, lines.append, 100)
    error = OSError(errno.ENOSPC, "No space left on device", str(path))
    answers = [error, error, None]

    def give(*_):
        if (answer := answers.pop(0)) is not None:
            raise answer

    monkeypatch.setattr(files, "replace", give)
    for _ in range(3):
        file.save(list)
        while file.busy:
            os.sched_yield()
        file.report()
        file.report()
    file.close()
    assert [
        f"cannot write {path}: No space left on device; going on without it",
        f"{path} is written again",
    ] == lines


def test_disk_that_does_not_answer_delays_nobody_but_the_end(tmp_path, monkeypatch):
    """`save` returns at once, `close` after its time."""
    hang = threading.Event()
    lines = []
    monkeypatch.setattr(files, "replace", lambda *_: hang.wait())
    file = StateFile(tmp_path / "state", lines.append, 100)
    for _ in range(100):
        file.save(list)
    file.close(0.01)
    hang.set()
    assert [f"{tmp_path / 'state'} is not written: the disk does not answer"] == lines


def test_unusable_file_that_cannot_be_renamed_is_said(tmp_path):
    """A folder has its new name."""
    lines = []
    path = tmp_path / "state"
    path.write_bytes(bytes(101))
    (tmp_path / "state.bad").mkdir()
    file = StateFile(path, lines.append, 100)
    assert file.load() is None
    file.close()
    assert [
        (
            f"{path} cannot be used (it has more than 100 bytes), nor be renamed to "
            "state.bad: Is a directory"
        )
    ] == lines


def test_replaced_file_is_the_one_that_our_link_names(tmp_path):
    """The link stays, so a folder of links to another disk stays one."""
    (tmp_path / "disk").mkdir()
    link = tmp_path / "file"
    link.symlink_to("disk/file")
    for text in (b"first", b"second"):
        replace(link, [text])
        assert link.is_symlink()
        assert text == (tmp_path / "disk" / "file").read_bytes()


def test_link_of_another_user_is_not_followed(tmp_path, monkeypatch):
    """Whoever laid it may want a file of ours to be overwritten."""
    link = tmp_path / "file"
    link.symlink_to("other")
    monkeypatch.setattr(files.os, "geteuid", lambda: link.lstat().st_uid + 1)
    if link.lstat().st_uid == 0:
        os.chown(link, 65534, 65534, follow_symlinks=False)
    with pytest.raises(OSError, match="link of another user"):
        replace(link, [b"new"])
    assert [link] == list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def test_what_is_no_file_is_not_replaced(tmp_path, kind):
    """A report to /dev/null must not cost the machine its /dev/null."""
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("loop")
    with pytest.raises(OSError, match=str(path)):
        replace(path, [b"new"])
    assert [path] == list(tmp_path.iterdir())


def test_second_process_keeps_nothing_in_the_file_of_the_first(tmp_path):
    """Each would take up the other's connections; the second one runs without."""
    path, said = tmp_path / "state", []
    first = StateFile(path, said.append, 1000)
    first.save(lambda: [b"first"])
    second = StateFile(path, said.append, 1000)
    assert [f"{path} is in use by another process; nothing is kept there"] == said
    assert second.load() is None
    second.save(lambda: [b"second"])
    other = StateFile(tmp_path / "other", said.append, 1000)
    for each in (second, other, first):
        each.close(60)
    assert b"first" == path.read_bytes()
    third = StateFile(path, said.append, 1000)
    assert b"first" == third.load()
    third.close()
    assert 1 == len(said)
