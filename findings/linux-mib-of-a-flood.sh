#!/bin/sh
# By RFC 4022 tcpPassiveOpens counts connections that went from LISTEN to SYN-RCVD, and
# tcpAttemptFails those that went back (or from SYN-RCVD to CLOSED): these two of a host's
# SNMP or /proc/net/snmp ought to show a SYN flood.  Linux moves neither: it counts
# tcpPassiveOpens when the handshake is complete, and no counter is for half-open
# connections that are given up (TCPTimeouts counts every expiry of their timers, repetitions
# too); in tcpAttemptFails only those that are reset count.
# Two counters beside them say something else than their names:
# - TCPSynRetrans is there the repetitions of SYN-ACKs;
# - TCPReqQFullDoCookies counts every cookie, also where net.ipv4.tcp_syncookies is 2 and
#   the queue is empty.
# Seen on Linux 6.18.  Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace or no veth.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
unshare -rn ip link add va type veth peer name vb 2>/dev/null || { echo "no veth"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import socket
import struct
import subprocess
import sys
import time

CLIENT, SERVER = "192.0.2.9", "192.0.2.1"
for line in (
    "link set lo up",
    "link add va address 02:00:00:00:00:01 type veth peer name vb address 02:00:00:00:00:09",
    "link set va up",
    "link set vb up",
    f"address add {SERVER}/24 dev va",
    f"neighbour add {CLIENT} lladdr 02:00:00:00:00:09 dev va",
):
    subprocess.run(("ip", *line.split()), check=True)


def setting(name, value):
    with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
        file.write(str(value))


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def segment(source, flags, number=1, answers=0):
    ends = socket.inet_aton(CLIENT) + socket.inet_aton(SERVER)
    tcp = struct.pack("!HHIIBBHHH", source, 80, number, answers, 0x50, flags, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    return b"\2\0\0\0\0\1\2\0\0\0\0\x09\x08\0" + ip[:10] + total(ip) + ip[12:] + tcp


def half_open():
    return sum(line.split()[3] == "03" for line in open("/proc/net/tcp"))


NAMES = "PassiveOpens AttemptFails RetransSegs TCPSynRetrans SyncookiesSent".split()
NAMES += ["TCPTimeouts", "ListenDrops", "TCPReqQFullDoCookies"]


def counters():
    values = {}
    for name in ("snmp", "netstat"):
        with open(f"/proc/net/{name}") as file:
            rows = [line.split() for line in file]
        for names, numbers in zip(rows[::2], rows[1::2]):
            values.update(zip(names, numbers))
    return {name: int(values[name]) for name in NAMES}


wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
wire.bind(("vb", 0x0800))
wire.settimeout(2)


def answer(source):
    """The sequence number of the SYN-ACK to a port."""
    while True:
        frame, address = wire.recvfrom(2048)
        if address[2] != socket.PACKET_OUTGOING and frame[36:38] == source.to_bytes(2, "big"):
            return int.from_bytes(frame[38:42], "big")


setting("tcp_synack_retries", 1)
listener = socket.create_server((SERVER, 80), backlog=64)
found = {}


def told(title, before):
    time.sleep(0.1)
    after = counters()
    found[title] = {name: after[name] - before[name] for name in NAMES if after[name] - before[name]}
    print(f"{title}: half-open {half_open()}, counted {found[title] or 'nothing'}")


before = counters()
for source in range(40000, 40010):
    wire.send(segment(source, 2))
told("10 SYNs", before)
time.sleep(4)
told("4 s later, without an answer", before)

before = counters()
wire.send(segment(41000, 2))
answer(41000)
wire.send(segment(41000, 4, 2))
told("a SYN and a reset", before)

before = counters()
wire.send(segment(42000, 2))
wire.send(segment(42000, 16, 2, answer(42000) + 1 & 0xFFFFFFFF))
told("a whole handshake", before)

setting("tcp_syncookies", 2)
before = counters()
for source in range(43000, 43010):
    wire.send(segment(source, 2))
told("10 SYNs, tcp_syncookies 2", before)
GIVEN_UP = {"RetransSegs": 10, "TCPSynRetrans": 10, "TCPTimeouts": 20}
sys.exit(
    found
    != {
        "10 SYNs": {},
        "4 s later, without an answer": GIVEN_UP,
        "a SYN and a reset": {"AttemptFails": 1},
        "a whole handshake": {"PassiveOpens": 1},
        "10 SYNs, tcp_syncookies 2": {"SyncookiesSent": 10, "TCPReqQFullDoCookies": 10},
    }
)
PY
