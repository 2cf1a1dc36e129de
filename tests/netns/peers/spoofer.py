"""Packets from sources that do not exist: `spoofer.py JSON`, IPv4, by a raw socket.

kind: syn or udp; target; count; every: seconds between two; port: of SYNs, and of UDP
the first of many; first: number of the first source.  Bounded in count; prints how many
were sent.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import sys
import time

from syncache import Segment

SOURCES = int(ipaddress.ip_address("10.0.0.1"))


def syn(spec, number, source):
    return Segment(
        src=source,
        dst=spec["target"],
        sport=1024 + number % 60_000,
        dport=spec["port"],
        seq=number * 7919 % 2**32,
        flags=2,
        window=60_000,
    ).packet()


def datagram(spec, number, source):
    """Without a checksum, which IPv4 allows; the kernel does the header's."""
    ends = 1024 + number % 60_000, spec["port"] + number % 5000
    payload = struct.pack(">HHHH", *ends, 12, 0) + b"food"
    addresses = socket.inet_aton(source) + socket.inet_aton(spec["target"])
    return struct.pack(">BBHHHBBH", 0x45, 0, 32, 0, 0, 64, 17, 0) + addresses + payload


def main(spec):
    make = {"syn": syn, "udp": datagram}[spec["kind"]]
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for number in range(spec["count"]):
            source = str(ipaddress.ip_address(SOURCES + spec.get("first", 0) + number))
            sock.sendto(make(spec, number, source), (spec["target"], 0))
            pause = begin + (number + 1) * spec["every"] - time.monotonic()
            if pause > 0:
                time.sleep(pause)
    return {"sent": spec["count"]}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
