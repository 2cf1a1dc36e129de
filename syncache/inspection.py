"""`Inspection`: half-open sessions seen, counted and bounded, as CBAC does.

Every TCP, UDP, DNS and ICMP session that a rule covers is tracked with the timers of
its protocol.  Half-open ones are counted, all together, by the minute and for each
destination; above a threshold the oldest go, or a destination is blocked, and a message
says so.  Beside the traffic (`Side.TAP`) and on captures (`replay`) the same is judged
and reported, and nothing is touched.

Packets are judged in csrc/flow.  Here: which tunables and rules are in
force, and values made of C's reports.  The words of the original for these are in
`ios_inspect`, those of its messages in `alerts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._core import flow as _core_flow
from ._core import inspect as _core_inspect
from .alerts import (
    AlertOff,
    AlertOn,
    BlockHost,
    Cause,
    HostAlert,
    Message,
    SessionStart,
    SessionStop,
    UnblockHost,
)
from .flow import Flow, Side
from .flow_event import FlowEvent, Kind, Reason
from .inspect_rule import RuleSet
from .ios import inspect as ios_inspect
from .ios.config import changes, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ._core.inspect import Sample
    from .flow_session import Session
    from .inspect_rule import Rule
    from .ios.inspect import Interface
    from .keyring import Keyring
    from .ring import Ring
    from .sysctl import Sysctl
    from .tunables.knob import Engine

_I = "net.inet.inspect."
MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How things stand, and the highest that each count ever was.

    `half_open` are those that count in the thresholds; `one_minute` counts the requests
    of the last minute; `last_half_open` is the number when the last session began;
    `sessions_again` of those created began, on a tap or in a capture, with the SYN of
    one that had ended.  There, `syns_other` are SYNs of a session's client with another
    number, which belong to its attempt, and `syns_odd` those with FIN or RST, which are
    no requests.
    Times are of the engine's clock, None: it never happened.
    """

    tcp_packets: int
    udp_packets: int
    icmp_packets: int
    sessions_created: int
    sessions_again: int = 0
    syns_other: int = 0
    syns_odd: int = 0
    established: int
    half_open: int
    half_open_udp: int
    terminating: int
    established_max: int
    half_open_max: int
    terminating_max: int
    last_created: float | None
    one_minute: int
    one_minute_max: int
    last_half_open: int
    aggressive: bool
    aggressive_since: float | None
    hosts_blocked: int


