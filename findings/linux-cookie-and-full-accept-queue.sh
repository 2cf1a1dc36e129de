#!/bin/sh
# A listener of Linux whose accept queue is full drops the ACKs of further handshakes, and
# net.ipv4.tcp_abort_on_overflow decides whether it resets those clients instead.  Neither
# holds for a client whose SYN-ACK carried a cookie, which is the default once the SYN queue
# (as long as the accept queue) is full:
# - the ACK and the first data segment are dropped, the second data segment is answered
#   with a reset (a cookie can be read from the first byte's sequence number alone).  So
#   what a client sent decides: a request of one segment waits, one of two is refused;
# - with tcp_abort_on_overflow=1 the ACK is dropped all the same: nothing is reset early.
# No flood is needed, a server that is slow to accept is enough.  Both families.
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

SYN, RST, ACK = 2, 4, 16
CLIENTS = range(1000, 1008)
FAMILIES = {
    4: (socket.AF_INET, "192.0.2.1", "192.0.2.2"),
    6: (socket.AF_INET6, "2001:db8::1", "2001:db8::2"),
}


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def send(version, source, port, flags, place, answers=0, data=b""):
    family, server, client = FAMILIES[version]
    ends = socket.inet_pton(family, client) + socket.inet_pton(family, server)
    size = 20 + len(data)
    tcp = struct.pack("!HHIIBBHHH", source, port, place, answers, 0x50, flags, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, size) + tcp + data) + tcp[18:] + data
    if version == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 1, 0x4000, 64, 6, 0) + ends
        ip = ip[:10] + total(ip) + ip[12:]
    else:
        ip = struct.pack("!IHBB", 6 << 28, size, 6, 64) + ends
    os.write(tun, ip + tcp)


def answers(flag):
    """Of the segments that came since: the client's port, and the sequence number."""
    found, end = {}, time.monotonic() + 0.1
    while time.monotonic() < end:
        try:
            data = os.read(tun, 2000)
        except BlockingIOError:
            time.sleep(0.005)
            continue
        at = 20 if data[0] >> 4 == 4 else 40
        if data[9 if at == 20 else 6] == 6 and data[at + 13] & flag:
            port, place = struct.unpack("!HI", data[at + 2 : at + 8])
            found[port] = place
    return found


def write(name, value):
    with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
        file.write(str(value))


def reset(version, cookies, abort):
    """Which of eight clients are reset after the ACK, one and two segments of data."""
    write("tcp_syncookies", cookies)
    write("tcp_abort_on_overflow", abort)
    family, address, _ = FAMILIES[version]
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen(1)
        port = server.getsockname()[1]
        for source in CLIENTS:
            send(version, source, port, SYN, 1)
        known = {source: place + 1 & 0xFFFFFFFF for source, place in answers(SYN).items()}
        if not cookies:
            server.listen(0)  # of the two that have a place in the SYN queue one is too many
        found = []
        for place, data in ((2, b""), (2, bytes(1000)), (1002, bytes(1000))):
            for source, answer in known.items():
                send(version, source, port, ACK, place, answer, data)
            found.append(len(answers(RST)))
        return len(known), found


try:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
except OSError as error:
    print("no TUN:", error)
    sys.exit(77)
commands = """ip addr add 192.0.2.1/24 dev t0 && ip addr add 2001:db8::1/64 dev t0 nodad &&
              ip link set t0 up"""
subprocess.run(commands, shell=True, check=True)
answers(SYN)
changed = False
for version in FAMILIES:
    for cookies in (0, 1, 2):
        for abort in (0, 1):
            found = reset(version, cookies, abort)
            print(f"IPv{version}, tcp_syncookies {cookies}, tcp_abort_on_overflow {abort}:", end=" ")
            print(f"{found[0]} clients, resets of ACK, data, more data: {found[1]}")
            changed |= found != ((8, [0, 0, 6]) if cookies else (2, [abort] * 3))
sys.exit(changed)
PY
