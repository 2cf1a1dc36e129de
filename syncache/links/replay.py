"""Capture files at the speed of C: whole buffers become packets in rings.

What is here: the file, and what its damage means in words.  What is not: the formats
(csrc/link/capture.c), and pictures of single records (`capture`, `pcap`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .._core_capture import Capture, time_of
from .link import LinkError

if TYPE_CHECKING:
    from ..ring import Ring

PACKET_MAX = 65_535
BUFFER_BYTES = 4 * 1024 * 1024
# enum link_capture_status
MORE, FULL, NO_CAPTURE, TOO_LONG, CONTRADICTION, LINKTYPE = range(6)
LINKTYPES = "Ethernet, raw IP, Linux cooked and loopback"


class CaptureReader:
    """A link that reads a pcap or pcapng file and sends nothing.

    Every packet's slot has the time of its capture, for `Inspection.replay`.

    Args:
        path: A file; `-` is standard input.

    Raises:
        LinkError: It cannot be read, or holds no capture.
    """

    mtu = PACKET_MAX

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._capture = Capture()
        self._buffer = bytearray(BUFFER_BYTES)
        self._from = self._to = 0  # bytes of the buffer not yet parsed
        self._ended = self._known = False
        self._error: LinkError | None = None
        try:
            self._file: BinaryIO = (
                sys.stdin.buffer if str(path) == "-" else self.path.open("rb")
            )
            self._fill()
        except OSError as error:
            message = f"cannot read {path}: {error.strerror}"
            raise LinkError(message, error.errno) from None

    @property
    def packets(self) -> int:
        """Records read so far."""
        return self._capture.packets

    @property
    def skipped(self) -> int:
        """Of them, those that held no IP packet."""
        return self._capture.skipped

    def fileno(self) -> int:
        """Descriptor of the file."""
        return self._file.fileno()

    def receive(self, rx: Ring) -> int:
        """Append packets until the file ends or `rx` is full; 0 at the end.

        Raises:
            LinkError: The file is damaged or of a kind that is not understood; the
                packets before come first.
        """
        before = len(rx)
        while rx.free > 0 and self._error is None:
            view = memoryview(self._buffer)[self._from : self._to]
            status, consumed = self._capture.parse(view, rx)
            view.release()
            self._from += consumed
            self._known = self._known or consumed > 0
            if status == FULL:
                break
            if status != MORE:
                self._error = self._failure(status)
            elif self._ended:
                self._error = self._end()
                break
            else:
                self._fill()
        count = len(rx) - before
        if count == 0 and self._error is not None:
            raise self._error
        return count

    def send(self, tx: Ring) -> int:
        """Forget the packets of `tx`."""
        count = len(tx) - tx.next
        tx.advance(count)
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _fill(self) -> None:
        """Read more behind what is left, in a larger buffer if it takes all of one."""
        left = self._to - self._from
        if self._from:
            self._buffer[:left] = self._buffer[self._from : self._to]
        elif left == len(self._buffer):
            self._buffer = self._buffer + bytearray(left)
        self._from, self._to = 0, left
        with memoryview(self._buffer)[left:] as space:
            try:
                size = self._file.readinto(space)  # type: ignore[attr-defined]
            except OSError as error:
                self._ended = True
                self._error = LinkError(f"cannot read {self.path}: {error.strerror}")
                return
        self._to += size
        self._ended = size == 0

    def _end(self) -> LinkError | None:
        """Say what is wrong with the end of the file, if anything is."""
        if not self._known:
            return self._failure(NO_CAPTURE)
        if self._from < self._to:
            return LinkError(f"{self.path} is damaged: it ends within a record")
        return None

    def _failure(self, status: int) -> LinkError:
        """Say what is wrong with what was read."""
        if status == NO_CAPTURE:
            return LinkError(f"{self.path} is not a pcap or pcapng file")
        if status == LINKTYPE:
            number = self._capture.linktype
            return LinkError(
                f"{self.path} has packets of link type {number}; "
                f"understood are {LINKTYPES}"
            )
        what = {
            TOO_LONG: "a record is too long",
            CONTRADICTION: "a block contradicts itself",
        }[status]
        return LinkError(f"{self.path} is damaged: {what}")


def captured_at(ring: Ring, index: int) -> float:
    """Return the time of a packet in a ring that a capture filled, in seconds."""
    return time_of(ring, index)