class Inspection(Flow):
    """Sessions between two sides, counted and bounded.

    Args:
        sysctl: the tunables, which belong to this engine from now on.
        rules: which protocols are inspected; TCP, UDP (with DNS) and ICMP if None.
        keys: where cookie keys come from; drawn, or derived from the seed, if None.
        seed: makes everything deterministic; in production 16 secret random bytes.

    Raises:
        ValueError: tunables or rules cannot be.
        TypeError: an argument is of the wrong type.
        OSError: the system has not so much memory.
    """

    _KIND = _core_flow.INSPECT
    _ENGINE: Engine = "inspect"

    def __init__(
        self,
        sysctl: Sysctl | None = None,
        *,
        rules: RuleSet | Iterable[Rule] | None = None,
        keys: Keyring | None = None,
        seed: bytes | None = None,
    ) -> None:
        super().__init__(sysctl, keys, seed)
        self._rules = RuleSet.of(rules)
        # Sessions that began under other rules, and the names that they began with.
        self._names: dict[tuple[int, str, str], str] = {}
        self.interfaces: list[Interface] = []
        self._changed()
        self._sysctl.attach(self._changed, lambda: 0)

    @property
    def rules(self) -> RuleSet:
        """The rules in force; may be set.  Sessions that exist keep their timers."""
        return self._rules

    @rules.setter
    def rules(self, rules: RuleSet | Iterable[Rule]) -> None:
        before = self._rules
        self._rules = RuleSet.of(rules)
        try:
            self._changed()
        except BaseException:
            self._rules = before
            raise
        self._remember(before)

    def configure(
        self, source: str | Path | Sequence[str], *, strict: bool = False
    ) -> list[str]:
        """Take an IOS configuration, whole or not at all: `ios_config.read`.

        Returns what has no effect, in sentences; with `strict`, lines of other features
        are errors.

        Raises:
            OSError: the file cannot be read.
            ValueError: file and line, and the fault.
        """
        config = read(source, strict=strict)
        rules = ios_inspect.chosen(config) or self._rules
        before = self._rules
        self._rules = rules
        try:
            self._sysctl.assign(changes(config, self._sysctl), config.places)
            self._changed()
        except BaseException:
            self._rules = before
            raise
        self._remember(before)
        self.interfaces = list(ios_inspect.draft_of(config).interfaces.values())
        return config.report("ip inspect")

    def _remember(self, before: RuleSet) -> None:
        """Keep the names of sessions that the new rules name otherwise."""
        kept: dict[tuple[int, str, str], str] = {}
        for session in self._sessions():
            protocol, port = session.protocol, session.server.port
            key = protocol, str(session.client), str(session.server)
            name = self._names.get(key) or before.name_of(protocol, port)
            if name != self._rules.name_of(protocol, port):
                kept[key] = name
        self._names = kept

    def adopt(
        self, sysctl: Sysctl, rules: RuleSet | Iterable[Rule] | None = None
    ) -> None:
        """Take over other tunables and rules, whole or not at all.

        What is missing there is as in a new engine; sessions go on.

        Raises:
            PermissionError: a tunable that differs is fixed at the start.
            ValueError: tunables or rules cannot be.
        """
        before = self._rules
        self._rules = RuleSet.of(rules)
        try:
            self._sysctl.adopt(sysctl)
        except BaseException:
            self._rules = before
            raise

    def configuration(self) -> str:
        """Return the IOS configuration that makes these tunables and rules."""
        return ios_inspect.written(self._sysctl, self._rules, self.interfaces)

    def config(self) -> str:
        """Return the output of `show ip inspect config`."""
        return ios_inspect.show_config(self._sysctl, self._rules)

    def interface_config(self) -> str:
        """Return the output of `show ip inspect interfaces`."""
        return ios_inspect.show_interfaces(self._sysctl, self._rules, self.interfaces)

    def _changed(self) -> None:
        """Take over tunables and rules, or raise and leave them as they were."""
        with self._core as core:
            if not core.set_tunables(self._fields()):
                raise ValueError(f"no engine can have these tunables of {_I[:-1]}")

    def _fields(self) -> dict[str, Any]:
        """Return the members of the C tunables."""
        values: Any = self._sysctl
        seconds = values[_I + "tcp.block_time_s"]
        minutes = values[_I + "tcp.block_time"]
        return {
            **super()._fields(),
            **self._rules.fields(),
            "tcp_block_time_ms": (seconds or minutes * MINUTE) * 1000,
        }

    # What is known.

    def sessions(self) -> list[Session]:
        """List the sessions; `ios_inspect.show_sessions` makes text of it."""
        return self._sessions()

    def statistics(self, now: float | None = None) -> Statistics:
        """Tell how things stand; `ios_inspect.show_statistics` makes text of it."""
        c = self.stats(now)
        aggressive = bool(c["aggressive"])
        since = c["aggressive_since_ms"] / 1000
        created = c["last_created_ms"] / 1000
        return Statistics(
            tcp_packets=c["packets_tcp"],
            udp_packets=c["packets_udp"],
            icmp_packets=c["packets_icmp"],
            sessions_created=c["sessions_created"],
            sessions_again=c["sessions_again"],
            syns_other=c["syns_other"],
            syns_odd=c["syns_odd"],
            established=c["established"],
            half_open=c["incomplete"],
            half_open_udp=c["incomplete_udp"],
            terminating=c["terminating"],
            established_max=c["established_max"],
            half_open_max=c["incomplete_max"],
            terminating_max=c["terminating_max"],
            last_created=created if c["sessions_created"] else None,
            one_minute=c["one_minute"],
            one_minute_max=c["one_minute_max"],
            last_half_open=c["last_incomplete"],
            aggressive=aggressive,
            aggressive_since=since if aggressive else None,
            hosts_blocked=c["hosts_blocked"],
        )

    def next_message(self) -> Message | None:
        """Return the next thing to say, or None; other events are passed over."""
        while (event := self.next_event()) is not None:
            message = self.message(event)
            if message is not None:
                return message
        return None

    def message(self, event: FlowEvent) -> Message | None:
        """Return an event in the words of the original; None: it has none."""
        time, limit, host = event.time, event.limit, event.server.address
        if event.kind is Kind.AGGRESSIVE:
            return AlertOn(
                half_open=event.incomplete,
                high=limit,
                rate=event.rate,
                cause=_cause(event),
                time=time,
            )
        if event.kind is Kind.CALM:
            half_open, rate = event.incomplete, event.rate
            return AlertOff(half_open=half_open, low=limit, rate=rate, time=time)
        if event.kind is Kind.HOST_ALERT:
            cause = Cause("host", limit, event.incomplete, None, event.sources)
            return HostAlert(limit=limit, host=host, cause=cause, time=time)
        if event.kind is Kind.BLOCK:
            return BlockHost(
                host=host,
                seconds=event.number // 1000,
                limit=limit,
                severity=int(self._sysctl[_I + "block_severity"]),
                time=time,
            )
        if event.kind is Kind.UNBLOCK:
            return UnblockHost(host=host, time=time)
        return self._audit(event)

    def _audit(self, event: FlowEvent) -> Message | None:
        initiator, responder = str(event.client), str(event.server)
        name = self._rules.name_of(event.protocol, event.server.port)
        if self._names and event.kind in {Kind.START, Kind.STOP}:
            name = self._names.get((event.protocol, initiator, responder), name)
            if event.kind is Kind.STOP:
                self._names.pop((event.protocol, initiator, responder), None)
        if event.kind is Kind.START:
            return SessionStart(
                protocol=name,
                initiator=initiator,
                responder=responder,
                time=event.time,
            )
        if event.kind is Kind.STOP:
            return SessionStop(
                protocol=name,
                initiator=initiator,
                initiator_bytes=event.client_bytes,
                responder=responder,
                responder_bytes=event.server_bytes,
                time=event.time,
            )
        return None

    # Captures.

    def replay(self, rx: Ring, until: float | None = None) -> int:
        """Take captured packets, each at the time in its slot; return how many.

        Timers act at their own times between them, and nothing is sent.

        Args:
            rx: filled by a `CaptureReader`; consumed from `next` on.
            until: stop before the first packet of this time or later, with everything
                done that is due by then.

        Raises:
            ValueError: `until` lies before the engine's clock.
        """
        observer = self.observer
        seen = None if observer is None else observer.before(rx)
        with self._core as core:
            consumed = _core_inspect.replay(core, rx, until)
        if observer is not None:
            observer.after(rx, seen, Side.TAP, None)
        return consumed

    def sample(self, now: float) -> Sample:
        """Tell how things stand, and which destination has most half-open sessions."""
        with self._core as core:
            return _core_inspect.sample(core, now)

    def clock(self) -> float:
        """Return the engine's time: that of its latest call; 0 before the first."""
        with self._core as core:
            return _core_inspect.clock(core) / 1000

    def next_change(self, now: float) -> float | None:
        """Return the earliest time at which a sample may differ without a packet.

        None: at no time.
        """
        with self._core as core:
            return _core_inspect.next_change(core, now)

    def handshake_ages(self) -> list[int]:
        """Return how many TCP handshakes completed at which age.

        Four counters to an octave of milliseconds; see csrc/flow/flow.h.
        """
        with self._core as core:
            return _core_inspect.handshake_ages(core)


def _cause(event: FlowEvent) -> Cause:
    """Tell which threshold an ALERT_ON is about: the line itself shows the count's."""
    reason = Reason(event.reason)
    value = event.rate if reason is Reason.RATE else event.incomplete
    name = reason.name.lower()
    return Cause(name, event.number, value, event.top, event.sources, event.udp)
