#!/bin/sh
# pypcapkit 1.4.1.post2 has classes for the MPTCP options and for IPv4's Router Alert, but
# a packet with one of them is not read at all: any segment with an MPTCP option (RFC 8684;
# MP_CAPABLE of a SYN, MP_JOIN, DSS of each data segment) is "IPv4:Raw", of no TCP, and
# an IPv4 packet with Router Alert (RFC 2113) is "Ethernet:Raw", of no IPv4.  Nothing is
# raised.  So its count of connections has no client that speaks multipath TCP.  dpkt
# 1.9.8 reads the TCP header of all of them; other options of both layers are no trouble.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 -m venv v || exit 1
v/bin/pip -q install pypcapkit==1.4.1.post2 dpkt==1.9.8 || exit 77
v/bin/python - 2>/dev/null <<'PY'
import struct
import sys

import dpkt
import pcapkit

MSS, TIMES = b"\2\4\5\xb4", b"\1\1\x08\x0a\0\0\0\1\0\0\0\0"


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value ^ 0xFFFF


def frame(flags, options=b"", ip_options=b""):
    ends = bytes([192, 0, 2, 1, 198, 51, 100, 2])
    size = 20 + len(options)
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, size << 2, flags, 9000, 0, 0) + options
    check = total(ends + struct.pack("!HH", 6, size) + tcp)
    tcp = tcp[:16] + struct.pack("!H", check) + tcp[18:]
    head = 20 + len(ip_options)
    ip = struct.pack("!BBHHHBBH", 0x40 | head >> 2, 0, head + size, 1, 0x4000, 64, 6, 0)
    ip += ends + ip_options
    ip = ip[:10] + struct.pack("!H", total(ip)) + ip[12:]
    return bytes.fromhex("020000000001020000000009") + b"\x08\0" + ip + tcp


SYN, ACK = 2, 16
frames = {
    "SYN": frame(SYN, MSS + TIMES),
    "SYN, MP_CAPABLE of version 1": frame(SYN, MSS + b"\x1e\4\1\1"),
    "SYN, MP_CAPABLE of version 0": frame(SYN, b"\x1e\x0c\0\x81" + bytes(range(8))),
    "SYN, MP_JOIN": frame(SYN, b"\x1e\x0c\x10\1" + bytes(range(8))),
    "ACK, DSS": frame(ACK, b"\x1e\x08\x20\1\0\0\0\5"),
    "SYN, Router Alert": frame(SYN, MSS, b"\x94\4\0\0"),
    "SYN, IPv4 timestamp option": frame(SYN, MSS, b"\x44\x08\5\0\0\0\0\0"),
}
found = {}
for name, data in frames.items():
    with open("capture.pcap", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        file.write(struct.pack("<IIII", 1_600_000_000, 0, len(data), len(data)) + data)
    (one,) = pcapkit.extract(fin="capture.pcap", nofile=True, verbose=False).frame
    tcp = dpkt.ethernet.Ethernet(data).data.data
    found[name] = str(one.protochain), tcp.sport
    print(f"{name}: pypcapkit {found[name][0]}; dpkt TCP of port {found[name][1]}")
chains = ["Ethernet:IPv4:TCP"] + ["Ethernet:IPv4:Raw"] * 4
chains += ["Ethernet:Raw", "Ethernet:IPv4:TCP"]
sys.exit(list(found.values()) != [(chain, 40000) for chain in chains])
PY
