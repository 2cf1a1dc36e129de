"""syncache/socket_path.py: a socket's path is ours, or left alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket

import pytest

from syncache import socket_path
from syncache.socket_path import SocketPath, unwritable


def test_socket_of_a_stopped_process_is_not_taken(tmp_path):
    """Its queue is full and nobody accepts; nothing waits for it."""
    path = tmp_path / "sc.sock"
    with socket.socket(socket.AF_UNIX) as stopped, contextlib.ExitStack() as stack:
        stopped.bind(str(path))
        stopped.listen(0)
        is_full = False
        while not is_full:
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.setblocking(False)
            is_full = one.connect_ex(str(path)) != 0
        with pytest.raises(FileExistsError, match="in use"):
            SocketPath(path)
    assert path.is_socket()


def test_path_of_another_process_stays_at_the_end(tmp_path):
    """Somebody removed ours, and the next process has made its own there."""
    path = tmp_path / "sc.sock"
    first = SocketPath(path)
    path.rename(tmp_path / "away")
    second = SocketPath(path)
    first.remove()
    assert path.is_socket()
    second.remove()
    assert not path.exists()
    first.socket.close()
    second.socket.close()


def test_socket_that_was_just_made_is_not_taken(tmp_path):
    """Whoever starts at the same moment finds that it listens already."""
    path = tmp_path / "sc.sock"
    first = SocketPath(path)
    with pytest.raises(FileExistsError, match="in use"):
        SocketPath(path)
    first.remove()
    first.socket.close()


def test_folder_is_locked_between_the_look_and_the_listening(tmp_path, monkeypatch):
    """Or two starts would replace one stale socket, and the second one the first's."""
    folder = os.open(tmp_path, os.O_RDONLY)
    looks = []

    def look(place):
        looks.append(place)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return is_stale(place)

    is_stale = socket_path.is_stale
    monkeypatch.setattr(socket_path, "is_stale", look)
    SocketPath(tmp_path / "sc.sock").socket.close()
    assert 1 == len(looks)
    os.close(folder)


def test_folder_that_somebody_keeps_locked_keeps_nobody_out(tmp_path, monkeypatch):
    """Any reader of a folder could."""
    monkeypatch.setattr(socket_path, "LOCK_SECONDS", 0.0)
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    SocketPath(tmp_path / "sc.sock").socket.close()
    os.close(folder)


@pytest.mark.parametrize(
    ("mode", "staying"), [(0o755, True), (0o1777, True), (0o777, False)]
)
def test_socket_stays_in_a_folder_where_we_may_not_remove_it(
    tmp_path, monkeypatch, mode, staying
):
    """Another user may not in a folder of root's, nor in one like /tmp."""
    made = SocketPath(tmp_path / "sc.sock")
    assert not socket_path.stays(tmp_path / "sc.sock")
    tmp_path.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: 70001)
    monkeypatch.setattr(os, "access", lambda *_: mode & 0o002)
    assert staying == socket_path.stays(tmp_path / "sc.sock")
    made.remove()
    made.socket.close()
    assert not socket_path.stays(tmp_path / "sc.sock")


@pytest.mark.parametrize("link", ["nowhere", "other", "link"])
def test_link_is_no_socket(tmp_path, link):
    """It is left alone, wherever it leads."""
    other = SocketPath(tmp_path / "other")
    path = tmp_path / "link"
    path.symlink_to(link)
    with pytest.raises(FileExistsError, match="not a socket"):
        SocketPath(path)
    assert path.is_symlink()
    other.remove()
    other.socket.close()


@pytest.mark.parametrize("path", ["", "x" * 108, "ü" * 54])
def test_path_that_no_socket_can_have_says_how_long_it_may_be(tmp_path, path):
    """An empty one would be a socket of a name that nobody knows."""
    with pytest.raises(OSError, match="1 to 107 bytes"):
        SocketPath(path)
    SocketPath(tmp_path / "one").socket.close()


def test_file_system_that_is_read_only_is_named(monkeypatch):
    """Root, whom no permission refuses, is refused by it alone."""

    class ReadOnly:
        f_flag = os.ST_RDONLY

    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "Permission denied" == os.strerror(unwritable("/"))
    monkeypatch.setattr(os, "statvfs", lambda _: ReadOnly())
    assert "Read-only file system" == os.strerror(unwritable("/"))
