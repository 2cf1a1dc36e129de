#!/bin/sh
# An Ethernet frame has at least 60 bytes, so behind a TCP header without options over IPv4
# stand 6 bytes of padding, which only IP's length tells from data.  Three tools go by the
# frame's instead, and a bare SYN, ACK or RST of a recording carries data:
# - pycapng 0.19.7 states "Len=6", and dissects the padding: with its protocols loaded, as
#   its manual advises, a padded SYN to port 80 is HTTP2 and one to 179 BGP;
# - ngrep 1.47 searches the padding, and prints it as payload;
# - tcprewrite 4.4.3 (what Debian 12 has) writes the frame's length into IP, in a copy with
#   no option of editing, and makes the checksums fit: the copy is a valid SYN with data.
# dpkt 1.9.8 reads 0 bytes of data.  Over IPv6 nothing is padded; in a VLAN too it is.
# Debian's packages, unpacked in a temporary folder, and two of PyPI.
# Needs apt-get, dpkg-deb and python3.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in apt-get dpkg-deb; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download tcpreplay=4.4.3-1 ngrep=1.47+ds1-5+b1 libdumbnet1 libnet1 libpcap0.8 \
    libpcre2-8-0 >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
python3 -m venv v || exit 1
v/bin/pip -q install pycapng==0.19.7 dpkt==1.9.8 || exit 77
cat >make.py <<'PY'
import struct


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


ends = bytes([192, 0, 2, 1, 198, 51, 100, 2])
with open("bare.pcap", "wb") as bare, open("padded.pcap", "wb") as padded:
    for file, padding in ((bare, b""), (padded, bytes(6))):
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for port in (80, 179, 5000):
            tcp = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 9000, 0, 0)
            tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
            ip = ip[:10] + total(ip) + ip[12:]
            frame = b"\2\0\0\0\0\1\2\0\0\0\0\x09\x08\0" + ip + tcp + padding
            file.write(struct.pack("<IIII", 1_600_000_000, 0, len(frame), len(frame)) + frame)
PY
cat >read.py <<'PY'
import sys

import dpkt
import pycapng

pycapng.ensure_protocols()
frames = [one.data for one in pycapng.read_packets(sys.argv[1])]
seen = [pycapng.dissect(frame) for frame in frames]
segments = [dpkt.ethernet.Ethernet(frame).data.data for frame in frames]
print("pycapng", *(one.proto for one in seen), seen[2].info.split()[-1], end=", ")
print("dpkt", *(len(tcp.data) for tcp in segments))
PY
v/bin/python make.py
for name in bare padded; do
    LD_LIBRARY_PATH="$libraries" root/usr/bin/tcprewrite -i $name.pcap -o $name.copy.pcap
    matches=$(LD_LIBRARY_PATH="$libraries" root/usr/bin/ngrep -q -I $name.pcap '' | grep -c '^T')
    echo "$name: $(v/bin/python read.py $name.pcap), ngrep matches $matches of 3"
    echo "$name, after tcprewrite: $(v/bin/python read.py $name.copy.pcap)"
done | tee found
cat >expected <<'END'
bare: pycapng TCP TCP TCP Len=0, dpkt 0 0 0, ngrep matches 0 of 3
bare, after tcprewrite: pycapng TCP TCP TCP Len=0, dpkt 0 0 0
padded: pycapng HTTP2 BGP TCP Len=6, dpkt 0 0 0, ngrep matches 3 of 3
padded, after tcprewrite: pycapng HTTP2 BGP TCP Len=6, dpkt 6 6 6
END
cmp -s found expected
