#!/bin/sh
# The loopback interface of Linux has an MTU of 65,536, so of a bulk transfer over IPv4
# tcpdump records frames of 65,549 bytes there: 14 of Ethernet and the 65,535 that IP's
# length can say.  (BIG TCP makes longer ones on other interfaces.)  Its limit is 262,144.
# - pycapng 0.19.7 ends at the first frame of more than 65,535 bytes, as if the file did:
#   neither it nor any packet behind it is there, and nothing is raised (of pcapng there is
#   a line on stderr);
# - scapy 2.8.0 cuts each to 65,535, so 14 bytes of the data are missing in the middle of the
#   stream; only wirelen shows it.
# In pcap and in pcapng.  dpkt 1.9.8 and tshark 4.0.17 read all of it.
# Needs tshark 4.0.17 of Debian (with editcap) and python3; three of PyPI.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in tshark editcap python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tshark --version 2>/dev/null | grep -q 'Wireshark) 4\.0\.17' || exit 77
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 -m venv v || exit 1
v/bin/pip -q install pycapng==0.19.7 scapy==2.8.0 dpkt==1.9.8 || exit 77
cat >make.py <<'PY'
import struct


def total(data):
    data += bytes(len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


ends, place = bytes([127, 0, 0, 1] * 2), 1
with open("lo.pcap", "wb") as file:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    for size in (10, 65495, 20):
        tcp = struct.pack("!HHIIBBHHH", 40000, 5000, place, 1, 0x50, 16, 9000, 0, 0)
        tcp += b"x" * size
        tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, len(tcp)) + tcp) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + ends
        frame = bytes(12) + b"\x08\0" + ip[:10] + total(ip) + ip[12:] + tcp
        file.write(struct.pack("<IIII", 1_600_000_000, 0, len(frame), len(frame)) + frame)
        place += size
PY
cat >read.py <<'PY'
import logging
import subprocess
import sys

import dpkt
import pycapng
from scapy.layers.inet import TCP
from scapy.utils import rdpcap

logging.disable(logging.CRITICAL)
HEADERS = 14 + 20 + 20


def by_dpkt(name):
    with open(name, "rb") as file:
        frames = [data for _, data in dpkt.pcap.UniversalReader(file)]
    return [len(dpkt.ethernet.Ethernet(frame).data.data.data) for frame in frames]


def by_tshark(name):
    command = ["tshark", "-r", name, "-T", "fields", "-e", "tcp.len"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def by_scapy(name):
    packets = rdpcap(name)
    return [len(packet[TCP].payload) for packet in packets]


readers = {
    "tshark": by_tshark,
    "dpkt": by_dpkt,
    "scapy": by_scapy,
    "pycapng": lambda name: [len(one.data) - HEADERS for one in pycapng.read_packets(name)],
}
changed = False
for name in ("lo.pcap", "lo.pcapng"):
    for reader, read in readers.items():
        found = read(name)
        print(f"{name}, {reader}: bytes of data", *found)
        expected = {"scapy": [10, 65481, 20], "pycapng": [10]}.get(reader, [10, 65495, 20])
        changed |= found != expected
sys.exit(changed)
PY
v/bin/python make.py
editcap lo.pcap lo.pcapng
v/bin/python read.py
