"""Plays a script: injects, waits, compares, and checks what holds at the end.

Every packet that we send must be expected by the script, in order and in time; silence
is an assertion too.  A failure is a sentence; a script passes when there is none.  It
ends a performance, unless what follows does not depend on it (SLIGHT): a window, a push
flag, a mark, AccECN's option, an ACK that comes sooner.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..model import option
from ..model.packet import Packet, icmp_error
from . import observe
from .calls import Sockets
from .check import Numbers, differences, on_the_wire
from .script import (
    UNREACHABLE,
    Call,
    Expect,
    Icmp,
    Inject,
    Script,
    Shape,
    Step,
    Tune,
)
from .world import PEER_PORT, PORT, PRESET, ROUTER, Air, Memory, World

if TYPE_CHECKING:
    from collections.abc import Iterator

SYN_TOS = 0xB8  # neither of these two may come back on a reply
SYN_TTL = 57
EXPIRY_LATE_S = 0.005
PORTS_OF_A_LISTENER = 1000
VALID_MD5 = ("md5", "<valid>")
NO_DIGEST = ("md5", "00" * 16)
SLIGHT = re.compile(
    r"win \d+, not|flags \w+, not \w+ \(push\)|A sent at [\d.]+ ms, early"
    r"|ip_ecn 0, not [12]|no AccECN option|more blocks"
)
CALL_ERRORS = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def play(script: Script, *, air: Air | None = None, preset: str = PRESET) -> list[str]:
    """Play a script from each of its clock starts; return what went wrong."""
    failures: list[str] = []
    for start in script.clock_starts:
        where = f"clock {start}: " if len(script.clock_starts) > 1 else ""
        try:
            world = World(script, start, air or Memory(), preset)
        except (KeyError, PermissionError, TypeError, ValueError) as error:
            failures.append(f"{where}cannot begin: {error.args[0]}")
            continue
        failures += [where + text for text in Player(script, world).run()]
    return failures


def script_secret(script: Script) -> bytes:
    """Return the key of the signatures that a script calls valid."""
    return script.md5_secret.encode()


class Player:
    """One performance of one script."""

    def __init__(self, script: Script, world: World) -> None:
        self.script = script
        self.world = world
        self.numbers = self._new_numbers()
        self.sockets = Sockets(world, script)
        self.shift = 0.0  # how late packets came that were allowed any time
        self.first_port = PEER_PORT  # of peers: each listener has peers of its own

    def _new_numbers(self) -> Numbers:
        numbers = Numbers(self.script.irs)
        numbers.any_clock = self.script.open_end
        return numbers

    def run(self) -> list[str]:
        """Play all steps, then look at what is left; slight failures come last."""
        if self.script.listening:
            self.sockets.default_listener()
        self.number = 0
        self.baseline = observe.counters(self.world)
        slight: list[str] = []
        for number, step in enumerate(self.script.steps, 1):
            self.number = number
            for failure in self._play(step):
                text = f"step {number} at {step.at * 1000:g} ms: {failure}"
                if not SLIGHT.match(failure):
                    return [text, *slight]
                slight.append(text)
        return list(self._finish()) + slight

    def _play(self, step: Step) -> Iterator[str]:
        if isinstance(step, Expect):
            yield from self._expect(step)
            return
        self.world.advance(step.at + self.shift)
        yield from self._silence()
        if isinstance(step, Inject):
            self.world.failing = step.fault == "tx_error"
            packet = self.build(step.shape)
            self.world.inject(packet.encode(bad_checksum=step.shape.bad_csum))
            self.world.failing = False
        elif isinstance(step, Icmp):
            self.world.inject(self._icmp(step))
        elif isinstance(step, Tune):
            yield from self._tune(step)
        else:
            yield from self._call(step)

    def _tune(self, step: Tune) -> Iterator[str]:
        try:
            self.world.sysctl[step.name] = step.value
        except (KeyError, PermissionError, TypeError, ValueError) as error:
            yield f"{step.name}={step.value}: {error.args[0]}"

    def _call(self, step: Call) -> Iterator[str]:
        try:
            got = self.sockets.call(step)
        except CALL_ERRORS as error:
            yield f"{step.name}() cannot be made: {type(error).__name__}: {error}"
            return
        if step.result is not None and got != step.result:
            yield f"{step.name}() = {got}, not {step.result}"
        self.world.act()
        if step.name == "listen" and self.numbers.iss is not None:
            self.numbers = self._new_numbers()
            self.first_port += PORTS_OF_A_LISTENER

    def _silence(self) -> Iterator[str]:
        """Complain about packets that nobody expected."""
        sent = self.world.sent
        while sent:
            at, packet = sent.popleft()
            if packet.dport < self.first_port:
                continue
            if self.script.unlisted_syn_acks and {"S", "A"} <= set(packet.flags):
                peer = packet.dport - self.first_port
                self.numbers.learn(packet, Shape("SA", seq=0, peer=peer))
                continue
            if self.script.says_nothing or self._nobody_looks():
                continue
            yield f"unexpected {self._show(packet)} at {at * 1000:g} ms"

    def _nobody_looks(self) -> bool:
        """Whether nothing more is expected of these peers, and the end is open."""
        if not self.script.open_end:
            return False
        for step in self.script.steps[self.number :]:
            if isinstance(step, Call) and step.name == "listen":
                break
            if isinstance(step, Expect):
                return False
        return True

    def _expect(self, step: Expect) -> Iterator[str]:
        sent = self.world.sent
        while not sent or sent[0][1].dport < self.first_port:
            if sent:
                sent.popleft()
                continue
            self.world.advance(step.until + self.shift, until_sent=True)
            if not sent:
                break
        if not sent:
            yield f"nothing sent, expected {step.shape.flags}"
            return
        at, packet = self._take(step.shape)
        if not step.at - step.early <= at - self.shift <= step.until:
            early = ", early" if at - self.shift < step.at else ""
            yield f"{packet.flags} sent at {at * 1000:g} ms{early}"
        if step.floating:
            self.shift = max(self.shift, at - step.at)
        if (
            packet.dport != self.first_port + step.shape.peer
            and step.shape.dport is None
        ):
            yield f"sent to port {packet.dport}, not to peer {step.shape.peer}"
        fixed = {"tos": self.sockets.tos, "ttl": self.sockets.ttl}
        secret = script_secret(self.script)
        yield from differences(packet, step.shape, self.numbers, fixed, secret)
        if self.script.exact_order and "S" in packet.flags:
            order = tuple(o[0] for o in option.decode(packet.options))
            if order != self.script.exact_order:
                yield f"order of options {order}"

    def _take(self, shape: Shape) -> tuple[float, Packet]:
        """Take the next packet; a super-segment that is expected is many of ours."""
        sent = self.world.sent
        at, packet = sent.popleft()
        while sent and len(packet.payload) < (shape.len or 0):
            after = sent[0][1]
            behind = (packet.seq + len(packet.payload)) & 0xFFFFFFFF
            if after.seq != behind or set(packet.flags) != {"A"} or not after.payload:
                break
            data = packet.payload + after.payload
            packet = replace(packet, flags=after.flags, payload=data)
            sent.popleft()
        return at, packet

    def _finish(self) -> Iterator[str]:
        script = self.script
        expire = script.expect.get("expired_at_ms")
        if isinstance(expire, int | float):
            self.world.advance(expire / 1000 - 0.001)
            if observe.entries(self.world) == 0:
                yield f"entry expired before {expire} ms"
            self.world.advance(expire / 1000 + EXPIRY_LATE_S)
            if observe.entries(self.world) != 0:
                yield f"entry still there after {expire} ms"
        self.world.advance(script.end + self.shift)
        if not script.open_end:
            yield from self._silence()
        yield from observe.disagreements(self.world, script, self.baseline)

    def build(self, shape: Shape) -> Packet:
        """Turn what the script says into a packet."""
        numbers, world = self.numbers, self.world
        ack = 0
        if shape.ack is not None:
            ack = numbers.ours(shape.ack, peer=shape.peer if shape.own_iss else None)
        elif shape.raw_ackfield is not None:
            ack = shape.raw_ackfield
        tos = shape.ip_tos if isinstance(shape.ip_tos, int) else SYN_TOS
        bare = Packet(
            src=shape.src or world.peer,
            dst=shape.dst or world.local,
            sport=shape.sport or self.first_port + shape.peer,
            dport=shape.dport or PORT,
            flags=shape.flags or "",
            seq=(shape.seq or 0) if shape.absolute else numbers.theirs(shape.seq or 0),
            ack=ack,
            window=32767 if shape.win is None else shape.win,
            options=option.encode(self._filled(shape)),
            payload=bytes(i & 0xFF for i in range(shape.len or 0)),
            urgent=shape.urg,
            ttl=shape.ip_ttl if isinstance(shape.ip_ttl, int) else SYN_TTL,
            tos=tos & ~3 | (shape.ip_ecn or 0),
            flow_label=shape.ip_label or 0,
            doff=shape.doff,
        )
        return self._sign(bare, shape)

    def _sign(self, packet: Packet, shape: Shape) -> Packet:
        """Fill in a signature that is to be right; its place is there already."""
        if VALID_MD5 not in (shape.opts or ()):
            return packet
        digest = ("md5", packet.signature(script_secret(self.script)))
        opts = [digest if o == NO_DIGEST else o for o in self._filled(shape)]
        return replace(packet, options=option.encode(opts))

    def _filled(self, shape: Shape) -> list[option.Option]:
        """Return the options with the numbers of the wire in place of the script's."""
        items = [self._fill(o) for o in shape.opts or ()]
        if shape.exact:
            items = [on_the_wire(o, self.numbers.ours) for o in items]
        return items

    def _fill(self, item: option.Option) -> option.Option:
        if item == VALID_MD5:
            return NO_DIGEST
        if item == ("tfo", "<valid>"):
            return ("tfo", self._tfo_cookie())
        if item[0] != "ts":
            return item
        _, val, ecr, *absolute = item
        if ecr and not absolute:
            ecr = (ecr + (self.numbers.ts or 0)) & 0xFFFFFFFF
        return ("ts", val, ecr)

    def _icmp(self, step: Icmp) -> bytes:
        v6 = self.script.family == 6
        quoted = Packet(
            self.world.local,
            self.world.peer,
            PORT,
            self.first_port,
            flags="SA",
            seq=self.numbers.ours(step.seq),
        )
        kind = UNREACHABLE[step.kind][v6]
        if kind is None:
            raise ValueError(f"no ICMP error {step.kind} in this family")
        router = ROUTER[self.script.family]
        return icmp_error(quoted.encode(), router, kind=kind, word=step.mtu)

    def _tfo_cookie(self) -> str:
        """Get a TFO cookie as an earlier connection of this peer would have."""
        before = observe.counters(self.world)
        syn = self.build(Shape("S", opts=(("mss", 1460), ("tfo", "")), peer=99))
        self.world.inject(syn.encode())
        _, answer = self.world.sent.popleft()
        reset = replace(syn, flags="R", seq=syn.seq + 1, options=b"")
        self.world.inject(reset.encode())
        for name, value in observe.counters(self.world).items():
            self.baseline[name] += value - before[name]
        cookie = option.read(answer.options, syn=True).tfo
        return cookie.hex() if cookie else ""

    def _show(self, packet: Packet) -> str:
        seq = (packet.seq - (self.numbers.iss or 0)) & 0xFFFFFFFF
        ack = (packet.ack - self.numbers.irs) & 0xFFFFFFFF
        return f"{packet.flags} seq {seq} ack {ack} len {len(packet.payload)}"
