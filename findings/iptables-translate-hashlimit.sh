#!/bin/sh
# iptables-translate 1.8.9 makes of a hashlimit by source, the usual limit of SYNs for each
# host, a meter of nft.  hashlimit forgets a host after 10 s without a packet, its default;
# the meter has no timeout and room for 65,535 hosts.  So after one flood with more forged
# sources than that no new host ever gets a place, and what the rule is to accept is not
# accepted: after 70,000 SYNs and 12 s of silence, 100 of 100 new clients come through the
# rule of iptables-nft, and 0 of 100 through its translation, until the table is flushed.
# `nft list ruleset` prints the rule of iptables-nft in that form too (with a warning that
# the table is managed by it), so a ruleset that is saved and restored has become the other.
# With --hashlimit-htable-expire there is a timeout.
# Seen on Linux 6.18, through a TUN device in network namespaces of its own.
# Debian's packages, unpacked in a temporary folder.
# Needs root, apt-get, dpkg-deb, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 a version or the means are gone.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
[ -c /dev/net/tun ] && unshare -n true 2>/dev/null || { echo "no TUN or namespace"; exit 77; }
for tool in apt-get dpkg-deb python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download iptables=1.8.9-2 nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 \
    libip4tc2 libip6tc2 libxtables12 libmnl0 libnftnl11 libnetfilter-conntrack3 \
    libnfnetlink0 libjansson4 libedit2 libbsd0 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
uname -sr
cat >flood.py <<'PY'
import fcntl
import os
import re
import shlex
import struct
import subprocess
import sys
import time

TOOLS = "root/usr/sbin"
LIMIT = "-A INPUT -p tcp --syn -m hashlimit --hashlimit-name a --hashlimit-mode srcip"
LIMIT += " --hashlimit-upto 10/s --hashlimit-burst 20 -j ACCEPT"


def run(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if done.returncode:
        print(command, done.stderr)
        sys.exit(77)
    return done.stdout


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def syns(first, count):
    """How many of these hosts' SYNs the rule accepts."""
    before = accepted()
    for host in range(first, first + count):
        ends = struct.pack("!I", (10 << 24) + host) + bytes([192, 0, 2, 1])
        tcp = struct.pack("!HHIIBBHHH", 4000, 80, 1, 0, 0x50, 2, 9000, 0, 0)
        tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
        os.write(tun, ip[:10] + total(ip) + ip[12:] + tcp)
    return accepted() - before


def accepted():
    rules = run(f"{TOOLS}/nft list chain ip filter INPUT")
    return int(re.search(r"counter packets (\d+)", rules)[1])


tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
run("ip addr add 192.0.2.1/24 dev t0 && ip link set t0 up && ip route add 10.0.0.0/8 dev t0")
if sys.argv[1] != "translated":
    run(f"{TOOLS}/iptables-nft {LIMIT}")
    if sys.argv[1] == "restored":
        run(f"{TOOLS}/nft list ruleset >saved && {TOOLS}/nft flush ruleset && {TOOLS}/nft -f saved")
else:
    chain = "{ type filter hook input priority 0; }"
    run(f"{TOOLS}/nft 'add table ip filter; add chain ip filter INPUT {chain}'")
    _, rule = shlex.split(run(f"{TOOLS}/iptables-translate {LIMIT}"))
    print(rule)
    run(f"{TOOLS}/nft '{rule}'")
run(f"{TOOLS}/nft add rule ip filter INPUT counter drop")
flood = syns(0, 70_000)
time.sleep(12)
new = syns(1 << 20, 100)
print(f"{sys.argv[1]}: accepted of a flood {flood} of 70000, of new hosts 12 s later {new} of 100")
sys.exit(flood < 65_535 or new != (100 if sys.argv[1] == "iptables" else 0))
PY
export LD_LIBRARY_PATH XTABLES_LIBDIR
LD_LIBRARY_PATH=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
XTABLES_LIBDIR=$(dirname "$(find "$folder/root" -name libxt_hashlimit.so)")
for means in iptables translated restored; do
    unshare -n python3 flood.py $means || exit
done
