"""`Segment`: a TCP segment with its addresses, as a value (RFC 9293 3.1).

The bytes are read and written by C; a segment made from bytes is read when a field is
first asked for, so that passing a reply on costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from . import address
from ._core import segment as _core_segment
from ._core.mirror import layout
from .options import (
    Mss,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    WindowScale,
    decode,
    encode,
)
from .verdict import REASONS, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20
ECE = 0x40
CWR = 0x80
AE = 0x100

# tcpdump's letters, in its order.
_LETTERS = (
    (FIN, "F"),
    (SYN, "S"),
    (RST, "R"),
    (PSH, "P"),
    (ACK, "."),
    (URG, "U"),
    (ECE, "E"),
    (CWR, "W"),
    (AE, "e"),
)

_FIELDS = layout(
    "syncache_fields",
    "saddr daddr sport dport family hop_limit tos dont_fragment flow_label ip_id "
    "flags seq ack window urgent",
    part=True,
)
_PLACES = layout(
    "syncache_fields",
    "options_offset options_size payload_offset payload_size",
    part=True,
)
FIELDS_BYTES = _FIELDS.size + _PLACES.size
HEADER_BYTES = 20

_set = object.__setattr__
_Option = TypeVar("_Option", bound=Option)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A TCP segment: addresses and ports, header fields, options and payload.

    `options_bytes` is the list as it is on the wire, `options` its values; `window`
    is the field, unscaled.  What is not legal raises ValueError when `packet()` is
    asked for.  `dataclasses.replace` makes one that differs in some fields.
    """

    src: str
    dst: str
    sport: int
    dport: int
    seq: int = 0
    ack: int = 0
    flags: int = 0
    window: int = 0
    urgent: int = 0
    options_bytes: bytes = b""
    payload: bytes = b""
    hop_limit: int = 64
    tos: int = 0
    dont_fragment: bool = True
    flow_label: int = 0
    ip_id: int = 0
    # Not an argument, so that `dataclasses.replace` leaves the old bytes behind.
    _packet: bytes | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _set(self, "_packet", None)

    if not TYPE_CHECKING:  # pragma: no branch

        def __getattr__(self, name: str) -> object:
            """Read the packet: a field of a segment made from bytes is asked for."""
            if name not in Segment.__slots__:
                raise AttributeError(f"a Segment has no {name!r}")
            _fill(self, self._packet, _core_segment.parse(self._packet)[1])
            return object.__getattribute__(self, name)

    @classmethod
    def parse(cls, packet: Buffer) -> Segment:
        """Read an IPv4 or IPv6 packet; ValueError names the fault."""
        data = bytes(memoryview(packet))
        verdict, fields = _core_segment.parse(data)
        if verdict != Reason.PASS_KNOWN:
            raise ValueError(f"no TCP segment: {REASONS[verdict].name}")
        segment = cls.of_packet(data)
        _fill(segment, data, fields)
        return segment

    @classmethod
    def of_packet(cls, packet: bytes) -> Segment:
        """Take bytes that are known to be a good TCP segment."""
        segment = object.__new__(cls)
        _set(segment, "_packet", packet)
        return segment

    def packet(self) -> bytes:
        """Return the IP packet, checksums included."""
        if self._packet is None:
            _set(self, "_packet", _build(self))
        assert self._packet is not None
        return self._packet

    def tcp(self) -> bytes:
        """Return the TCP header, options and payload, checksum included.

        For stacks that write the IP header themselves, from `src`, `dst`, `hop_limit`
        and `tos`.
        """
        packet = self.packet()
        fields = _core_segment.parse(packet)[1]
        options, _, payload, size = _PLACES.unpack_from(fields, _FIELDS.size)
        return packet[options - HEADER_BYTES : payload + size]

    def reply(
        self,
        flags: int,
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int = 0,
        options: Sequence[Option] = (),
        payload: bytes = b"",
    ) -> Segment:
        """Make a segment that goes the other way.

        Unless told, it says what comes next: seq is this one's ack, and ack is the
        number after this segment, if `flags` has ACK.
        """
        if ack is None:
            ack = self.seq_end if flags & ACK else 0
        return Segment(
            src=self.dst,
            dst=self.src,
            sport=self.dport,
            dport=self.sport,
            seq=self.ack if seq is None else seq,
            ack=ack,
            flags=flags,
            window=window,
            options_bytes=encode(tuple(options)),
            payload=payload,
        )

    @property
    def seg_len(self) -> int:
        """Sequence numbers that it occupies: payload, SYN and FIN."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)

    @property
    def seq_end(self) -> int:
        """The sequence number after it."""
        return (self.seq + self.seg_len) & 0xFFFFFFFF

    @property
    def options(self) -> tuple[Option, ...]:
        """The options that its list holds, in order."""
        return decode(self.options_bytes)

    @property
    def mss(self) -> int | None:
        """The MSS that it offers."""
        option = self._option(Mss)
        return None if option is None else option.mss

    @property
    def wscale(self) -> int | None:
        """The window scale that it offers."""
        option = self._option(WindowScale)
        return None if option is None else option.shift

    @property
    def sack_permitted(self) -> bool:
        """Whether it offers SACK."""
        return self._option(SackPermitted) is not None

    @property
    def timestamps(self) -> Timestamps | None:
        """Its timestamps."""
        return self._option(Timestamps)

    @property
    def sack(self) -> Sack | None:
        """Its SACK blocks."""
        return self._option(Sack)

    def _option(self, kind: type[_Option]) -> _Option | None:
        """Return the last option of a kind: the last duplicate wins."""
        found = None
        for option in self.options:
            if isinstance(option, kind):
                found = option
        return found

    def __str__(self) -> str:
        """Spell it as tcpdump does, with absolute numbers."""
        size = len(self.payload)
        letters = "".join(letter for bit, letter in _LETTERS if self.flags & bit)
        parts = [f"Flags [{letters or 'none'}]"]
        if size or self.flags & (SYN | FIN | RST):
            last = f":{(self.seq + size) & 0xFFFFFFFF}" if size else ""
            parts.append(f"seq {self.seq}{last}")
        if self.flags & ACK:
            parts.append(f"ack {self.ack}")
        parts.append(f"win {self.window}")
        if self.options_bytes:
            parts.append(f"options [{','.join(_spell(self.options_bytes))}]")
        version = "IP6" if ":" in self.src else "IP"
        ends = f"{self.src}.{self.sport} > {self.dst}.{self.dport}"
        return f"{version} {ends}: {', '.join(parts)}, length {size}"


def _fill(segment: Segment, packet: bytes, fields: bytes) -> None:
    """Give a segment made from bytes its fields, as C read them."""
    saddr, daddr, sport, dport, family, hops, tos, df, label, ip_id, *rest = (
        _FIELDS.unpack_from(fields)
    )
    flags, seq, ack, window, urgent = rest
    options, options_size, payload, payload_size = _PLACES.unpack_from(
        fields, _FIELDS.size
    )
    values = {
        "src": address.text(family, saddr),
        "dst": address.text(family, daddr),
        "sport": sport,
        "dport": dport,
        "seq": seq,
        "ack": ack,
        "flags": flags,
        "window": window,
        "urgent": urgent,
        "options_bytes": packet[options : options + options_size],
        "payload": packet[payload : payload + payload_size],
        "hop_limit": hops,
        "tos": tos,
        "dont_fragment": bool(df),
        "flow_label": label,
        "ip_id": ip_id,
    }
    for name, value in values.items():
        _set(segment, name, value)


def _build(segment: Segment) -> bytes:
    """Write a segment made from fields; ValueError says which one is not legal."""
    family, saddr, daddr = address.pair(segment.src, segment.dst)
    _check(segment)
    fields = _FIELDS.pack(
        saddr,
        daddr,
        address.port(segment.sport),
        address.port(segment.dport),
        family,
        segment.hop_limit,
        segment.tos,
        bool(segment.dont_fragment),
        segment.flow_label,
        segment.ip_id,
        segment.flags,
        segment.seq,
        segment.ack,
        segment.window,
        segment.urgent,
    )
    options, payload = segment.options_bytes, segment.payload
    places = _PLACES.pack(0, len(options), 0, len(payload))
    packet = _core_segment.build(fields + places, options, payload)
    if not packet:
        raise ValueError(f"{len(payload)} bytes of payload do not fit into a packet")
    return packet


_LIMITS = {
    "seq": 0xFFFFFFFF,
    "ack": 0xFFFFFFFF,
    "flags": 0x1FF,
    "window": 0xFFFF,
    "urgent": 0xFFFF,
    "hop_limit": 0xFF,
    "tos": 0xFF,
    "flow_label": 0xFFFFF,
    "ip_id": 0xFFFF,
}


def _check(segment: Segment) -> None:
    for name, limit in _LIMITS.items():
        value = getattr(segment, name)
        if not isinstance(value, int) or not 0 <= value <= limit:
            raise ValueError(f"{name} is 0 to {limit}, not {value!r}")
    for name in ("options_bytes", "payload"):
        if not isinstance(data := getattr(segment, name), bytes):
            raise TypeError(f"{name} is bytes, not {type(data).__name__}")
    size = len(segment.options_bytes)
    if size > 40 or size % 4:
        raise ValueError(f"options have 0 to 40 bytes in steps of 4, not {size}")


def _spell(options_bytes: bytes) -> list[str]:
    """Name the options as tcpdump does, padding included."""
    words = []
    place = 0
    while place < len(options_bytes):
        kind = options_bytes[place]
        if kind <= 1:
            words.append("eol" if kind == 0 else "nop")
            place += 1
            if kind == 0:
                break
            continue
        size = options_bytes[place + 1] if place + 1 < len(options_bytes) else 0
        one = decode(options_bytes[place : place + size])
        if size < 2 or not one:
            words.append("bad opt")
            break
        words.append(_spell_one(one[0]))
        place += size
    return words


def _spell_one(option: Option) -> str:
    name = type(option).__name__
    if isinstance(option, Mss):
        name = f"mss {option.mss}"
    elif isinstance(option, WindowScale):
        name = f"wscale {option.shift}"
    elif isinstance(option, SackPermitted):
        name = "sackOK"
    elif isinstance(option, Sack):
        blocks = "".join(f"{{{a}:{b}}}" for a, b in option.blocks)
        name = f"sack {len(option.blocks)} {blocks}"
    elif isinstance(option, Timestamps):
        name = f"TS val {option.tsval} ecr {option.tsecr}"
    return name
