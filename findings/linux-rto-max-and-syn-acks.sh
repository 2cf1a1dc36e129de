#!/bin/sh
# net.ipv4.tcp_rto_max_ms and the socket option TCP_RTO_MAX_MS (Linux 6.15) are the longest
# that a retransmission waits.  Of 1000 ms they hold for the SYNs of connect() and for data,
# also of a connection that inherited the option from its listener, but not for the SYN-ACKs
# of half-open connections: these come after 1, 3 and 7 s as without it.  So a listener
# whose path is to be tried each second tries it four times in the first eight.
# Seen on Linux 6.18, through a TUN device in a network namespace of its own.
# Needs root, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no root, no such setting, no TUN or no namespace.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
[ -c /dev/net/tun ] && unshare -n true 2>/dev/null || { echo "no TUN or namespace"; exit 77; }
unshare -n test -e /proc/sys/net/ipv4/tcp_rto_max_ms || { echo "no tcp_rto_max_ms"; exit 77; }
uname -sr
unshare -n python3 - <<'PY'
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time

TCP_RTO_MAX_MS = 44
SYN, ACK, SECONDS = 2, 16, 8


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def send(source, port, flags, place, answers=0):
    ends = bytes([192, 0, 2, 2, 192, 0, 2, 1])
    tcp = struct.pack("!HHIIBBHHH", source, port, place, answers, 0x50, flags, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    os.write(tun, ip[:10] + total(ip) + ip[12:] + tcp)


def made(option):
    made = socket.socket()
    if option:
        made.setsockopt(socket.IPPROTO_TCP, TCP_RTO_MAX_MS, option)
    return made


def listener(port, option):
    server = made(option)
    server.bind(("192.0.2.1", port))
    server.listen()
    return server


def look(name, port, setting, option):
    """When the SYNs, SYN-ACKs and data that nobody acknowledges are sent, in seconds."""
    with open("/proc/sys/net/ipv4/tcp_rto_max_ms", "w") as file:
        file.write(str(setting))
    times = {"SYN": [], "SYN-ACK": [], "data": []}
    accepted = None
    with listener(port, option), listener(port + 1, option) as other, made(option) as client:
        client.setblocking(False)
        begin = time.monotonic()
        client.connect_ex(("192.0.2.2", 9))
        send(5000, port, SYN, 1)
        send(5000, port + 1, SYN, 1)
        while time.monotonic() < begin + SECONDS:
            try:
                data = os.read(tun, 2000)
            except BlockingIOError:
                time.sleep(0.005)
                continue
            if data[0] != 0x45 or data[9] != 6:
                continue
            source, target, place = struct.unpack("!HHI", data[20:28])
            passed = round(time.monotonic() - begin, 1)
            if target == 9:
                times["SYN"].append(passed)
            elif source == port and data[33] == SYN | ACK:
                times["SYN-ACK"].append(passed)
            elif source == port + 1 and data[33] == SYN | ACK and not accepted:
                send(5000, port + 1, ACK, 2, place + 1 & 0xFFFFFFFF)
                accepted, _ = other.accept()
                accepted.send(b"unheard")
            elif source == port + 1 and data.endswith(b"unheard"):
                times["data"].append(passed)
        accepted.close()
    print(name, times)
    return {each: max(b - a for a, b in zip(when, when[1:])) for each, when in times.items()}


tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
commands = "ip addr add 192.0.2.1/24 dev t0 && ip link set t0 up"
subprocess.run(commands, shell=True, check=True)
waits = [
    look("default:", 1000, 120_000, 0),
    look("tcp_rto_max_ms=1000:", 2000, 1000, 0),
    look("TCP_RTO_MAX_MS 1000:", 3000, 120_000, 1000),
]
long = [{each for each, wait in found.items() if wait > 1.8} for found in waits]
print("that wait for longer than 1.8 s:", *(sorted(each) for each in long))
sys.exit(long != [{"SYN", "SYN-ACK", "data"}, {"SYN-ACK"}, {"SYN-ACK"}])
PY
