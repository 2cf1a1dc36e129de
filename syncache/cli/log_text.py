"""A log's sums as text for a reader and as JSON for a program."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timezone
from math import inf
from typing import TYPE_CHECKING, Any

from .._core.inspect import Sample
from ..advise import Advice, advise
from ..alerts.kernel import Sign
from ..alerts.log_load import MINUTE, RESTS_ON
from ..alerts.totals import HOST, SIGNS
from ..plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..alerts.log import LogBook
    from ..alerts.message import Message
    from ..alerts.top import Top
    from ..alerts.totals import Attack

DAY_S = 86_400
SHORT_ALERTS = 3  # so many alerts of less than a minute are no accident
KILO = 1000
NO_TRAIL = "none without an audit trail in the log (ip inspect audit-trail)"


def when(book: LogBook, seconds: float | None) -> str:
    """Spell a time: a date, or how long a router had been up."""
    if seconds is None:
        return "?"
    if book.uptimes and seconds < DAY_S * 365 * 20:
        return f"up {lasting(seconds)}"
    try:
        moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f}"
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def lasting(seconds: float | None) -> str:
    """Spell a duration."""
    if seconds is None:
        return "?"
    days, rest = divmod(int(seconds), DAY_S)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, MINUTE)
    clock = f"{hours}:{minutes:02}:{rest:02}"
    return f"{days} d {clock}" if days else clock


def size(number: int) -> str:
    """Spell a number of bytes."""
    value, units = float(number), ["TB", "GB", "MB", "kB"]
    if number < KILO:
        return f"{number} bytes"
    while value >= KILO and units:
        value, unit = value / KILO, units.pop()
    return f"{value:.1f} {unit}"


def plain(text: str) -> str:
    """Return text of a log without anything that moves a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)


def spans_of(book: LogBook) -> list[tuple[float, float]]:
    """Return when attacks were on, in order and without overlaps.

    An attack whose begin is not in the log cannot have begun before the one that
    ended before it on the same router; one without an end lasts.
    """
    ended: dict[tuple[str, str, str], float] = {}
    spans: list[tuple[float, float]] = []
    for attack in book.attacks:
        if attack.kind in {HOST, *SIGNS}:
            continue
        key = (attack.kind, attack.router, attack.zone)
        begin = attack.begin if attack.begin is not None else ended.get(key, -inf)
        end = attack.end if attack.end is not None else inf
        ended[key] = end
        spans.append((begin - book.load.width, end + MINUTE))
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def samples_of(book: LogBook) -> list[Sample]:
    """Return the samples outside of the attacks that the log reports."""
    samples: list[Sample] = []
    spans = iter([*spans_of(book), (inf, inf)])
    begin, end = next(spans)
    for s in book.load.samples():
        while s.time > end:
            begin, end = next(spans)
        if s.time < begin:
            samples.append(
                Sample(
                    s.time, s.incomplete, 0, 0, s.one_minute, False, s.host_count, ""
                )
            )
    return samples


def advice_of(book: LogBook) -> tuple[Advice | None, list[str]]:
    """Return a proposal and its basis, or why there is none."""
    try:
        if book.load:
            samples = samples_of(book)
            found = advise(samples, [])
            found = dataclasses.replace(found, seconds=found.seconds * book.load.width)
            notes = [RESTS_ON]
            if book.load.width > 1:
                notes.append(f"each value is the highest of {book.load.width} s")
            if book.load.left_out:
                left_out = book.load.left_out
                noun = plural(left_out, "session")
                notes.append(f"{left_out} unanswered {noun} left out")
            return found, notes
        short = [
            Sample(a.begin or 0.0, a.half_open, 0, 0, a.rate, False, 0, "")
            for a in book.attacks
            if a.kind not in {HOST, *SIGNS}
            and a.duration is not None
            and a.duration < MINUTE
        ]
        if len(short) >= SHORT_ALERTS:
            note = (
                f"from {len(short)} alerts of less than a minute: an attack keeps a "
                "one-minute rate high for longer, so they are everyday traffic"
            )
            return advise(short, [], everything=True), [note]
    except ValueError:
        return None, ["every second of the audit trail lies within an attack"]
    return None, [NO_TRAIL]


