#!/bin/sh
# What the tracepoints of Linux, on which dropwatch, perf and many BPF tools rest, show of a
# listener under load:
# - a SYN that it drops because a queue is full, one of ListenDrops, is no drop for
#   skb:kfree_skb and has no drop reason: it is "consumed", as one that is answered is;
# - an ACK that returns a good SYN cookie to a full accept queue is a drop, by the reason
#   NO_SOCKET, though there is one, while the ACK of a half-open connection that the
#   listener kept has TCP_LISTEN_OVERFLOW;
# - sock:inet_sock_set_state does not show half-open connections: LISTEN to SYN_RECV
#   appears when the ACK arrives, and SYN_RECV to ESTABLISHED at once behind it, so a time
#   in SYN_RECV that is computed from it is microseconds, however long the handshake took.
# Seen on Linux 6.18, through a TUN device in a network namespace of its own, with an
# instance of tracing that sees this process alone.
# Needs root, tracefs, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no root, no tracefs, no TUN or no namespace.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
unshare -n true 2>/dev/null || { echo "no network namespace"; exit 77; }
[ -w /sys/kernel/tracing/instances ] || { echo "no tracefs"; exit 77; }
[ -c /dev/net/tun ] || { echo "no TUN"; exit 77; }
uname -sr
unshare -n python3 - <<'PY'
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
import time

INSTANCE = f"/sys/kernel/tracing/instances/listener{os.getpid()}"
SERVER, CLIENT = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
SYN, ACK, PORT = 2, 16, 80


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def send(source, flags, place, answers=0):
    ends = CLIENT + SERVER
    tcp = struct.pack("!HHIIBBHHH", source, PORT, place, answers, 0x50, flags, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    os.write(tun, ip[:10] + total(ip) + ip[12:] + tcp)


def answered():
    """For each port whose SYN was answered since, what its ACK has to acknowledge."""
    found = {}
    while True:
        try:
            data = os.read(tun, 2000)
        except BlockingIOError:
            return found
        if data[0] == 0x45 and data[9] == 6 and data[33] == SYN | ACK:
            port, place = struct.unpack("!HI", data[22:28])
            found[port] = place + 1 & 0xFFFFFFFF


def counted():
    with open("/proc/net/netstat") as file:
        names, values = (line.split() for line in file if line.startswith("TcpExt"))
    return int(values[names.index("ListenDrops")])


def write(name, value):
    with open(name, "w") as file:
        file.write(str(value))


def look(name, action):
    """What the counter and the events have of an action."""
    os.mkdir(INSTANCE)
    try:
        write(f"{INSTANCE}/set_event_pid", os.getpid())
        for event in ("skb/kfree_skb", "skb/consume_skb", "sock/inet_sock_set_state"):
            write(f"{INSTANCE}/events/{event}/enable", 1)
        before = counted()
        action()
        write(f"{INSTANCE}/events/enable", 0)
        with open(f"{INSTANCE}/trace") as file:
            text = file.read()
    finally:
        os.rmdir(INSTANCE)
    drops = re.findall(r"protocol=2048 .*reason: (\w+)", text)
    consumed = len(re.findall(r"consume_skb: .*tcp_rcv_state_process", text))
    states = re.findall(r" (\d+\.\d+): inet_sock_set_state: .*=TCP_(\w+) newstate=TCP_(\w+)", text)
    times = [float(time) for time, *_ in states]
    states = [f"{old} to {new}" for _, old, new in states]
    found = counted() - before, consumed, drops, states
    print(f"{name}: ListenDrops {found[0]}, consumed {consumed}, drops {drops}, states {states}")
    return *found, times[-1] - times[0] if times else 0


def listener(backlog, cookies):
    write("/proc/sys/net/ipv4/tcp_syncookies", cookies)
    server = socket.socket()
    server.bind(("192.0.2.1", PORT))
    server.listen(backlog)
    return server


def syns(first, count):
    for source in range(first, first + count):
        send(source, SYN, 1)


def acks(expected):
    for port, answers in expected.items():
        send(port, ACK, 2, answers)


try:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
except OSError as error:
    print("no TUN:", error)
    sys.exit(77)
commands = "ip addr add 192.0.2.1/24 dev t0 && ip link set t0 up"
subprocess.run(commands, shell=True, check=True)
up = ["LISTEN to SYN_RECV", "SYN_RECV to ESTABLISHED"]
wrong = []

with listener(8, 0):  # a handshake whose ACK takes its time
    seen = look("a SYN", lambda: syns(1000, 1))
    wrong.append(seen[:4] != (0, 1, [], []))
    time.sleep(0.5)
    seen = look("its ACK, 0.5 s later", lambda: acks(answered()))
    wrong.append(seen[:4] != (0, 0, [], up) or seen[4] > 0.1)

with listener(1, 0):  # no cookies: the third SYN and those behind it find no place
    seen = look("SYN queue full", lambda: syns(2000, 10))
    wrong.append(seen[:4] != (8, 10, [], []) or len(answered()) != 2)

with listener(1, 2):  # cookies: two ACKs fill the accept queue
    syns(3000, 4)
    seen = look("accept queue full, ACKs with cookies", lambda: acks(answered()))
    wrong.append(seen[:4] != (2, 0, ["NO_SOCKET"] * 2, up * 2))
    seen = look("accept queue full, SYNs", lambda: syns(4000, 10))
    wrong.append(seen[:4] != (10, 10, [], []) or answered() != {})

with listener(4, 0) as server:  # kept half-open ones, and then a shorter accept queue
    syns(5000, 4)
    server.listen(1)
    seen = look("accept queue full, ACKs without cookies", lambda: acks(answered()))
    wrong.append(seen[:4] != (2, 0, ["TCP_LISTEN_OVERFLOW"] * 2, up * 2))
os.close(tun)
sys.exit(any(wrong))
PY
