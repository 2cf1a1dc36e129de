#!/bin/sh
# The first four bytes of a pcap file say its byte order and whether fractions are micro- or
# nanoseconds.  Three readers recognise them and then go wrong, without a word:
# - pycapng 0.19.7 takes nanoseconds for microseconds: with 0.9 s in the fraction, a time
#   15 minutes late, so that packets are out of order;
# - pypcapkit 1.4.1.post2 reads the records of a file of the other byte order in its own:
#   one packet of 905969664 bytes, at 12 days after 1970;
# - netsniff-ng 0.6.8, asked to copy such a file (--in, --out), keeps the byte order for
#   all but the link type: the copy has the unknown type 16777216, and neither libpcap nor
#   netsniff-ng itself opens it.
# dpkt 1.9.8 reads all four forms alike.  Debian's package, unpacked in a temporary folder,
# and three of PyPI.  Needs apt-get, dpkg-deb and python3, on a little-endian machine.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in apt-get dpkg-deb; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download netsniff-ng=0.6.8-3 libcli1.10 libgeoip1 libnet1 libpcap0.8 liburcu8 \
    libnetfilter-conntrack3 libnfnetlink0 libnl-3-200 libnl-genl-3-200 libnl-route-3-200 \
    libsodium23 >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
python3 -m venv v || exit 1
v/bin/pip -q install pycapng==0.19.7 pypcapkit==1.4.1.post2 dpkt==1.9.8 || exit 77
cat >make.py <<'PY'
import struct

data = bytes(12) + b"\x88\xb5" + bytes(40)
for name, order, magic, fraction in (
    ("little-micro.pcap", "<", 0xA1B2C3D4, 900_000),
    ("big-micro.pcap", ">", 0xA1B2C3D4, 900_000),
    ("little-nano.pcap", "<", 0xA1B23C4D, 900_000_000),
    ("big-nano.pcap", ">", 0xA1B23C4D, 900_000_000),
):
    with open(name, "wb") as file:
        file.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1))
        for second, part in ((1_600_000_000, fraction), (1_600_000_001, 0)):
            file.write(struct.pack(order + "IIII", second, part, len(data), len(data)) + data)
PY
cat >read.py <<'PY'
import logging
import sys

import dpkt
import pcapkit
import pycapng

logging.disable(logging.CRITICAL)
with open(sys.argv[1], "rb") as file:
    by_dpkt = [f"{time:.1f}" for time, _ in dpkt.pcap.Reader(file)]
by_pycapng = [f"{one.timestamp_ns / 1e9:.1f}" for one in pycapng.read_packets(sys.argv[1])]
frames = pcapkit.extract(fin=sys.argv[1], nofile=True, verbose=False).frame
by_pcapkit = [f"{one.info.time_epoch:.0f} {one.info.len}" for one in frames]
for reader, seen in (("dpkt", by_dpkt), ("pycapng", by_pycapng), ("pypcapkit", by_pcapkit)):
    print(f"  {reader}:", ", ".join(seen))
PY
v/bin/python make.py
for name in little-micro big-micro little-nano big-nano; do
    LD_LIBRARY_PATH="$libraries" root/usr/sbin/netsniff-ng -s --in $name.pcap \
        --out $name.copy.pcap >/dev/null 2>&1
    echo "$name"
    v/bin/python read.py $name.pcap 2>/dev/null
    echo "  link type of netsniff-ng's copy:$(od -An -tx1 -j20 -N4 $name.copy.pcap)"
done | tee found
cat >expected <<'END'
little-micro
  dpkt: 1600000000.9, 1600000001.0
  pycapng: 1600000000.9, 1600000001.0
  pypcapkit: 1600000001 54, 1600000001 54
  link type of netsniff-ng's copy: 01 00 00 00
big-micro
  dpkt: 1600000000.9, 1600000001.0
  pycapng: 1600000000.9, 1600000001.0
  pypcapkit: 1075432 905969664
  link type of netsniff-ng's copy: 01 00 00 00
little-nano
  dpkt: 1600000000.9, 1600000001.0
  pycapng: 1600000900.0, 1600000001.0
  pypcapkit: 1600000001 54, 1600000001 54
  link type of netsniff-ng's copy: 01 00 00 00
big-nano
  dpkt: 1600000000.9, 1600000001.0
  pycapng: 1600000900.0, 1600000001.0
  pypcapkit: 1072735 905969664
  link type of netsniff-ng's copy: 01 00 00 00
END
cmp -s found expected
