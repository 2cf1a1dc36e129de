"""`Session`: one connection of a middlebox mode, as listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import address as addresses
from ._core.mirror import layout
from .conn import WSCALE_NONE
from .flow_event import Place
from .named import NamedNumber

if TYPE_CHECKING:
    from collections.abc import Iterator

_SESSION = layout(
    "flow_session_view",
    "tuple.faddr tuple.laddr tuple.fport tuple.lport tuple.family protocol state "
    "mode counted side rule rexmts client_wscale server_wscale told_wscale delta id "
    "icmp_id created_ms last_ms deadline_ms bytes",
)
SESSION_BYTES = _SESSION.size
_BRIEF = layout("flow_session_view", "tuple protocol state")
_NEVER = 2**64 - 1


class State(NamedNumber):
    """enum flow_state; the first two are half-open."""

    # enum flow_state, by docs/generate.py: begin
    SYNRCVD = 0
    SYNSENT = 1
    ESTAB = 2
    CLOSING = 3
    # enum flow_state: end


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session: who, in which state, since when, until when.

    `client` began it.  `mode` is "I" (intercepted), "W" (watched) or "" (inspected);
    `counted` tells whether it counts as half-open.  `delta` is what a spliced
    connection's sequence numbers differ by, the scales are those of its two ends and
    the one that the client was told.  Times are seconds of the engine's clock;
    `deadline` is when its timer fires (None: it has none).
    """

    client: Place
    server: Place
    protocol: int
    state: State
    mode: str
    counted: bool
    side: int
    rule: int
    rexmts: int
    client_wscale: int | None
    server_wscale: int | None
    told_wscale: int | None
    delta: int
    id: int
    icmp_id: int
    created: float
    last: float
    deadline: float | None
    client_bytes: int
    server_bytes: int

    @property
    def half_open(self) -> bool:
        """Whether its handshake is not complete."""
        return self.state <= State.SYNSENT


def read(view: bytes) -> list[Session]:
    """Read the C structures of sessions."""
    return [_session(fields) for fields in _SESSION.iter_unpack(view)]


def brief(view: bytes) -> Iterator[tuple[Any, ...]]:
    """Read C's structures as plain tuples: the packed tuple, protocol and state."""
    return _BRIEF.iter_unpack(view)


def _session(fields: tuple[Any, ...]) -> Session:
    faddr, laddr, fport, lport, family, *rest = fields
    protocol, state, mode, counted, side, rule, rexmts, *more = rest
    client_wscale, server_wscale, told_wscale, delta, number, icmp_id, *times = more
    created_ms, last_ms, deadline_ms, client_bytes, server_bytes = times
    return Session(
        client=Place(addresses.text(family, faddr), fport),
        server=Place(addresses.text(family, laddr), lport),
        protocol=protocol,
        state=State(state),
        mode=chr(mode) if mode else "",
        counted=bool(counted),
        side=side,
        rule=rule,
        rexmts=rexmts,
        client_wscale=_wscale(client_wscale),
        server_wscale=_wscale(server_wscale),
        told_wscale=_wscale(told_wscale),
        delta=delta,
        id=number,
        icmp_id=icmp_id,
        created=created_ms / 1000,
        last=last_ms / 1000,
        deadline=None if deadline_ms == _NEVER else deadline_ms / 1000,
        client_bytes=client_bytes,
        server_bytes=server_bytes,
    )


def _wscale(number: int) -> int | None:
    return None if number == WSCALE_NONE else number
