#!/bin/sh
# net.ipv4.tcp_max_syn_backlog of Linux, "maximal number of remembered connection requests"
# by its documentation, is not what bounds a listener's half-open connections.  With a
# value of 64 and listen(1000):
# - with SYN cookies on (the default) it does nothing: of 200 SYNs 200 are remembered, none
#   is answered with a cookie, and the bound is listen()'s;
# - with cookies off it is three quarters (49 of 200), and for strangers only: a host with a
#   round-trip time in `ip tcp_metrics`, from an earlier connection that was closed, is not
#   held to it, and each of its SYNs is remembered although the queue is full.
# So with cookies off net.ipv4.tcp_no_metrics_save=1, or `ip tcp_metrics flush`, decides
# whether a flood keeps out the clients of yesterday.
# Seen on Linux 6.18, through a TUN device in a network namespace of its own.
# Needs root, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no root, no TUN or no namespace.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
[ -c /dev/net/tun ] && unshare -n true 2>/dev/null || { echo "no TUN or namespace"; exit 77; }
uname -sr
unshare -n python3 - <<'PY'
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time

FIN, SYN, ACK = 1, 2, 16
KNOWN = bytes([198, 51, 100, 7])


def run(command):
    subprocess.run(command, shell=True, check=True)


def setting(name, value):
    with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
        file.write(str(value))


def counted(name):
    with open("/proc/net/netstat") as file:
        names, values = (line.split() for line in file if line.startswith("TcpExt"))
    return int(values[names.index(name)])


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def send(host, port, flags, place, answers=0):
    ends = host + bytes([192, 0, 2, 1])
    tcp = struct.pack("!HHIIBBHHH", port, 80, place, answers, 0x50, flags, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    os.write(tun, ip[:10] + total(ip) + ip[12:] + tcp)


def answered():
    """Sequence numbers of the SYN-ACKs since, by host and port."""
    found = {}
    while True:
        try:
            data = os.read(tun, 2000)
        except BlockingIOError:
            return found
        if data[0] == 0x45 and data[9] == 6 and data[33] == SYN | ACK:
            found[data[16:20], data[22:24]], = struct.unpack("!I", data[24:28])


def visit(server):
    """One connection of the known host from its beginning to its end."""
    send(KNOWN, 3000, SYN, 1)
    time.sleep(0.05)
    (place,) = answered().values()
    send(KNOWN, 3000, ACK, 2, place + 1)
    connection, _ = server.accept()
    send(KNOWN, 3000, FIN | ACK, 2, place + 1)
    connection.close()
    send(KNOWN, 3000, ACK, 3, place + 2)


def flood(name, visited):
    """Answers to one SYN each of 200 strangers, then to 30 of the known host; cookies."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("192.0.2.1", 80))
        server.listen(1000)
        if visited:
            visit(server)
        answered()
        before = counted("SyncookiesSent")
        for number in range(200):
            send(bytes([192, 0, 2, 10 + number]), 4000, SYN, 1)
        strangers = len(answered())
        for port in range(5000, 5030):
            send(KNOWN, port, SYN, 1)
        found = strangers, len(answered()), counted("SyncookiesSent") - before
    print(f"{name}: answered of 200 strangers {found[0]}, of 30 SYNs of a known host", end=" ")
    print(f"{found[1]}; with a cookie {found[2]}")
    run("ip tcp_metrics flush")
    time.sleep(2.5)  # half-open connections end after 1 s
    return found


tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
run("ip addr add 192.0.2.1/24 dev t0 && ip link set t0 up && ip route add 198.51.100.0/24 dev t0")
setting("tcp_max_syn_backlog", 64)
setting("tcp_synack_retries", 0)
setting("tcp_syncookies", 1)
found = [flood("cookies on", False)]
setting("tcp_syncookies", 0)
found.append(flood("cookies off, the known host was never here", False))
found.append(flood("cookies off, it was here", True))
setting("tcp_no_metrics_save", 1)
found.append(flood("cookies off, it was here, tcp_no_metrics_save=1", True))
sys.exit(found != [(200, 30, 0), (49, 0, 0), (49, 30, 0), (49, 0, 0)])
PY
