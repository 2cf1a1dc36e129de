"""Inspection's part of the door to C: replays and samples.

The rules of `_core` hold here too.  The calls are described in csrc/flow/flow.h and
csrc/flow/flow.h.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from . import NEVER, ffi, lib
from .block import milliseconds
from .mirror import limit

if TYPE_CHECKING:
    from . import RingCore
    from .flow import FlowCore

AGES = limit("FLOW_AGES")


class Sample(NamedTuple):
    """How things stand at one time: struct flow_sample.

    `host_count` are the half-open TCP sessions of the destination that has most, which
    is `host` ("": there is none).  It stands for the last `seconds` up to `time`.
    """

    time: float
    incomplete: int
    incomplete_udp: int
    established: int
    one_minute: int
    aggressive: bool
    host_count: int
    host: str
    seconds: int = 1


def replay(core: FlowCore, rx: RingCore, until: float | None) -> int:
    """Take packets at the times in their slots; the number consumed."""
    until_ms = NEVER
    if until is not None:
        until_ms = milliseconds(until)
        if until_ms < (now_ms := clock(core)):
            raise ValueError(
                f"until={until} lies before the engine's clock, {now_ms / 1000}: "
                "what was due by then is done; give a later time"
            )
    consumed: int = lib.flow_replay(core._flow, until_ms, rx.cdata)  # noqa: SLF001
    return consumed


def clock(core: FlowCore) -> int:
    """Return the engine's time in milliseconds; 0 before its first call."""
    now_ms: int = lib.flow_now_ms(core._flow)  # noqa: SLF001
    return now_ms


def next_change(core: FlowCore, now: float) -> float | None:
    """Return when a sample may differ from one of now without a packet."""
    due: int = lib.flow_measure_change_ms(core._flow, milliseconds(now))  # noqa: SLF001
    return None if due == NEVER else due / 1000


def sample(core: FlowCore, now: float) -> Sample:
    """Tell how things stand."""
    found = ffi.new("struct flow_sample *")
    lib.flow_measure(core._flow, milliseconds(now), found)  # noqa: SLF001
    size = {0: 0, 4: 4, 6: 16}[found.host_family]
    packed = ffi.buffer(found.host_address)[:size]
    return Sample(
        found.time_ms / 1000,
        found.incomplete,
        found.incomplete_udp,
        found.established,
        found.one_minute,
        bool(found.aggressive),
        found.host_count,
        str(ip_address(packed)) if size else "",
    )


def handshake_ages(core: FlowCore) -> list[int]:
    """Return how many handshakes completed at which age, by C's counters."""
    ages = lib.flow_handshake_ages(core._flow)  # noqa: SLF001
    return ffi.unpack(ages, AGES)
