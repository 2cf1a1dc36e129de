"""The small programs that the frame links give to the kernel, and bpf(2).

All of them look for the same thing, packets to our addresses that are ours to answer,
and differ in what they do about one:

    filter    of the AF_PACKET socket: take it, and nothing else; also without SYNs of
              some networks
    drop      behind that socket, in tc ingress: drop it, so that the kernel does not
              answer too, with a RST for every connection
    redirect  XDP: give it to the AF_XDP socket of its queue; also without SYNs of
              some networks
    queue     of a TUN device: take everything but SYNs of some networks

Ours are TCP and ICMP, but not neighbour discovery: ARP and that are the kernel's, which
has our addresses on the interface and so answers for us.  An IPv6 packet with extension
headers is ours unless the header behind the first one is UDP.

There is no compiler at run time: `Assembler` writes the instructions, and the kernel's
verifier proves them.  See RFC 9669 for the instruction set.
"""

from __future__ import annotations

import ipaddress
import os
import struct
from typing import TYPE_CHECKING, ClassVar

from .._core import bpf as _core_bpf
from .._core import links as _core_links
from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTRUCTION = struct.Struct("=BBhi")
ADDRESSES_MAX = 1000  # so that every jump stays within 16 bits

# <linux/bpf.h>
PROG_SOCKET_FILTER, PROG_SCHED_CLS, PROG_XDP = 1, 3, 6
ATTACH_XDP, ATTACH_TCX_INGRESS = 37, 46
# BPF_F_BEFORE: first of the tc programs, one of which may let nobody see a packet after
# itself.
TCX_FIRST = 1 << 3
MAP_XSKMAP = 17
XDP_DROP, XDP_PASS = 1, 2
XDP_RX_QUEUE_INDEX = 16  # offset in struct xdp_md
SKB_LENGTH = 0  # in struct __sk_buff
PSEUDO_MAP_FD = 1
HELPER_REDIRECT, HELPER_REDIRECT_MAP = 23, 51

TC_DROP, TC_NEXT = 2, -1
FILTER_TAKE, FILTER_REFUSE = -1, 0

AND, SHIFT_LEFT, ADD_REGISTER = 0x54, 0x67, 0x0F  # of 32, 64 and 64 bits

LOAD_CONTEXT = 0x61  # 32 bits

# Registers: the result, arguments, then what calls leave alone.
R0, R1, R2, R3, R4 = range(5)
CONTEXT, LAYER3, END, LAYER4 = 6, 7, 8, 9

ETHERNET = 14
TAG = 4
TAGS_MAX = 2
TYPE_AT = 12
TYPE_IPV4, TYPE_IPV6 = 0x0800, 0x86DD
IPV4_PROTOCOL, IPV4_SOURCE, IPV4_DESTINATION, IPV4_HEADER = 9, 12, 16, 20
IPV6_NEXT_HEADER, IPV6_SOURCE, IPV6_DESTINATION, IPV6_HEADER = 6, 8, 24, 40
IPV4_FRAGMENT, FRAGMENT_OFFSET = 6, 0x1FFF
TCP_FLAGS, FLAGS_SYN_ACK, FLAG_SYN = 13, 0x12, 0x02
BLOCKED_MAX = 16
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
IPV6_EXTENSIONS = (0, 43, 44, 60)  # hop-by-hop, routing, fragment, destination
NEIGHBOUR_FIRST, NEIGHBOUR_LAST = 133, 137  # ICMPv6 types of RFC 4861


