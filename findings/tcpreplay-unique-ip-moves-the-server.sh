#!/bin/sh
# A recording is played in a loop to load a server, with `--unique-ip` of tcpreplay 4.4.3, by
# its manual so that packets of IPv4 and IPv6 are unique in each loop.
# - The clients' addresses go up by one in each loop, and the servers' go down by one (the
#   sum of both, and so each checksum, stays).  From the second loop on nothing is sent to
#   the server: 192.0.2.1 is followed by 192.0.2.0 and 192.0.1.255.
# - With `--unique-ip-loops=2`, the loops before there is a new address, every second loop
#   has the addresses of the recording again: 2, 2, 3, 2, 4, 2 and not 2, 2, 3, 3, 4, 4.
# Its report, of flows and of packets sent, is as it would be otherwise.
# Over a veth pair in a network namespace of its own.
# Debian's packages, unpacked in a temporary folder.
# Needs apt-get, dpkg-deb, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 a version, the namespace or veth is gone.
set -u
for tool in apt-get dpkg-deb unshare ip python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -rn ip link add v type veth 2>/dev/null || { echo "no namespace or no veth"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download tcpreplay=4.4.3-1 libdumbnet1 libpcap0.8 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
cat >play.py <<'PY'
import os
import socket
import struct
import subprocess
import sys
import time

FOUR = (socket.AF_INET, "192.0.2.2", "192.0.2.1")
SIX = (socket.AF_INET6, "2001:db8::2", "2001:db8::1")
LOOPS = 6


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def syn(family, client, server):
    ends = socket.inet_pton(family, client) + socket.inet_pton(family, server)
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    if family == socket.AF_INET6:
        ip = b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 20, 6, 64) + ends
    else:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
        ip = b"\x08\0" + ip[:10] + total(ip) + ip[12:]
    return (b"\2\0\0\0\0\1\2\0\0\0\0\2" + ip + tcp).ljust(60, b"\0")


def arrived():
    """The ends of each TCP packet that has come: client, server."""
    found = []
    while True:
        try:
            frame = wire.recv(2000)
        except BlockingIOError:
            return found
        if frame[12:14] == b"\x08\0" and frame[23] == 6:
            ends = socket.AF_INET, frame[26:30], frame[30:34]
        elif frame[12:14] == b"\x86\xdd" and frame[20] == 6:
            ends = socket.AF_INET6, frame[22:38], frame[38:54]
        else:
            continue
        found.append(tuple(socket.inet_ntop(ends[0], end) for end in ends[1:]))


def play(*options):
    environment = dict(os.environ, LD_LIBRARY_PATH=os.environ["LIBRARIES"])
    command = ["root/usr/bin/tcpreplay", "-i", "va", f"--loop={LOOPS}", "-p", "400", *options]
    subprocess.run([*command, "syn.pcap"], env=environment, capture_output=True, check=True)
    time.sleep(0.3)
    found = arrived()
    print(*options)
    for four, six in zip(found[::2], found[1::2]):
        print("    {} to {}, {} to {}".format(*four, *six))
    return found


with open("syn.pcap", "wb") as file:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for second, frame in enumerate((syn(*FOUR), syn(*SIX))):
        file.write(struct.pack("<IIII", 1_600_000_000, second, len(frame), len(frame)) + frame)
commands = "ip link add va type veth peer name vb && ip link set va up && ip link set vb up"
subprocess.run(commands, shell=True, check=True)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
wire.bind(("vb", 3))
wire.setblocking(False)
time.sleep(1)
every = play("--unique-ip")
servers4 = ["192.0.2.1", "192.0.2.0", "192.0.1.255", "192.0.1.254", "192.0.1.253", "192.0.1.252"]
servers6 = ["2001:db8::1", "2001:db8::"] + [f"2001:db8::ffff:fff{digit}" for digit in "edcb"]
expected4 = [(f"192.0.2.{2 + loop}", servers4[loop]) for loop in range(LOOPS)]
expected6 = [(f"2001:db8::{2 + loop}", servers6[loop]) for loop in range(LOOPS)]
changed = every[::2] != expected4 or every[1::2] != expected6
second = play("--unique-ip", "--unique-ip-loops=2")
order = (0, 0, 1, 0, 2, 0)
changed |= second[::2] != [expected4[place] for place in order]
changed |= second[1::2] != [expected6[place] for place in order]
sys.exit(changed)
PY
LIBRARIES=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
export LIBRARIES
unshare -rn python3 play.py
