"""An echo on our TCP over a TUN device: `handshake_server.py JSON`.

The stack's five calls in the plainest loop that there is, so that the handshakes are
what takes the time.  Says "ready" when it listens; ends when its standard input does,
and then says as JSON what the engine counted.
"""

from __future__ import annotations

import json
import select
import sys
import time

from syncache import Ring, Stack
from syncache.events import Accepted, EndOfStream, Readable
from syncache.links.tun import Tun

PORT = 7
BACKLOG = 1024
COUNTERS = (
    "sc_added",
    "sc_completed",
    "sc_recvcookie",
    "sc_failcookie",
    "sc_spurcookie",
    "sc_retransmitted",
    "sc_dupsyn",
    "listendrop",
    "rst_sent",
)


def act(listener, event):
    """Do what an echo does."""
    if isinstance(event, Accepted):
        listener.accept()
    elif isinstance(event, Readable):
        event.connection.write(event.connection.read(65_536))
    elif isinstance(event, EndOfStream):
        event.connection.close()


def flush(link, tx):
    """Send all of a ring; a full device is waited for."""
    while tx.next < len(tx):
        if not link.send(tx):
            select.select([], [link], [], 1)
    tx.clear()


def turn(link, stack, listener, rings):
    """Take what the link has, and send what is to be sent."""
    rx, tx = rings
    now = time.monotonic()
    rx.clear()
    link.receive(rx)
    while rx.next < len(rx):
        stack.burst(rx, tx, now)
        flush(link, tx)
    stack.handle_timer(now)
    while (event := stack.next_event()) is not None:
        act(listener, event)
    while stack.transmit(tx, now):
        flush(link, tx)


def main(spec):
    link = Tun("tun0", spec["kernel"], vnet_hdr=False)
    sysctl = {"kern.ipc.somaxconn": BACKLOG} | spec["sysctl"]
    stack = Stack(spec["ours"], sysctl, mtu=link.mtu)
    listener = stack.listen(PORT, backlog=BACKLOG)
    rings = Ring(256), Ring(256)
    print("ready", flush=True)
    while True:
        deadline = stack.next_deadline()
        wait = None if deadline is None else max(0, deadline - time.monotonic())
        if sys.stdin in select.select([link, sys.stdin], [], [], wait)[0]:
            break
        turn(link, stack, listener, rings)
    counted = {name: getattr(stack.stats, name) for name in COUNTERS}
    left = {"count": len(stack.syncache.half_open()), "open": len(stack.connections)}
    print(json.dumps(counted | left | {"link": link.counts}))
    link.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
