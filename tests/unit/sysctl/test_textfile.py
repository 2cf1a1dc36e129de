"""syncache/textfile.py: an operator's files are read within bounds of size and time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from syncache import Intercept, Keyring, Sysctl, textfile
from syncache.textfile import read_bytes, read_text


def test_file_is_read_whole_with_its_mark_and_ends_of_lines_translated(tmp_path):
    """As text of any system's editor."""
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n\xff")
    assert "one\ntwo\nthree\nÿ" == read_text(path)
    assert b"\xef\xbb\xbfone\r\ntwo\rthree\n\xff" == read_bytes(path)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_file_of_16_bit_characters_is_text_too(tmp_path, order):
    """As a Windows shell writes what is sent to a file."""
    path = tmp_path / "file"
    path.write_bytes("\ufeffkern.maxfiles=1\r\n# ä\r\n".encode(order))
    assert "kern.maxfiles=1\n# ä\n" == read_text(path)
    path.write_bytes(path.read_bytes()[:-1])  # cut within a character
    assert read_text(path).startswith("kern.maxfiles=1\n")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/full"])
def test_device_without_an_end_is_refused(path):
    """Before it fills the memory; the error names it."""
    with pytest.raises(OSError, match=f"more than 16777216 bytes: '{path}'"):
        read_bytes(path)


def test_large_file_is_refused_before_it_is_read(tmp_path):
    """A sparse file of a terabyte costs nothing."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="more than"):
        read_text(path)


def test_pipe_that_nobody_writes_is_refused_at_once(tmp_path):
    """Instead of being waited for until the machine is started anew."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match=f"nobody writes to: '{path}'"):
        read_text(path)


def test_pipe_with_a_writer_is_read_to_its_end():
    """As `--conf <(command)` of a shell has it."""
    inner, outer = os.pipe()
    data = b"x" * 200_000

    def write():
        with os.fdopen(outer, "wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert data == read_bytes(f"/proc/self/fd/{inner}")
    finally:
        os.close(inner)
        writer.join()


def test_pipe_whose_writer_is_silent_is_given_up(monkeypatch):
    """It is not waited for any longer than a moment."""
    monkeypatch.setattr(textfile, "PIPE_SECONDS", 0.01)
    inner, outer = os.pipe()
    try:
        with pytest.raises(OSError, match="no end of it within"):
            read_bytes(f"/proc/self/fd/{inner}")
    finally:
        os.close(inner)
        os.close(outer)


def test_every_reader_of_an_operators_file_has_the_bound(tmp_path):
    """Tunables, IOS configurations and keyrings."""
    with pytest.raises(OSError, match="more than"):
        Sysctl().load("/dev/zero")
    with pytest.raises(OSError, match="more than"):
        Intercept(acl=None).configure(Path("/dev/zero"))
    large = tmp_path / "keyring"
    with large.open("wb") as file:
        file.truncate(2**40)
    large.chmod(0o600)
    with pytest.raises(OSError, match="more than"):
        Keyring.from_file(large, wall_offset=0.0)