def proposal(advice: Advice, *, with_host: bool) -> tuple[list[str], list[str]]:
    """Return the lines of a sysctl.conf and of IOS that a log can propose."""
    hidden = ["synwait"] if with_host else ["synwait", "host"]

    def kept(lines: list[str]) -> list[str]:
        return [line for line in lines if not any(word in line for word in hidden)]

    return kept(advice.sysctl_conf()), kept(advice.ios())


def as_text(book: LogBook, top: int) -> Iterator[str]:
    """Yield the lines of the report."""
    yield (
        f"{book.lines:,} {plural(book.lines, 'line')}, "
        f"{book.messages:,} {plural(book.messages, 'message')} of inspection, "
        "intercept, kernels or firewalls, "
        f"{when(book, book.first)} to {when(book, book.last)}"
    )
    if book.undated:
        have = plural(book.undated, "message has", "messages have")
        yield f"{book.undated:,} {have} no time, and count at the one before"
    yield from ranking("routers", book.routers, top)
    yield ""
    yield from attacks_text(book, top)
    yield from sessions_text(book, top)
    yield from steps_text(book, top)
    if book.drops:
        yield f"{book.drops:,} {plural(book.drops, 'packet')} dropped"
        yield from (f"  {each}" for each in folded_drops_text(book))
        yield from ranking("reasons", book.drop_reasons, top)
        yield from ranking("from", book.drop_sources, top)
        yield from ranking("to", book.drop_targets, top)
        yield ""
    yield from ranking("not understood", book.unknown, top)
    yield from book.unread.text()
    yield from advice_text(book)


def attacks_text(book: LogBook, top: int) -> Iterator[str]:
    """Yield a row for each attack."""
    if not book.attacks:
        yield "no alerts"
        yield ""
        return
    total = len(book.attacks) + book.attacks_lost
    yield f"{total:,} {plural(total, 'attack')}"
    yield (
        f"{'on':19}  {'off':19}  {'lasted':>9}  {'kind':9}  {'reason':10}  "
        f"{'half-open':>9}  {'a minute':>8}  router, zone, targets"
    )
    for attack in book.attacks:
        end = "still on" if attack.end is None else when(book, attack.end)
        begin = "before" if attack.begin is None else when(book, attack.begin)
        yield (
            f"{begin:19}  {end:19}  {lasting(attack.duration):>9}  {attack.kind:9}  "
            f"{plain(attack.reason) or '?':10}  {stated(attack, 'half_open'):>9}  "
            f"{stated(attack, 'rate'):>8}  {where(attack, top)}"
        )
    if book.attacks_lost:
        yield f"and {book.attacks_lost:,} more"
    yield ""


def stated(attack: Attack, name: str) -> str:
    """Spell a number of the alerts; a kernel's lines have none."""
    number = getattr(attack, name)
    return "-" if attack.kind in SIGNS and not number else f"{number:,}"


def where(attack: Attack, top: int) -> str:
    """Name the place of an attack, and who was behind it."""
    words = [attack.router, attack.zone]
    words += [f"{who}({n})" for who, n in attack.targets.most_common(top)]
    words += [f"from {who}({n})" for who, n in attack.sources.most_common(top)]
    if attack.blocked_s:
        words.append(f"blocked for {attack.blocked_s} s")
    return plain(" ".join(word for word in words if word))


def sessions_text(book: LogBook, top: int) -> Iterator[str]:
    """Yield the totals of the audit trail."""
    total = book.sessions
    if not total.started and not total.stopped:
        return
    names = ", ".join(f"{n:,} {plain(name)}" for name, n in named(total.protocols, top))
    yield f"sessions: {total.started:,} begun, {total.stopped:,} ended ({names})"
    yield (
        f"  {size(total.initiator_bytes)} from initiators, "
        f"{size(total.responder_bytes)} from responders; "
        f"{total.unanswered:,} ended unanswered"
    )
    yield from (f"  {each}" for each in folded_text(book))
    if total.timed:
        yield (
            f"  {total.timed:,} with both ends in the log took "
            f"{total.seconds / total.timed:.1f} s on average, "
            f"{lasting(total.longest)} at most"
        )
    yield from ranking("initiators", book.initiators, top)
    yield from ranking("responders", book.responders, top)
    yield ""


def folded_text(book: LogBook) -> Iterator[str]:
    """Yield what is not known of sessions for which another one's line stands."""
    begun, ended = book.sessions.folded_started, book.sessions.folded_stopped
    if begun or ended:
        yield (
            f"{begun:,} of those begun and {ended:,} of those ended have no line of "
            "their own (folded): bytes, answers and ends are a sample, of the others"
        )


