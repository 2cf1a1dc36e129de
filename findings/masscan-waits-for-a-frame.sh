#!/bin/sh
# masscan 1.3.2 with --wait 4 is to end four seconds after its last SYN.  It has found the
# port by then, and counts on ("waiting -1-secs", "-4-secs") until one more frame of any
# kind arrives at the interface: on a wire that is quiet it does not end, and one ping from
# elsewhere ends it.  Where the listener repeats its SYN-ACKs, as kernels do by default, or
# a switch sends hellos, nobody notices; under a limit of time the scan of a quiet wire has
# failed although the port was found.
# A kernel's listener on a veth pair in namespaces of its own, as root.
# Debian's packages, unpacked in a temporary folder.  Needs apt-get, dpkg-deb, unshare,
# nsenter, ip, ping and python3.
# Exit: 0 as described, 1 changed, 77 a version or the means are gone.
set -u
for tool in apt-get dpkg-deb unshare nsenter ip ping python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -n true 2>/dev/null || { echo "not root"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download masscan=2:1.3.2+ds1-1 libpcap0.8 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" tree; done
LD_LIBRARY_PATH=$(echo "$folder"/tree/usr/lib/*-linux-gnu) python3 - <<'PY'
import subprocess
import sys
import time

WAIT, LONG = 4, 15  # seconds: --wait, and when it is still there
CLIENT, SERVER, SCANNED, SCANNER = (
    "02:00:00:00:00:01", "02:00:00:00:00:02", "198.18.0.2", "198.18.0.9",
)
LISTEN = "import socket, time; s = socket.create_server(('', 80)); time.sleep(60)"


def inside(space, *words, **options):
    return subprocess.Popen(["nsenter", "-t", str(space.pid), "-n", *words], **options)


def do(space, *words):
    assert inside(space, *words, stdout=subprocess.DEVNULL).wait() == 0, words


spaces = [
    subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 90"],
                     stdout=subprocess.PIPE)
    for _ in range(2)
]
here, there = spaces
started = list(spaces)
try:
    for space in spaces:
        space.stdout.readline()
        do(space, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/tcp_synack_retries;"
           "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
    do(here, "ip", "link", "add", "va", "address", CLIENT, "type", "veth",
       "peer", "name", "vb", "address", SERVER, "netns", str(there.pid))
    for space, name, own in (here, "va", "198.18.0.1"), (there, "vb", SCANNED):
        do(space, "ip", "addr", "add", own + "/24", "dev", name)
        do(space, "ip", "link", "set", name, "up")
    for other in ("198.18.0.1", SCANNER):
        do(there, "ip", "neigh", "replace", other, "lladdr", CLIENT, "dev", "vb")
    started.append(inside(there, sys.executable, "-c", LISTEN))
    time.sleep(2)
    words = ["tree/usr/bin/masscan", "-p80", "--rate", "100", "--retries", "2"]
    words += ["--wait", str(WAIT), "--router-mac", SERVER, "--source-ip", SCANNER]
    scan = inside(here, *words, "-e", "va", SCANNED,
                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    started.append(scan)
    time.sleep(LONG)
    stays = scan.poll() is None
    do(there, "ping", "-q", "-c1", "-W1", "198.18.0.1")
    try:
        found = scan.communicate(timeout=10)[0]
        ends = True
    except subprocess.TimeoutExpired:
        found, ends = b"", False
finally:
    for process in started:
        process.kill()
seen = (stays, ends, b"Discovered open port 80/tcp" in found)
print(f"there after {LONG} s: {stays}; a ping ended it: {ends}; the port: {seen[2]}")
sys.exit(seen != (True, True, True))
PY
