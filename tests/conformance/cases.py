"""Reads handshake cases in the JSON form `handshake_cases/1` (see cases/)."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .script import Call, Expect, Icmp, Inject, Script, Shape, Step, Tune

if TYPE_CHECKING:
    from pathlib import Path

LATE_S = 0.005  # a deadline is kept within 4 ms; one more for rounding
DELAYED_ACK_S = 0.100  # FreeBSD delays the ACK of data by up to this
QUIET_S = 0.005  # after the last step nothing may follow at once
SHAPE_FIELDS = frozenset(f.name for f in fields(Shape))
STEP_FIELDS = SHAPE_FIELDS | {"dir", "t_ms", "only", "fault", "app", "icmp", "tunables"}
# Sequence numbers start again at these clocks: the wraps of 31 and 32 bits of
# milliseconds, which timers must not notice.
CLOCK_WRAPS = (1000.0, (2**31 - 2000) / 1000, (2**32 - 2000) / 1000)


def load(path: Path) -> list[Script]:
    """Return the scripts of a file; ValueError says what is wrong with it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(data, dict) or data.get("format") != "handshake_cases/1":
        raise ValueError(f"{path}: not in the form handshake_cases/1")
    base = data.get("base_tunables", {})
    return [read_case(case, base) for case in data["cases"]]


def read_case(case: dict[str, Any], base: dict[str, Any]) -> Script:
    """Return one case as a script."""
    given = case["given"]
    steps = [read_step(step) for step in case["steps"] if _freebsd(step)]
    last = max((step.at for step in steps), default=0.0)
    end = case["run_until_ms"] / 1000 if "run_until_ms" in case else last + QUIET_S
    return Script(
        name=case["name"],
        steps=tuple(steps),
        family=given.get("family", 4),
        listening=given.get("listening", True),
        backlog=given.get("backlog", 128),
        tunables={**base, **given.get("tunables", {})},
        listener=given.get("listener", {}),
        irs=case.get("irs", given.get("irs", 1_000_000)),
        local=given.get("local") or _land_address(steps),
        end=end,
        expect=case.get("expect", {}),
        exact_order=tuple(case.get("exact_order", ())),
        unlisted_syn_acks=_omits_syn_acks(steps),
        says_nothing=not any(isinstance(s, Expect) for s in steps)
        and _omits_syn_acks(steps),
        topic=case.get("topic", ""),
        clock_starts=CLOCK_WRAPS if case.get("topic") == "clock" else (1000.0,),
    )


def _freebsd(step: dict[str, Any]) -> bool:
    return "freebsd" in step.get("only", ["freebsd"])


def _land_address(steps: list[Step]) -> str | None:
    """Our own address, which a case names only by claiming to be it (LAND)."""
    for step in steps:
        if isinstance(step, Inject) and step.shape.src and step.shape.sport:
            return step.shape.src
    return None


def _omits_syn_acks(steps: list[Step]) -> bool:
    """Tell whether a case of several peers leaves all of its SYN-ACKs out."""
    syns = {
        s.shape.peer for s in steps if isinstance(s, Inject) and s.shape.flags == "S"
    }
    answered = any(
        isinstance(s, Expect) and {"S", "A"} <= set(s.shape.flags or "") for s in steps
    )
    return len(syns) > 1 and not answered


def read_step(step: dict[str, Any]) -> Step:
    """Return one step; ValueError on a field that nobody would look at."""
    unknown = set(step) - STEP_FIELDS
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r} in a step")
    at = step["t_ms"] / 1000
    if "app" in step:
        return Call(at, step["app"], ("case",))
    if "tunables" in step:
        ((name, value),) = step["tunables"].items()
        return Tune(at, name, value)
    if "icmp" in step:
        return Icmp(at, step["icmp"], step.get("seq", 0))
    shape = read_shape(step)
    if step["dir"] == "in":
        return Inject(at, shape, step.get("fault"))
    pure_ack = shape.flags == "A" and not shape.len
    return Expect(at, at + (DELAYED_ACK_S if pure_ack else LATE_S), shape)


def read_shape(step: dict[str, Any]) -> Shape:
    """Return the segment of a step."""
    values = {k: v for k, v in step.items() if k in SHAPE_FIELDS}
    if values.get("opts") is not None:
        values["opts"] = tuple(tuple(option) for option in values["opts"])
    return Shape(**values)
