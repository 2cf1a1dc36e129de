#!/bin/sh
# tcpdump 4.99 and later write what they record from `-i any` as LINUX_SLL2, the second
# cooked form.  nfstream 6.6.0 knows the first and finds no flow in the second: an empty
# result, no error, no warning.  The same for frames with a service tag (802.1ad, ether
# type 0x88a8), while three tags of type 0x8100 are no trouble, and for LOOP, the loopback
# of OpenBSD, while NULL is read.  scapy 2.8.0 finds the TCP of all of them.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 -m venv v || exit 1
v/bin/pip -q install nfstream==6.6.0 scapy==2.8.0 || exit 77
cat >find.py <<'PY'
import struct
import sys

from nfstream import NFStreamer
from scapy.layers.inet import TCP
from scapy.layers.l2 import CookedLinuxV2
from scapy.utils import rdpcap


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def syn():
    ends = bytes([192, 0, 2, 1, 198, 51, 100, 2])
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    return ip[:10] + total(ip) + ip[12:] + tcp


MAC = bytes.fromhex("020000000001")
ETHERNET, CTAG, STAG, IPV4 = MAC + MAC, b"\x81\0\0\5", b"\x88\xa8\0\6", b"\x08\0"
forms = {
    "Ethernet": (1, ETHERNET + IPV4),
    "three tags 0x8100": (1, ETHERNET + CTAG * 3 + IPV4),
    "service tag and tag": (1, ETHERNET + STAG + CTAG + IPV4),
    "LINUX_SLL": (113, b"\0\0\0\1\0\6" + MAC + b"\0\0" + IPV4),
    "LINUX_SLL2": (276, IPV4 + b"\0\0\0\0\0\3\0\1\0\6" + MAC + b"\0\0"),
    "NULL": (0, struct.pack("<I", 2)),
    "LOOP": (108, struct.pack(">I", 2)),
}
if __name__ == "__main__":
    found = {}
    for name, (link, head) in forms.items():
        data = head + syn()
        with open("capture.pcap", "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link))
            file.write(struct.pack("<IIII", 1_600_000_000, 0, len(data), len(data)) + data)
        flows = list(NFStreamer(source="capture.pcap", n_meters=1))
        found[name] = len(flows), sum(TCP in one for one in rdpcap("capture.pcap"))
        print(f"{name}: flows of nfstream {found[name][0]}, TCP of scapy {found[name][1]}")
    missed = ("service tag and tag", "LINUX_SLL2", "LOOP")
    sys.exit(found != {name: (int(name not in missed), 1) for name in forms})
PY
v/bin/python find.py
