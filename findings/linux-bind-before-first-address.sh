#!/bin/sh
# A network namespace of Linux that never had an IPv4 address lets a socket bind any
# unicast address, as if net.ipv4.ip_nonlocal_bind were 1: bind() asks the local routing
# table, there is none yet, and the answer is taken for a broadcast address.  From the
# first address on, that of lo included, bind() fails with EADDRNOTAVAIL as expected, and
# goes on failing when that address is gone.  IPv6 refuses from the beginning.
# So a check of "is this address ours?" by bind() says yes in a fresh namespace.
# Seen on Linux 6.18.  Needs unshare of util-linux and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace can be made.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import fcntl
import socket
import struct
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, UP = 0x8913, 0x8914, 1


def bound(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as one:
        try:
            one.bind((address, 7777))
        except OSError as error:
            return error.strerror
        return "bound"


def lo(up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(one, SIOCGIFFLAGS, request))[1]
        flags = flags | UP if up else flags & ~UP
        fcntl.ioctl(one, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags))


def all_of_them():
    found = {a: bound(socket.AF_INET, a) for a in ("192.0.2.77", "8.8.8.8", "10.1.2.3")}
    return found | {"2001:db8::7": bound(socket.AF_INET6, "2001:db8::7")}


seen = {"fresh": all_of_them()}
lo(True)
seen["lo up"] = all_of_them()
lo(False)
seen["lo down again"] = all_of_them()
for when, found in seen.items():
    print(when, found)
refused = "Cannot assign requested address"
fresh = dict.fromkeys(("192.0.2.77", "8.8.8.8", "10.1.2.3"), "bound")
expected = {
    "fresh": fresh | {"2001:db8::7": refused},
    "lo up": dict.fromkeys(seen["fresh"], refused),
    "lo down again": dict.fromkeys(seen["fresh"], refused),
}
sys.exit(seen != expected)
PY
