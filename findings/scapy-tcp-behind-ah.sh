#!/bin/sh
# scapy 2.8.0 dissects IPsec AH (RFC 4302) and shows its next header, but stops there:
# TCP behind it stays raw bytes, over IPv4 and IPv6, although AH encrypts nothing.
# dpkt 1.9.8 goes on to TCP over IPv6.  Who counts SYNs by `TCP in packet` misses them.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install dpkt==1.9.8 scapy==2.8.0 || exit 77
"$folder/v/bin/python" - <<'PY'
import socket
import struct
import sys

import dpkt
from scapy.all import AH, TCP, Ether

syn = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 100, 0, 0)
sealed = struct.pack("!BBHII", 6, 4, 0, 1, 1) + bytes(12) + syn
six = struct.pack("!IHBB", 6 << 28, len(sealed), 51, 64)
six += socket.inet_pton(socket.AF_INET6, "2001:db8::1")
six += socket.inet_pton(socket.AF_INET6, "2001:db8::2")
four = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(sealed), 1, 0x4000, 64, 51, 0)
four += bytes([192, 0, 2, 1, 198, 51, 100, 2])
frames = {
    4: bytes(12) + b"\x08\0" + four + sealed,
    6: bytes(12) + b"\x86\xdd" + six + sealed,
}
found = {}
for family, data in frames.items():
    packet = Ether(data)
    found[family] = AH in packet, packet[AH].nh, TCP in packet
    print(f"IPv{family}, scapy: AH, its next header, TCP:", found[family])
other = type(dpkt.ethernet.Ethernet(frames[6]).data.data).__name__
print("IPv6, dpkt:", other)
expected = {4: (True, 6, False), 6: (True, 6, False)}
sys.exit((found, other) != (expected, "TCP"))
PY
