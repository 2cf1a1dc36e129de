"""A log of alerts, summed up for an operator.

Contents: `LogBook`, which takes the lines of one log in their order and keeps
attacks (on, off, targets, reason), sessions, dropped packets and totals; its memory is
bounded whatever the log holds.  Elsewhere: reading lines (`said`, `log_line`),
load over time and thresholds (`log_load`), files and output (`cli.log`).

START and STOP belong together by router and ends, never by the name of the protocol:
a router whose rules change meanwhile ends a session by another name.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from .document import Unpacker
from .header_shape import Header
from .kernel import FIREWALLS, may_be_sign, sign_of
from .log_load import Load
from .message import AlertOff, AlertOn, BlockHost, HostAlert, UnblockHost
from .parser import LINE_MAX, HostSaid, folded, host_alert, trail
from .said import DROPS, START, STOP, Texts
from .steps import WORD, Steps
from .top import Top, address
from .totals import (
    FIREWALL,
    HOST,
    INSPECT,
    INTERCEPT,
    KERNEL,
    SOURCES_MAX,
    Attack,
    Sessions,
)
from .unread import Unread
from .wrapped import REPEATED, named_host, repeated

if TYPE_CHECKING:
    import re

    from .kernel import Sign
    from .log_line import HeaderReader
    from .message import Message
    from .parser import Scan
    from .said import Said
    from .wrapped import Wrapped

NAUGHT = 2  # characters in which no time fits, such as those that end a line
QUIET_S = 60  # a host's alerts that are further apart are two attacks
KERNEL_QUIET_S = 180  # likewise a kernel's lines, of which one comes in a minute
OPEN_MAX = 500_000  # sessions whose end is awaited
ATTACKS_MAX = 10_000


class LogBook:
    """Takes lines, keeps their totals.

    Each router, and each of its zone pairs and classes, is in its own state.

    Args:
        reader: of the headers of the log, or of its first file; it may be replaced.
        speaks: `add` returns all alerts, which takes longer; else perhaps not.
    """

    def __init__(self, reader: HeaderReader, *, speaks: bool = True) -> None:
        self.reader = reader
        self.speaks = speaks
        self._now: float | None = None
        self._on: dict[tuple[str, str, str], Attack] = {}
        self._early: dict[tuple[str, str, str], Attack] = {}  # ended, and not begun
        self._hosts: dict[tuple[str, str], Attack] = {}
        self._signs: dict[tuple[str, str, str, str], Attack] = {}
        self._open: dict[int, float] = {}  # by hash of router and ends: a short key
        self._uptimes = False
        self._unpacker = Unpacker()
        self._texts = Texts()
        # The last text that is not of the audit trail, and the number of its line.
        self._before = (0, "")
        self._times = 1
        self.lines = self.messages = self.undated = self.attacks_lost = 0
        self.first: float | None = None
        self.last: float | None = None
        self.attacks: list[Attack] = []
        self.sessions = Sessions()
        self.load = Load()
        self.routers = Top[str]()
        self.initiators, self.responders = Top[str](), Top[str]()
        self.drops = self.drops_folded = 0
        self.drop_reasons = Top[str]()
        self.drop_sources, self.drop_targets = Top[str](), Top[str]()
        self.steps = Steps()  # of `debug ip tcp intercept`
        self.unread = Unread()  # lines that are none of ours
        self.unknown = Top[str]()  # mnemonics of lines that were not understood

    def add(self, line: str) -> Message | Sign | None:
        """Take one line; return its message if it is an alert."""
        self.lines += 1
        texts = self._unpacker.add(line)
        if texts is None:
            return self._add(line, None)
        if len(texts) == 1:
            return self._add(texts[0].text, texts[0])
        found = [self._add(each.text, each) for each in texts]
        return next((each for each in found if each is not None), None)

    def finish(self) -> None:
        """Take the texts that wait for another line, at the end of a file."""
        for each in self._unpacker.finish():
            self._add(each.text, each)

    def _add(self, line: str, wrapped: Wrapped | None) -> Message | Sign | None:
        at = line.find("%")
        if at >= 0:
            match = trail(line, at) if len(line) <= LINE_MAX else None
            if match is not None:
                self._trail(line, at, match, wrapped)
                return None
        line = self._counted(line)
        at = line.find("%")
        if at >= 0 and not self.speaks and len(line) <= LINE_MAX:
            alert = host_alert(line, at)
            if alert is not None:
                header = self._header(line[:at], wrapped)
                self._dated(header)
                self.messages += 1
                self._host(alert._replace(folded=self._times), header.host)
                return None
        said = self._texts.find(line, at) if at >= 0 else None
        if said is not None:
            return self._scanned(line, said, wrapped)
        sign = self._sign(line, wrapped) if may_be_sign(line) else None
        if sign is None and not self._step(line, wrapped):
            self.unread.add(line)
        return sign

    def _scanned(
        self, line: str, said: Said, wrapped: Wrapped | None
    ) -> Message | Sign | None:
        """Take a line with a mnemonic of ours."""
        found, body = said.found, said.found.body
        if body is None:
            if found.head["facility"] == "FW":
                self.unknown.add(found.mnemonic)
            else:
                self.unread.add(line)
            return None
        header = self._header(line[: len(line) + said.begin], wrapped)
        if header.time is None and wrapped is None:
            header = self._behind(line, len(line) + said.end, header)
        self._dated(header)
        self.messages += 1
        if found.mnemonic == START:
            self._start(
                body["protocol"], header.host, body["initiator"], body["responder"]
            )
            self._more(body["protocol"], folded(body["fields"]) - 1)
        elif found.mnemonic == STOP:
            more = folded(body["fields"]) - 1
            self.sessions.stopped += more
            self.sessions.folded_stopped += more
            self._stop(
                body["protocol"],
                header.host,
                (body["initiator"], int(body["initiator_bytes"])),
                (body["responder"], int(body["responder_bytes"])),
            )
        else:
            return self._alert(said, header.host)
        return None

    def _header(self, head: str, wrapped: Wrapped | None) -> Header:
        """Read the header of a message; what its wrapping says goes first."""
        if wrapped is None:
            return self.reader.read(head)
        _, time, said, host = wrapped
        if time is not None and host:
            return Header(time, host)
        up = False
        if said:  # with a host, as headers are that are read fast
            time = self.reader.read(f"{said} x ").time
        if head and (time is None or not host):
            inner = self.reader.read(head)
            if time is None:
                time, up = inner.time, inner.uptime
            host = host or inner.host
        return Header(time, host, up)

    def _counted(self, line: str) -> str:
        """Return a line, or the one that it repeats; and keep how often it counts."""
        if REPEATED not in line:
            self._before, self._times = (self.lines, line), 1
            return line
        number, before = self._before
        before = before if number + 1 >= self.lines else ""
        again = repeated(line, before)
        if again is None:
            self._before, self._times = (self.lines, line), 1
            return line
        self._before = (self.lines, before)
        line, self._times = again
        return line

    def _behind(self, line: str, end: int, header: Header) -> Header:
        """Read what stands behind a message, if nothing before it says a time."""
        later = self.reader.read(f"{line[end:].rstrip()} ")
        if later.time is None:
            return header
        return Header(later.time, header.host or named_host(line), later.uptime)

    def _sign(self, text: str, wrapped: Wrapped | None) -> Sign | None:
        """Take a kernel's report of a flood on one of its ports."""
        taken = sign_of(text)
        if taken is None:
            return None
        at, sign = taken
        header = self._header(text[:at], wrapped)
        if header.host == KERNEL:  # the name in front of it, without a host's
            header = Header(header.time, "", header.uptime)
        self._dated(header)
        self.messages += 1
        now = self._now
        key = (header.host, sign.system, sign.reason, sign.target)
        attack = self._signs.get(key)
        if attack is not None and attack.end is not None and now is not None:
            attack = attack if now - attack.end <= KERNEL_QUIET_S else None
        if attack is None:
            attack = Attack(
                kind=FIREWALL if sign.system in FIREWALLS else KERNEL,
                router=header.host,
                zone=sign.system,
                begin=now,
                reason=sign.reason,
                limit=sign.limit,
            )
            if len(self._signs) >= ATTACKS_MAX:
                self._signs.clear()
            self._signs[key] = self._begun(attack)
        attack.end = now
        attack.lines += self._times
        attack.targets[sign.target] += sign.number * self._times
        attack.half_open = max(attack.half_open, sign.half_open)
        attack.rate = max(attack.rate, sign.rate)
        sources = attack.sources
        if sign.source and (len(sources) < SOURCES_MAX or sign.source in sources):
            sources[sign.source] += self._times
        return sign

    def _step(self, text: str, wrapped: Wrapped | None) -> bool:
        """Take a line without a mnemonic; False if it is no step of a connection."""
        taken = self.steps.add(text) if WORD in text else None
        if taken is None:
            return False
        at, step, ends = taken
        header = self._header(text[:at], wrapped)
        self._dated(header)
        self.messages += 1
        if step == "new" and len(ends) > 1:
            self.initiators.add(address(ends[0]))
            self.responders.add(ends[1])
        return True

    @property
    def now(self) -> float | None:
        """The time of the last line that had one."""
        return self._now

    @property
    def uptimes(self) -> bool:
        """True if the times are those since a router's start."""
        return self._uptimes

    def _dated(self, header: Header) -> None:
        time, host, up = header
        if host:
            self.routers.add(host)
        if time is None:
            self.undated += 1
            return
        self._now = time
        if up:
            self._uptimes = True
        if self.last is None or time > self.last:
            self.last = time
        if self.first is None or time < self.first:
            self.first = time

    def _trail(
        self, line: str, size: int, found: re.Match[str], wrapped: Wrapped | None
    ) -> None:
        """Take a line of the audit trail behind a header of that size."""
        header = self._header(line[:size], wrapped)
        if header.time is None and wrapped is None and len(line) > found.end() + NAUGHT:
            header = self._behind(line, found.end(), header)
        self._dated(header)
        self.messages += 1
        protocol, initiator, responder, stopped, *ends = found.groups()
        if protocol is not None:
            self._start(protocol, header.host, initiator, responder)
        else:
            initiator, sent, responder, answered = ends
            self._stop(
                stopped,
                header.host,
                (initiator, int(sent)),
                (responder, int(answered)),
            )

    def _start(
        self, protocol: str, router: str, initiator: str, responder: str
    ) -> None:
        self.sessions.started += 1
        self._begun_by(protocol, initiator, responder)
        now = self._now
        if now is None:
            return
        self.load.started(now)
        key = hash((router, initiator, responder))
        self._open.pop(key, None)
        self._open[key] = now
        if len(self._open) > OPEN_MAX:
            # Many at once: the first of a dictionary is behind all that were deleted.
            for each in list(islice(self._open, OPEN_MAX // 8 + 1)):
                del self._open[each]

    def _more(self, protocol: str, number: int) -> None:
        """Count sessions that a START stands for, and of which no more is known."""
        if number > 0:
            self.sessions.started += number
            self.sessions.folded_started += number
            self.sessions.protocols[protocol.lower()] += number
            if self._now is not None:
                self.load.started(self._now, number)

    def _begun_by(self, protocol: str, initiator: str, responder: str) -> None:
        self.sessions.protocols[protocol.lower()] += 1
        self.initiators.add(address(initiator))
        self.responders.add(responder)

    def _stop(
        self,
        protocol: str,
        router: str,
        initiator: tuple[str, int],
        responder: tuple[str, int],
    ) -> None:
        """Take the end of a session; both ends with the bytes that they sent."""
        total, now = self.sessions, self._now
        total.stopped += 1
        total.initiator_bytes += initiator[1]
        total.responder_bytes += responder[1]
        total.unanswered += not responder[1]
        began = self._open.pop(hash((router, initiator[0], responder[0])), None)
        if began is None:
            # Its START is not in the log, or the router writes none.
            self._begun_by(protocol, initiator[0], responder[0])
            if now is not None:
                self.load.started(now)
            return
        if now is None:
            return
        took = now - began if now > began else 0.0
        total.timed += 1
        total.seconds += took
        total.longest = max(total.longest, took)
        if not responder[1]:
            self.load.unanswered(began, now, address(responder[0]))

    def _alert(self, said: Said, router: str) -> Message | None:
        if said.found.mnemonic in DROPS:
            self._drop(said.found)
            return None
        message = said.message
        if message is not None and self._times > 1:
            message = replace(message, folded=message.folded * self._times)
        if isinstance(message, AlertOn):
            self._switched_on(message, router)
        elif isinstance(message, AlertOff):
            self._switched_off(message, router)
        elif isinstance(message, (HostAlert, BlockHost)):
            seconds = message.seconds if isinstance(message, BlockHost) else 0
            said_of = (message.host, message.limit, seconds, message.folded)
            self._host(HostSaid(*said_of, message.zone, message.cause), router)
        elif isinstance(message, UnblockHost):
            attack = self._hosts.get((router, message.host))
            if attack is not None:
                attack.end, attack.lines = self._now, attack.lines + 1
        return message

    def _drop(self, found: Scan) -> None:
        body = found.body
        assert body is not None
        reason, number = None, self._times
        if found.mnemonic == "DROP_PKT":
            source, target, reason = body.group("source", "destination", "reason")
            more = number * (folded(body["fields"]) - 1)  # of other ends, perhaps
            self.drops += more
            self.drops_folded += more
        else:
            source, target, many = body.group("source", "destination", "number")
            if body["what"].lower() != "dropped":
                return
            number *= int(many)
        self.drops += number
        self.drop_reasons.add(" ".join((reason or "not stated").split()), number)
        self.drop_sources.add(address(source), number)
        self.drop_targets.add(target, number)

    def _begun(self, attack: Attack) -> Attack:
        if len(self.attacks) < ATTACKS_MAX:
            self.attacks.append(attack)
        else:
            self.attacks_lost += 1
        return attack

    def _switched_on(self, message: AlertOn, router: str) -> None:
        kind = INTERCEPT if message.facility == "TCP" else INSPECT
        key = (kind, router, message.zone)
        attack = self._on.get(key)
        if attack is None:
            attack = self._overtaken(key)
            if attack is None:
                attack = Attack(kind=kind, router=router, zone=message.zone, begin=None)
                self._on[key] = self._begun(attack)
            attack.begin, attack.limit = self._now, message.high
            # The original does not state what fired; its text shows the count.
            attack.reason = "incomplete" if message.half_open > message.high else "rate"
        self._grown(attack, message, message.half_open, message.rate)

    def _overtaken(self, key: tuple[str, str, str]) -> Attack | None:
        """Return an attack whose end came before its begin, by a line's detour."""
        attack, now = self._early.pop(key, None), self._now
        if attack is None or attack.end is None or now is None:
            return None
        return attack if now < attack.end <= now + QUIET_S else None

    def _switched_off(self, message: AlertOff, router: str) -> None:
        kind = INTERCEPT if message.facility == "TCP" else INSPECT
        key = (kind, router, message.zone)
        attack = self._on.pop(key, None)
        if attack is None:
            attack = self._begun(
                Attack(kind=kind, router=router, zone=message.zone, begin=None)
            )
            if len(self._early) >= ATTACKS_MAX:
                self._early.clear()
            self._early[key] = attack
        attack.end = self._now
        attack.lines += message.folded
        if attack.half_open == attack.rate == 0:
            self._grown(attack, message, message.half_open, message.rate)

    def _grown(self, attack: Attack, message: Message, count: int, rate: int) -> None:
        attack.lines += message.folded
        attack.half_open = max(attack.half_open, count)
        attack.rate = max(attack.rate, rate)
        cause = message.cause
        if cause is None:
            return
        attack.reason, attack.limit = cause.reason, cause.limit
        for share, counts in (
            (cause.top, attack.targets),
            (cause.sources, attack.sources),
        ):
            if share is not None:
                counts[share.who] = max(counts[share.who], share.number)

    def _host(self, message: HostSaid, router: str) -> None:
        """Take an alert about one destination."""
        key, now = (router, message.host), self._now
        attack = self._hosts.get(key)
        if attack is not None and attack.end is not None and now is not None:
            attack = attack if now - attack.end <= QUIET_S else None
        if attack is None:
            attack = Attack(
                kind=HOST,
                router=router,
                zone=message.zone,
                begin=now,
                reason="host",
                limit=message.limit,
            )
            if len(self._hosts) >= ATTACKS_MAX:
                self._hosts.clear()
            self._hosts[key] = self._begun(attack)
        attack.end = now
        attack.lines += message.folded
        attack.targets[message.host] += message.folded
        if message.seconds:
            attack.blocked_s += message.seconds
            if now is not None:
                attack.end = now + message.seconds
        if message.cause is not None:
            attack.half_open = max(attack.half_open, message.cause.value)
            if message.cause.sources is not None:
                attack.sources[message.cause.sources.who] += 1
        for (_, where, _), other in self._on.items():
            if where == router:
                other.targets[message.host] += message.folded
