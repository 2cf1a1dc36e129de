"""Takes what comes to addresses, answers nothing: `silent.py INTERFACE ADDRESS...`."""

from __future__ import annotations

import sys

from syncache.links.packet import Packet

if __name__ == "__main__":
    link = Packet(sys.argv[1], sys.argv[2:])
    print("ready", flush=True)
    sys.stdin.read()
    link.close()
