#!/bin/sh
# A pcapng interface says by if_tsresol in what units its times are: 10^-n or 2^-n seconds,
# n up to 127.  Where the units are finer than nanoseconds, readers that multiply a
# fraction by 10^9 in 64 bits overflow.  The seconds stay right and nothing is reported, but
# packets of one second change places:
# - tshark 4.0.17 with picoseconds (10^-12), in all but the first 18 ms of each second, and
#   with 2^-40;
# - tcpdump 4.99.3 (libpcap 1.10.3) with 2^-40, though it is right with picoseconds;
# - pycapng 0.19.7 with both.
# dpkt 1.9.8, scapy 2.8.0 and python-pcapng 2.1.1 are right with all.
# Needs tshark 4.0.17 and tcpdump 4.99.3 of Debian, and python3; four of PyPI.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in tshark tcpdump python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tshark --version 2>/dev/null | grep -q 'Wireshark) 4\.0\.17' &&
    tcpdump --version 2>&1 | grep -q 'libpcap version 1\.10\.3' ||
    { echo "a version is gone"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 -m venv v || exit 1
v/bin/pip -q install dpkt==1.9.8 scapy==2.8.0 python-pcapng==2.1.1 pycapng==0.19.7 || exit 77
cat >read.py <<'PY'
import logging
import struct
import subprocess
import sys

import dpkt
import pcapng
import pycapng
from scapy.utils import rdpcap

logging.disable(logging.CRITICAL)
SECOND = 6_000_000  # of 10^-12 s and of 2^-40 s, 64 bits hold half a year
IP = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0)
TCP = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 9000, 0, 0)
FRAME = bytes(12) + b"\x08\0" + IP + bytes([192, 0, 2, 1, 198, 51, 100, 2]) + TCP


def block(kind, body):
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def write(name, resolution, units):
    """Three packets, 10, 500 and 750 ms after the second begins."""
    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack("<HHB3xHH", 9, 1, resolution, 0, 0)  # if_tsresol, end of options
    data += block(1, struct.pack("<HHI", 1, 0, 65535) + options)
    for part in (10, 500, 750):
        time = SECOND * units + part * units // 1000
        head = (0, time >> 32, time & 0xFFFFFFFF, len(FRAME), len(FRAME))
        data += block(6, struct.pack("<IIIII", *head) + FRAME + bytes(-len(FRAME) % 4))
    with open(name, "wb") as file:
        file.write(data)


def printed(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split()[0] for line in done.stdout.splitlines()]


def by_dpkt(name):
    with open(name, "rb") as file:
        return [time for time, _ in dpkt.pcapng.Reader(file)]


def by_python_pcapng(name):
    with open(name, "rb") as file:
        return [one.timestamp for one in pcapng.FileScanner(file) if hasattr(one, "timestamp")]


readers = {
    "tshark": lambda name: printed(*"tshark -T fields -e frame.time_epoch -r".split(), name),
    "tcpdump": lambda name: printed("tcpdump", "-tt", "--nano", "-nr", name),
    "pycapng": lambda name: [one.timestamp_ns / 1e9 for one in pycapng.read_packets(name)],
    "dpkt": by_dpkt,
    "scapy": lambda name: [one.time for one in rdpcap(name)],
    "python-pcapng": by_python_pcapng,
}
wrong = {}
for resolution, code, units in (
    ("10^-9", 9, 10**9),
    ("10^-12", 12, 10**12),
    ("2^-40", 0x80 | 40, 2**40),
):
    write("capture.pcapng", code, units)
    wrong[resolution] = []
    for reader, read in readers.items():
        parts = [round(float(time) - SECOND, 3) for time in read("capture.pcapng")]
        print(f"{resolution} {reader}:", *parts)
        if parts != [0.010, 0.500, 0.750]:
            wrong[resolution].append(reader)
expected = {
    "10^-9": [],
    "10^-12": ["tshark", "pycapng"],
    "2^-40": ["tshark", "tcpdump", "pycapng"],
}
sys.exit(wrong != expected)
PY
v/bin/python read.py
