#!/bin/sh
# aerleon 1.18.0 makes rules of nft from a policy (target nftables).  A term that accepts
# neighbour discovery of IPv6, which every policy with "deny the rest" needs, becomes
#   icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ct state new accept
# nft loads it, and it matches nothing: connection tracking of Linux leaves neighbour
# discovery and router advertisements out, so their state is "untracked" and never "new".
# The host has no neighbours over IPv6, and a port that the policy opens is not reached
# once the entry of before has aged.  Without the three words `ct state new` it works.
# Its target iptables writes no state for ICMPv6, and is right.
# Seen on Linux 6.18, over a veth pair in network namespaces of its own.
# Needs unshare and nsenter of util-linux, iproute2, nft and python3; one of PyPI.
# Exit: 0 as described, 1 changed, 77 a version, nft, a namespace or veth is gone.
set -u
for tool in unshare nsenter ip nft python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -rn nft list ruleset >/dev/null 2>&1 || { echo "no nft here"; exit 77; }
unshare -rn ip link add v type veth 2>/dev/null || { echo "no namespace or no veth"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install aerleon==1.18.0 || exit 77
cd "$folder" || exit 1
uname -sr
cat >make.py <<'PY'
import importlib

from aerleon.lib import naming, policy

DEFINITIONS = """
networks:
  SERVER:
    values:
      - address: 2001:db8::1/128
services:
  WEB:
    - protocol: tcp
      port: 80
"""
POLICY = """
header { target:: %s }
term neighbours {
  protocol:: icmpv6
  icmp-type:: neighbor-solicit neighbor-advertisement
  action:: accept
}
term web {
  protocol:: tcp
  destination-address:: SERVER
  destination-port:: WEB
  action:: accept
}
"""
names = naming.Naming()
names.ParseYaml(DEFINITIONS, "definitions")
for module, kind, target in (
    ("nftables", "Nftables", "nftables inet6 input"),
    ("iptables", "Iptables", "iptables INPUT DROP inet6"),
):
    maker = getattr(importlib.import_module(f"aerleon.lib.{module}"), kind)
    with open(module, "w") as file:
        file.write(str(maker(policy.ParsePolicy(POLICY % target, names), 2)))
PY
v/bin/python make.py || exit 1
cat >connect.py <<'PY'
import os
import socket
import subprocess
import sys
import time


def run(command):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout


def reached():
    """Whether the other end reaches port 80, with no neighbours known at first."""
    run(f"ip neigh flush all; {inside} ip neigh flush all")
    code = "import socket; socket.create_connection(('2001:db8::1', 80), 4)"
    command = f"{inside} python3 -c \"{code}\""
    return not subprocess.run(command, shell=True, stderr=subprocess.DEVNULL).returncode


other = subprocess.Popen(("unshare", "-n", "sleep", "60"))
try:
    while os.readlink(f"/proc/{other.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(0.05)
    inside = f"nsenter -t {other.pid} -n"
    run(f"""ip link set lo up; ip link add va type veth peer name vb netns {other.pid}
            ip addr add 2001:db8::1/64 dev va nodad; ip link set va up
            {inside} ip addr add 2001:db8::2/64 dev vb nodad; {inside} ip link set vb up""")
    time.sleep(1.2)
    with open("nftables") as file:
        rules = file.read()
    with socket.create_server(("2001:db8::1", 80), family=socket.AF_INET6):
        found = []
        for name, text in (
            ("no rules", ""),
            ("its rules", rules),
            ("its rules without the state of ICMPv6", rules.replace("} ct state new", "}")),
        ):
            run("nft flush ruleset")
            subprocess.run(("nft", "-f", "-"), input=text, text=True, check=True)
            found.append(reached())
            print(f"{name}: the open port is reached {found[-1]}")
finally:
    other.kill()
    other.wait()
with open("iptables") as file:
    lines = [line for line in file.read().splitlines() if "icmp" in line]
lines += [line.strip() for line in rules.splitlines() if "icmp" in line]
print(*lines, sep="\n")
states = ["state" in line for line in lines]
sys.exit(found != [True, False, True] or states != [False, False, True])
PY
unshare -rn python3 connect.py
