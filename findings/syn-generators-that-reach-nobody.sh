#!/bin/sh
# SYNs of five generators of Debian, at a listener on the same link that answers any number
# of them (cookies always):
# - t50 5.8.7b, a tool for floods: no SYN has a good TCP checksum, and each has 12 bytes of
#   data that were room for options.  The kernel drops all of them before it looks for a
#   listener, so a server "withstands" any rate; Tcp InCsumErrors counts them.
# - sendip 2.6: over IPv4 good, over IPv6 with a wrong checksum;
# - trafgen 0.6.8: answered, but a field that is not given is 0, the TTL and the hop limit
#   too, so that the first router drops what a test on one link had shown to work.
# hping3 3.a2.ds2 and packit 1.8.1 are answered, with a TTL of 64 and 128.  None warns.
# In network namespaces of its own.  Debian's packages, unpacked in a temporary folder.
# Needs root, apt-get, dpkg-deb, unshare and nsenter of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no root, or a version, a namespace or veth is gone.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
for tool in apt-get dpkg-deb unshare nsenter ip python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -n ip link add v type veth 2>/dev/null || { echo "no namespace or no veth"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download t50=5.8.7b-1 sendip=2.6-1 netsniff-ng=0.6.8-3 hping3=3.a2.ds2-10 \
    packit=1.8.1-1 libnet1 libpcap0.8 libtcl8.6 libcli1.10 libgeoip1 libnl-3-200 \
    libnl-genl-3-200 libnl-route-3-200 libnetfilter-conntrack3 libnfnetlink0 liburcu8 \
    >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
cat >link.py <<'PY'
import os
import re
import socket
import subprocess
import sys
import time

SYN = 2
SERVER4, SERVER6, CLIENT4, CLIENT6 = "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"
ROOT = os.path.abspath("root")
SENDIP = f"{ROOT}/usr/lib/{os.uname().machine}-linux-gnu/sendip"
LIBRARIES = os.environ.pop("LIBRARIES")


def run(command):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout


def counted():
    """InCsumErrors of TCP and SyncookiesSent."""
    found = []
    for name, table, counter in (
        ("snmp", "Tcp", "InCsumErrors"),
        ("netstat", "TcpExt", "SyncookiesSent"),
    ):
        with open(f"/proc/net/{name}") as file:
            names, values = (line.split() for line in file if line.startswith(f"{table}:"))
        found.append(int(values[names.index(counter)]))
    return found


def limits():
    """The TTLs or hop limits of the SYNs to the listener that came since."""
    found = set()
    while True:
        try:
            frame = wire.recv(2000)
        except BlockingIOError:
            return sorted(found)
        if frame[12:14] == b"\x08\0" and frame[23] == 6 and frame[47] == SYN:
            found.add(frame[22])
        elif frame[12:14] == b"\x86\xdd" and frame[20] == 6 and frame[67] == SYN:
            found.add(frame[21])


def seen(name, command):
    """Of a generator's SYNs those with a bad checksum and answered, and their TTLs."""
    limits()
    before = counted()
    enter = ["nsenter", "-t", str(other.pid), "-n", "env", f"LD_LIBRARY_PATH={LIBRARIES}"]
    subprocess.run(enter + command.split(), capture_output=True, timeout=20)
    time.sleep(0.5)
    bad, answered = (after - start for after, start in zip(counted(), before))
    found = bad > 0, answered > 0, limits()
    print(f"{name}: {bad} with a bad checksum, {answered} answered, TTL {found[2]}")
    return found


other = subprocess.Popen(("unshare", "-n", "sleep", "60"))
try:
    while os.readlink(f"/proc/{other.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(0.05)
    inside = f"nsenter -t {other.pid} -n ip"
    run(f"""ip link set lo up; ip link add va type veth peer name vb
            ip link set vb netns {other.pid}
            ip addr add {SERVER4}/24 dev va; ip addr add {SERVER6}/64 dev va nodad
            {inside} addr add {CLIENT4}/24 dev vb; {inside} addr add {CLIENT6}/64 dev vb nodad
            ip link set va up; {inside} link set vb up; {inside} link set lo up
            ip route add default via {CLIENT4}""")
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as file:
        file.write("2")
    mac = re.search(r"ether (\S+)", run("ip link show va"))[1]
    for version, ends in (4, f"sa={CLIENT4}, da={SERVER4}"), (6, f"sa={CLIENT6}, da={SERVER6}"):
        with open(f"trafgen{version}", "w") as file:
            file.write(f"{{ eth(da={mac}), ipv{version}({ends}), tcp(sp=40000, dp=80, syn) }}\n")
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    wire.bind(("va", 3))
    wire.setblocking(False)
    listeners = []
    for family, address in (socket.AF_INET, SERVER4), (socket.AF_INET6, SERVER6):
        listeners.append(socket.socket(family))
        listeners[-1].bind((address, 80))
        listeners[-1].listen(100)
    time.sleep(1.2)
    found = [
        seen("hping3", f"{ROOT}/usr/sbin/hping3 -S -p 80 -c 5 -i u10000 {SERVER4}"),
        seen("packit", f"{ROOT}/usr/sbin/packit -t TCP -s {CLIENT4} -d {SERVER4} -D 80 -F S -c 5"),
        seen("t50", f"{ROOT}/usr/sbin/t50 {SERVER4} --protocol TCP -S --dport 80 --threshold 50"),
        seen(
            "sendip, IPv4",
            f"{ROOT}/usr/bin/sendip -p {SENDIP}/ipv4.so -is {CLIENT4} -p {SENDIP}/tcp.so"
            f" -ts 40001 -td 80 {SERVER4}",
        ),
        seen(
            "sendip, IPv6",
            f"{ROOT}/usr/bin/sendip -p {SENDIP}/ipv6.so -6s {CLIENT6} -p {SENDIP}/tcp.so"
            f" -ts 40001 -td 80 {SERVER6}",
        ),
        seen("trafgen, IPv4", f"{ROOT}/usr/sbin/trafgen -o vb -c trafgen4 -n 5 --cpus 1"),
        seen("trafgen, IPv6", f"{ROOT}/usr/sbin/trafgen -o vb -c trafgen6 -n 5 --cpus 1"),
    ]
finally:
    other.kill()
    other.wait()
sys.exit(
    found
    != [
        (False, True, [64]),
        (False, True, [128]),
        (True, False, [255]),
        (False, True, [255]),
        (True, False, [32]),
        (False, True, [0]),
        (False, True, [0]),
    ]
)
PY
LIBRARIES=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
export LIBRARIES
unshare -n python3 link.py
