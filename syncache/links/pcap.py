"""Capture files: one link reads packets from a file, one writes what passes.

Link headers of raw IP, Ethernet (with VLAN tags), Linux cooked (1 and 2) and loopback
captures are taken off; what is not IP is passed over.  Written is classic pcap of raw
IP.  The file formats are those of `capture`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from . import capture
from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..ring import Ring
    from .link import Link

PACKET_MAX = 65535
VLAN_TAGS_MAX = 2

# <https://www.tcpdump.org/linktypes.html>
LINKTYPE_NULL, LINKTYPE_ETHERNET, LINKTYPE_RAW, LINKTYPE_LOOP = 0, 1, 101, 108
LINKTYPE_LINUX_SLL, LINKTYPE_IPV4, LINKTYPE_IPV6 = 113, 228, 229
LINKTYPE_LINUX_SLL2 = 276
RAW = {LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6, 12, 14}  # 12, 14: DLT_RAW of BSDs

ETHERTYPES_IP = {0x0800, 0x86DD}
ETHERTYPES_VLAN = {0x8100, 0x88A8}


def ip_packet(linktype: int, frame: bytes) -> bytes | None:
    """Return the IP packet in a captured frame, None if there is none."""
    if linktype in RAW:
        packet = frame
    elif linktype in {LINKTYPE_NULL, LINKTYPE_LOOP}:
        packet = frame[4:]
    else:
        at = {
            LINKTYPE_ETHERNET: (12, 14),
            LINKTYPE_LINUX_SLL: (14, 16),
            LINKTYPE_LINUX_SLL2: (0, 20),
        }.get(linktype)
        if at is None:
            return None
        type_at, start = at
        ethertype = int.from_bytes(frame[type_at : type_at + 2], "big")
        for _ in range(VLAN_TAGS_MAX):
            if ethertype in ETHERTYPES_VLAN:
                ethertype = int.from_bytes(frame[start + 2 : start + 4], "big")
                start += 4
        if ethertype not in ETHERTYPES_IP:
            return None
        packet = frame[start:]
    return packet if packet[:1] and packet[0] >> 4 in {4, 6} else None


class PcapReader:
    """A link that receives the packets of a file and forgets what it is to send.

    For replays: a regular file cannot be waited on, so an event loop has no use for
    it.  Iterating gives (time, packet) instead, time in seconds as captured.

    Raises:
        LinkError: The file cannot be read, or holds no capture.
    """

    mtu = PACKET_MAX
    gso_max = 0

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.skipped = 0  # packets not IP, not captured in full, or too long
        self._error: LinkError | None = None
        try:
            self._file: BinaryIO = self.path.open("rb")
        except OSError as error:
            message = f"cannot read {path}: {error.strerror}"
            raise LinkError(message, error.errno) from None
        try:
            self._records = capture.read(self._file)
        except (capture.NotACaptureError, OSError):
            self._file.close()
            raise LinkError(f"{path} is not a pcap or pcapng file") from None
        self._packets = self._read()

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        return self._packets

    def fileno(self) -> int:
        """Descriptor of the file."""
        return self._file.fileno()

    def receive(self, rx: Ring) -> int:
        """Append packets until the file ends or `rx` is full; 0 at the end.

        Raises:
            LinkError: The file is damaged; first come the packets before the damage.
        """
        if self._error is not None:
            raise self._error
        count = 0
        while rx.free > 0:
            try:
                _, packet = next(self._packets, (0.0, b""))
            except LinkError as error:
                self._error = error
                if count == 0:
                    raise
                break
            if not packet:
                break
            try:
                rx.push(packet)
            except ValueError:  # longer than a slot
                self.skipped += 1
                continue
            count += 1
        return count

    def send(self, tx: Ring) -> int:
        """Forget the packets of `tx`."""
        count = len(tx) - tx.next
        tx.advance(count)
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> Iterator[tuple[float, bytes]]:
        try:
            for record in self._records:
                packet = ip_packet(record.linktype, record.frame)
                if packet is None or len(record.frame) < record.wire_size:
                    self.skipped += 1
                else:
                    yield record.time, packet
        except (capture.DamagedError, OSError) as error:
            raise LinkError(f"{self.path} is damaged: {error}") from None


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