class Assembler:
    """Instructions and labels; jumps go forward only, as old verifiers want it."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int]] = []
        self._jumps: dict[int, str] = {}
        self._labels: dict[str, int] = {}

    def add(
        self, code: int, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0
    ) -> None:
        """Append an instruction."""
        self._code.append((code, dst, src, offset, imm))

    def label(self, name: str) -> None:
        """Name the next instruction."""
        self._labels[name] = len(self._code)

    def jump(self, target: str) -> None:
        """Go to a label."""
        self._jumps[len(self._code)] = target
        self.add(0x05)

    def jump_if(self, comparison: str, value: int, target: str) -> None:
        """Go to a label if R0, as 32 bits without sign, compares so with `value`."""
        code = {"==": 0x16, "!=": 0x56, "<": 0xA6, ">": 0x26}[comparison]
        self._jumps[len(self._code)] = target
        self.add(code, R0, imm=value)

    def jump_beyond(self, pointer: int, target: str) -> None:
        """Go to a label if a pointer lies behind the end of the packet."""
        self._jumps[len(self._code)] = target
        self.add(0x2D, pointer, END)

    def set(self, register: int, value: int) -> None:
        """Load a constant."""
        self.add(0xB7, register, imm=value)

    def copy(self, to: int, source: int) -> None:
        """Copy a register."""
        self.add(0xBF, to, source)

    def increase(self, register: int, value: int) -> None:
        """Add a constant to a register."""
        self.add(0x07, register, imm=value)

    def leave(self, value: int) -> None:
        """Return a constant."""
        self.set(R0, value)
        self.add(0x95)

    def program(self) -> bytes:
        """Return the instructions, every jump resolved."""
        lines = []
        for at, (code, dst, src, given, imm) in enumerate(self._code):
            target = self._jumps.get(at)
            offset = given if target is None else self._labels[target] - at - 1
            signed = imm - 2**32 if imm >= 2**31 else imm
            lines.append(INSTRUCTION.pack(code, dst | src << 4, offset, signed))
        return b"".join(lines)


class _SkbAccess:
    """Reads packets of a socket filter or of tc: beyond the end it returns 0."""

    TYPES: ClassVar = {4: TYPE_IPV4, 6: TYPE_IPV6}  # as R0 has it
    tags_max = TAGS_MAX
    CODES: ClassVar = {1: (0x30, 0x50), 2: (0x28, 0x48), 4: (0x20, 0x40)}

    def begin(self, asm: Assembler) -> None:
        asm.copy(CONTEXT, R1)
        asm.set(LAYER3, ETHERNET)
        asm.add(self.CODES[2][0], imm=TYPE_AT)

    def again(self, asm: Assembler) -> None:
        """Stand where `begin` ends."""
        asm.set(LAYER3, ETHERNET)
        self.load(asm, 2, TYPE_AT - ETHERNET)

    def need(self, asm: Assembler, size: int, base: int = LAYER3) -> None:
        """Say that the packet is to be read up to here; nothing to do."""

    def load(self, asm: Assembler, size: int, offset: int, base: int = LAYER3) -> None:
        asm.add(self.CODES[size][1], src=base, imm=offset)


class _TunAccess(_SkbAccess):
    """Reads packets of a TUN device, which begin with IP."""

    TYPES: ClassVar = {4: 0x40, 6: 0x60}
    tags_max = 0

    def begin(self, asm: Assembler) -> None:
        asm.copy(CONTEXT, R1)
        asm.set(LAYER3, 0)
        asm.add(self.CODES[1][0])
        asm.add(AND, R0, imm=0xF0)

    def again(self, asm: Assembler) -> None:
        """Nobody goes on reading."""


class _XdpAccess:
    """Reads packets of XDP through pointers that the verifier wants checked.

    Args:
        short: The label for packets that end too soon.
    """

    TYPES: ClassVar = {4: TYPE_IPV4, 6: TYPE_IPV6}
    tags_max = TAGS_MAX
    CODES: ClassVar = {1: 0x71, 2: 0x69, 4: 0x61}

    def __init__(self, short: str = "others") -> None:
        self._short = short

    def begin(self, asm: Assembler) -> None:
        asm.copy(CONTEXT, R1)
        self.again(asm)

    def again(self, asm: Assembler) -> None:
        asm.add(self.CODES[4], LAYER3, CONTEXT, 0)  # xdp_md.data
        asm.add(self.CODES[4], END, CONTEXT, 4)  # xdp_md.data_end
        self.need(asm, ETHERNET)
        self.load(asm, 2, TYPE_AT)
        asm.increase(LAYER3, ETHERNET)

    def need(self, asm: Assembler, size: int, base: int = LAYER3) -> None:
        asm.copy(R1, base)
        asm.increase(R1, size)
        asm.jump_beyond(R1, self._short)

    def load(self, asm: Assembler, size: int, offset: int, base: int = LAYER3) -> None:
        asm.add(self.CODES[size], R0, base, offset)
        if size > 1:
            asm.add(0xDC, R0, imm=8 * size)  # from big-endian


_Access = _SkbAccess | _XdpAccess
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _find_ours(asm: Assembler, access: _Access, addresses: Sequence[str]) -> None:
    """Go to `ours`, or to `others`, which has to be the next label.

    R0 holds the type of the frame.
    """
    packed = [ipaddress.ip_address(address) for address in addresses]
    of = {
        version: [a.packed for a in packed if a.version == version]
        for version in (4, 6)
    }
    for i in range(TAGS_MAX + 1):
        # The verifier refuses what no jump reaches.
        if of[4]:
            asm.jump_if("==", TYPE_IPV4, "v4")
        if of[6]:
            asm.jump_if("==", TYPE_IPV6, "v6")
        if i == TAGS_MAX:
            break
        for vlan in _core_links.TYPES_VLAN:
            asm.jump_if("==", vlan, f"tag{i}")
        asm.jump("others")
        asm.label(f"tag{i}")
        access.need(asm, TAG)
        access.load(asm, 2, 2)
        asm.increase(LAYER3, TAG)
    asm.jump("others")
    if of[4]:
        _find_ours_v4(asm, access, of[4])
    if of[6]:
        _find_ours_v6(asm, access, of[6])


def _find_ours_v4(asm: Assembler, access: _Access, addresses: Sequence[bytes]) -> None:
    asm.label("v4")
    access.need(asm, IPV4_HEADER)
    access.load(asm, 4, IPV4_DESTINATION)
    for address in addresses:
        asm.jump_if("==", int.from_bytes(address, "big"), "v4 to us")
    asm.jump("others")
    asm.label("v4 to us")
    access.load(asm, 1, IPV4_PROTOCOL)
    asm.jump_if("==", TCP, "ours")
    asm.jump_if("==", ICMP, "ours")
    asm.jump("others")


def _find_ours_v6(asm: Assembler, access: _Access, addresses: Sequence[bytes]) -> None:
    asm.label("v6")
    access.need(asm, IPV6_HEADER + 1)
    for i, address in enumerate(addresses):
        for at in range(0, 16, 4):
            access.load(asm, 4, IPV6_DESTINATION + at)
            word = int.from_bytes(address[at : at + 4], "big")
            asm.jump_if("!=", word, f"not address {i}")
        asm.jump("v6 to us")
        asm.label(f"not address {i}")
    asm.jump("others")
    asm.label("v6 to us")
    access.load(asm, 1, IPV6_NEXT_HEADER)
    asm.jump_if("==", TCP, "ours")
    asm.jump_if("==", ICMPV6, "icmpv6")
    for header in IPV6_EXTENSIONS:
        asm.jump_if("==", header, "extension")
    asm.jump("others")
    asm.label("icmpv6")
    access.load(asm, 1, IPV6_HEADER)
    asm.jump_if("<", NEIGHBOUR_FIRST, "ours")
    asm.jump_if(">", NEIGHBOUR_LAST, "ours")
    asm.jump("others")
    asm.label("extension")
    access.load(asm, 1, IPV6_HEADER)
    asm.jump_if("!=", UDP, "ours")


def filter_program(
    addresses: Sequence[str] | None, blocked: Sequence[str] = (), *, longer: int = 0
) -> bytes:
    """Return the socket filter that takes our packets; None: everything.

    Args:
        addresses: Ours.
        blocked: Networks whose SYNs are not taken.
        longer: Take only frames that have more bytes than this.
    """
    asm = Assembler()
    access = _SkbAccess()
    if longer:
        asm.add(LOAD_CONTEXT, R0, R1, SKB_LENGTH)
        asm.jump_if(">", longer, "long")
        asm.leave(FILTER_REFUSE)
        asm.label("long")
    access.begin(asm)
    if blocked:
        _refuse_syns(asm, access, blocked)
        access.again(asm)
    if addresses is not None:
        _find_ours(asm, access, addresses)
        asm.label("others")
        asm.leave(FILTER_REFUSE)
        asm.label("ours")
    asm.leave(FILTER_TAKE)
    if blocked:
        asm.label("blocked")
        asm.leave(FILTER_REFUSE)
    return asm.program()


def queue_program(blocked: Sequence[str]) -> bytes:
    """Return the filter of a TUN device that takes all but SYNs of some networks."""
    asm = Assembler()
    access = _TunAccess()
    access.begin(asm)
    _refuse_syns(asm, access, blocked)
    asm.leave(FILTER_TAKE)
    asm.label("blocked")
    asm.leave(FILTER_REFUSE)
    return asm.program()


def _refuse_syns(asm: Assembler, access: _Access, blocked: Sequence[str]) -> None:
    """Go to `blocked` if it is the SYN of a blocked network."""
    networks = [ipaddress.ip_network(network) for network in blocked[:BLOCKED_MAX]]
    of = {version: [n for n in networks if n.version == version] for version in (4, 6)}
    for i in range(access.tags_max + 1):
        for version, kind in access.TYPES.items():
            if of[version]:
                asm.jump_if("==", kind, f"from v{version}")
        if i == access.tags_max:
            break
        for vlan in _core_links.TYPES_VLAN:
            asm.jump_if("==", vlan, f"blocked tag{i}")
        asm.jump("not blocked")
        asm.label(f"blocked tag{i}")
        access.need(asm, TAG)
        access.load(asm, 2, 2)
        asm.increase(LAYER3, TAG)
    asm.jump("not blocked")
    if of[4]:
        asm.label("from v4")
        access.need(asm, IPV4_HEADER)
        access.load(asm, 1, IPV4_PROTOCOL)
        asm.jump_if("!=", TCP, "not blocked")
        access.load(asm, 2, IPV4_FRAGMENT)
        asm.add(AND, R0, imm=FRAGMENT_OFFSET)
        asm.jump_if("!=", 0, "not blocked")
        access.load(asm, 1, 0)
        asm.add(AND, R0, imm=15)
        asm.add(SHIFT_LEFT, R0, imm=2)  # words of four bytes
        asm.copy(LAYER4, LAYER3)
        asm.add(ADD_REGISTER, LAYER4, R0)
        _find_source(asm, access, of[4], IPV4_SOURCE)
    if of[6]:
        asm.label("from v6")
        access.need(asm, IPV6_HEADER)
        access.load(asm, 1, IPV6_NEXT_HEADER)
        asm.jump_if("!=", TCP, "not blocked")
        asm.copy(LAYER4, LAYER3)
        asm.increase(LAYER4, IPV6_HEADER)
        _find_source(asm, access, of[6], IPV6_SOURCE)
    asm.label("suspect")
    access.need(asm, TCP_FLAGS + 1, LAYER4)
    access.load(asm, 1, TCP_FLAGS, LAYER4)
    asm.add(AND, R0, imm=FLAGS_SYN_ACK)
    asm.jump_if("==", FLAG_SYN, "blocked")
    asm.label("not blocked")


def _find_source(
    asm: Assembler, access: _Access, networks: Sequence[_Network], source: int
) -> None:
    """Go to `suspect` if the source is in one of some networks, of one family."""
    for network in networks:
        other = f"not from {network}"
        first, mask = network.network_address.packed, network.netmask.packed
        for at in range(0, len(mask), 4):
            bits = int.from_bytes(mask[at : at + 4], "big")
            if not bits:
                continue
            access.load(asm, 4, source + at)
            asm.add(AND, R0, imm=bits)
            asm.jump_if("!=", int.from_bytes(first[at : at + 4], "big"), other)
        asm.jump("suspect")
        asm.label(other)
    asm.jump("not blocked")


def drop_program(addresses: Sequence[str] | None) -> bytes:
    """Return the classifier that drops our packets; None: everything."""
    if addresses is None:
        asm = Assembler()
        asm.leave(TC_DROP)
        return asm.program()
    return _skb_program(addresses, TC_DROP, TC_NEXT)


def _skb_program(addresses: Sequence[str], ours: int, others: int) -> bytes:
    asm = Assembler()
    access = _SkbAccess()
    access.begin(asm)
    _find_ours(asm, access, addresses)
    asm.label("others")
    asm.leave(others)
    asm.label("ours")
    asm.leave(ours)
    return asm.program()


def redirect_program(
    addresses: Sequence[str] | None, map_fd: int, blocked: Sequence[str] = ()
) -> bytes:
    """Return the XDP program that gives our packets to the socket of its queue.

    Args:
        addresses: Ours.  None: every frame is, and one of a queue without a socket is
            dropped instead of going to the kernel.
        map_fd: The sockets by queue.
        blocked: Networks whose SYNs are dropped.
    """
    asm = Assembler()
    access = _XdpAccess("not blocked" if blocked else "others")
    if blocked:
        access.begin(asm)
        _refuse_syns(asm, access, blocked)
    access = _XdpAccess()
    if addresses is None:
        if not blocked:
            asm.copy(CONTEXT, R1)
    else:
        (access.again if blocked else access.begin)(asm)
        _find_ours(asm, access, addresses)
        asm.label("others")
        asm.leave(XDP_PASS)
        asm.label("ours")
    asm.add(0x18, R1, PSEUDO_MAP_FD, imm=map_fd)
    asm.add(0)  # its second half
    asm.add(0x61, R2, CONTEXT, XDP_RX_QUEUE_INDEX)
    asm.set(R3, XDP_DROP if addresses is None else XDP_PASS)  # without a socket
    asm.add(0x85, imm=HELPER_REDIRECT_MAP)
    asm.add(0x95)
    if blocked:
        asm.label("blocked")
        asm.leave(XDP_DROP)
    return asm.program()


def pass_on_program(index: int) -> bytes:
    """Return the classifier that sends everything out of another interface."""
    asm = Assembler()
    asm.set(R1, index)
    asm.set(R2, 0)  # out of it, not into it
    asm.add(0x85, imm=HELPER_REDIRECT)
    asm.add(0x95)
    return asm.program()


def load(kind: int, attach_type: int, program: bytes) -> int:
    """Load a program; its descriptor.

    Raises:
        LinkError: The kernel refuses it.
    """
    try:
        return _core_bpf.bpf_load(kind, attach_type, program)
    except OSError as error:
        message = (
            f"cannot load a BPF program: {os.strerror(error.errno or 0)}: run as root "
            "(CAP_BPF and CAP_NET_ADMIN, not in a user namespace)"
        )
        raise LinkError(message, error.errno) from None
