"""What a case says about the end: state, entries, connections, counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .hand import counters as engine_counters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .script import Script
    from .world import World

IGNORED = {"note", "expired_at_ms"}  # a remark; and what the player times itself


def entries(world: World) -> int:
    """Count the half-open entries."""
    return len(world.stack.syncache.half_open())


def counters(world: World) -> dict[str, int]:
    """Return all counters by name."""
    return engine_counters(world.stack.syncache)


def _state(world: World) -> str:
    """Name the state of the script's endpoint as RFC 9293 does, in lower case."""
    if world.accepted:
        return str(world.accepted[0].state).lower().replace("-", "_")
    if entries(world):
        return "syn_received"
    return "listen" if world.listening else "closed"


def _connection(world: World) -> Any:
    return world.accepted[0]


OBSERVERS: dict[str, Callable[[World], object]] = {
    "state": _state,
    "entries": entries,
    "accepted": lambda world: len(world.accepted),
    "readable": lambda world: len(_connection(world).read(1 << 20)),
    "peer_mss": lambda world: _connection(world).conn.mss,
    "peer_ws": lambda world: _connection(world).conn.snd_wscale or 0,
    "our_ws": lambda world: _connection(world).conn.rcv_wscale or 0,
    "sack": lambda world: _connection(world).conn.sack_permitted,
    "ts": lambda world: _connection(world).conn.timestamps,
    "snd_wnd": lambda world: _connection(world).info.snd_wnd,
    "cwnd_segments": lambda world: (
        _connection(world).info.cwnd // _connection(world).info.mss
    ),
}

OF_CONNECTION = {"peer_mss_max", *OBSERVERS} - {"state", "entries", "accepted"}


def disagreements(
    world: World, script: Script, baseline: dict[str, int]
) -> Iterator[str]:
    """Say what at the end is not as the script expects."""
    for name, wanted in script.expect.items():
        if name in IGNORED:
            continue
        if name == "counters" and isinstance(wanted, dict):
            yield from _counter_disagreements(world, wanted, baseline)
        elif name in OF_CONNECTION and not world.accepted:
            yield f"no connection that could have {name} {wanted}"
        elif name == "peer_mss_max":
            got = OBSERVERS["peer_mss"](world)
            if not isinstance(got, int) or got > wanted:
                yield f"peer_mss is {got}, above {wanted}"
        elif name not in OBSERVERS:
            yield f"nothing known about {name!r}"
        elif (got := OBSERVERS[name](world)) != wanted:
            yield f"{name} is {got}, not {wanted}"


def _counter_disagreements(
    world: World, wanted: dict[str, int], baseline: dict[str, int]
) -> Iterator[str]:
    now = counters(world)
    for short, value in wanted.items():
        name = short if short in now else f"sc_{short}"
        if name not in now:
            yield f"no counter {short!r}"
        elif now[name] - baseline[name] != value:
            yield f"counter {short} is {now[name] - baseline[name]}, not {value}"
