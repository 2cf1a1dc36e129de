"""Compares a segment that was sent with the one a script expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..model.option import Option
    from ..model.packet import Packet
    from .script import Shape

MASK32 = 0xFFFFFFFF
TS_SLACK = 5  # ticks of 1 ms between the script's time and the packet's
ACCECN = ("ac", "ae")  # how AccECN's options begin


class Numbers:
    """The real numbers behind a script's: ISNs and the timestamp clock, each side's."""

    def __init__(self, irs: int) -> None:
        self.irs = irs
        self.iss: int | None = None  # of our first SYN-ACK
        self.iss_of: dict[int, int] = {}  # of each peer's own
        self.ts: int | None = None  # what our TSval is ahead of the script's
        self.any_clock = False  # a script may be written for another one

    def learn(self, packet: Packet, shape: Shape) -> None:
        """Take our ISN from a SYN-ACK."""
        if "S" not in packet.flags:
            return
        iss = (packet.seq - (shape.seq or 0)) & MASK32
        self.iss_of.setdefault(shape.peer, iss)
        if self.iss is None:
            self.iss = iss

    def ours(self, number: int, *, peer: int | None = None) -> int:
        """Our sequence number as it goes over the wire."""
        iss = self.iss if peer is None else self.iss_of.get(peer, self.iss)
        return (number + (iss or 0)) & MASK32

    def theirs(self, number: int) -> int:
        """The peer's sequence number as it goes over the wire."""
        return (number + self.irs) & MASK32


def differences(
    packet: Packet,
    shape: Shape,
    numbers: Numbers,
    fixed: dict[str, int],
    secret: bytes = b"",
) -> Iterator[str]:
    """Say in which fields a packet is not what was expected."""
    if shape.flags is not None and set(packet.flags) != set(shape.flags):
        push = set(packet.flags) ^ set(shape.flags) == {"P"}
        yield f"flags {packet.flags}, not {shape.flags}{' (push)' * push}"
        if not push:
            return
    numbers.learn(packet, shape)
    if shape.seq is not None:
        base = 0 if shape.absolute else numbers.iss or 0
        got = (packet.seq - base) & MASK32
        if got != shape.seq & MASK32:
            yield f"seq {got}, not {shape.seq}"
    if shape.ack is not None and packet.ack != numbers.theirs(shape.ack):
        yield f"ack {(packet.ack - numbers.irs) & MASK32}, not {shape.ack}"
    if shape.win is not None and packet.window != shape.win:
        yield f"win {packet.window}, not {shape.win}"
    if shape.len is not None and len(packet.payload) != shape.len:
        yield f"len {len(packet.payload)}, not {shape.len}"
    if shape.opts is not None:
        yield from _option_differences(packet, shape, numbers, secret)
    yield from _ip_differences(packet, shape, fixed)


def _ip_differences(
    packet: Packet, shape: Shape, fixed: dict[str, int]
) -> Iterator[str]:
    if shape.ip_ecn is not None and packet.tos & 3 != shape.ip_ecn:
        yield f"ip_ecn {packet.tos & 3}, not {shape.ip_ecn}"
    if shape.ip_label is not None and packet.flow_label != shape.ip_label:
        yield f"flow label {packet.flow_label:#x}, not {shape.ip_label:#x}"
    for name, value in (("tos", shape.ip_tos), ("ttl", shape.ip_ttl)):
        wanted = fixed[name] if value == "listener" else value
        got = packet.tos & ~3 if name == "tos" else packet.ttl
        if wanted is not None and got != wanted:
            yield f"{name} {got}, not {wanted}"


def _option_differences(
    packet: Packet, shape: Shape, numbers: Numbers, secret: bytes
) -> Iterator[str]:
    got = option.decode(packet.options)
    if secret:
        valid = ("md5", packet.signature(secret))
        got = [("md5", "<valid>") if o == valid else o for o in got]
    wanted = list(shape.opts or ())
    if not shape.exact or shape.any_order:
        got = sorted((o for o in got if o[0] not in ("nop", "eol")), key=str)
        wanted = sorted((o for o in wanted if o[0] not in ("nop", "eol")), key=str)
    accurate = [o for o in wanted if o[0] == "raw" and o[1].startswith(ACCECN)]
    if accurate and not any(o[0] == "raw" for o in got):
        yield f"no AccECN option {accurate}"
        wanted = [o for o in wanted if o not in accurate]
        if not any(o[0] not in ("nop", "eol") for o in wanted + got):
            return
    if [o[0] for o in got] != [o[0] for o in wanted]:
        yield f"opts {got}, not {wanted}"
        return
    if shape.exact:
        wanted = [on_the_wire(o, numbers.theirs) for o in wanted]
    for have, want in zip(got, wanted, strict=True):
        if have[0] == "sack" and have[: len(want)] == want != have:
            yield f"more blocks: {have}, not {want}"
            continue
        if have[0] == "sack" and have[:2] == want[:2] and have[2] < want[2]:
            yield f"less of a block: {have}, not {want}"
            continue
        if not _same_option(have, want, numbers if shape.exact else None):
            yield f"option {have}, not {want}"


def on_the_wire(item: Option, number: Callable[[int], int]) -> Option:
    """Return a SACK option with the numbers of the wire; others as they are."""
    return ("sack", *map(number, item[1:])) if item[0] == "sack" else item


def _same_option(have: Option, want: Option, numbers: Numbers | None) -> bool:
    if have[0] == "ts" and numbers is not None:
        if want[2] is not None and have[2] != want[2]:
            return False
        if want[1] is None:
            return True
        if numbers.ts is None or numbers.any_clock:
            numbers.ts = (have[1] - want[1]) & MASK32
        return (have[1] - want[1] - numbers.ts + TS_SLACK) & MASK32 <= 2 * TS_SLACK
    if want[0] == "tfo" and want[1] == "<8 bytes>":
        return len(have[1]) == 16
    return len(have) == len(want) and all(
        w is None or h == w for h, w in zip(have[1:], want[1:], strict=True)
    )
