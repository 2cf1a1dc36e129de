#!/bin/sh
# nfdump 1.7.1 writes flows as JSON (-o json, which its manual names as what is to take the
# place of CSV).  Three times it is none, with exit status 0 and nothing on stderr:
# - when no flow matches, the array has the words "No matching flows" in it, so that a
#   script works until the first quiet minute;
# - with -q the array has lost its brackets and kept its commas;
# - of statistics (-s) there is "Not yet implemented output format", once for each line, and
#   the closing bracket alone.
# Debian's packages, unpacked in a temporary folder.
# Needs apt-get, dpkg-deb and python3.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in apt-get dpkg-deb python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download nfdump=1.7.1-2+deb12u1 libpcap0.8 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
cat >ask.py <<'PY'
import glob
import json
import os
import struct
import subprocess
import sys

with open("two.pcap", "wb") as file:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    for port in (80, 443):
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0)
        ip += bytes([192, 0, 2, 1, 198, 51, 100, 2])
        ip += struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 9000, 0, 0)
        file.write(struct.pack("<IIII", 1_600_000_000, 0, len(ip), len(ip)) + ip)
os.mkdir("flows")
command = ("root/usr/bin/nfpcapd", "-r", "two.pcap", "-w", "flows", "-S", "0")
subprocess.run(command, capture_output=True, check=False)
(name,) = glob.glob("flows/nfcapd.2*")


def flows(*options):
    """How many objects are in the array, or the first line that is no JSON."""
    command = ("root/usr/bin/nfdump", "-r", name, "-o", "json", *options)
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode or out.stderr:
        return f"exit {out.returncode}, {out.stderr}"
    try:
        return len(json.loads(out.stdout))
    except ValueError as error:
        return out.stdout.splitlines()[error.lineno - 1]


found = []
for options in ((), ("dst port 80",), ("dst port 22",), ("-q",), ("-s", "dstport/flows")):
    found.append(flows(*options))
    kind = "flows" if isinstance(found[-1], int) else "no JSON from"
    print("nfdump -o json", *options, f"-> {kind}", repr(found[-1]))
sys.exit(found != [2, 1, "No matching flows", "},", "Not yet implemented output format"])
PY
LD_LIBRARY_PATH=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':') \
    python3 ask.py
