"""Files that may be compressed: opened by their first bytes, not by their names.

gzip, bzip2 and xz are Python's own; zstd and lz4 are libraries of the extra `pcap`.
Any number of compressed parts in a row is one file, and all is read as a stream.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from .foreign import pipe
from .link import LinkError

MAGIC_MAX = 6
READ_BYTES = 256 * 1024


class _Behind(io.RawIOBase):
    """A file whose first bytes have been read."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        super().__init__()
        self._head = head
        self._file = file

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def readinto(self, space: Any) -> int:
        if not self._head:
            return int(self._file.readinto(space))  # type: ignore[attr-defined]
        size = min(len(self._head), len(space))
        space[:size] = self._head[:size]
        self._head = self._head[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


class _Zstd:
    """Frames of zstd; the library's own stream takes a cut frame for a whole one."""

    def __init__(self, file: Any) -> None:
        library = importlib.import_module("zstandard")
        self._context = library.ZstdDecompressor(max_window_size=2**31)
        self._file = file
        self._rest = b""  # input behind the last frame
        self._ready = b""  # output not yet taken
        self._frame: Any = None

    def read1(self, size: int) -> bytes:
        """Return some bytes; none at the end."""
        while not self._ready:
            data = self._rest or self._file.read1(READ_BYTES)
            self._rest = b""
            if not data:
                if self._frame is not None:
                    raise EOFError
                return b""
            if self._frame is None:
                self._frame = self._context.decompressobj()
            self._ready = self._frame.decompress(data)
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame = None
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _zstd(file: Any) -> _Zstd:
    return _Zstd(file)


def _lz4(file: BinaryIO) -> BinaryIO:
    stream: BinaryIO = importlib.import_module("lz4.frame").open(file)
    return stream


Kind = Callable[[Any], Any]
_KINDS: dict[bytes, Kind] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
    b"\x28\xb5\x2f\xfd": _zstd,
    **{bytes([0x50 + i, 0x2A, 0x4D, 0x18]): _zstd for i in range(16)},  # skippable
    b"\x04\x22\x4d\x18": _lz4,
}
# Programs that write what is in a file, where we do not read it.
_PROGRAMS: dict[Kind, str] = {_zstd: "zstdcat", _lz4: "lz4cat"}
_OTHERS = {b"PK\3\4": "unzip -p", b"\x1f\x9d": "zcat", b"\x02\x21\x4c\x18": "lz4cat"}
_FAULTS = (EOFError, zlib.error, lzma.LZMAError, RuntimeError, ValueError)


class Opened:
    """A file, or the contents of a compressed one.

    Raises:
        OSError: It cannot be opened.
        LinkError: A library is missing.
    """

    def __init__(self, path: str | Path) -> None:
        self.raw: BinaryIO = (
            sys.stdin.buffer if str(path) == "-" else Path(path).open("rb")  # noqa: SIM115
        )
        try:
            head = self.raw.read(MAGIC_MAX)
            self._file: Any = _Behind(head, self.raw)
            self.is_compressed = False
            if (kind := _kind(path, head)) is not None:
                self._file = _decompressed(path, kind, self._file)
                self.is_compressed = True
        except BaseException:
            self.raw.close()
            raise

    def readinto(self, space: memoryview) -> int:
        """Read some bytes; 0 at the end.

        Raises:
            OSError: It cannot be read.
            ValueError: The compressed data is damaged or cut short.
        """
        if not self.is_compressed:
            return int(self._file.readinto(space))
        try:
            data = self._file.read1(min(len(space), READ_BYTES))
        except Exception as error:
            if _is_fault(error):
                raise ValueError("its compressed data is cut short or broken") from None
            raise
        space[: len(data)] = data
        return len(data)

    def position(self) -> int:
        """Return how many bytes of the file were read; 0 if it cannot say."""
        try:
            return self.raw.tell()
        except OSError:
            return 0

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self.raw.close()


def is_compressed(path: str | Path) -> bool:
    """Say by its first bytes whether a file is; one that cannot be read is not."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(MAGIC_MAX)
    except OSError:
        return False
    return any(head.startswith(magic) for magic in _KINDS)


def _kind(path: str | Path, head: bytes) -> Kind | None:
    for magic, program in _OTHERS.items():
        if head.startswith(magic):
            raise LinkError(f"{path} is an archive: {pipe(f'{program} FILE', path)}")
    return next((_KINDS[magic] for magic in _KINDS if head.startswith(magic)), None)


def _decompressed(path: str | Path, kind: Kind, file: Any) -> Any:
    try:
        return kind(io.BufferedReader(file, READ_BYTES))
    except ImportError as error:
        raise LinkError(
            f"{error.name} is missing: pip install 'tcp-syncache[pcap]', or "
            f"{pipe(f'{_PROGRAMS[kind]} FILE', path)}"
        ) from None


def _is_fault(error: Exception) -> bool:
    """Is it the data's fault?  Libraries have exceptions of their own."""
    if isinstance(error, OSError):
        return error.errno is None  # gzip.BadGzipFile and bz2
    return isinstance(error, _FAULTS) or type(error).__name__ == "ZstdError"
