#!/bin/sh
# Linux gives the packets of a connection over IPv6 one flow label (RFC 6437), the same in
# the SYN-ACK as in all that follow it, by which routers choose among equal paths and flow
# meters tell flows apart.  Of a connection that a SYN cookie made the SYN-ACK has another
# label than the rest: nothing was kept of it, and the label is drawn anew.  So under a
# flood the data can take another path than the SYN-ACK did.  The client keeps its own.
# Seen on Linux 6.18, with its default net.ipv6.auto_flowlabels of 1.
# Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace can be made.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import socket
import subprocess
import sys

subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
with open("/proc/sys/net/ipv6/auto_flowlabels", "w") as file:
    file.write("1")


def labels(wire, server, client):
    """The labels by sender, the first and those of all that follow."""
    found = {server: [], client: []}
    while True:
        try:
            packet, address = wire.recvfrom(2048)
        except TimeoutError:
            return found
        source = int.from_bytes(packet[40:42], "big")
        if address[2] != socket.PACKET_OUTGOING and packet[6] == socket.IPPROTO_TCP:
            if source in found:
                found[source].append(int.from_bytes(packet[:4], "big") & 0xFFFFF)


def connection():
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86DD))
    with wire, socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        wire.settimeout(0.2)
        with socket.create_connection(server.getsockname()[:2]) as client:
            accepted = server.accept()[0]
            with accepted:
                accepted.send(b"hello")
                client.send(b"hello")
                ports = server.getsockname()[1], client.getsockname()[1]
                found = labels(wire, *ports)
                return found[ports[0]], found[ports[1]]


changed = False
for name, cookies in (("the queue", 1), ("a cookie", 2)):
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as file:
        file.write(str(cookies))
    for _ in range(3):
        server, client = connection()
        rest = {f"{label:05x}" for label in server[1:]}
        same = set(server[1:]) == {server[0]}
        print(f"by {name}: SYN-ACK {server[0]:05x}, then {' '.join(rest)};", end=" ")
        print("the client's", "are one" if len(set(client)) == 1 else "change")
        changed |= same != (cookies == 1) or len(rest) != 1 or len(set(client)) != 1
sys.exit(changed)
PY
