#!/bin/sh
# Linux 6.12 and later detect networks that drop SYNs with MPTCP's option (blackholes): when
# the SYNs with it stay without an answer and one without it has one, multipath TCP is off
# for all connections of the network namespace, for an hour (net.mptcp.blackhole_timeout).
# A server whose accept queue is full for three seconds drops SYNs of any kind, and looks
# the same.  So one such server, here on the loopback interface, where no network can drop
# an option, and all other servers of that client speak plain TCP from then on, until the
# setting is written anew.  The sockets stay of IPPROTO_MPTCP, connect() is right.
# Seen on Linux 6.18.  Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace or no multipath TCP.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
[ -e /proc/sys/net/mptcp/blackhole_timeout ] || { echo "no blackhole detection"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import socket
import subprocess
import sys
import threading
import time

SOL_MPTCP, MPTCP_INFO = 284, 1
TIMEOUT = "/proc/sys/net/mptcp/blackhole_timeout"
subprocess.run(("ip", "link", "set", "lo", "up"), check=True)


def made():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


def multipath(end):
    """Whether a connection speaks multipath TCP: otherwise the option is not supported."""
    try:
        end.getsockopt(SOL_MPTCP, MPTCP_INFO, 200)
    except OSError:
        return False
    return True


def connect(server, to_do=lambda: None):
    """Whether a new connection speaks it, and the seconds that it took."""
    start = time.monotonic()
    with made() as client:
        waiting = threading.Thread(target=to_do)
        waiting.start()
        client.connect(server.getsockname())
        waiting.join()
        found = multipath(client)
    server.accept()[0].close()
    return found, round(time.monotonic() - start)


def later():
    time.sleep(2.5)
    slow.accept()[0].close()


with open(TIMEOUT) as file:
    timeout = file.read().strip()
with made() as other, made() as slow, socket.socket() as first:
    other.bind(("127.0.0.2", 0))
    other.listen(8)
    slow.bind(("127.0.0.1", 0))
    slow.listen(0)
    found = [connect(other)]
    print("another server at first: multipath {}, {} s".format(*found[-1]))
    first.connect(slow.getsockname())  # fills the queue
    found.append(connect(slow, later))
    print("the server that accepts after 2.5 s: multipath {}, {} s".format(*found[-1]))
    found.append(connect(other))
    print(f"the other server, for {timeout} s from now on:", end=" ")
    print("multipath {}, {} s".format(*found[-1]))
    with open(TIMEOUT, "w") as file:
        file.write(timeout)
    found.append(connect(other))
    print("the same after the setting was written: multipath {}, {} s".format(*found[-1]))
sys.exit(found != [(True, 0), (False, 3), (False, 0), (True, 0)])
PY
