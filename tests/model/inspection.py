"""Inspection in a hundred lines: a dictionary, lists, and no idea of speed.

Times are whole milliseconds.  A session is looked for by its ends; who goes next is
found by looking at all of them; the rate counts a list of requests.  What is left out:
numbers of TCP (its caller says what a segment means), modes other than the default
ones, rules, and everything that is only said.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SECOND = 1000
HALF_OPEN, ESTABLISHED, CLOSING = "half-open", "established", "closing"


@dataclass
class Settings:
    synwait: int = 30_000
    finwait: int = 5_000
    tcp_idle: int = 3_600_000
    udp_idle: int = 30_000
    dns_timeout: int = 5_000
    icmp_idle: int = 10_000
    count_low: int = 400
    count_high: int = 500
    rate_low: int = 400
    rate_high: int = 500
    host: int = 0
    block: int = 0
    udp_halfopen_max_age: int = 0
    count_icmp: bool = False
    evicts: bool = True


@dataclass
class Session:
    protocol: str
    server: str
    state: str
    created: int
    number: int
    deadline: int
    counted: bool
    answered: bool = False
    fins: set[int] = field(default_factory=set)
    isn: int = 0
    other_isn: int | None = None
    server_isn: int = 0


class Inspection:
    """Sessions by key; a key begins with its protocol and ends with its server."""

    def __init__(self, settings: Settings) -> None:
        self.set = settings
        self.now = 0
        self.sessions: dict[tuple, Session] = {}
        self.requests: list[int] = []
        self.blocked: dict[str, int] = {}
        self.aggressive = False
        self.modes: list[tuple] = []
        self.created = self.rate_max = self.last_half_open = 0
        self.highest = [0, 0, 0]

    # What is asked.

    def counts(self) -> list[int]:
        """[established, half-open that count, terminating]."""
        states = [s.state for s in self.sessions.values()]
        return [states.count(ESTABLISHED), self.half_open(), states.count(CLOSING)]

    def half_open(self) -> int:
        return sum(s.counted for s in self.sessions.values())

    def rate(self) -> int:
        first = self.now // SECOND - 59
        return sum(time // SECOND >= first for time in self.requests)

    # Time.

    def to(self, now: int) -> None:
        """Let time pass; whatever is due acts when it is due."""
        while True:
            due = [s.deadline for s in self.sessions.values()]
            due += self.blocked.values()
            due += [s.created + self.set.udp_halfopen_max_age for s in self._ageing()]
            if self.aggressive:
                due.append((self.now // SECOND + 1) * SECOND)
            if not due or min(due) > now:
                break
            self.now = max(self.now, min(due))
            self._expire()
        self.now = now
        self._expire()

    def _ageing(self) -> list[Session]:
        """Half-open UDP that will cease to count."""
        if not self.set.udp_halfopen_max_age:
            return []
        udp = [s for s in self.sessions.values() if s.protocol in {"udp", "dns"}]
        return [s for s in udp if s.counted]

    def _expire(self) -> None:
        for session in self._ageing():
            if session.created + self.set.udp_halfopen_max_age <= self.now:
                session.counted = False
        live = {k: s for k, s in self.sessions.items() if s.deadline > self.now}
        self.sessions = live
        self.blocked = {h: end for h, end in self.blocked.items() if end > self.now}
        self._judge()

    # Packets.

    def syn(self, key: tuple, isn: int = 0) -> None:
        session = self.sessions.get(key)
        closed = session is not None and session.state == CLOSING
        if closed and session is not None and isn != session.isn:
            del self.sessions[key]
        if key not in self.sessions:
            self._attempt(key, counted=True)
            if key in self.sessions:
                self.sessions[key].isn = isn
        else:
            self._other_syn(self.sessions[key], isn)
        self._heard(key)
        self._judge()

    @staticmethod
    def _other_syn(session: Session, isn: int) -> None:
        first = session.state != HALF_OPEN and session.other_isn is None
        if isn != session.isn or first:
            session.other_isn = isn

    def syn_ack(self, key: tuple, isn: int = 0, server_isn: int = 0) -> None:
        session = self.sessions.get(key)
        if session is not None:
            again = (isn, server_isn) == (session.isn, session.server_isn)
            other = session.state != HALF_OPEN and session.other_isn == isn
            if other and not again:
                self._renew(key, isn)
            self.sessions[key].answered = True
            if self.sessions[key].state == HALF_OPEN:
                self.sessions[key].server_isn = server_isn
        self._heard(key)

    def ack(self, key: tuple) -> None:
        session = self.sessions.get(key)
        if session is not None and session.state == HALF_OPEN and session.answered:
            self._establish(session)
        self._heard(key)
        self._judge()

    def fin(self, key: tuple, side: int) -> None:
        session = self.sessions[key]
        session.fins.add(side)
        self._heard(key)
        if session.fins == {0, 1} and session.state == ESTABLISHED:
            session.state = CLOSING
            session.deadline = self.now + self.set.finwait
        self._note()
        self._judge()

    def rst(self, key: tuple) -> None:
        del self.sessions[key]
        self._judge()

    def request(self, key: tuple) -> None:
        """Take a datagram or echo request of the initiator."""
        if key not in self.sessions:
            self._attempt(key, counted=key[0] != "icmp" or self.set.count_icmp)
        self._heard(key)
        self._judge()

    def answer(self, key: tuple) -> None:
        """Take a datagram or echo reply of the responder."""
        session = self.sessions[key]
        if session.state == HALF_OPEN:
            self._establish(session)
        self._heard(key)
        self._judge()

    # What follows.

    def _idle(self, protocol: str) -> int:
        of = self.set
        idle = {"tcp": of.tcp_idle, "udp": of.udp_idle, "dns": of.dns_timeout}
        return idle.get(protocol, of.icmp_idle)

    def _heard(self, key: tuple) -> None:
        session = self.sessions.get(key)
        if session is None:
            return
        if session.protocol != "tcp" or session.state == ESTABLISHED:
            session.deadline = self.now + self._idle(session.protocol)

    def _establish(self, session: Session) -> None:
        session.state, session.counted = ESTABLISHED, False
        self._note()

    def _renew(self, key: tuple, isn: int) -> None:
        """Both ends began anew: the old session is void, the new one is an attempt."""
        protocol, server = key[0], key[-1]
        del self.sessions[key]
        self.requests.append(self.now)
        self.rate_max = max(self.rate_max, self.rate())
        self._judge()
        self._open(protocol, server, key, self.set.synwait, counted=True)
        self.sessions[key].isn = isn
        self._judge()

    def _attempt(self, key: tuple, *, counted: bool) -> None:
        protocol, server = key[0], key[-1]
        tcp = protocol == "tcp"
        is_blocked = tcp and server in self.blocked
        if counted:
            self.requests.append(self.now)
            self.rate_max = max(self.rate_max, self.rate())
            self._judge()
        if is_blocked:
            return
        evicted = False
        if tcp and self.set.host and len(self._of(server)) >= self.set.host:
            if self.set.block:
                self.blocked[server] = self.now + self.set.block
                for victim in self._of(server):
                    del self.sessions[victim]
                return
            del self.sessions[self._of(server)[0]]
            evicted = True
        if counted and self.aggressive and self.set.evicts and not evicted:
            victims = self._oldest()
            if victims:
                del self.sessions[victims[0]]
        wait = self.set.synwait if tcp else self._idle(protocol)
        self._open(protocol, server, key, wait, counted=counted)

    def _open(
        self, protocol: str, server: str, key: tuple, wait: int, *, counted: bool
    ) -> None:
        self.created += 1
        self.sessions[key] = Session(
            protocol,
            server,
            HALF_OPEN,
            self.now,
            self.created,
            self.now + wait,
            counted,
        )
        self.last_half_open = self.half_open()
        self._note()

    def _oldest(self) -> list[tuple]:
        counted = [key for key, s in self.sessions.items() if s.counted]
        return sorted(counted, key=lambda key: self.sessions[key].number)

    def _of(self, server: str) -> list[tuple]:
        return [key for key in self._oldest() if key[0] == "tcp" and key[-1] == server]

    def _note(self) -> None:
        now = self.counts()
        self.highest = [max(a, b) for a, b in zip(self.highest, now, strict=True)]

    def _judge(self) -> None:
        of, count, rate = self.set, self.half_open(), self.rate()
        if not self.aggressive and (count > of.count_high or rate > of.rate_high):
            self.aggressive = True
            self.modes.append(("on", count, of.count_high, rate))
        elif self.aggressive and count < of.count_low and rate < of.rate_low:
            self.aggressive = False
            self.modes.append(("off", count, of.count_low, rate))
