#!/bin/sh
# Of IPFIX flows whose times are in milliseconds of the exporter's uptime, elements 21
# (flowEndSysUpTime) and 22 (flowStartSysUpTime) of IANA's registry, nfcapd of nfdump 1.7.1
# takes the start for the end and the end for the start: a handshake begins with its end,
# and lasts for -2147483648 days, so filters by duration and rates are of no use.  The same
# two numbers in NetFlow 9, and elements 152 and 153 in IPFIX, are read right.
# softflowd 1.1.0 exports 21 and 22: its flows are wrong by -v 10 and right by -v 9.
# The package netflow 0.12.2 reads all of them as they are.
# On the loopback interface of a network namespace of its own.
# Debian's packages, unpacked in a temporary folder, and one of PyPI.
# Needs apt-get, dpkg-deb, unshare, ip and python3.
# Exit: 0 as described, 1 changed, 77 a version or the namespace is gone.
set -u
for tool in apt-get dpkg-deb unshare ip python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download nfdump=1.7.1-2+deb12u1 softflowd=1.1.0-1+b1 libpcap0.8 \
    >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
python3 -m venv v || exit 1
v/bin/pip -q install netflow==0.12.2 || exit 77
cat >export.py <<'PY'
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

import netflow

START = 1_600_000_000_000  # of the exporter, in milliseconds since 1970
FIRST, LAST = 10_000, 12_500  # of the flow, in milliseconds of the exporter's uptime
ADDRESSES = bytes([192, 0, 2, 1, 198, 51, 100, 2])


def pcap():
    """A SYN and an ACK 2.5 seconds later."""
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for second, flags in ((10, 2), (12, 16)):
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ADDRESSES
        ip += struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, flags, 9000, 0, 0)
        half = 500_000 * (second == 12)
        file += struct.pack("<IIII", START // 1000 + second, half, 40, 40) + ip
    return file


def message(version, fields):
    """A template of the fields, with addresses, ports, protocol and counters, and a flow."""
    fields = [(8, ADDRESSES[:4]), (12, ADDRESSES[4:]), *fields]
    fields += [(7, b"\x9c\x40"), (11, b"\0\x50"), (4, b"\6"), (6, b"\x12")]
    fields += [(2, struct.pack("!I", 2)), (1, struct.pack("!I", 80))]
    template = struct.pack("!HH", 256, len(fields))
    template += b"".join(struct.pack("!HH", kind, len(value)) for kind, value in fields)
    flow = b"".join(value for _, value in fields)
    flow += bytes(-len(flow) % 4)
    body = struct.pack("!HH", 0 if version == 9 else 2, 4 + len(template)) + template
    body += struct.pack("!HH", 256, 4 + len(flow)) + flow
    if version == 9:
        uptime = 60_000
        return struct.pack("!HHIIII", 9, 2, uptime, (START + uptime) // 1000, 0, 7) + body
    return struct.pack("!HHIII", 10, 16 + len(body), START // 1000 + 60, 0, 7) + body


def collect(send):
    """The first line that nfdump prints for the datagrams that send() sends."""
    shutil.rmtree("flows", ignore_errors=True)
    os.mkdir("flows")
    command = ["root/usr/bin/nfcapd", "-w", "flows", "-p", "9995", "-b", "127.0.0.1"]
    collector = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(0.5)
    send()
    time.sleep(0.5)
    collector.terminate()
    collector.wait()
    name = next(name for name in os.listdir("flows") if name.startswith("nfcapd."))
    form = "fmt:%ts %te %td"
    command = ["root/usr/bin/nfdump", "-q", "-r", f"flows/{name}", "-o", form]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return lines.splitlines()[0]


def datagram(data):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, ("127.0.0.1", 9995))


def by_softflowd(version):
    command = ["root/usr/sbin/softflowd", "-d", "-a", "-r", "two.pcap"]
    command += ["-n", "127.0.0.1:9995", "-v", version]
    null = subprocess.DEVNULL
    subprocess.run(command, stdout=null, stderr=null, check=False, timeout=20)


with open("two.pcap", "wb") as file:
    file.write(pcap())
number, long = struct.Struct("!I").pack, struct.Struct("!Q").pack
uptimes = [(22, number(FIRST)), (21, number(LAST))]
messages = {
    "NetFlow 9, 22 and 21": message(9, uptimes),
    "IPFIX, 22 and 21": message(10, [(160, long(START)), *uptimes]),
    "IPFIX, 152 and 153": message(10, [(152, long(START + FIRST)), (153, long(START + LAST))]),
}
sends = {name: lambda data=data: datagram(data) for name, data in messages.items()}
sends["softflowd -v 9"] = lambda: by_softflowd("9")
sends["softflowd -v 10"] = lambda: by_softflowd("10")
found = {}
for name, send in sends.items():
    line = collect(send)
    start, end = re.findall(r"\d\d:\d\d:(\d\d\.\d+)", line)[:2]
    found[name] = float(end) - float(start)
    print(f"{name}: {' '.join(line.split())}")
(flow,) = netflow.parse_packet(messages["IPFIX, 22 and 21"], {"netflow": {}, "ipfix": {}}).flows
times = flow.data["flowStartSysUpTime"], flow.data["flowEndSysUpTime"]
print("netflow, IPFIX, 22 and 21: from", *times)
sys.exit(
    times != (FIRST, LAST)
    or found
    != {
        "NetFlow 9, 22 and 21": 2.5,
        "IPFIX, 22 and 21": -2.5,
        "IPFIX, 152 and 153": 2.5,
        "softflowd -v 9": 2.5,
        "softflowd -v 10": -2.5,
    }
)
PY
LD_LIBRARY_PATH="$libraries" TZ=UTC unshare -rn \
    sh -c "ip link set lo up && exec v/bin/python export.py"
