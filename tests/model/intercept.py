"""TCP Intercept's intercept mode as plain as it can be: a dictionary and sorting.

Entries are kept by client; every rule of the specification is one branch.  Packets are
told as "C SA" (to the client, SYN-ACK) and the like, without numbers.  What is not
here: options, cookies (synack=cache), windows, the lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REXMT_LIMIT = 4
CONNECTION_MS, FINRST_MS = 86_400_000, 5_000
UPDATES_MS = (200, 600, 1400)  # of the window, until the client sends
HALF_OPEN = {"SYNRCVD", "SYNSENT"}


@dataclass
class Entry:
    """One connection; `begun` is when its half-handshake was."""

    order: int
    state: str
    begun: int
    wait: int
    sent: int = 0
    until: int = 0
    spliced: int | None = None
    updates: int = 0
    fins: set[str] = field(default_factory=set)

    def due(self) -> int:
        """When its timer fires."""
        if self.state in HALF_OPEN:
            return self.begun + self.wait * (2 ** (self.sent + 1) - 1)
        if self.spliced is not None and self.updates < len(UPDATES_MS):
            return min(self.until, self.spliced + UPDATES_MS[self.updates])
        return self.until


class Model:
    """All connections, the minute's requests, and the mode."""

    def __init__(self, count: tuple[int, int], rate: tuple[int, int]) -> None:
        self.limits = (count, rate)
        self.entries: dict[int, Entry] = {}
        self.requests: list[int] = []
        self.aggressive = False
        self.order = 0
        self.evicted = 0
        self.out: list[str] = []

    # What both kinds of call do.

    def rate(self, now: int) -> int:
        """Requests of the last 60 whole seconds, this one included."""
        return sum(when // 1000 > now // 1000 - 60 for when in self.requests)

    def incomplete(self) -> int:
        """Half-open connections."""
        return sum(entry.state in HALF_OPEN for entry in self.entries.values())

    def judge(self, now: int) -> None:
        """Either threshold begins it, both have to end it."""
        pairs = zip((self.incomplete(), self.rate(now)), self.limits, strict=True)
        numbers = [(number, low, high) for number, (low, high) in pairs]
        if not self.aggressive:
            self.aggressive = any(number > high for number, _, high in numbers)
        elif all(number < low for number, low, _ in numbers):
            self.aggressive = False

    def advance(self, now: int) -> None:
        """Do what is due."""
        while self.entries:
            client = min(self.entries, key=lambda c: self.entries[c].due())
            if self.entries[client].due() > now:
                break
            self.expire(client)
        self.judge(now)

    def expire(self, client: int) -> None:
        """One timer fires."""
        entry = self.entries[client]
        if entry.state in HALF_OPEN and entry.sent < REXMT_LIMIT:
            entry.sent += 1
            self.out.append("C SA" if entry.state == "SYNRCVD" else "S S")
        elif entry.state not in HALF_OPEN and entry.due() < entry.until:
            entry.updates += 1
            self.out.append("C A")
        else:
            if entry.state == "SYNSENT":
                self.out.append("C RA")
            del self.entries[client]

    # Packets.

    def syn(self, client: int, now: int) -> None:
        """A client's SYN, always with the ISN it had if there is an entry."""
        entry = self.entries.get(client)
        if entry is not None and entry.state != "CLOSING":
            answers = {"SYNRCVD": "C SA", "ESTAB": "S S"}
            if entry.state in answers:
                self.out.append(answers[entry.state])
            self.heard(client, now)
            return
        self.entries.pop(client, None)
        self.requests.append(now)
        self.judge(now)
        if self.aggressive:
            self.evict()
        self.order += 1
        self.entries[client] = Entry(self.order, "SYNRCVD", now, self.wait())
        self.out.append("C SA")
        self.judge(now)

    def wait(self) -> int:
        """First timeout of a half that begins now."""
        return 500 if self.aggressive else 1000

    def evict(self) -> None:
        """The oldest that is not validated; the oldest that is only above the limit."""
        above = self.incomplete() > self.limits[0][1]
        for state in ("SYNRCVD", "SYNSENT")[: 1 + above]:
            those = [c for c, e in self.entries.items() if e.state == state]
            if those:
                victim = min(those, key=lambda c: self.entries[c].order)
                del self.entries[victim]
                self.evicted += 1
                self.out += ["C RA"] * (state == "SYNSENT")
                return

    def heard(self, client: int, now: int) -> None:
        """A client's packet in an established connection."""
        entry = self.entries[client]
        if entry.state == "ESTAB":
            entry.until, entry.updates = now + CONNECTION_MS, len(UPDATES_MS)

    def ack(self, client: int, now: int) -> None:
        """The ACK of our SYN-ACK, or any later one."""
        entry = self.entries[client]
        if entry.state == "SYNRCVD":
            entry.state, entry.begun, entry.sent = "SYNSENT", now, 0
            entry.wait = self.wait()
            self.out.append("S S")
        elif entry.state == "ESTAB":
            self.heard(client, now)
            self.out.append("S A")

    def wrong_ack(self, client: int, now: int) -> None:
        """An ACK of something else: only an established connection's goes on."""
        if self.entries[client].state == "ESTAB":
            self.heard(client, now)
            self.out.append("S A")

    def reset(self, client: int, now: int) -> None:
        """A client's RST at c+1."""
        entry = self.entries[client]
        if entry.state in HALF_OPEN:
            del self.entries[client]
        elif entry.state == "ESTAB":
            self.out.append("S R")
            self.close(entry, now)

    def close(self, entry: Entry, now: int) -> None:
        """It is kept for a while, and sends nothing more."""
        entry.state, entry.until = "CLOSING", now + FINRST_MS
        entry.spliced = None

    def syn_ack(self, client: int, now: int) -> None:
        """The server's answer."""
        entry = self.entries[client]
        if entry.state == "SYNSENT":
            entry.state, entry.spliced = "ESTAB", now
            entry.until = now + CONNECTION_MS
            self.out += ["S A", "C A"]

    def refusal(self, client: int, now: int) -> None:
        """The server's RST|ACK of our SYN."""
        entry = self.entries[client]
        if entry.state == "SYNSENT":
            self.out.append("C RA")
            self.close(entry, now)
