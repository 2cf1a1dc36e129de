"""syncache/socket_path.py: a socket's path is ours, or left alone."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest

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
