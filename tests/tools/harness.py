"""The packetdrill-like hand of the state tests: inject, expect, expect_nothing.

    hand = established(family)
    hand.inject("P. 1:101(100) ack 1 win 500")
    hand.expect(". 1:1(0) ack 101")

Numbers of a segment are relative: seq of an injected one to the peer's ISN, its ack to
our ISS; of an expected one the other way round.  Payload is a pattern that depends on
its place in the stream alone (`text`).  An expectation compares what it spells: flags,
seq and length always; ack, win and options if they are there.

Builders are named after the state they reach.
"""

from __future__ import annotations

import re

from seq import add, diff

from syncache.options import (
    FastOpen,
    Mss,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    WindowScale,
    encode,
)
from syncache.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Segment
from syncache.stack import Stack

ADDRESSES = {4: ("192.0.2.1", "198.51.100.7"), 6: ("2001:db8::1", "2001:db8::7")}
PORT = 80
PEER_PORT = 40000
SEED = bytes(range(16))
ISN = 0xFFFFFE00  # wraps early

LETTERS = {
    "F": FIN,
    "S": SYN,
    "R": RST,
    "P": PSH,
    ".": ACK,
    "U": URG,
    "E": ECE,
    "W": CWR,
}
SHAPE = re.compile(
    r"(?P<flags>[FSRP.UEW]+|-) (?P<seq>-?\d+):-?\d+\((?P<size>\d+)\)"
    r"(?: ack (?P<ack>-?\d+))?(?: win (?P<win>\d+))?(?: <(?P<options>[^>]*)>)?$"
)
HANDSHAKE = "mss 1460,sackOK,wscale 7"
WITH_TIMESTAMPS = HANDSHAKE + ",TS val 100 ecr 0"


