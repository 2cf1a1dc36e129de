"""Answer SYNs in XDP without any work: the ceiling of all that transmits in place.

    python -m bench.xdp_tx INTERFACE

Swaps MAC addresses, IP addresses and ports of each IPv4 TCP segment whose flags are SYN
alone, sets ACK and gives the frame back (XDP_TX).  Numbers and checksums stay as they
are: no client is meant to be served.  Any other segment comes back as a RST, which the
flood counts apart: a generator that sends anything but SYNs is noticed.
"""

from __future__ import annotations

import signal
import socket
import sys

from syncache._core import bpf as _core_bpf
from syncache.links import bpf
from syncache.links.bpf import R0, R1, R2, R3, R4, Assembler

R6 = 6
HEADERS = 54  # Ethernet, IPv4, TCP
WIDTHS = {1: 0x10, 2: 0x08, 4: 0x00}
XDP_TX = 3
SYN, RST, ACK = 2, 4, 16


def program() -> bytes:
    """Return the instructions."""
    asm = Assembler()

    def load(register: int, size: int, offset: int) -> None:
        asm.add(0x61 | WIDTHS[size], register, R6, offset)

    def store(register: int, size: int, offset: int) -> None:
        asm.add(0x63 | WIDTHS[size], R6, register, offset)

    def swap(size: int, one: int, other: int) -> None:
        load(R1, size, one)
        load(R2, size, other)
        store(R1, size, other)
        store(R2, size, one)

    asm.add(0x61, R6, R1, 0)  # xdp_md.data
    asm.add(0x61, R2, R1, 4)  # xdp_md.data_end
    asm.copy(R3, R6)
    asm.increase(R3, HEADERS)
    asm.copy(bpf.END, R2)
    asm.jump_beyond(R3, "pass")
    for size, offset, value in (
        (2, 12, socket.htons(0x0800)),
        (1, 23, socket.IPPROTO_TCP),
    ):
        load(R0, size, offset)
        asm.jump_if("!=", value, "pass")
    swap(4, 0, 6)
    swap(2, 4, 10)
    swap(4, 26, 30)
    swap(2, 34, 36)
    load(R0, 1, 47)
    asm.set(R4, SYN | ACK)
    asm.jump_if("==", SYN, "send")
    asm.set(R4, RST)
    asm.label("send")
    store(R4, 1, 47)
    asm.leave(XDP_TX)
    asm.label("pass")
    asm.leave(bpf.XDP_PASS)
    return asm.program()


def main(interface: str) -> None:
    """Answer until SIGTERM."""
    fd = bpf.load(bpf.PROG_XDP, bpf.ATTACH_XDP, program())
    _core_bpf.bpf_attach(fd, socket.if_nametoindex(interface), bpf.ATTACH_XDP, 0)
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
