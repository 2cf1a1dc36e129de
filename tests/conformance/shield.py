"""A client, a server and `Intercept` between them, in virtual time.

`Shield` gives packets to the engine and says what came of them, each as (side that it
goes to, Segment); a Segment is read by C, which verifies its checksums.  Numbers are
those of the specification: c is the client's ISN, p the one that the engine chose
towards the client, s the server's.
"""

from __future__ import annotations

from dataclasses import replace

from syncache import Segment, Sysctl, ios
from syncache.acl import AccessList, permit
from syncache.flow import Side
from syncache.intercept import Intercept
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import ACK, FIN, PSH, RST, SYN

CLIENT, SERVER = Side.CLIENT, Side.SERVER
HOSTS = {4: ("192.0.2.10", "198.51.100.5"), 6: ("2001:db8:1::10", "2001:db8:2::5")}
PREFIX = {4: "192.0.3.", 6: "2001:db8:1:1::"}
CPORT, PORT = 40000, 80
ISN_C, ISN_S = 1000, 777_000
SEED = bytes(range(16))
FULL_OPTIONS = (Mss(1460), SackPermitted(), Timestamps(100, 0), WindowScale(7))
I = "net.inet.tcp.intercept."  # noqa: E741


def options_of(options):
    return encode(tuple(options))


class Shield:
    """The engine, its clock, and one conversation of C with S."""

    def __init__(self, family=4, *, acl=None, start=0.0, seed=SEED, **tunables):
        self.family = family
        self.now = start
        self.c, self.s = ISN_C, ISN_S
        self.p = None  # as soon as a SYN-ACK has told it
        self.client, self.server = HOSTS[family]
        if acl is None:
            acl = AccessList("100", [permit(dport=PORT)])
        settings = {"debug": 1} | tunables
        sysctl = Sysctl(
            {I + name.replace("__", "."): v for name, v in settings.items()}
        )
        self.engine = Intercept(sysctl, acl=acl or None, seed=seed)

    # What the world does.

    def give(self, packet, side):
        """Give a packet; what goes out, at once."""
        data = packet.packet() if isinstance(packet, Segment) else packet
        self.engine.receive(data, side, self.now)
        return self.taken()

    def taken(self):
        """What goes out now."""
        packets = self.engine.packets_to_send(self.now)
        found = [(side, Segment.parse(packet)) for side, packet in packets]
        for side, segment in found:
            ours = segment.flags & (SYN | ACK) == SYN | ACK and side is CLIENT
            if ours and segment.dst == self.client and segment.dport == CPORT:
                self.p = segment.seq
        return found

    def until(self, when):
        """Let time pass, stopping where something is due: [(time, side, segment)]."""
        sent = []
        while True:
            due = self.engine.next_deadline()
            step = when if due is None or due > when else max(due, self.now)
            self.now = step
            self.engine.handle_timer(step)
            sent += [(round(step, 3), side, seg) for side, seg in self.taken()]
            after = self.engine.next_deadline()
            if step >= when and (after is None or after > when):
                return sent

    def tune(self, **tunables):
        """Change tunables, in one transaction."""
        self.engine.sysctl.update(
            {I + name.replace("__", "."): value for name, value in tunables.items()}
        )

    # Segments.

    def from_client(self, flags, *, dseq=1, dack=1, **members):
        """A segment of C's; numbers count from c and p."""
        return Segment(
            src=members.pop("src", self.client),
            dst=self.server,
            sport=members.pop("sport", CPORT),
            dport=members.pop("dport", PORT),
            seq=(self.c + dseq) & 0xFFFFFFFF,
            ack=((self.p or 0) + dack) & 0xFFFFFFFF if flags & ACK else 0,
            flags=flags,
            window=members.pop("window", 64_240),
            options_bytes=options_of(members.pop("options", ())),
            **members,
        )

    def from_server(self, flags, *, dseq=1, dack=1, **members):
        """A segment of S's; numbers count from s and c."""
        return Segment(
            src=self.server,
            dst=members.pop("dst", self.client),
            sport=members.pop("sport", PORT),
            dport=members.pop("dport", CPORT),
            seq=(self.s + dseq) & 0xFFFFFFFF,
            ack=(self.c + dack) & 0xFFFFFFFF if flags & ACK else 0,
            flags=flags,
            window=members.pop("window", 65_160),
            options_bytes=options_of(members.pop("options", ())),
            **members,
        )

    # Steps of the handshakes.

    def syn(self, **members):
        """C's SYN arrives."""
        return self.give(self.from_client(SYN, dseq=0, **members), CLIENT)

    def ack(self, **members):
        """C's ACK arrives."""
        return self.give(self.from_client(ACK, **members), CLIENT)

    def syn_ack(self, **members):
        """S's SYN-ACK arrives."""
        return self.give(self.from_server(SYN | ACK, dseq=0, **members), SERVER)

    def established(self, *, client=(), server=()):
        """Through both handshakes; what went out at the last step."""
        self.syn(options=client)
        stamps = any(isinstance(option, Timestamps) for option in client)
        self.ack(options=(Timestamps(101, self.told_tsval()),) if stamps else ())
        return self.syn_ack(options=server)

    def told_tsval(self):
        """Any TSecr: the engine does not keep what it sent."""
        return 0

    def many(self, count, *, first=1, **members):
        """SYNs of `count` other clients; what went out."""
        out = []
        for number in range(first, first + count):
            out += self.give(
                self.from_client(
                    SYN, dseq=0, src=self.other(number), sport=other_port(number)
                ),
                CLIENT,
                **members,
            )
        return out

    def other(self, number):
        """Another client's address."""
        if self.family == 4:
            return f"192.0.{3 + number % 4}.{number // 4 % 250 + 1}"
        return f"{PREFIX[6]}{number:x}"

    # What is known.

    def lines(self):
        """Log lines since the last call."""
        found = []
        while (event := self.engine.next_event()) is not None:
            line = ios.log_line(event)
            assert line is not None, event
            found.append(line)
        return found

    def states(self):
        """State names of all connections, sorted."""
        return sorted(row.state.name for row in self.engine.connections())

    def count(self, name):
        """One number of `stats`."""
        return self.engine.stats(self.now)[name]

    def counts(self):
        """Incomplete, established, one-minute count."""
        told = self.engine.statistics(self.now)
        return told.incomplete, told.established, told.one_minute


def other_port(number):
    """A port for another client, so that 1,000 addresses serve 50,000 of them."""
    return 1024 + number // 1000


def flags_of(out):
    """What went where, without numbers: ["C SA", "S S"]."""
    letters = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "A"))
    return [
        f"{'C' if side is CLIENT else 'S'} "
        + "".join(letter for bit, letter in letters if segment.flags & bit)
        for side, segment in ((item[-2], item[-1]) for item in out)
    ]


def same_bytes(packet, out, side):
    """Did exactly this packet go out, untouched?"""
    return [(side, packet.packet())] == [(to, seg.packet()) for to, seg in out]


__all__ = [
    "ACK",
    "CLIENT",
    "CPORT",
    "FIN",
    "FULL_OPTIONS",
    "ISN_C",
    "ISN_S",
    "PORT",
    "PSH",
    "RST",
    "SERVER",
    "SYN",
    "I",
    "Segment",
    "Shield",
    "flags_of",
    "other_port",
    "replace",
    "same_bytes",
]
