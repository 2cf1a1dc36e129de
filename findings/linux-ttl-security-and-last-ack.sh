#!/bin/sh
# TTL security (RFC 5082): both ends of a BGP session send with IP_TTL 255 and drop, by
# IP_MINTTL 255, packets with less.  Two such sockets of Linux connect and talk, but one of
# them may never close: an end that has closed first and whose FIN was acknowledged is in
# TIME-WAIT's table (as FIN-WAIT-2), which keeps the socket's TOS and not its TTL, so its ACK
# of the other's FIN goes out with the default of 64.  The other end drops it, stays in
# LAST-ACK and repeats its FIN until it gives up.  Only an end that closes at once, before
# its own delayed ACK, is spared.  Likewise with IPV6_UNICAST_HOPS and IPV6_MINHOPCOUNT.
# Only TCPMinTTLDrop counts it.
# Seen on Linux 6.18.  Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace can be made.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import socket
import subprocess
import sys
import time

subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
IPV6_MINHOPCOUNT = 73
FAMILIES = (
    (socket.AF_INET, "127.0.0.1", socket.IPPROTO_IP, socket.IP_TTL, 21),  # IP_MINTTL
    (socket.AF_INET6, "::1", socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, IPV6_MINHOPCOUNT),
)


def dropped():
    with open("/proc/net/netstat") as file:
        names, values = (line.split() for line in file if line.startswith("TcpExt"))
    return int(values[names.index("TCPMinTTLDrop")])


def states(port):
    """The states of the connections of a port, but the listener's."""
    command = ("ss", "-tanH", f"( sport = :{port} or dport = :{port} )")
    lines = subprocess.check_output(command, text=True).splitlines()
    return sorted({line.split()[0] for line in lines} - {"LISTEN"})


def closed(family, address, level, hops, least, secured):
    """The states a second after the other end closed too, and the drops until then."""

    def make():
        end = socket.socket(family, socket.SOCK_STREAM)
        if secured:
            end.setsockopt(level, hops, 255)
            end.setsockopt(level, least, 255)
        return end

    before = dropped()
    with make() as listener:
        listener.bind((address, 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        client = make()
        client.connect((address, port))
        server, _ = listener.accept()
        client.send(b"hello")
        assert server.recv(5) == b"hello"
        server.close()
        assert client.recv(1) == b""
        time.sleep(0.5)
        client.close()
        time.sleep(1)
        return states(port), dropped() - before


changed = False
for family, address, *options in FAMILIES:
    for secured in (False, True):
        found, drops = closed(family, address, *options, secured)
        print(f"{family.name}, security {secured}: {found}, drops {drops}")
        changed |= found != (["LAST-ACK", "TIME-WAIT"] if secured else ["TIME-WAIT"])
        changed |= secured and drops == 0
sys.exit(changed)
PY
