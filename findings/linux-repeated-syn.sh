#!/bin/sh
# A SYN that comes again, since its SYN-ACK was lost or a generator sends one SYN many times:
# - Linux answers it once in half a second.  Of ten in half a second two are answered, which
#   looks like loss (TCPACKSkippedSynRecv counts the others).  The setting for it is
#   net.ipv4.tcp_invalid_ratelimit, by its documentation for invalid segments of existing
#   connections.  With a cookie each of the ten is answered;
# - an answer to it starts the half-open connection's timer anew, and is not counted as one
#   of net.ipv4.tcp_synack_retries: with 1 it is given up after 3 s, and if the SYN is
#   repeated each 0.8 s it is there after 6 s, and stays for as long as the SYNs come.
# Linux's own clients repeat their SYNs after 1 s four times since 6.5.  Both families.
# Seen on Linux 6.18, through a TUN device in a network namespace of its own.
# Needs root, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no root, no TUN or no namespace.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
unshare -n true 2>/dev/null || { echo "no network namespace"; exit 77; }
[ -c /dev/net/tun ] || { echo "no TUN"; exit 77; }
uname -sr
unshare -n python3 - <<'PY'
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time

SYN, ACK, PORT = 2, 16, 80
FAMILIES = {
    4: (socket.AF_INET, "192.0.2.1", "192.0.2.2"),
    6: (socket.AF_INET6, "2001:db8::1", "2001:db8::2"),
}


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def syn(version, source):
    family, server, client = FAMILIES[version]
    ends = socket.inet_pton(family, client) + socket.inet_pton(family, server)
    tcp = struct.pack("!HHIIBBHHH", source, PORT, 1, 0, 0x50, SYN, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    if version == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
        ip = ip[:10] + total(ip) + ip[12:]
    else:
        ip = struct.pack("!IHBB", 6 << 28, 20, 6, 64) + ends
    os.write(tun, ip + tcp)


def answers(source):
    """The SYN-ACKs to a port that are there."""
    count = 0
    while True:
        try:
            data = os.read(tun, 2000)
        except BlockingIOError:
            return count
        at = 20 if data[0] >> 4 == 4 else 40
        if data[9 if at == 20 else 6] == 6 and data[at + 13] == SYN | ACK:
            count += struct.unpack("!H", data[at + 2 : at + 4])[0] == source


def write(name, value):
    with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
        file.write(str(value))


def skipped():
    with open("/proc/net/netstat") as file:
        names, values = (line.split() for line in file if line.startswith("TcpExt"))
    return int(values[names.index("TCPACKSkippedSynRecv")])


def half_open(source):
    name = "/proc/net/tcp", "/proc/net/tcp6"
    found = 0
    for table in name:
        with open(table) as file:
            for line in file.readlines()[1:]:
                _, _, remote, state, *_ = line.split()
                found += state == "03" and int(remote.rsplit(":")[1], 16) == source
    return found


def ten(version, source, cookies, limit):
    """The answers to ten SYNs in less than half a second, and the answers skipped."""
    write("tcp_syncookies", cookies)
    write("tcp_invalid_ratelimit", limit)
    before = skipped()
    for _ in range(10):
        syn(version, source)
        time.sleep(0.03)
    time.sleep(0.1)
    return answers(source), skipped() - before


try:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
except OSError as error:
    print("no TUN:", error)
    sys.exit(77)
commands = """ip addr add 192.0.2.1/24 dev t0 && ip addr add 2001:db8::1/64 dev t0 nodad &&
              ip link set t0 up"""
subprocess.run(commands, shell=True, check=True)
with open("/proc/sys/net/ipv4/tcp_invalid_ratelimit") as file:
    usual = file.read().strip()
listeners, changed = [], False
for version, (family, address, _) in FAMILIES.items():
    listeners.append(socket.socket(family))
    listeners[-1].bind((address, PORT))
    listeners[-1].listen(64)
    for source, (name, cookies, limit, expected) in enumerate(
        (
            ("by the queue", 1, usual, (2, 8)),
            ("by cookies", 2, usual, (10, 0)),
            ("by the queue, tcp_invalid_ratelimit 0", 1, 0, (10, 0)),
        ),
        1000 * version,
    ):
        found = ten(version, source, cookies, limit)
        print(f"IPv{version}, {name}: of 10 SYNs {found[0]} answered, {found[1]} skipped")
        changed |= found != expected
write("tcp_syncookies", 1)
write("tcp_invalid_ratelimit", usual)
write("tcp_synack_retries", 1)
for version in FAMILIES:
    syn(version, 2000 + version)
    syn(version, 3000 + version)
for _ in range(7):
    time.sleep(0.8)
    for version in FAMILIES:
        syn(version, 3000 + version)
time.sleep(0.4)
for version in FAMILIES:
    found = half_open(2000 + version), half_open(3000 + version)
    print(f"IPv{version}, tcp_synack_retries 1, half-open after 6 s: one SYN {found[0]},", end=" ")
    print(f"one that is repeated {found[1]}")
    changed |= found != (0, 1)
sys.exit(changed)
PY
