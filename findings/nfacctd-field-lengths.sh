#!/bin/sh
# In NetFlow 9 and IPFIX a template gives each field its length.  RFC 7125 makes
# tcpControlBits two bytes, and RFC 7011 (6.2) lets a counter have any length from one byte
# to its type's eight.  nfacctd of pmacct 1.7.7 takes the flow and loses the value, without
# an error or a warning:
# - TCP flags of two bytes are 0, so that no SYN is found in them;
# - packets and bytes of 1, 2, 3, 5 or 6 bytes are 0; it has 4 and 8 alone.
# nfcapd of nfdump 1.7.1 reads all of these lengths, in both formats.
# Servers on the loopback interface of a network namespace of its own.
# Debian's packages, unpacked in a temporary folder.
# Needs apt-get, dpkg-deb, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 a version or the namespace is gone.
set -u
for tool in apt-get dpkg-deb unshare ip python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download nfdump=1.7.1-2+deb12u1 pmacct=1.7.7-1+b1 libjansson4 libmariadb3 \
    libmaxminddb0 libnetfilter-log1 libnfnetlink0 libnorm1 libpcap0.8 libpgm-5.3-0 libpq5 \
    librabbitmq4 librdkafka1 libsodium23 libsqlite3-0 libzmq5 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
printf '%s\n' "plugins: print" "print_output: csv" "print_refresh_time: 3600" \
    "aggregate: src_host, dst_host, tcpflags" "nfacctd_ip: 127.0.0.1" >conf
cat >export.py <<'PY'
import glob
import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

START = 1_600_000_000


def number(value, size):
    return value.to_bytes(size, "big")


def message(version, flags_size, counter_size, packets, octets):
    """A template and one flow, whose flags are SYN and ACK."""
    fields = [(8, bytes([192, 0, 2, 1])), (12, bytes([198, 51, 100, 2]))]
    fields += [(7, b"\x9c\x40"), (11, b"\0\x50"), (4, b"\6"), (6, number(18, flags_size))]
    fields += [(2, number(packets, counter_size)), (1, number(octets, counter_size))]
    if version == 9:
        fields += [(22, number(10_000, 4)), (21, number(12_500, 4))]
    else:
        fields += [(150, number(START + 10, 4)), (151, number(START + 12, 4))]
    template = struct.pack("!HH", 256, len(fields))
    template += b"".join(struct.pack("!HH", kind, len(value)) for kind, value in fields)
    flow = b"".join(value for _, value in fields)
    flow += bytes(-len(flow) % 4)
    body = struct.pack("!HH", 0 if version == 9 else 2, 4 + len(template)) + template
    body += struct.pack("!HH", 256, 4 + len(flow)) + flow
    if version == 9:
        return struct.pack("!HHIIII", 9, 2, 60_000, START + 60, 0, 7) + body
    return struct.pack("!HHIII", 10, 16 + len(body), START + 60, 0, 7) + body


def collect(command, port, data, end):
    """What a collector prints that gets the message and is told to end."""
    null = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=null, text=True)
    for _ in range(200):
        with open("/proc/net/udp") as file:
            if f":{port:04X} " in file.read():
                break
        time.sleep(0.05)
    time.sleep(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, ("127.0.0.1", port))
    time.sleep(1)
    server.send_signal(end)
    return server.communicate(timeout=30)[0]


def by_nfacctd(data, port):
    with open("conf") as file, open(f"conf{port}", "w") as own:
        own.write(f"{file.read()}nfacctd_port: {port}\n")
    command = ["root/usr/sbin/nfacctd", "-f", f"conf{port}"]
    out = collect(command, port, data, signal.SIGINT)
    (line,) = (line for line in out.splitlines() if line.startswith("192.0.2.1"))
    return tuple(int(value) for value in line.split(",")[2:])


def by_nfcapd(data, port):
    folder = f"flows{port}"
    os.mkdir(folder)
    command = ["root/usr/bin/nfcapd", "-w", folder, "-b", "127.0.0.1", "-p", f"{port}"]
    collect(command, port, data, signal.SIGTERM)
    (name,) = glob.glob(f"{folder}/nfcapd.2*")
    command = ["root/usr/bin/nfdump", "-q", "-N", "-r", name, "-o", "fmt:%flg %pkt %byt"]
    flags, packets, octets = subprocess.check_output(command, text=True).split()
    return {"...A..S.": 18}.get(flags, flags), int(packets), int(octets)


def read(number, case):
    """What both collectors have of a message."""
    data = message(*case)
    return by_nfacctd(data, 9000 + 2 * number), by_nfcapd(data, 9001 + 2 * number)


CASES = [
    (version, *sizes)
    for version, sizes in itertools.product(
        (9, 10),
        (
            (1, 4, 70_000, 5_000_000),
            (1, 8, 70_000, 5_000_000),
            (2, 4, 70_000, 5_000_000),
            (1, 1, 5, 200),
            (1, 2, 700, 50_000),
            (1, 3, 70_000, 5_000_000),
            (1, 5, 70_000, 5_000_000),
            (1, 6, 70_000, 5_000_000),
        ),
    )
]
changed = False
with ThreadPoolExecutor(4) as pool:
    results = list(pool.map(read, range(len(CASES)), CASES))
for (version, flags_size, size, packets, octets), found in zip(CASES, results):
    name = "NetFlow 9" if version == 9 else "IPFIX"
    print(f"{name}, flags of {flags_size}, counters of {size} bytes:", end=" ")
    print("flags, packets, bytes: nfacctd", *found[0], "nfcapd", *found[1])
    lost = (18 if flags_size == 1 else 0, *((packets, octets) if size in (4, 8) else (0, 0)))
    changed |= found != (lost, (18, packets, octets))
sys.exit(changed)
PY
LD_LIBRARY_PATH=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':') \
    unshare -rn sh -c "ip link set lo up && exec python3 export.py"
