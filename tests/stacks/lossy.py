"""Forwards frames between two interfaces, badly: `lossy.py ONE OTHER SEED`.

Of a hundred frames three are lost, two come twice, five are overtaken by the next.
"""

from __future__ import annotations

import random
import select
import socket
import sys

LOST, TWICE, LATE = 0.03, 0.02, 0.05
WAIT = 0.002


def opened(name):
    """A socket for all frames of an interface."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((name, 3))
    return sock


def main(one, other, seed):
    """Forward until killed."""
    chance = random.Random(int(seed))
    ends = [opened(one), opened(other)]
    kept = {}
    print("ready", flush=True)
    while True:
        readable = select.select(ends, [], [], WAIT if kept else None)[0]
        for there, frame in [] if readable else list(kept.items()):
            there.send(frame)
            del kept[there]
        for sock in readable:
            frame, where = sock.recvfrom(65536)
            there = ends[sock is ends[0]]
            if where[2] == socket.PACKET_OUTGOING or chance.random() < LOST:
                continue
            if there not in kept and chance.random() < LATE:
                kept[there] = frame
                continue
            there.send(frame)
            if chance.random() < TWICE:
                there.send(frame)
            if there in kept:
                there.send(kept.pop(there))


if __name__ == "__main__":
    main(*sys.argv[1:])
