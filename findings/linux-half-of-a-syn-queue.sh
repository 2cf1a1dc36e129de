#!/bin/sh
# How long does a half-open connection live?  By net.ipv4.tcp_synack_retries of 5, its
# default, five repetitions and 63 s.  That holds for half of a listener's SYN queue.  While
# more than half of the backlog is taken (by old ones: those that were repeated), an entry
# is given up at its third timer, after two repetitions and 7 s.  Of listen(64), 32 SYNs
# are all there after 9 s, and of 64 SYNs 32 are.  So the rate that fills a queue is nine
# times what 63 s suggest, and a client that answers after 8 s depends on its neighbours.
# No document of the kernel says so, and no counter tells these from others given up.
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

SERVER, CLIENT = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
LOADS = {81: 16, 82: 32, 83: 40, 84: 64}  # port of a listener, SYNs to it


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def syn(source, port):
    ends = CLIENT + SERVER
    tcp = struct.pack("!HHIIBBHHH", source, port, 1, 0, 0x50, 2, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    os.write(tun, ip[:10] + total(ip) + ip[12:] + tcp)


def half_open():
    """The half-open connections of each listener."""
    found = dict.fromkeys(LOADS, 0)
    with open("/proc/net/tcp") as file:
        for line in file.readlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == "03":
                found[int(local.split(":")[1], 16)] += 1
    return found


try:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
except OSError as error:
    print("no TUN:", error)
    sys.exit(77)
commands = "ip addr add 192.0.2.1/24 dev t0 && ip link set t0 up"
subprocess.run(commands, shell=True, check=True)
with open("/proc/sys/net/ipv4/tcp_synack_retries") as file:
    print("tcp_synack_retries", file.read().strip())
listeners = []
for port in LOADS:
    listeners.append(socket.socket())
    listeners[-1].bind(("192.0.2.1", port))
    listeners[-1].listen(64)
for port, count in LOADS.items():
    for source in range(1000, 1000 + count):
        syn(source, port)
time.sleep(0.5)
first = half_open()
time.sleep(8.5)
later = half_open()
for port, count in LOADS.items():
    print(f"listen(64), {count} SYNs: {first[port]} half-open, {later[port]} after 9 s")
sys.exit(first != LOADS or later != {port: min(count, 32) for port, count in LOADS.items()})
PY
