#!/bin/sh
# Behind the IP header of any fragment but the first stands the middle of a payload.
# dpkt 1.9.8 and scapy 2.8.0 leave it alone; pypacker 5.4 dissects it as TCP, over IPv4 and
# IPv6, and impacket 0.13.1 over IPv4, so that bytes of the payload become ports, flags and
# options.  Over IPv6 impacket goes the other way: it stops at any fragment header, also
# one of offset 0 with nothing to follow (RFC 6946), and does not find that TCP.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install pypacker==5.4 dpkt==1.9.8 scapy==2.8.0 impacket==0.13.1 || exit 77
"$folder/v/bin/python" - <<'PY'
import logging
import socket
import struct
import sys

logging.disable(logging.CRITICAL)
import dpkt
from impacket.ImpactDecoder import EthDecoder
from pypacker.layer3 import ip, ip6  # noqa: F401
from pypacker.layer4 import tcp
from pypacker.layer12 import ethernet
from scapy.all import TCP, Ether

SEGMENT = struct.pack("!HHIIBBHHH", 40000, 80, 1, 1, 0x50, 0x10, 100, 0, 0) + b"P" * 108


def four(offset, more, part):
    place = more << 13 | offset >> 3
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), 1, place, 64, 6, 0)
    return bytes(12) + b"\x08\0" + head + bytes([192, 0, 2, 1, 198, 51, 100, 2]) + part


def six(offset, more, part):
    head = struct.pack("!IHBB", 6 << 28, 8 + len(part), 44, 64)
    head += socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    head += socket.inet_pton(socket.AF_INET6, "2001:db8::2")
    head += struct.pack("!BBHI", 6, 0, offset | more, 7)
    return bytes(12) + b"\x86\xdd" + head + part


def by_impacket(data):
    layer, names = EthDecoder().decode(data), []
    while layer is not None:
        names.append(type(layer).__name__)
        layer = layer.child()
    return "TCP" in names


def by_dpkt(data):
    layer = dpkt.ethernet.Ethernet(data)
    while hasattr(layer, "data") and not isinstance(layer, dpkt.tcp.TCP):
        layer = layer.data
    return isinstance(layer, dpkt.tcp.TCP)


readers = {
    "dpkt": by_dpkt,
    "scapy": lambda data: TCP in Ether(data),
    "pypacker": lambda data: ethernet.Ethernet(data)[tcp.TCP] is not None,
    "impacket": by_impacket,
}
frames = {
    "IPv4, whole": four(0, 0, SEGMENT),
    "IPv4, first": four(0, 1, SEGMENT[:64]),
    "IPv4, second": four(64, 0, SEGMENT[64:]),
    "IPv6, atomic": six(0, 0, SEGMENT),
    "IPv6, first": six(0, 1, SEGMENT[:64]),
    "IPv6, second": six(64, 0, SEGMENT[64:]),
}
found = {}
for name, data in frames.items():
    found[name] = [reader for reader, sees in readers.items() if sees(data)]
    print(f"{name}: TCP by {', '.join(found[name])}")
port = ethernet.Ethernet(frames["IPv4, second"])[tcp.TCP].sport
print(f"pypacker's source port of the second: {port}, which is {port.to_bytes(2, 'big')}")
everyone, without = list(readers), ["dpkt", "scapy", "pypacker"]
sys.exit(
    found
    != {
        "IPv4, whole": everyone,
        "IPv4, first": everyone,
        "IPv4, second": ["pypacker", "impacket"],
        "IPv6, atomic": without,
        "IPv6, first": without,
        "IPv6, second": ["pypacker"],
    }
)
PY
