"""The links' programs, run by a small interpreter of the instructions that they use.

That the kernel's verifier takes them is shown by tests/netns/test_packet.py and
tests/netns/test_xdp.py.
"""

from __future__ import annotations

import errno

import pytest

from syncache._core import bpf as _core_bpf
from syncache.links import LinkError, bpf

OURS = ["192.0.2.1", "198.51.100.255", "2001:db8::1", "fe80::8000:1"]
MAC = bytes(12)
CONTEXT_AT, DATA_AT = 10_000, 100_000
QUEUE = 3


ARITHMETIC = {
    0x07: lambda dst, _, imm: dst + imm,
    0x0F: lambda dst, src, _: dst + src,
    0x54: lambda dst, _, imm: dst & imm & 0xFFFFFFFF,
    0x67: lambda dst, _, imm: dst << imm,
    0xB7: lambda _, __, imm: imm,
    0xBF: lambda _, src, __: src,
}


class BeyondTheEndError(Exception):
    """What ends a program that reads an skb."""


class Machine:
    """Registers and one packet; `run` returns R0, or the map and key of a redirect."""

    def __init__(self, frame, *, skb=False):
        self.frame = frame
        self.context = {0: DATA_AT, 4: DATA_AT + len(frame), 16: QUEUE}
        if skb:
            self.context = {0: len(frame)}
        self.register = [0] * 11
        self.register[1] = CONTEXT_AT

    def packet(self, at, size):
        if at + size > len(self.frame):
            raise BeyondTheEndError
        return self.frame[at : at + size]

    def memory(self, at, size):
        """Read as a little-endian machine does."""
        if at < DATA_AT:
            return self.context[at - CONTEXT_AT]
        assert at + size <= DATA_AT + len(self.frame), "the verifier would refuse this"
        return int.from_bytes(self.packet(at - DATA_AT, size), "little")

    def run(self, program):
        try:
            return self.steps(list(bpf.INSTRUCTION.iter_unpack(program)))
        except BeyondTheEndError:
            return 0

    def steps(self, code):
        r, at = self.register, 0
        while True:
            operation, registers, offset, imm = code[at]
            dst, src = registers & 15, registers >> 4
            at += 1
            value = r[0] & 0xFFFFFFFF
            jumps = {
                0x05: True,
                0x16: value == imm & 0xFFFFFFFF,
                0x56: value != imm & 0xFFFFFFFF,
                0xA6: value < imm & 0xFFFFFFFF,
                0x26: value > imm & 0xFFFFFFFF,
                0x2D: r[dst] > r[src],
            }
            if operation in jumps:
                at += offset if jumps[operation] else 0
            elif operation in {0x20, 0x28, 0x30, 0x40, 0x48, 0x50}:
                size = {0x00: 4, 0x08: 2, 0x10: 1}[operation & 0x18]
                start = imm + (r[src] if operation >= 0x40 else 0)
                r[0] = int.from_bytes(self.packet(start, size), "big")
            elif operation in {0x61, 0x69, 0x71}:
                size = {0x61: 4, 0x69: 2, 0x71: 1}[operation]
                r[dst] = self.memory(r[src] + offset, size)
            elif operation == 0xDC:
                swapped = r[dst].to_bytes(8, "little")[: imm // 8]
                r[dst] = int.from_bytes(swapped, "big")
            elif operation == 0x18:
                r[dst] = ("map", imm)
                at += 1
            elif operation == 0x85:  # the last thing that a program does
                assert imm == bpf.HELPER_REDIRECT_MAP
                assert code[at][0] == 0x95
                return (r[1], r[2], r[3])
            elif operation == 0x95:
                return r[0]
            else:
                r[dst] = ARITHMETIC[operation](r[dst], r[src], imm)


def tags(*types):
    return b"".join(kind.to_bytes(2, "big") + b"\x00\x07" for kind in types)


def ipv4(destination, protocol, *, vlan=b"", size=20):
    header = b"\x45" + bytes(8) + bytes([protocol]) + bytes(6) + destination
    return MAC + vlan + b"\x08\x00" + header + bytes(size)


def ipv6(destination, following, first=0, *, vlan=b"", size=20):
    header = b"\x60" + bytes(5) + bytes([following]) + bytes(17) + destination
    return MAC + vlan + b"\x86\xdd" + header + bytes([first]) + bytes(size)


US4, US4_HIGH = b"\xc0\x00\x02\x01", b"\xc6\x33\x64\xff"
US6 = bytes.fromhex("20010db8000000000000000000000001")
US6_LOCAL = bytes.fromhex("fe800000000000000000000080000001")
OTHER6 = bytes.fromhex("20010db8000000000000000000000002")

CASES = {
    "TCP to us": (ipv4(US4, 6), True),
    "TCP to our second address": (ipv4(US4_HIGH, 6), True),
    "ICMP to us": (ipv4(US4, 1, size=8), True),
    "UDP to us": (ipv4(US4, 17), False),
    "TCP to another": (ipv4(b"\xc0\x00\x02\x02", 6), False),
    "TCP in a VLAN": (ipv4(US4, 6, vlan=tags(0x8100)), True),
    "TCP in two VLANs": (ipv4(US4, 6, vlan=tags(0x88A8, 0x8100)), True),
    "TCP in old double tags": (ipv4(US4, 6, vlan=tags(0x9100, 0x8100)), True),
    "TCP in three VLANs": (ipv4(US4, 6, vlan=tags(0x88A8, 0x8100, 0x8100)), False),
    "UDP in a VLAN": (ipv4(US4, 17, vlan=tags(0x8100)), False),
    "TCP6 to us": (ipv6(US6, 6), True),
    "TCP6 to our link-local address": (ipv6(US6_LOCAL, 6), True),
    "TCP6 to another": (ipv6(OTHER6, 6), False),
    "TCP6 in a VLAN": (ipv6(US6, 6, vlan=tags(0x8100)), True),
    "UDP6 to us": (ipv6(US6, 17), False),
    "packet too big": (ipv6(US6, 58, 2), True),
    "echo request": (ipv6(US6, 58, 128), True),
    "router solicitation": (ipv6(US6, 58, 133), False),
    "neighbour solicitation": (ipv6(US6, 58, 135), False),
    "redirect": (ipv6(US6, 58, 137), False),
    "behind neighbour discovery": (ipv6(US6, 58, 138), True),
    "TCP behind a fragment header": (ipv6(US6, 44, 6), True),
    "UDP behind a fragment header": (ipv6(US6, 44, 17), False),
    "TCP behind destination options": (ipv6(US6, 60, 6), True),
    "no next header": (ipv6(US6, 59), False),
    "ARP": (MAC + b"\x08\x06" + bytes(28), False),
    "length instead of a type": (MAC + b"\x00\x26" + bytes(38), False),
}


@pytest.mark.parametrize(("frame", "ours"), CASES.values(), ids=CASES)
def test_programs_agree_on_what_is_ours(frame, ours):
    """Taken by the filter, dropped for the kernel, redirected by XDP; or none."""
    taken = Machine(frame).run(bpf.filter_program(OURS))
    assert (bpf.FILTER_TAKE if ours else bpf.FILTER_REFUSE) == taken
    dropped = Machine(frame).run(bpf.drop_program(OURS))
    assert (bpf.TC_DROP if ours else bpf.TC_NEXT) == dropped
    redirected = Machine(frame).run(bpf.redirect_program(OURS, 42))
    to_socket = (("map", 42), QUEUE, bpf.XDP_PASS)
    assert (to_socket if ours else bpf.XDP_PASS) == redirected


@pytest.mark.parametrize(
    "frame", [ipv4(US4, 6), ipv6(US6, 58, 128)], ids=["IPv4", "IPv6"]
)
def test_frame_cut_off_anywhere_is_read_to_its_end_at_most(frame):
    """Whatever is missing, no program reads beyond; the kernel gets the frame."""
    for size in range(len(frame) + 1):
        cut = frame[:size]
        assert Machine(cut).run(bpf.filter_program(OURS)) in {-1, 0}
        assert Machine(cut).run(bpf.drop_program(OURS)) in {bpf.TC_DROP, -1, 0}
        Machine(cut).run(bpf.redirect_program(OURS, 42))


def test_one_family_alone_leaves_no_code_that_nothing_reaches():
    """The verifier refuses what no jump reaches; the other family is the kernel's."""
    four, six = (bpf.filter_program([address]) for address in (OURS[0], OURS[2]))
    assert bpf.FILTER_TAKE == Machine(ipv4(US4, 6)).run(four)
    assert bpf.FILTER_REFUSE == Machine(ipv6(US6, 6)).run(four)
    assert bpf.FILTER_TAKE == Machine(ipv6(US6, 6)).run(six)
    assert bpf.FILTER_REFUSE == Machine(ipv4(US4, 6)).run(six)
    both = bpf.filter_program([OURS[0], OURS[2]])
    assert max(len(four), len(six)) < len(both) < len(four) + len(six)


@pytest.mark.parametrize("ours", [OURS, None], ids=["ours", "all"])
def test_filter_of_long_frames_takes_no_others(ours):
    """By the bytes of the frame, Ethernet header included."""
    frame = ipv4(US4, 6)
    for longer, taken in ((len(frame) - 1, bpf.FILTER_TAKE), (len(frame), 0)):
        code = bpf.filter_program(ours, longer=longer)
        assert taken == Machine(frame, skb=True).run(code)
    other = Machine(ipv6(US6[::-1], 6), skb=True)
    code = bpf.filter_program(ours, longer=14)
    assert (bpf.FILTER_REFUSE if ours else bpf.FILTER_TAKE) == other.run(code)


BLOCKED = ["203.0.113.0/24", "198.51.100.7/32", "2001:db8:bad::/48"]


def syn4(source, flags=0x02, *, words=5, fragment=0, vlan=b""):
    """From a source to us."""
    header = bytes([0x40 | words]) + bytes(5) + fragment.to_bytes(2, "big")
    header += b"\x40\x06\0\0" + bytes(source) + US4 + bytes(4 * words - 20)
    return MAC + vlan + b"\x08\x00" + header + bytes(13) + bytes([flags]) + bytes(6)


def syn6(source, flags=0x02, *, following=6):
    head = b"\x60" + bytes(5) + bytes([following, 64]) + bytes.fromhex(source) + US6
    return MAC + b"\x86\xdd" + head + bytes(13) + bytes([flags]) + bytes(6)


BAD6, GOOD6 = "20010db80bad" + "00" * 9 + "07", "20010db80bae" + "00" * 9 + "07"
SOURCES = {
    "SYN of a blocked network": (syn4([203, 0, 113, 9]), True),
    "SYN of its last address": (syn4([203, 0, 113, 255]), True),
    "SYN of the next network": (syn4([203, 0, 114, 0]), False),
    "SYN of a blocked address": (syn4([198, 51, 100, 7]), True),
    "SYN of its neighbour": (syn4([198, 51, 100, 6]), False),
    "SYN with ECN": (syn4([203, 0, 113, 9], 0xC2), True),
    "SYN behind IP options": (syn4([203, 0, 113, 9], words=7), True),
    "SYN in two VLANs": (syn4([203, 0, 113, 9], vlan=tags(0x88A8, 0x8100)), True),
    "ACK of a blocked network": (syn4([203, 0, 113, 9], 0x10), False),
    "SYN-ACK": (syn4([203, 0, 113, 9], 0x12), False),
    "RST": (syn4([203, 0, 113, 9], 0x04), False),
    "later fragment": (syn4([203, 0, 113, 9], fragment=0x2005), False),
    "SYN6 of a blocked network": (syn6(BAD6), True),
    "SYN6 of another": (syn6(GOOD6), False),
    "ACK6 of a blocked network": (syn6(BAD6, 0x10), False),
    "ICMPv6 of a blocked network": (syn6(BAD6, following=58), False),
}


@pytest.mark.parametrize(("frame", "blocked"), SOURCES.values(), ids=SOURCES)
def test_filter_refuses_syns_of_blocked_networks(frame, blocked):
    """And takes all else as before, with addresses of ours and without."""
    for ours in (OURS, None):
        taken = Machine(frame).run(bpf.filter_program(ours, BLOCKED))
        assert (bpf.FILTER_REFUSE if blocked else bpf.FILTER_TAKE) == taken
        assert bpf.FILTER_TAKE == Machine(frame).run(bpf.filter_program(ours))
    for networks in (BLOCKED[:1], BLOCKED[2:]):
        Machine(frame).run(bpf.filter_program(OURS, networks))


@pytest.mark.parametrize(("frame", "blocked"), SOURCES.values(), ids=SOURCES)
def test_xdp_drops_syns_of_blocked_networks(frame, blocked):
    """And redirects all else as before, also where everything is ours."""
    for ours, rest in ((OURS, bpf.XDP_PASS), (None, bpf.XDP_DROP)):
        for networks in (BLOCKED, BLOCKED[:1], BLOCKED[2:]):
            found = Machine(frame).run(bpf.redirect_program(ours, 42, networks))
            assert found in {bpf.XDP_DROP, (("map", 42), QUEUE, rest)}
            if networks is BLOCKED:
                assert blocked == (bpf.XDP_DROP == found)
        for size in range(len(frame)):
            program = bpf.redirect_program(ours, 42, BLOCKED)
            assert bpf.XDP_DROP != Machine(frame[:size]).run(program) or blocked


@pytest.mark.parametrize(("frame", "blocked"), SOURCES.values(), ids=SOURCES)
def test_queue_of_a_tun_device_has_no_syns_of_blocked_networks(frame, blocked):
    """Its packets begin with IP."""
    if frame[12:14] in {b"\x08\x00", b"\x86\xdd"}:
        taken = Machine(frame[14:]).run(bpf.queue_program(BLOCKED))
        assert (bpf.FILTER_REFUSE if blocked else bpf.FILTER_TAKE) == taken


@pytest.mark.parametrize(("frame", "ours"), CASES.values(), ids=CASES)
def test_xdp_with_blocked_networks_knows_what_is_ours(frame, ours):
    """As without them."""
    found = Machine(frame).run(bpf.redirect_program(OURS, 42, BLOCKED))
    to_socket = (("map", 42), QUEUE, bpf.XDP_PASS)
    assert (to_socket if ours else bpf.XDP_PASS) == found


@pytest.mark.parametrize(("frame", "ours"), CASES.values(), ids=CASES)
def test_filter_with_blocked_networks_knows_what_is_ours(frame, ours):
    """As without them."""
    taken = Machine(frame).run(bpf.filter_program(OURS, BLOCKED))
    assert (bpf.FILTER_TAKE if ours else bpf.FILTER_REFUSE) == taken


def test_forwarder_leaves_nothing_to_the_kernel():
    """Without addresses everything is dropped, or redirected."""
    assert bpf.TC_DROP == Machine(b"").run(bpf.drop_program(None))
    redirected = Machine(b"").run(bpf.redirect_program(None, 42))
    assert (("map", 42), QUEUE, bpf.XDP_DROP) == redirected


def test_program_that_the_kernel_refuses_gives_one_line(monkeypatch):
    """It says which privilege is missing."""

    def refuse(*_):
        raise OSError(errno.EPERM, "bpf(2)")

    monkeypatch.setattr(_core_bpf, "bpf_load", refuse)
    with pytest.raises(LinkError, match="run as root") as caught:
        bpf.load(bpf.PROG_SCHED_CLS, 0, b"")
    assert "\n" not in str(caught.value)
