"""The reports of a middlebox mode: `FlowEvent`, read from the engine's journal.

The words for it are elsewhere: `ios` for TCP Intercept, `alerts` for inspection.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, NamedTuple

from . import address as addresses
from ._core.mirror import layout
from .alerts import Cause, Share
from .named import NamedNumber

_EVENT = layout(
    "flow_event",
    "time_ms kind protocol reason ours number incomplete udp limit rate tuple.faddr "
    "tuple.laddr tuple.fport tuple.lport tuple.family bytes top_address top_port "
    "top_family source_family top_count source_prefix source_count",
)
EVENT_BYTES = _EVENT.size
_PREFIX_LENGTH = {addresses.IPV4: 24, addresses.IPV6: 48}


class Kind(NamedNumber):
    """enum flow_event_kind."""

    AGGRESSIVE = 0
    CALM = 1
    HOST_ALERT = 2
    BLOCK = 3
    UNBLOCK = 4
    START = 5
    STOP = 6
    NEW = 7
    SYN_ACK = 8
    FIRST_HALF = 9
    SYN = 10
    SECOND_HALF = 11
    ACK = 12
    WINDOW = 13
    EARLY = 14
    REXMT_SYN_ACK = 15
    REXMT_SYN = 16
    TOO_LONG_SYNRCVD = 17
    TOO_LONG_SYNSENT = 18
    RST_CLIENT = 19
    RST_SERVER = 20
    PASSED_SYNRCVD = 21
    TIMING_OUT = 22
    EVICTED = 23


class Reason(NamedNumber):
    """enum flow_reason: which threshold was crossed."""

    NONE = 0
    INCOMPLETE = 1
    RATE = 2
    HOST = 3


class End(NamedNumber):
    """enum flow_end: why a session is no more."""

    TIMEOUT = 0
    SYNWAIT = 1
    RST = 2
    FIN = 3
    GIVEUP_CLIENT = 4
    GIVEUP_SERVER = 5
    EVICTED_COUNT = 6
    EVICTED_RATE = 7
    EVICTED_HOST = 8
    BLOCKED = 9
    EVICTED_FULL = 10
    REPLACED = 11
    SILENT = 12


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


def read(view: bytes) -> list[FlowEvent]:
    """Read the C structures of events."""
    return [_event(fields) for fields in _EVENT.iter_unpack(view)]


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
