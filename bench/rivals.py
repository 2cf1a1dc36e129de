"""Who answers the SYNs at the victim's end: the kernel's ways, ours, and a mere echo.

    cookies2    kernel listener, tcp_syncookies=2: a cookie for every SYN
    cookies1    the same, 1: cookies once its queue of 4096 is full
    synproxy    nftables' synproxy in front of the kernel listener
    packet      ours on AF_PACKET: receive, burst, send, in a Python loop
    xdp         ours on AF_XDP
    packet_echo, xdp_echo    the same loops without syncache work: the link's ceiling
    xdp_tx      an XDP program that swaps addresses and sends back: the wire's ceiling
    shield, shield_auto  ours in XDP, the kernel's listener behind it
    packet_stack, xdp_stack  ours with a Stack behind, which serves clients

Ours run in listener.py.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from .wire import HOLDING, LISTENER, LISTENING, PORT, SERVER, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

SYNPROXY = f"""
table ip bench {{
    chain raw {{
        type filter hook prerouting priority raw
        tcp dport {PORT} tcp flags & (fin|syn|rst|ack) == syn notrack
    }}
    chain input {{
        type filter hook input priority filter
        tcp dport {PORT} ct state invalid,untracked \\
            synproxy mss 1460 wscale 7 timestamp sack-perm
        ct state invalid drop
    }}
}}
"""
KERNEL = ("cookies2", "cookies1", "synproxy")
ECHO = ("packet_echo", "xdp_echo")
OURS = ("packet", "xdp")
# XDP_TX: only XDP sees their frames at the flood's end.
IN_PLACE = ("xdp_tx", "shield", "shield_auto")
SERVING = ("packet_stack", "xdp_stack")


@contextmanager
def serving(wire: Wire, rival: str) -> Iterator[None]:
    """Have a rival listen while the `with` lasts."""
    wire.counts_frames = rival in IN_PLACE
    start = kernel if rival in KERNEL else in_place if rival in IN_PLACE else ours
    try:
        with start(wire, rival):
            wire.pin_napi()
            yield
    finally:
        wire.counts_frames = False


@contextmanager
def kernel(wire: Wire, rival: str) -> Iterator[None]:
    """The kernel's listener, with what stands before it."""
    victim = wire.victim
    victim.run("sysctl", "-qw", f"net.ipv4.tcp_syncookies={1 if '1' in rival else 2}")
    if rival == "synproxy":
        victim.run("nft", SYNPROXY)
        victim.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0")
    server = (wire.clients_program, "serve", SERVER, PORT)
    try:
        with victim.start(LISTENER, LISTENING, *server) as process:
            process.ready()
            yield
    finally:
        if rival == "synproxy":
            victim.run("nft", "delete table ip bench")


@contextmanager
def ours(wire: Wire, rival: str) -> Iterator[None]:
    """Ours on a link, or the echo on it."""
    link, _, what = rival.partition("_")
    words = (sys.executable, "-m", "bench.listener", link, what or "syncache", wire.vv)
    with wire.victim.start(LISTENER, LISTENING, *words) as process:
        process.ready()
        yield


@contextmanager
def in_place(wire: Wire, rival: str) -> Iterator[None]:
    """A program of the kernel's receive path; the process only holds it."""
    module, _, mode = rival.partition("_")
    if module != "shield":
        module, mode = rival, ""
    words = [sys.executable, "-m", f"bench.{module}", wire.vv]
    with ExitStack() as stack:
        if module == "shield":
            words += [str(PORT), mode or "always"]
            wire.victim.run("sysctl", "-qw", "net.ipv4.tcp_syncookies=1")
            server = (wire.clients_program, "serve", SERVER, PORT)
            listener = wire.victim.start(LISTENER, LISTENING, *server)
            stack.enter_context(listener).ready()
        process = wire.victim.start(HOLDING, LISTENING, *words)
        stack.enter_context(process).ready()
        yield
