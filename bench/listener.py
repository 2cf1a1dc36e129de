"""Our listener at the victim's end of the wire, in a process of its own.

    python -m bench.listener LINK WHAT INTERFACE

LINK is packet or xdp; WHAT is

    syncache  SYNs are answered, cookies only, as the kernel's are by tcp_syncookies=2
    echo      SYNs come back as SYN-ACKs, and nothing else is done
    stack     a Stack with its defaults serves: one byte is echoed, then it closes

All three are the same loop: receive, burst, send.  It prints "ready" when it listens
and ends by SIGTERM.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING

from syncache import Ring, Stack, Syncache, Sysctl
from syncache.events import Accepted, Readable

from .beside import Echo
from .wire import PORT, SERVER

if TYPE_CHECKING:
    from syncache.links.link import Link

SLOTS, SLOT_SIZE = 64, 2048
IDLE_MS = 10


def open_link(kind: str, interface: str) -> Link:
    """Open a link on the interface for the server's address."""
    if kind == "packet":
        from syncache.links.packet import Packet

        # Small blocks: nobody sends super-segments here.
        return Packet(interface, [SERVER], block=mmap.PAGESIZE)
    from syncache.links.xdp import Xdp

    return Xdp(interface, [SERVER])


def answer(link: Link, what: str) -> None:
    """Receive, burst, send, for ever."""
    rx, tx = Ring(SLOTS, SLOT_SIZE), Ring(SLOTS, SLOT_SIZE)
    if what == "echo":
        engine: Echo | Syncache = Echo(rx, tx)
    else:
        engine = Syncache(Sysctl({"net.inet.tcp.syncookies_only": 1}))
        engine.listen(PORT, SERVER)
    poll = ready(link)
    receive, burst, send, clock = link.receive, engine.burst, link.send, time.monotonic
    while True:
        if not receive(rx):
            poll.poll()
            continue
        burst(rx, tx, clock())
        send(tx)
        rx.clear()
        tx.clear()


def serve(link: Link) -> None:
    """Serve clients from a stack: a byte comes back, then the connection closes."""
    rx, tx = Ring(SLOTS, SLOT_SIZE), Ring(SLOTS, SLOT_SIZE)
    stack = Stack(SERVER)
    stack.listen(PORT, SERVER, backlog=1024)
    poll = ready(link)
    while True:
        if not link.receive(rx):
            poll.poll(IDLE_MS)
        now = time.monotonic()
        while rx.next < len(rx):
            stack.burst(rx, tx, now)
            flush(link, tx)
        rx.clear()
        stack.handle_timer(now)
        echo_bytes(stack)
        stack.transmit(tx, now)
        flush(link, tx)


def ready(link: Link) -> select.poll:
    """Say that everything is set up; return what waits for packets."""
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    os.write(1, b"ready\n")
    return poll


def flush(link: Link, tx: Ring) -> None:
    """Send what there is; what the link does not take is lost, as on any network."""
    link.send(tx)
    tx.clear()


def echo_bytes(stack: Stack) -> None:
    """Answer whoever sent a byte."""
    while (event := stack.next_event()) is not None:
        if isinstance(event, Accepted):
            event.listener.accept()
        elif isinstance(event, Readable):
            event.connection.write(event.connection.read(1))
            event.connection.close()


def end(_number: int, _frame: object) -> None:
    """Leave by way of `finally`, so that the interface is left as it was."""
    sys.exit(0)


def main() -> None:
    """Open the link and listen."""
    kind, what, interface = sys.argv[1:]
    signal.signal(signal.SIGTERM, end)
    link = open_link(kind, interface)
    try:
        if what == "stack":
            serve(link)
        else:
            answer(link, what)
    finally:
        link.close()


if __name__ == "__main__":
    main()
