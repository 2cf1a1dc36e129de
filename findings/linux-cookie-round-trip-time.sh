#!/bin/sh
# The handshake gives a Linux server its first round-trip time, and from it the timeout for
# its first data.  Of a connection that a SYN cookie made it is another:
# - without timestamps there is none, and the timeout is 3 s, the one for a SYN-ACK that
#   was lost (RFC 6298 5.7): if the response is lost, the client waits 3 s and not 0.2 s;
# - with timestamps it is too long by up to 63 ms, as the cookie's options are in the lowest
#   six bits of the SYN-ACK's, which is set back for them, so by chance of the moment: of
#   round trips of about a millisecond some are 0 and some 60 ms in `ss -ti`.
# Clients are not any slower; congestion control and monitoring take what was measured.
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

SYN, ACK = 2, 16
FAMILIES = {
    4: (socket.AF_INET, "192.0.2.1", "192.0.2.2"),
    6: (socket.AF_INET6, "2001:db8::1", "2001:db8::2"),
}
ROUNDS = 12


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def send(version, source, port, flags, place, answers=0, options=b""):
    family, server, client = FAMILIES[version]
    ends = socket.inet_pton(family, client) + socket.inet_pton(family, server)
    size = 20 + len(options)
    tcp = struct.pack("!HHIIBBHHH", source, port, place, answers, size << 2, flags, 9000, 0, 0)
    tcp += options
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, size) + tcp) + tcp[18:]
    if version == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 1, 0x4000, 64, 6, 0) + ends
        ip = ip[:10] + total(ip) + ip[12:]
    else:
        ip = struct.pack("!IHBB", 6 << 28, size, 6, 64) + ends
    os.write(tun, ip + tcp)


def answer(source):
    """The sequence number and the options of the SYN-ACK to a port."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            data = os.read(tun, 2000)
        except BlockingIOError:
            continue
        at = 20 if data[0] >> 4 == 4 else 40
        if data[9 if at == 20 else 6] == 6 and data[at + 13] == SYN | ACK:
            port, place = struct.unpack("!HI", data[at + 2 : at + 8])
            if port == source:
                return place, data[at + 20 :]
    raise SystemExit("no SYN-ACK")


def times(version, stamped):
    """The timeout and the round-trip time of a new connection, and the one seen, in ms."""
    family, address, _ = FAMILIES[version]
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen(4)
        port = server.getsockname()[1]
        source = next(sources)
        options = b"\2\4\5\xa0"
        if stamped:
            options += b"\1\1\x08\x0a" + struct.pack("!II", 1000, 0)
        start = time.monotonic()
        send(version, source, port, SYN, 1, 0, options)
        place, options = answer(source)
        if stamped:
            at = options.index(b"\x08\x0a", 4) + 2
            options = b"\1\1\x08\x0a" + struct.pack("!I", 1001) + options[at : at + 4]
        send(version, source, port, ACK, 2, place + 1 & 0xFFFFFFFF, options if stamped else b"")
        seen = (time.monotonic() - start) * 1000
        connection, _ = server.accept()
        with connection:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        (timeout,), (trip,) = struct.unpack("I", info[8:12]), struct.unpack("I", info[68:72])
        return timeout / 1000, trip / 1000, seen


try:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
except OSError as error:
    print("no TUN:", error)
    sys.exit(77)
commands = """ip addr add 192.0.2.1/24 dev t0 && ip addr add 2001:db8::1/64 dev t0 nodad &&
              ip link set t0 up"""
subprocess.run(commands, shell=True, check=True)
sources = iter(range(1000, 60000))
changed = False
for version in FAMILIES:
    for stamped in (False, True):
        for name, value in (("queue", 1), ("cookie", 2)):
            with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as file:
                file.write(str(value))
            found = []
            for _ in range(ROUNDS):
                found.append(times(version, stamped))
                time.sleep(0.017)
            timeouts, trips, seen = zip(*found)
            print(f"IPv{version}, timestamps {stamped}, by the {name}:", end=" ")
            print(f"timeout {min(timeouts):.0f} to {max(timeouts):.0f} ms,", end=" ")
            print(f"round trip {min(trips):.1f} to {max(trips):.1f},", end=" ")
            print(f"seen {min(seen):.1f} to {max(seen):.1f}")
            over = max(trip - real for _, trip, real in found)
            if value == 1:
                changed |= over > 5 or max(timeouts) >= 1000
            elif stamped:
                changed |= not 25 < over < 70
            else:
                changed |= {*timeouts} != {3000} or {*trips} != {0}
sys.exit(changed)
PY
