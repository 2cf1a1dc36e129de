#!/bin/sh
# A SYN that meets its own old connection in TIME-WAIT (a client, or a NAT before many, that
# uses a port again) is the one SYN for which a listener of Linux has other rules:
# - it never gets a cookie, also where net.ipv4.tcp_syncookies is 2, "always";
# - no bound of the SYN queue holds for it: of listen(4), with the queue full, each of 20
#   gets a place and a SYN-ACK, with cookies off too, while other clients are dropped.
# So SyncookiesSent is short of a load of clients that come back, and a queue can hold many
# times its backlog: one for each connection of the last 60 s that the server closed first.
# Both families.
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

FIN, SYN, ACK = 1, 2, 16
FAMILIES = {
    4: (socket.AF_INET, "192.0.2.1", "192.0.2.2"),
    6: (socket.AF_INET6, "2001:db8::1", "2001:db8::2"),
}


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def send(version, source, port, flags, place, answers=0):
    family, server, client = FAMILIES[version]
    ends = socket.inet_pton(family, client) + socket.inet_pton(family, server)
    tcp = struct.pack("!HHIIBBHHH", source, port, place, answers, 0x50, flags, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    if version == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
        ip = ip[:10] + total(ip) + ip[12:]
    else:
        ip = struct.pack("!IHBB", 6 << 28, 20, 6, 64) + ends
    os.write(tun, ip + tcp)


def answered(seconds):
    """The sequence number of each client's SYN-ACK that came in this time."""
    found, end = {}, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            data = os.read(tun, 2000)
        except BlockingIOError:
            time.sleep(0.002)
            continue
        at = 20 if data[0] >> 4 == 4 else 40
        if data[9 if at == 20 else 6] == 6 and data[at + 13] == SYN | ACK:
            port, place = struct.unpack("!HI", data[at + 2 : at + 8])
            found[port] = place
    return found


def counted(name):
    with open("/proc/net/netstat") as file:
        names, values = (line.split() for line in file if line.startswith("TcpExt"))
    return int(values[names.index(name)])


def cookies(value):
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as file:
        file.write(str(value))


def leave(version, server, port, sources):
    """Connections that the server closes first, so that it keeps TIME-WAIT."""
    cookies(1)
    for source in sources:
        send(version, source, port, SYN, 1)
        answer = answered(0.02)[source] + 1 & 0xFFFFFFFF
        send(version, source, port, ACK, 2, answer)
        server.accept()[0].close()
        send(version, source, port, FIN | ACK, 2, answer + 1 & 0xFFFFFFFF)


def syns(version, port, sources):
    """The SYN-ACKs, the cookies among them and the drops of SYNs from these ports."""
    names = "SyncookiesSent", "ListenDrops"
    before = [counted(name) for name in names]
    for source in sources:
        send(version, source, port, SYN, 50_000)
    found = len(set(answered(0.2)) & set(sources))
    return found, *(counted(name) - start for name, start in zip(names, before))


try:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
except OSError as error:
    print("no TUN:", error)
    sys.exit(77)
commands = """ip addr add 192.0.2.1/24 dev t0 && ip addr add 2001:db8::1/64 dev t0 nodad &&
              ip link set t0 up"""
subprocess.run(commands, shell=True, check=True)
changed = False
for version, (family, address, _) in FAMILIES.items():
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen(4)
        port = server.getsockname()[1]
        leave(version, server, port, range(1000, 1040))
        for value, name, first, count, expected in (
            (2, "new", 2000, 20, (20, 20, 0)),
            (2, "in TIME-WAIT", 1000, 20, (20, 0, 0)),
            (0, "new", 3000, 20, (0, 0, 20)),
            (0, "in TIME-WAIT", 1020, 20, (20, 0, 0)),
        ):
            cookies(value)
            found = syns(version, port, range(first, first + count))
            print(f"IPv{version}, tcp_syncookies {value}, {count} SYNs {name}:", end=" ")
            print("SYN-ACKs {}, cookies {}, drops {}".format(*found))
            changed |= found != expected
        command = ("ss", "-tanH", "state", "syn-recv", f"( sport = :{port} )")
        kept = len(subprocess.check_output(command, text=True).splitlines())
        print(f"IPv{version}, half-open connections of listen(4): {kept}")
        changed |= kept != 40
sys.exit(changed)
PY
