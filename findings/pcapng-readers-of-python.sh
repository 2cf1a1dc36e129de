#!/bin/sh
# pcapng in Python.  Of a file with two interfaces dpkt 1.9.8 takes the resolution of the
# first for both, so that nanoseconds of the second become a time a thousand times later;
# it ends without a word at a section of the other byte order (what `cat` or a joined
# file has) and passes over Simple Packet Blocks.  python-pcapng 2.1.1 reads all three
# right and leaves out if_tsoffset, which dpkt adds.  Neither raises or warns.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install dpkt==1.9.8 python-pcapng==2.1.1 || exit 77
"$folder/v/bin/python" - <<'PY'
import io
import struct
import sys

import dpkt
import pcapng

PACKET = bytes(range(20))
SECOND = 1_600_000_000


def block(kind, body, order):
    size = len(body) + 12
    head = struct.pack(order + "II", kind, size)
    return head + body + struct.pack(order + "I", size)


def section(order="<"):
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    return block(0x0A0D0D0A, body, order)


def interface(digits, offset=0, order="<"):
    body = struct.pack(order + "HHI", 1, 0, 0)
    body += struct.pack(order + "HHB3x", 9, 1, digits)  # if_tsresol
    body += struct.pack(order + "HHq", 14, 8, offset)  # if_tsoffset
    return block(1, body + bytes(4), order)


def packet(number, units, order="<"):
    head = (number, units >> 32, units & 0xFFFFFFFF, len(PACKET), len(PACKET))
    return block(6, struct.pack(order + "IIIII", *head) + PACKET, order)


first = section() + interface(6) + packet(0, SECOND * 10**6)
files = {
    "two interfaces": section() + interface(6) + interface(9)
    + packet(0, SECOND * 10**6) + packet(1, SECOND * 10**9),
    "two byte orders": first + section(">") + interface(6, order=">")
    + packet(0, SECOND * 10**6, ">"),
    "a simple packet": section() + interface(6)
    + block(3, struct.pack("<I", len(PACKET)) + PACKET, "<"),
    "an offset of an hour": section() + interface(6, 3600)
    + packet(0, SECOND * 10**6),
}
found = {}
for name, data in files.items():
    by_dpkt = [int(time) for time, _ in dpkt.pcapng.Reader(io.BytesIO(data))]
    by_pcapng = [
        int(each.timestamp) if hasattr(each, "timestamp") else None
        for each in pcapng.FileScanner(io.BytesIO(data))
        if hasattr(each, "packet_data")
    ]
    found[name] = (by_dpkt, by_pcapng)
    print(f"{name}: dpkt {dpkt.__version__} {by_dpkt}, python-pcapng {by_pcapng}")
sys.exit(
    found
    != {
        "two interfaces": ([SECOND, SECOND * 1000], [SECOND, SECOND]),
        "two byte orders": ([SECOND], [SECOND, SECOND]),
        "a simple packet": ([], [None]),
        "an offset of an hour": ([SECOND + 3600], [SECOND]),
    }
)
PY
