#!/bin/sh
# TCP_SYNCNT, by tcp(7) how often connect() repeats its SYN, does something for a listener
# of Linux too: it takes the place of net.ipv4.tcp_synack_retries for all its half-open
# connections.  With 1 they are given up after 3 s, not 63.  And closing a listener does
# not end them: they stay SYN-RECV, and repeat nothing, until their timer finds it gone.
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


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value ^ 0xFFFF


def syn(port):
    ends = socket.inet_aton(CLIENT) + socket.inet_aton(SERVER)
    tcp = struct.pack("!HHIIBBHHHI", 40000, port, 1, 0, 0x60, 2, 9000, 0, 0, 0x020405B4)
    check = total(ends + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", check) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + ends
    ip = ip[:10] + struct.pack("!H", total(ip)) + ip[12:]
    return b"\2\0\0\0\0\1\2\0\0\0\0\x09\x08\0" + ip + tcp


def half_open(port):
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file][1:]
    return sum(row[3] == "03" and row[1].endswith(f":{port:04X}") for row in rows)


wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
wire.bind(("vb", 0x0800))
wire.setblocking(False)
synacks = {}


def listener(count=None):
    one = socket.socket()
    if count is not None:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, count)
    one.bind((SERVER, 0))
    one.listen(8)
    return one


def take():
    """Count the SYN-ACKs that came so far, by their source port."""
    try:
        while True:
            frame, address = wire.recvfrom(2048)
            if address[2] != socket.PACKET_OUTGOING and frame[23] == socket.IPPROTO_TCP:
                port = int.from_bytes(frame[34:36], "big")
                synacks[port] = synacks.get(port, 0) + 1
    except BlockingIOError:
        pass


listeners = {"default": listener(), "TCP_SYNCNT 1": listener(1), "closed": listener()}
ports = {name: one.getsockname()[1] for name, one in listeners.items()}
for port in ports.values():
    wire.send(syn(port))
begin = time.monotonic()
time.sleep(0.2)
listeners["closed"].close()
seen = {name: [half_open(port)] for name, port in ports.items()}
for moment in (2.2, 5.0):
    time.sleep(moment - (time.monotonic() - begin))
    for name, port in ports.items():
        seen[name].append(half_open(port))
take()
for name, port in ports.items():
    print(f"{name}: half-open after 0.2, 2.2, 5 s {seen[name]}, SYN-ACKs {synacks[port]}")
found = {name: (seen[name], synacks[port]) for name, port in ports.items()}
sys.exit(
    found
    != {
        "default": ([1, 1, 1], 3),
        "TCP_SYNCNT 1": ([1, 1, 0], 2),
        "closed": ([1, 0, 0], 1),
    }
)
PY
