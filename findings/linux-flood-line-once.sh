#!/bin/sh
# "Possible SYN flooding on port ..." in the kernel's log, by which floods are noticed:
# - Linux writes it once in the life of a listening socket, not once a flood.  Of a server
#   that runs for months the first flood is in the log, and each later one is not, with
#   cookies sent as before; nor is any where net.ipv4.tcp_syncookies is 2.  Until the
#   server is restarted, only the counters (SyncookiesSent) say it.
# - logwatch 7.7 has a heading for floods, "Warning: SYN flood on", but looks for the line
#   of Linux 2.2 ("possible SYN flood from ADDRESS on ..."): today's is not in its report
#   at the detail that it has by default (Low), nor under that heading at any.
# Seen on Linux 6.18, through a TUN device in a network namespace of its own; it writes
# three lines into the kernel's log.
# Debian's package, unpacked in a temporary folder.
# Needs root, apt-get, dpkg-deb, perl, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 a version or the means are gone.
set -u
[ "$(id -u)" = 0 ] && [ -r /dev/kmsg ] || { echo "needs root"; exit 77; }
[ -c /dev/net/tun ] || { echo "no TUN"; exit 77; }
unshare -n true 2>/dev/null || { echo "no network namespace"; exit 77; }
for tool in apt-get dpkg-deb perl python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download logwatch=7.7-1 >/dev/null 2>&1 || { echo "logwatch is gone"; exit 77; }
dpkg-deb -x logwatch*.deb root
uname -sr
cat >flood.py <<'PY'
import errno
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def syn(source, port):
    ends = bytes([192, 0, 2, 2, 192, 0, 2, 1])
    tcp = struct.pack("!HHIIBBHHH", source, port, 1, 0, 0x50, 2, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    return ip[:10] + total(ip) + ip[12:] + tcp


def setting(name, value):
    with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
        file.write(str(value))


def counted(name):
    with open("/proc/net/netstat") as file:
        names, values = (line.split() for line in file if line.startswith("TcpExt"))
    return int(values[names.index(name)])


def flood(port):
    """How many cookies 20 SYNs got, how many were dropped, and what the log says."""
    before = counted("SyncookiesSent"), counted("ListenDrops")
    for source in range(1000, 1020):
        os.write(tun, syn(source, port))
    time.sleep(0.1)
    lines = []
    while True:
        try:
            lines.append(os.read(log, 8192).decode().partition(";")[2].splitlines()[0])
        except BlockingIOError:
            break
        except OSError as error:  # lines were lost to this reader
            if error.errno != errno.EPIPE:
                raise
    lines = [line for line in lines if "SYN flooding" in line and f":{port}." in line]
    time.sleep(2.5)  # half-open connections are given up after 1 s
    after = counted("SyncookiesSent"), counted("ListenDrops")
    return after[0] - before[0], after[1] - before[1], lines


def listener(port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("192.0.2.1", port))
    server.listen(4)
    return server


tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
commands = "ip addr add 192.0.2.1/24 dev t0 && ip link set t0 up"
subprocess.run(commands, shell=True, check=True)
setting("tcp_synack_retries", 0)
log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
os.lseek(log, 0, os.SEEK_END)
PORT = 10000 + os.getpid() % 20000
seen = {}
setting("tcp_syncookies", 1)
with listener(PORT) as server:
    seen["first flood"] = flood(PORT)
    seen["second flood"] = flood(PORT)
with listener(PORT) as server:
    seen["flood of a new listener"] = flood(PORT)
setting("tcp_syncookies", 2)
with listener(PORT + 1) as server:
    seen["flood, tcp_syncookies=2"] = flood(PORT + 1)
setting("tcp_syncookies", 0)
with listener(PORT + 2) as server:
    seen["flood, tcp_syncookies=0"] = flood(PORT + 2)
for name, (cookies, drops, lines) in seen.items():
    print(f"{name}: cookies {cookies}, ListenDrops {drops}, log {lines}")


def logwatch(line, detail):
    share = "root/usr/share/logwatch"
    command = ["perl", f"-I{share}/lib", f"{share}/scripts/services/kernel"]
    environment = {**os.environ, "LOGWATCH_DETAIL_LEVEL": detail}
    return subprocess.run(
        command, input=line + "\n", text=True, capture_output=True, env=environment
    ).stdout


(line,) = seen["first flood"][2] or ["none"]
old = "Warning: possible SYN flood from 192.0.2.2 on 192.0.2.1:80.  Sending cookies."
reports = {
    (name, detail): logwatch(text, detail)
    for name, text in (("today's", line), ("of 2.2", old))
    for detail in ("0", "10")
}
for (name, detail), report in reports.items():
    print(f"logwatch, line {name}, detail {detail}: {' '.join(report.split())!r}")
expected = {
    "first flood": (15, 0, 1),
    "second flood": (15, 0, 0),
    "flood of a new listener": (15, 0, 1),
    "flood, tcp_syncookies=2": (20, 0, 0),
    "flood, tcp_syncookies=0": (0, 15, 1),
}
found = {name: (cookies, drops, len(lines)) for name, (cookies, drops, lines) in seen.items()}
sys.exit(
    found != expected
    or reports["today's", "0"] != ""
    or "SYN flood on:" in reports["today's", "10"]
    or "SYN flood on:" not in reports["of 2.2", "0"]
)
PY
unshare -n python3 flood.py
