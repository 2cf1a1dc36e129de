"""The segment that arrived: header, options and payload as values.

The engine's parser reads every packet (csrc/core/wire.c), and a burst describes those
that are the stack's (struct syncache_arrival).  Here that description becomes objects;
no header is interpreted a second time.

See RFC 9293 3.1 and 3.2; RFC 7323 3.2; RFC 2018 3; RFC 2385.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from .._core.mirror import layout
from ..verdict import REASONS, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._core import RingCore

_ARRIVAL = layout(
    "syncache_arrival",
    "tuple handle place slot size payload_size seq ack tsval tsecr mtu tcp payload md5 "
    "sack flags window sack_count timestamps ecn verdict is_tcp icmp_type icmp_code "
    "gathered marked",
)
ARRIVAL_BYTES = _ARRIVAL.size
_IS_TCP = layout("syncache_arrival", "is_tcp")
_OF_OTHERS = layout("syncache_arrival", "verdict is_tcp icmp_type")
_SACK_BLOCK = Struct("!II")
_ECHO_REQUESTS = frozenset((8, 128))
_MD5_BYTES = 16


def near(value: int, known: int) -> int:
    """Return the integer closest to `known` that is `value` modulo 2^32."""
    return known - 0x80000000 + ((value - known + 0x80000000) & 0xFFFFFFFF)


class Arrival:
    """A packet for the stack; a TCP segment unless `is_tcp` is False.

    Without TCP, `icmp` is the type and code of an ICMP message, which is the payload.
    Of an error about a segment of ours, `key` and `seq` are those of that segment, and
    `mtu` is 0 unless it was too big; of other packets, `key` has no ports.

    Sequence numbers are those of the wire.  `key` is its tuple, as `Conn.key`;
    `handle` the stack's own of a PASS_KNOWN.  `segments` is how many it stands for, of
    those with data if there are any, `marked` how many of all have the mark CE; of CE
    and CWR, `ecn` and `flags` have the later.
    `payload` ends where the IP packet ends: bytes behind it are the link's padding.
    `header` is that of TCP with its options, there if it is signed; `md5` is the
    signature.  `packet` and `payload` are views of the ring, good until it is filled
    again; `slot` is its place there.
    """

    __slots__ = (
        "ack",
        "ecn",
        "flags",
        "handle",
        "header",
        "icmp",
        "is_tcp",
        "key",
        "marked",
        "md5",
        "memory",
        "mtu",
        "packet_size",
        "payload",
        "place",
        "reason",
        "sack",
        "segments",
        "seq",
        "size",
        "slot",
        "tsecr",
        "tsval",
        "window",
    )
    seq: int
    ack: int
    flags: int
    window: int
    payload: memoryview
    size: int
    ecn: int
    tsval: int | None
    tsecr: int
    sack: list[tuple[int, int]] | None
    md5: bytes | None
    header: memoryview | None
    is_tcp: bool
    icmp: tuple[int, int] | None
    mtu: int
    key: bytes
    handle: int
    slot: int
    segments: int
    marked: int
    reason: Reason
    memory: memoryview
    place: int
    packet_size: int

    @property
    def packet(self) -> memoryview:
        """The whole packet, from the IP header on."""
        return self.memory[self.place : self.place + self.packet_size]


def _without_others(arrivals: memoryview, most: int) -> memoryview | bytes:
    """Return what is TCP, and up to so many echo requests and as many ICMP errors.

    The others are not even read: a flood of them costs next to nothing.
    """
    if (0,) not in _IS_TCP.iter_unpack(arrivals):
        return arrivals
    left = [most, most]
    wanted = []
    rows = _OF_OTHERS.iter_unpack(arrivals)
    for number, (verdict, is_tcp, icmp_type) in enumerate(rows):
        if not is_tcp:
            is_error = verdict == Reason.PASS_ICMP
            if not is_error and icmp_type not in _ECHO_REQUESTS:
                continue
            left[is_error] -= 1
            if left[is_error] < 0:
                continue
        wanted.append(arrivals[number * ARRIVAL_BYTES : (number + 1) * ARRIVAL_BYTES])
    return b"".join(wanted)


def arrivals(ring: RingCore, others_max: int | None = None) -> Iterator[Arrival]:
    """Yield the packets of the last burst that are the stack's, in order.

    With a number, up to so many echo requests, as many ICMP errors, and nothing else
    without TCP.
    """
    view = ring.memory
    described: memoryview | bytes = ring.arrivals
    if others_max is not None:
        described = _without_others(ring.arrivals, others_max)
    for (
        key,
        handle,
        place,
        slot,
        size,
        payload_size,
        seq,
        ack,
        tsval,
        tsecr,
        mtu,
        tcp,
        payload,
        md5,
        sack,
        flags,
        window,
        sack_count,
        timestamps,
        ecn,
        verdict,
        is_tcp,
        icmp_type,
        icmp_code,
        gathered,
        marked,
    ) in _ARRIVAL.iter_unpack(described):
        start = place + payload
        arrival = Arrival()
        arrival.seq = seq
        arrival.ack = ack
        arrival.flags = flags
        arrival.window = window
        arrival.payload = view[start : start + payload_size]
        arrival.size = payload_size
        arrival.memory = view
        arrival.place = place
        arrival.packet_size = size
        arrival.reason = REASONS[verdict]
        arrival.handle = handle
        arrival.slot = slot
        arrival.segments = gathered + 1
        arrival.marked = marked
        arrival.key = key
        arrival.is_tcp = is_tcp != 0
        arrival.ecn = ecn
        arrival.tsval = tsval if timestamps else None
        arrival.tsecr = tsecr
        arrival.sack = arrival.md5 = arrival.header = None
        if sack_count:
            start = place + sack
            blocks = view[start : start + sack_count * _SACK_BLOCK.size]
            arrival.sack = list(_SACK_BLOCK.iter_unpack(blocks))
        if not is_tcp:
            arrival.icmp = (icmp_type, icmp_code) if payload else None
            arrival.mtu = mtu
        if md5:
            start = place + md5
            arrival.md5 = bytes(view[start : start + _MD5_BYTES])
            arrival.header = view[place + tcp : place + payload]
        yield arrival