def text(start: int, size: int) -> bytes:
    """Return the stream's bytes from an offset on."""
    return bytes((i * 7 + i // 251) & 0xFF for i in range(start, start + size))


class Hand:
    """A stack, one peer that is our hand, and the time."""

    def __init__(self, family=4, *, sysctl=None, listen=None, mtu=1500) -> None:
        self.family = family
        self.src, self.dst = ADDRESSES[family]
        self.now = 1000.0
        own = [ends[1] for ends in ADDRESSES.values()]
        self.stack = Stack(own, sysctl, seed=SEED, mtu=mtu)
        self.listener = self.stack.listen(PORT, **(listen or {}))
        self.isn = ISN
        self.iss: int | None = None
        self.port = PEER_PORT
        self.sent: list[Segment] = []
        self.last: Segment | None = None
        self.tos = 0
        self.tsval = 0  # of the SYN-ACK
        self._connection = None
        self._written = 0

    # Time

    def advance(self, *, ms: float) -> None:
        """Let time pass; timers that come due on the way are run when they are due."""
        end = self.now + ms / 1000
        while (due := self.stack.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.stack.handle_timer(self.now)
            self.collect()
        self.now = end
        self.collect()

    # Segments

    def segment(self, line: str) -> Segment:
        """Make the peer's segment that a line spells."""
        shape = SHAPE.match(line)
        assert shape, line
        flags = sum(LETTERS[letter] for letter in shape["flags"] if letter != "-")
        seq, size = int(shape["seq"]), int(shape["size"])
        ack = int(shape["ack"] or 0)
        return Segment(
            src=self.src,
            dst=self.dst,
            sport=self.port,
            dport=PORT,
            seq=add(self.isn, seq),
            ack=add(self.iss or 0, ack) if flags & ACK else 0,
            flags=flags,
            window=int(shape["win"] or 500),
            options_bytes=encode(self.options(shape["options"] or "")),
            payload=text(seq - 1, size),
            tos=self.tos,
        )

    def options(self, words: str) -> tuple[Option, ...]:
        """Read options: mss 1460,sackOK,wscale 7,TS val 1 ecr 2,sack 5:9 20:30."""
        found: list[Option] = []
        for word in filter(None, words.split(",")):
            name, *rest = word.split()
            if name == "mss":
                found.append(Mss(int(rest[0])))
            elif name == "sackOK":
                found.append(SackPermitted())
            elif name == "wscale":
                found.append(WindowScale(int(rest[0])))
            elif name == "TS":
                found.append(Timestamps(int(rest[1]), int(rest[3]) & 0xFFFFFFFF))
            elif name == "sack":
                pairs = [block.split(":") for block in rest]
                base = self.iss or 0
                blocks = tuple((add(base, int(a)), add(base, int(b))) for a, b in pairs)
                found.append(Sack(blocks))
            elif name == "tfo":
                found.append(FastOpen(bytes.fromhex(rest[0]) if rest else b""))
            else:
                raise AssertionError(word)
        return tuple(found)

    def inject(self, line: str) -> None:
        """Let a segment arrive."""
        self.inject_packet(self.segment(line).packet())

    def inject_packet(self, packet: bytes) -> None:
        self.stack.receive(packet, self.now)
        self.collect()

    def collect(self) -> None:
        """Take what the stack wants to send now."""
        for packet in self.stack.packets_to_send(self.now):
            self.sent.append(Segment.parse(packet))

    # Expectations

    def expect(self, line: str) -> Segment:
        """Assert that the next segment sent is this one; return it."""
        self.collect()
        assert self.sent, f"nothing was sent; expected {line}"
        segment = self.sent.pop(0)
        shape = SHAPE.match(line)
        assert shape, line
        if segment.flags & SYN and self.iss is None:
            self.iss = segment.seq
        spelled = self.spell(segment)
        wanted = {k: v for k, v in shape.groupdict().items() if v is not None}
        wanted["flags"] = "".join(x for x in LETTERS if x in wanted["flags"])
        assert wanted == {k: spelled[k] for k in wanted}, str(segment)
        self.last = segment
        return segment

    def expect_nothing(self) -> None:
        """Assert silence."""
        self.collect()
        assert [] == [str(segment) for segment in self.sent]

    def spell(self, segment: Segment) -> dict[str, str]:
        """Spell a segment of ours as an expectation does."""
        letters = "".join(x for x, bit in LETTERS.items() if segment.flags & bit)
        raw = self.iss is None
        seq = segment.seq if raw else diff(segment.seq, self.iss)
        words = []
        for option in segment.options:
            if isinstance(option, Sack):
                blocks = [
                    f"{diff(a, self.isn)}:{diff(b, self.isn)}" for a, b in option.blocks
                ]
                words.append("sack " + " ".join(blocks))
            elif isinstance(option, Mss):
                words.append(f"mss {option.mss}")
            elif isinstance(option, SackPermitted):
                words.append("sackOK")
            elif isinstance(option, WindowScale):
                words.append(f"wscale {option.shift}")
            elif isinstance(option, Timestamps):
                words.append("TS")
        return {
            "flags": letters or "-",
            "seq": str(seq),
            "size": str(len(segment.payload)),
            "ack": str(diff(segment.ack, self.isn)) if segment.flags & ACK else "",
            "win": str(segment.window),
            "options": ",".join(words),
        }

    # The application

    @property
    def connection(self):
        """The connection that was accepted."""
        if self._connection is None:
            self._connection = self.listener.accept()
        return self._connection

    @property
    def state(self) -> str:
        """The connection's state, as the RFC spells it."""
        return str(self.connection.state)

    def events(self) -> list[str]:
        """Take the events that wait: their names, with the error of Closed."""
        names = []
        while (event := self.stack.next_event()) is not None:
            error = getattr(event, "error", None)
            names.append(type(event).__name__ + (f" {error}" if error else ""))
        return names

    def write(self, size: int) -> int:
        """Write the next bytes of the stream."""
        taken = self.connection.write(text(self._written, size))
        self._written += taken
        self.collect()
        return taken

    def close(self) -> None:
        """Close; what is sent is collected."""
        self.connection.close()
        self.collect()


def listen(family=4, **options) -> Hand:
    """A listener, nothing else."""
    return Hand(family, **options)


def established(family=4, options=HANDSHAKE, window=65535, **kwargs) -> Hand:
    """A connection that was accepted; window is that of the last ACK, unscaled."""
    hand = Hand(family, **kwargs)
    hand.inject(f"S 0:0(0) win 65535 <{options}>")
    sent = hand.expect("S. 0:0(0) ack 1")
    scaled = window >> 7 if "wscale" in options else window
    stamps = ""
    if sent.timestamps:
        hand.tsval = sent.timestamps.tsval
        stamps = f" <TS val 101 ecr {hand.tsval}>"
    hand.inject(f". 1:1(0) ack 1 win {scaled}{stamps}")
    hand.expect_nothing()
    assert "ESTABLISHED" == hand.state
    assert ["Accepted"] == hand.events()
    return hand


def syn_received(family=4, size=0) -> Hand:
    """A connection by TCP Fast Open, whose SYN-ACK is not acknowledged yet."""
    sysctl = {"net.inet.tcp.fastopen.server_enable": 1}
    hand = Hand(family, sysctl=sysctl, listen={"fastopen": 10})
    hand.port += 1
    hand.inject("S 0:0(0) win 65535 <mss 1460,tfo>")
    cookie = next(o for o in hand.sent.pop().options if isinstance(o, FastOpen))
    hand.inject("R 1:1(0)")
    hand.port -= 1
    tfo = f"tfo {cookie.cookie.hex()}"
    hand.inject(f"S 0:0({size}) win 65535 <{HANDSHAKE},{tfo}>")
    hand.expect(f"S. 0:0(0) ack {1 + size}")
    assert "SYN-RECEIVED" == hand.state
    hand.events()
    return hand


def close_wait(family=4, **kwargs) -> Hand:
    """The peer closed."""
    hand = established(family, **kwargs)
    hand.inject("F. 1:1(0) ack 1")
    hand.expect(". 1:1(0) ack 2")
    hand.events()
    return hand


def fin_wait_1(family=4, **kwargs) -> Hand:
    """We closed."""
    hand = established(family, **kwargs)
    hand.close()
    hand.expect("F. 1:1(0) ack 1")
    return hand


def fin_wait_2(family=4, **kwargs) -> Hand:
    """We closed, and the peer acknowledged it."""
    hand = fin_wait_1(family, **kwargs)
    hand.inject(". 1:1(0) ack 2")
    assert "FIN-WAIT-2" == hand.state
    return hand


def closing(family=4, **kwargs) -> Hand:
    """Both closed, the peer has not seen our FIN."""
    hand = fin_wait_1(family, **kwargs)
    hand.inject("F. 1:1(0) ack 1")
    hand.expect(". 2:2(0) ack 2")
    assert "CLOSING" == hand.state
    hand.events()
    return hand


def last_ack(family=4, **kwargs) -> Hand:
    """The peer closed, then we did."""
    hand = close_wait(family, **kwargs)
    hand.close()
    hand.expect("F. 1:1(0) ack 2")
    assert "LAST-ACK" == hand.state
    return hand


def time_wait(family=4, **kwargs) -> Hand:
    """We closed first, and both are done."""
    hand = fin_wait_2(family, **kwargs)
    hand.inject("F. 1:1(0) ack 2")
    hand.expect(". 2:2(0) ack 2")
    assert "TIME-WAIT" == hand.state
    hand.events()
    return hand
