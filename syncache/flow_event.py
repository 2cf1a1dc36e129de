"""The reports of a middlebox mode: `FlowEvent`, read from the engine's journal.

The words for it are elsewhere: `ios` for TCP Intercept, `alerts` for inspection.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from . import address as addresses
from ._core.mirror import layout
from .alerts import Cause, Share
from .named import NamedNumber

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_EVENT = layout(
    "flow_event",
    "time_ms kind protocol reason ours number incomplete udp limit rate tuple.faddr "
    "tuple.laddr tuple.fport tuple.lport tuple.family bytes top_address top_port "
    "top_family source_family top_count source_prefix source_count",
)
EVENT_BYTES = _EVENT.size
_KIND = layout("flow_event", "kind")
_BRIEF = layout("flow_event", "time_ms kind protocol reason tuple bytes")
_ENDS = layout(
    "flow_event",
    "kind protocol tuple.faddr tuple.laddr tuple.lport tuple.family",
)
_PREFIX_LENGTH = {addresses.IPV4: 24, addresses.IPV6: 48}


class Kind(NamedNumber):
    """enum flow_event_kind."""

    # enum flow_event_kind, by docs/generate.py: begin
    # reason, incomplete, limit (its high one), rate, number: mark crossed, top...
    AGGRESSIVE = 0
    CALM = 1  # incomplete, limit (the low one), rate, udp
    HOST_ALERT = 2  # tuple.laddr, limit, incomplete, sources
    BLOCK = 3  # tuple.laddr, limit, number: block time in ms
    UNBLOCK = 4  # tuple.laddr
    START = 5  # tuple, protocol
    STOP = 6  # tuple, protocol, bytes, reason: enum flow_end
    NEW = 7  # tuple
    SYN_ACK = 8  # tuple, ours
    FIRST_HALF = 9  # tuple
    SYN = 10  # tuple, ours
    SECOND_HALF = 11  # tuple
    ACK = 12  # tuple, ours
    WINDOW = 13  # tuple
    EARLY = 14  # tuple: client packet not passed in SYNSENT
    REXMT_SYN_ACK = 15  # tuple, number: 1 is the first
    REXMT_SYN = 16  # tuple, number
    TOO_LONG_SYNRCVD = 17  # tuple
    TOO_LONG_SYNSENT = 18  # tuple
    RST_CLIENT = 19  # tuple
    RST_SERVER = 20  # tuple
    PASSED_SYNRCVD = 21  # tuple: server packet passed in SYNRCVD
    TIMING_OUT = 22  # tuple: a watched connection
    # tuple, reason: enum flow_end; the alerts of either mode do not name it
    EVICTED = 23
    # enum flow_event_kind: end


class Reason(NamedNumber):
    """enum flow_reason: which threshold was crossed."""

    # enum flow_reason, by docs/generate.py: begin
    NONE = 0
    INCOMPLETE = 1
    RATE = 2
    HOST = 3
    # enum flow_reason: end


class End(NamedNumber):
    """enum flow_end: why a session ended."""

    # enum flow_end, by docs/generate.py: begin
    TIMEOUT = 0  # idle, or finwait after its end
    SYNWAIT = 1  # half-open for too long
    RST = 2
    FIN = 3
    GIVEUP_CLIENT = 4  # retransmissions of the first half ran out
    GIVEUP_SERVER = 5  # of the second
    EVICTED_COUNT = 6  # aggressive because of the count of incompletes
    EVICTED_RATE = 7  # aggressive because of the rate
    EVICTED_HOST = 8  # its host had too many
    BLOCKED = 9  # its host's block began
    EVICTED_FULL = 10  # the table was full
    REPLACED = 11  # a new connection of the same tuple
    SILENT = 12  # its client had said nothing, and its prefix had too many of these
    # enum flow_end: end


class Place(NamedTuple):
    """One end of a session."""

    address: str
    port: int

    def __str__(self) -> str:
        if ":" in self.address:
            return f"[{self.address}]:{self.port}"
        return f"{self.address}:{self.port}"


NOWHERE = Place("", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEvent:
    """One event; which members mean something depends on its kind (flow.h).

    `time` is the engine's clock in seconds; `number` that of a retransmission, a block
    time in ms or the threshold that made it aggressive; `incomplete` and `rate` are as
    they were at the event, `udp` is how many of the former; `top` holds most half-open
    sessions, `sources` is the prefix that most requests came from.
    """

    time: float
    kind: Kind
    protocol: int = 6
    reason: int = 0
    ours: bool = False
    number: int = 0
    incomplete: int = 0
    udp: int = 0
    limit: int = 0
    rate: int = 0
    client: Place = NOWHERE
    server: Place = NOWHERE
    client_bytes: int = 0
    server_bytes: int = 0
    top: Share | None = None
    sources: Share | None = None

    @property
    def cause(self) -> Cause:
        """Which threshold fired, with which number, and who was behind it."""
        reason = Reason(self.reason)
        value = self.rate if reason is Reason.RATE else self.incomplete
        # The text of the original has the count's threshold, whichever fired.
        limit = self.number if self.kind is Kind.AGGRESSIVE else self.limit
        return Cause(reason.name.lower(), limit, value, self.top, self.sources)


def read(view: bytes, *, but: Collection[int] = ()) -> Iterator[FlowEvent]:
    """Read the C structures of events, each when it is asked for; `but` these kinds."""
    if not but:
        return map(_event, _EVENT.iter_unpack(view))
    return (
        _event(_EVENT.unpack_from(view, index * EVENT_BYTES))
        for index, (kind,) in enumerate(_KIND.iter_unpack(view))
        if kind not in but
    )


def brief(view: bytes) -> Iterator[tuple[Any, ...]]:
    """Read C's structures as plain tuples, at a tenth of the cost of objects.

    In each: time in ms, kind, protocol, reason, the packed tuple (of the form that
    `flow_session.brief` has), and the bytes of client and server.
    """
    return _BRIEF.iter_unpack(view)


def ends(view: bytes) -> Iterator[tuple[Any, ...]]:
    """Read the ends of C's structures as plain tuples.

    In each: kind, protocol, packed addresses of client and server, the server's port,
    and the family.
    """
    return _ENDS.iter_unpack(view)


def _event(fields: tuple[Any, ...]) -> FlowEvent:
    time_ms, kind, protocol, reason, ours, *rest = fields
    number, incomplete, udp, limit, rate, faddr, laddr, fport, lport, *more = rest
    family, client_bytes, server_bytes, top, top_port, top_family, *last = more
    source_family, top_count, prefix, source_count = last
    return FlowEvent(
        time=time_ms / 1000,
        kind=Kind(kind),
        protocol=protocol,
        reason=reason,
        ours=bool(ours),
        number=number,
        incomplete=incomplete,
        udp=udp,
        limit=limit,
        rate=rate,
        client=Place(addresses.text(family, faddr), fport) if family else NOWHERE,
        server=Place(addresses.text(family, laddr), lport) if family else NOWHERE,
        client_bytes=client_bytes,
        server_bytes=server_bytes,
        top=_top(top_family, top, top_port, top_count),
        sources=_sources(source_family, prefix, source_count),
    )


def _top(family: int, packed: bytes, port: int, count: int) -> Share | None:
    if not family or not count:
        return None
    return Share(str(Place(addresses.text(family, packed), port)), count)


def _sources(family: int, packed: bytes, count: int) -> Share | None:
    if not family or not count:
        return None
    prefix = f"{addresses.text(family, packed)}/{_PREFIX_LENGTH[family]}"
    return Share(str(ip_network(prefix, strict=False)), count)
