#!/bin/sh
# A listener with SO_BINDTODEVICE (systemd's BindToDevice=) gets a SYN from an address to
# which no route leads by that device: the default route goes by another one, or there is
# none.  Over IPv6 it cannot answer, drops the SYN and keeps nothing.  Over IPv4 Linux takes
# the address for one on that link: the SYN has a place in the queue, and each stranger an
# ARP request and an entry of the neighbour table, of which there are 1,024 for all network
# namespaces.  With cookies always (tcp_syncookies 2) it is no different.  So of a flood
# with forged sources as many ARP requests are broadcast there.  A listener without the
# option answers by the default route, or drops the SYN where there is none.
# Seen on Linux 6.18 (rp_filter 0, the kernel's default), over veth pairs.
# Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace or no veth.
set -u
unshare -rn ip link add v type veth 2>/dev/null || { echo "no namespace or no veth"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import os
import re
import socket
import struct
import subprocess
import sys
import time

FAMILIES = {
    4: (socket.AF_INET, "192.0.2.1", [f"203.0.113.{n}" for n in range(1, 11)]),
    6: (socket.AF_INET6, "2001:db8::1", [f"2001:db8:1::{n}" for n in range(1, 11)]),
}
PORT = 80


def run(command):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def syn(version, client):
    family, server, _ = FAMILIES[version]
    ends = socket.inet_pton(family, client) + socket.inet_pton(family, server)
    tcp = struct.pack("!HHIIBBHHH", 40000, PORT, 1, 0, 0x50, 2, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    if version == 6:
        ip = b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 20, 6, 64) + ends
    else:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
        ip = b"\x08\0" + ip[:10] + total(ip) + ip[12:]
    return mac + b"\2\0\0\0\0\1" + ip + tcp


def asked():
    """The addresses that were asked for, by ARP or a neighbour solicitation."""
    found, end = set(), time.monotonic() + 0.5
    while time.monotonic() < end:
        try:
            frame = wire.recv(2000)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        if frame[12:14] == b"\x08\x06":
            found.add(socket.inet_ntop(socket.AF_INET, frame[38:42]))
        elif frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 135:
            found.add(socket.inet_ntop(socket.AF_INET6, frame[62:78]))
    return found


def strangers(version, bound, cookies):
    """How many of ten strangers are in the SYN queue, asked for and in the table."""
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as file:
        file.write(str(cookies))
    family, address, clients = FAMILIES[version]
    run("ip neigh flush all")
    with socket.socket(family) as server:
        if bound:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"va")
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, PORT))
        server.listen(64)
        asked()
        for client in clients:
            wire.send(syn(version, client))
        found = asked()
        half_open = run("ss -tanH state syn-recv").splitlines()
        table = run("ip neigh show nud all")
        known = sum(f"{client} " in table for client in clients)
        return len(half_open), len(found & {*clients}), known


run("""ip link add va type veth peer name vb && ip addr add 192.0.2.1/24 dev va &&
       ip addr add 2001:db8::1/64 dev va nodad && ip link set va up && ip link set vb up &&
       ip link add vc type veth peer name vd && ip addr add 198.51.100.1/24 dev vc &&
       ip addr add 2001:db8:f::1/64 dev vc nodad && ip link set vc up && ip link set vd up""")
for name in ("all", "va"):
    with open(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "w") as file:
        file.write("0")
mac = bytes.fromhex(re.search(r"ether (\S+)", run("ip link show va"))[1].replace(":", ""))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
wire.bind(("vb", 3))
wire.setblocking(False)
time.sleep(1.2)
changed = False
for default in ("none", "elsewhere"):
    if default == "elsewhere":
        run("ip route add default via 198.51.100.2 && ip route add default via 2001:db8:f::2")
    for version in FAMILIES:
        for bound, cookies in ((False, 1), (True, 1), (True, 2)):
            found = strangers(version, bound, cookies)
            print(f"IPv{version}, default route {default}, SO_BINDTODEVICE {bound},", end=" ")
            print(f"tcp_syncookies {cookies}: of 10 SYNs", end=" ")
            print("{} half-open, {} asked for, {} in the table".format(*found))
            if bound:
                asks = version == 4
                changed |= found != (10 * (asks and cookies == 1), 10 * asks, 10 * asks)
            else:
                changed |= found != (0 if default == "none" else 10, 0, 0)
sys.exit(changed)
PY