def folded_drops_text(book: LogBook) -> Iterator[str]:
    """Yield the same of dropped packets."""
    if book.drops_folded:
        have = plural(book.drops_folded, "has no line of its", "have no line of their")
        yield (
            f"{book.drops_folded:,} of them {have} own (folded): reasons and ends are "
            "a sample, of the others"
        )


def steps_text(book: LogBook, top: int) -> Iterator[str]:
    """Yield the totals of `debug ip tcp intercept`."""
    lines = book.steps.text()
    if not lines:
        return
    yield from lines
    if not book.sessions.started and not book.sessions.stopped:
        yield from ranking("initiators", book.initiators, top)
        yield from ranking("responders", book.responders, top)
    yield ""


def named(counts: Any, top: int) -> list[tuple[str, int]]:
    """Return the most frequent names."""
    found: list[tuple[str, int]] = counts.most_common(top)
    return found


def ranking(title: str, counts: Top[str], top: int) -> Iterator[str]:
    """Yield one line with the most frequent names."""
    if not len(counts):
        return
    names = ", ".join(f"{plain(name)} ({n:,})" for name, n in counts.most(top))
    more = len(counts) - min(len(counts), top)
    yield f"  {title}: {names}" + (f" and {more:,} more" if more else "")


def advice_text(book: LogBook) -> Iterator[str]:
    """Yield the proposal, ready to copy."""
    advice, notes = advice_of(book)
    yield "thresholds: " + "; ".join(notes)
    if advice is None:
        return
    if book.load:
        yield from (line for line in advice.text() if "synwait" not in line)
    for lines in proposal(advice, with_host=bool(book.load)):
        yield ""
        yield from lines


def as_json(book: LogBook, top: int) -> Iterator[str]:
    """Yield one object a line: each attack, then the totals, then the proposal."""
    for attack in book.attacks:
        yield json.dumps({"type": "attack", **attack_json(book, attack)})
    yield json.dumps({"type": "totals", **totals_json(book, top)})
    advice, notes = advice_of(book)
    said: dict[str, Any] = {"type": "advice", "rests_on": notes}
    if advice is not None:
        lines, ios = proposal(advice, with_host=bool(book.load))
        said["sysctl"] = dict(line.split("=") for line in lines)
        said["ios"] = ios
    yield json.dumps(said)


def attack_json(book: LogBook, attack: Attack) -> dict[str, Any]:
    """Return an attack by names."""
    fields = {f.name: getattr(attack, f.name) for f in dataclasses.fields(attack)}
    fields["targets"] = dict(attack.targets.most_common())
    fields["sources"] = dict(attack.sources.most_common())
    fields["duration"] = attack.duration
    if attack.kind in SIGNS:
        for name in ("half_open", "rate", "limit"):
            fields[name] = fields[name] or None
    fields["on"], fields["off"] = when(book, attack.begin), when(book, attack.end)
    return fields


def totals_json(book: LogBook, top: int) -> dict[str, Any]:
    """Return the sums by names."""
    # Not `asdict`, which makes nonsense of a Counter.
    fields = dataclasses.fields(book.sessions)
    sessions = {field.name: getattr(book.sessions, field.name) for field in fields}
    return {
        "lines": book.lines,
        "messages": book.messages,
        "undated": book.undated,
        "first": book.first,
        "last": book.last,
        "attacks": len(book.attacks) + book.attacks_lost,
        "sessions": sessions,
        "intercept_steps": dict(book.steps.counts.most_common()),
        "drops": book.drops,
        "drops_folded": book.drops_folded,
        "routers": dict(book.routers.most(top)),
        "initiators": dict(book.initiators.most(top)),
        "responders": dict(book.responders.most(top)),
        "drop_reasons": dict(book.drop_reasons.most(top)),
        "drop_sources": dict(book.drop_sources.most(top)),
        "drop_targets": dict(book.drop_targets.most(top)),
        "not_understood": dict(book.unknown.most(top)),
        "not_read": dict(book.unread.numbers),
    }


def message_json(book: LogBook, message: Message | Sign) -> dict[str, Any]:
    """Return an alert as it comes, by names."""
    if isinstance(message, Sign):
        said = message._asdict()
    else:
        said = dataclasses.asdict(message)
    said["time"] = book.now
    return {"type": "alert", "mnemonic": message.mnemonic, **said}
