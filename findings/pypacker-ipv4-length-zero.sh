#!/bin/sh
# Linux records outgoing TSO segments with an IPv4 total length of 0.  dpkt and scapy
# then take the frame's length; pypacker 5.4 finds no IP header in the frame at all, so
# a count of packets or bytes made with it misses what the recording host sent in bulk.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install pypacker==5.4 dpkt==1.9.8 scapy==2.8.0 || exit 77
"$folder/v/bin/python" - <<'PY'
import logging
import struct
import sys

logging.disable(logging.CRITICAL)
import dpkt
from pypacker.layer3 import ip
from pypacker.layer4 import tcp
from pypacker.layer12 import ethernet
from scapy.all import TCP, Ether


def frame(total):
    segment = struct.pack("!HHIIBBHHH", 40000, 80, 1, 1, 0x50, 0x10, 100, 0, 0)
    header = struct.pack("!BBHHHBBH", 0x45, 0, total, 1, 0x4000, 64, 6, 0)
    addresses = bytes([192, 0, 2, 1, 198, 51, 100, 2])
    return bytes(12) + b"\x08\0" + header + addresses + segment + b"hello"


found = {}
for total in (45, 0):
    data = frame(total)
    one = ethernet.Ethernet(data)
    found[total] = (
        one[ip.IP] is not None,
        one[tcp.TCP] is not None,
        dpkt.ethernet.Ethernet(data).data.data.data,
        bytes(Ether(data)[TCP].payload),
    )
    print(f"total length {total}: pypacker IP, TCP; dpkt, scapy payload:", found[total])
expected = {
    45: (True, True, b"hello", b"hello"),
    0: (False, False, b"hello", b"hello"),
}
sys.exit(found != expected)
PY
