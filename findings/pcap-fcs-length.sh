#!/bin/sh
# The last field of a pcap header is not the link type alone: by its upper bits, which
# libpcap and the format's draft (draft-ietf-opsawg-pcap) have had for years, a recorder
# says how many bytes of frame check sequence end each frame.  0x24000001 is Ethernet with
# four.  Of such a file
# - tcpdump 4.99.3 and tshark 4.0.17 read TCP, and so do tools made with libpcap;
# - scapy 2.8.0 gives raw bytes, pypcapkit 1.4.1.post2 "Unassigned_603979777" and dpkt 1.9.8
#   603979777 as its datalink(): no TCP is found in it, and nothing is raised;
# - editcap 4.0.17, which knows that the four bytes are there, says so in no copy: neither
#   in pcap (-F pcap, the field is 1) nor in pcapng (no if_fcslen), nor in pcap of a pcapng
#   that has if_fcslen, so what reads the copy takes them for data of the frame.
#   `tcpdump -w` keeps the field.
# Needs tshark 4.0.17 and tcpdump 4.99.3 of Debian, and python3; three of PyPI.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in tshark editcap tcpdump python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tshark --version 2>/dev/null | grep -q 'Wireshark) 4\.0\.17' &&
    tcpdump --version 2>&1 | grep -q 'version 4\.99\.3' || { echo "a version is gone"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
python3 -m venv v || exit 1
v/bin/pip -q install scapy==2.8.0 pypcapkit==1.4.1.post2 dpkt==1.9.8 || exit 77
cat >make.py <<'PY'
import struct
import zlib


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def block(kind, body):
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


ends = bytes([192, 0, 2, 1, 198, 51, 100, 2])
tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 9000, 0, 0)
tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
ip = ip[:10] + total(ip) + ip[12:]
frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + tcp + bytes(6)
checked = frame + struct.pack("<I", zlib.crc32(frame))
for name, link, data in (("without", 1, frame), ("with", 0x24000001, checked)):
    with open(f"{name}.pcap", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link))
        file.write(struct.pack("<IIII", 1_600_000_000, 0, len(data), len(data)) + data)
options = struct.pack("<HHB3xHH", 13, 1, 4, 0, 0)  # if_fcslen 4, end of options
stamp = 1_600_000_000 * 10**6
packet = (0, stamp >> 32, stamp & 0xFFFFFFFF, len(checked), len(checked))
with open("with.pcapng", "wb") as file:
    file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    file.write(block(1, struct.pack("<HHI", 1, 0, 65535) + options))
    file.write(block(6, struct.pack("<IIIII", *packet) + checked))
PY
cat >read.py <<'PY'
import logging
import sys

import dpkt
import pcapkit
from scapy.layers.inet import TCP
from scapy.utils import rdpcap

logging.disable(logging.CRITICAL)
with open(sys.argv[1], "rb") as file:
    link = dpkt.pcap.Reader(file).datalink()
(frame,) = pcapkit.extract(fin=sys.argv[1], nofile=True, verbose=False).frame
(packet,) = rdpcap(sys.argv[1])
print(f"scapy {type(packet).__name__}, TCP {TCP in packet}", end="; ")
print(f"pypcapkit {frame.protochain}; dpkt {link}")
PY
v/bin/python make.py
{
    for name in without with; do
        echo "$name: $(v/bin/python read.py $name.pcap 2>/dev/null)"
        echo "  tcpdump $(tcpdump -nr $name.pcap 2>/dev/null | grep -c 'Flags \[S\]'), tshark" \
            "$(tshark -r $name.pcap -T fields -e tcp.flags.syn 2>/dev/null)"
    done
    field() { od -An -tx4 -j20 -N4 "$1" | tr -d ' '; }
    editcap -F pcap with.pcap edited.pcap
    editcap -F pcap with.pcapng edited2.pcap
    editcap with.pcap edited.pcapng
    editcap with.pcapng edited2.pcapng
    tcpdump -r with.pcap -w dumped.pcap 2>/dev/null
    echo "source $(field with.pcap), tcpdump -w $(field dumped.pcap)," \
        "editcap of pcap $(field edited.pcap), of pcapng $(field edited2.pcap)"
    for name in with edited2 edited; do
        echo "$name.pcapng: if_fcslen" \
            "$(capinfos $name.pcapng 2>/dev/null | grep -c 'FCS length = 4')"
    done
} | tee found
cat >expected <<'END'
without: scapy Ether, TCP True; pypcapkit Ethernet:IPv4:TCP; dpkt 1
  tcpdump 1, tshark 1
with: scapy Raw, TCP False; pypcapkit Unassigned_603979777; dpkt 603979777
  tcpdump 1, tshark 1
source 24000001, tcpdump -w 24000001, editcap of pcap 00000001, of pcapng 00000001
with.pcapng: if_fcslen 1
edited2.pcapng: if_fcslen 1
edited.pcapng: if_fcslen 0
END
cmp -s found expected
