#!/bin/sh
# Two options of a listening socket of Linux hold for connections from its SYN queue, not
# for those that a SYN cookie made, and nothing reports it: TCP_DEFER_ACCEPT, so accept()
# returns connections that have sent nothing, of which a flood is the time; and
# TCP_SAVE_SYN, so TCP_SAVED_SYN is 0 bytes, which is no error (what looks for options or
# fingerprints in them sees an empty SYN).  Both families.
# Seen on Linux 6.18.  Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace can be made.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import socket
import subprocess
import sys

TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28
subprocess.run(("ip", "link", "set", "lo", "up"), check=True)


def cookies(value):
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as file:
        file.write(str(value))


def accepted(family, address):
    """Whether accept() waits for data, and the size of the saved SYN."""
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
        server.bind((address, 0))
        server.listen(8)
        server.settimeout(0.5)
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.connect(server.getsockname()[:2])
            try:
                connection, waits = server.accept()[0], False
            except TimeoutError:
                client.send(b"hello")
                connection, waits = server.accept()[0], True
            with connection:
                saved = connection.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 200)
            return waits, len(saved)


changed = False
for family, address, size in (
    (socket.AF_INET, "127.0.0.1", 60),
    (socket.AF_INET6, "::1", 80),
):
    for name, value, expected in (("queue", 1, (True, size)), ("cookie", 2, (False, 0))):
        cookies(value)
        found = accepted(family, address)
        print(f"{family.name}, by the {name}: accept() waits for data {found[0]},", end=" ")
        print(f"saved SYN {found[1]} bytes")
        changed |= found != expected
sys.exit(changed)
PY
