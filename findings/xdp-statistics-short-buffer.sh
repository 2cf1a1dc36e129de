#!/bin/sh
# getsockopt(XDP_STATISTICS) of AF_XDP knows two sizes: with a buffer of 48 bytes it fills
# struct xdp_statistics, and with anything from 24 to 47 bytes it fills 24, the three
# members of Linux 5.4.  So a program that asks for the first four, 32 bytes, to learn
# rx_ring_full, gets no error and no fourth member.
# Seen on Linux 6.18.  Needs unshare of util-linux and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace or no AF_XDP here.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import socket
import sys

AF_XDP, SOL_XDP, XDP_STATISTICS = 44, 283, 7
try:
    sock = socket.socket(AF_XDP, socket.SOCK_RAW)
except OSError as error:
    print("no AF_XDP:", error)
    sys.exit(77)
with sock:
    seen = {}
    for size in (16, 24, 32, 40, 47, 48, 64):
        try:
            seen[size] = len(sock.getsockopt(SOL_XDP, XDP_STATISTICS, size))
        except OSError as error:
            seen[size] = error.strerror
print(seen)
expected = {16: "Invalid argument", 24: 24, 32: 24, 40: 24, 47: 24, 48: 48, 64: 48}
sys.exit(seen != expected)
PY
