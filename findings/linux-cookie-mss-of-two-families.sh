#!/bin/sh
# A SYN cookie of Linux remembers one of four segment sizes.  The four of IPv4 (536, 1300,
# 1440, 1460) and of IPv6 (1220, 1420, 1440, 8940) are not the same ones less 20: on a
# network with jumbo frames a flood cuts the segments of IPv4 to 1460 bytes, and leaves those
# of IPv6 at 8940.  On a link of 1400 bytes, as tunnels have, it is the other way round:
# IPv4 has 1300 of 1360, IPv6 1220 of 1340.  Only what the server sends is cut.
# Seen on Linux 6.18, on the loopback interface of a network namespace of its own (with
# timestamps, which take 12 bytes of each segment).
# Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace can be made.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import socket
import subprocess
import sys

FAMILIES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def sizes(family, address, cookies):
    """The bytes of data in a segment of the server and of the client."""
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as file:
        file.write(str(cookies))
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((address, 0))
        listener.listen(4)
        client.connect(listener.getsockname()[:2])
        with listener.accept()[0] as server:
            return tuple(
                end.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) for end in (server, client)
            )


found = []
for mtu in (9000, 1500, 1400):
    subprocess.run(f"ip link set lo mtu {mtu} up", shell=True, check=True)
    for family, address in FAMILIES:
        found.append((sizes(family, address, 1), sizes(family, address, 2)))
        print(f"MTU {mtu}, {family.name}: server and client by the queue", end=" ")
        print("{}, by a cookie {}".format(*found[-1]))
sys.exit(
    found
    != [
        ((8948, 8948), (1448, 8948)),
        ((8928, 8928), (8928, 8928)),
        ((1448, 1448), (1448, 1448)),
        ((1428, 1428), (1428, 1428)),
        ((1348, 1348), (1288, 1348)),
        ((1328, 1328), (1208, 1328)),
    ]
)
PY
