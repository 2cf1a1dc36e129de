#!/bin/sh
# Linux 6.18 has the settings of Accurate ECN (RFC 9768), net.ipv4.tcp_ecn_option and
# tcp_ecn_option_beacon, both on by default, and the names of its modes, the values 3 to 5
# of net.ipv4.tcp_ecn, in its type information.  But tcp_ecn takes 0 to 2 only (EINVAL), so
# nothing can turn it on, and a SYN that asks for it gets the answer of RFC 3168: ECE alone.
# That setting or the version of the kernel do not say whether a host speaks it.
# Seen on Linux 6.18.  Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no such kernel, no network namespace or no veth.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
unshare -rn ip link add va type veth peer name vb 2>/dev/null || { echo "no veth"; exit 77; }
[ -e /proc/sys/net/ipv4/tcp_ecn_option ] || { echo "no setting of AccECN"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import os
import socket
import struct
import subprocess
import sys

CLIENT, SERVER = "192.0.2.9", "192.0.2.1"
ECE, CWR, AE = 0x40, 0x80, 0x100
for line in (
    "link add va address 02:00:00:00:00:01 type veth peer name vb address 02:00:00:00:00:09",
    "link set va up",
    "link set vb up",
    f"address add {SERVER}/24 dev va",
    f"neighbour add {CLIENT} lladdr 02:00:00:00:00:09 dev va",
):
    subprocess.run(("ip", *line.split()), check=True)


def setting(name, value):
    """The errno of setting it, or 0."""
    descriptor = os.open(f"/proc/sys/net/ipv4/{name}", os.O_RDWR)
    try:
        os.write(descriptor, str(value).encode())
    except OSError as error:
        return error.errno
    finally:
        os.close(descriptor)
    return 0


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def answer(source, bits):
    """AE, CWR and ECE of the SYN-ACK to a SYN with these bits."""
    ends = socket.inet_aton(CLIENT) + socket.inet_aton(SERVER)
    tcp = struct.pack("!HHIIHHHH", source, 80, 1, 0, 0x5002 | bits, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    wire.send(b"\2\0\0\0\0\1\2\0\0\0\0\x09\x08\0" + ip[:10] + total(ip) + ip[12:] + tcp)
    while True:
        frame, address = wire.recvfrom(2048)
        if address[2] != socket.PACKET_OUTGOING and frame[36:38] == source.to_bytes(2, "big"):
            return int.from_bytes(frame[46:48], "big") & (AE | CWR | ECE)


wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
wire.bind(("vb", 0x0800))
wire.settimeout(2)
listener = socket.create_server((SERVER, 80))
for name in ("tcp_ecn_option", "tcp_ecn_option_beacon"):
    with open(f"/proc/sys/net/ipv4/{name}") as file:
        print(f"{name}: {file.read().strip()}")
errors = [setting("tcp_ecn", value) for value in range(6)]
print("tcp_ecn 0 to 5:", *(os.strerror(error) if error else "taken" for error in errors))
setting("tcp_ecn", 1)
found = [answer(40000, ECE | CWR), answer(40001, AE | ECE | CWR)]
names = {0: "no bit", ECE: "ECE", AE: "AE", AE | CWR: "AE and CWR", CWR: "CWR"}
print("SYN with ECE and CWR: the SYN-ACK has", names.get(found[0], found[0]))
print("SYN with AE, ECE and CWR: the SYN-ACK has", names.get(found[1], found[1]))
sys.exit(errors != [0, 0, 0, 22, 22, 22] or found != [ECE, ECE])
PY
