#!/bin/sh
# The kernel's table of IPv4 neighbours is one for all network namespaces, 1,024 entries
# (net.ipv4.neigh.default.gc_thresh3, which only the first namespace shows).  Whoever sends
# to a thousand unused addresses of its own network fills it, without a privilege outside;
# then another namespace, even on a TUN device, which has no neighbours, sends nothing to
# whom it has not sent before: UDP's sendto() succeeds and the datagram is gone, seen in
# SndbufErrors alone.  With IP_RECVERR it fails with ENOBUFS.
# Seen on Linux 6.18.  Needs unshare and nsenter of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no namespace, no veth, or a larger table.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
unshare -rn ip link add va type veth peer name vb 2>/dev/null || { echo "no veth"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import errno
import socket
import subprocess
import sys

IP_RECVERR = 11
FILL = """
import socket, sys
for number in range(60_000):
    if number % 50 == 0:  # what waits for an answer is charged to its socket
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IP, 11, 1)
    try:
        sock.sendto(b"x", (f"10.9.{number >> 8}.{number & 255}", 9))
    except OSError as error:
        print(number, error.strerror, flush=True)
        break
else:
    print("no end", flush=True)
sys.stdin.read()
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True)


other = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 60"],
                         stdout=subprocess.PIPE)
other.stdout.readline()
enter = ["nsenter", "-t", str(other.pid), "-n"]
script = ("ip link add va type veth peer name vb; ip link set vb up; ip link set va up; "
          "ip addr add 10.9.255.254/16 dev va")
subprocess.run([*enter, "sh", "-ec", script], check=True)
ip("link", "add", "vc", "type", "veth", "peer", "name", "vd")
for name in ("vc", "vd"):
    ip("link", "set", name, "up")
ip("addr", "add", "192.0.2.1/24", "dev", "vc")


def lost():
    with open("/proc/net/snmp") as file:
        names, values = (line.split() for line in file if line.startswith("Udp:"))
    return int(values[names.index("SndbufErrors")])


def sent(host, told):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, told)
        before = lost()
        try:
            sock.sendto(b"x", (host, 9))
        except OSError as error:
            return errno.errorcode[error.errno], lost() - before
        return "sent", lost() - before


calm = sent("192.0.2.2", 0)
filler = subprocess.Popen([*enter, sys.executable, "-c", FILL], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
said = filler.stdout.readline().strip()
full = sent("192.0.2.3", 0), sent("192.0.2.4", 1)
other.kill()
filler.communicate()
other.wait()
print(f"calm: {calm}; another namespace fills the table: {said}; then {full}")
if said == "no end":
    sys.exit(77)
sys.exit((calm, full) != (("sent", 0), (("sent", 1), ("ENOBUFS", 1))))
PY
