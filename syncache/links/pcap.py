"""Capture files as links: one reads packets from a file, one writes them.

Reading is `replay.CaptureReader`, here under its old name too.  Written is classic pcap
of raw IP.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..ring import PACKET_MAX
from . import capture
from .link import LinkError
from .replay import CaptureReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ring import Ring
    from .link import Link

LINKTYPE_RAW = 101  # <https://www.tcpdump.org/linktypes.html>
PcapReader = CaptureReader


class PcapWriter:
    """A link that writes a file of all packets that pass through another link.

    Args:
        path: Overwritten.
        link: Closed with this one.  None: a link that receives nothing and whose
            sent packets go to the file alone.
        clock: Seconds since 1970.

    Raises:
        LinkError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        link: Link | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self._link = link
        self._clock = clock
        try:
            self._file: BinaryIO = self.path.open("wb", buffering=0)
        except OSError as error:
            message = f"cannot write {path}: {error.strerror}"
            raise LinkError(message, error.errno) from None
        try:
            self._write(capture.header(LINKTYPE_RAW, PACKET_MAX))
        except LinkError:
            self._file.close()
            raise

    @property
    def mtu(self) -> int:
        """Largest ordinary packet in bytes."""
        return self._link.mtu if self._link else PACKET_MAX

    @property
    def gso_max(self) -> int:
        """Largest TCP super-segment in bytes; 0: none."""
        return int(getattr(self._link, "gso_max", 0))

    def fileno(self) -> int:
        """Descriptor of the link below, or of the file."""
        return self._link.fileno() if self._link else self._file.fileno()

    def next_deadline(self) -> float | None:
        """As the link below says."""
        below = getattr(self._link, "next_deadline", None)
        return below() if below else None

    def receive(self, rx: Ring) -> int:
        """Receive through the link below."""
        if self._link is None:
            return 0
        before = len(rx)
        count = self._link.receive(rx)
        self._record(rx, before, len(rx))
        return count

    def send(self, tx: Ring) -> int:
        """Send through the link below."""
        before = tx.next
        if self._link is None:
            tx.advance(len(tx) - before)
        else:
            self._link.send(tx)
        self._record(tx, before, tx.next)
        return tx.next - before

    def close(self) -> None:
        """Close the file and the link below."""
        self._file.close()
        if self._link is not None:
            self._link.close()

    def _record(self, ring: Ring, first: int, end: int) -> None:
        if first == end:
            return
        seconds = self._clock()
        packets = (bytes(ring[i]) for i in range(first, end))
        self._write(b"".join(capture.record(seconds, packet) for packet in packets))

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            message = f"cannot write {self.path}: {error.strerror}"
            raise LinkError(message, error.errno) from None
