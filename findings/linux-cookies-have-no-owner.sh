#!/bin/sh
# A rule of the output chain may let out what a user's sockets send (`meta skuid` of nft,
# `-m owner` of iptables): SYN-ACKs of a listener count as its owner's.  Those that carry a
# SYN cookie do not: Linux sends them without their listener, so that no rule by owner
# matches them.  A host with such rules and a policy of drop works until its first flood;
# then no SYN-ACK with a cookie leaves it.  Counters by owner are short of the same packets.
# Both families.
# Seen on Linux 6.18.  Needs unshare of util-linux, iproute2, nft and python3.
# Exit: 0 as described, 1 changed, 77 no nft or no network namespace can be made.
set -u
unshare -rn nft list ruleset >/dev/null 2>&1 || { echo "no namespace or no nft"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import json
import socket
import subprocess
import sys

RULES = """
table inet filter {
    chain output {
        type filter hook output priority 0; policy drop;
        tcp flags & (syn | ack) == syn | ack counter
        meta skuid 0 tcp flags & (syn | ack) == syn | ack counter accept
        meta skuid 0 accept
    }
}
"""
subprocess.run(("ip", "link", "set", "lo", "up"), check=True)


def counted():
    """SYN-ACKs so far: all, and those of an owner."""
    command = ("nft", "-j", "list", "chain", "inet", "filter", "output")
    listing = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    rules = [one["rule"]["expr"] for one in listing["nftables"] if "rule" in one]
    return [part["counter"]["packets"] for rule in rules for part in rule if "counter" in part]


def connects(family, address):
    with socket.create_server((address, 0), family=family) as server:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(0.5)
            try:
                client.connect(server.getsockname()[:2])
            except TimeoutError:
                return False
            return True


subprocess.run(("nft", "-f", "-"), input=RULES, text=True, check=True)
changed = False
for name, cookies, expected in (("the queue", 1, (True, 1, 1)), ("cookies", 2, (False, 1, 0))):
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w") as file:
        file.write(str(cookies))
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        before = counted()
        connected = connects(family, address)
        sent, owned = (new - old for new, old in zip(counted(), before))
        print(f"{family.name}, by {name}: {sent} SYN-ACK sent, {owned} of the owner,", end=" ")
        print("connected" if connected else "no connection")
        changed |= (connected, sent, owned) != expected
sys.exit(changed)
PY
