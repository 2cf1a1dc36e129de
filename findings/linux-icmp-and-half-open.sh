#!/bin/sh
# RFC 1122 (4.2.3.9) and RFC 5461 divide ICMP errors into soft ones, which must not end a
# connection (net or host unreachable, time exceeded), and hard ones (protocol or port
# unreachable).  For a half-open connection of a listener Linux has it the other way round
# over IPv4: the soft ones delete the entry at once, and the hard ones do nothing.  Over
# IPv6 port unreachable and "administratively prohibited" delete it, and no route, address
# unreachable and time exceeded do nothing.  So a router that loses its route for a moment
# ends half-open connections of the one family only.
# Each entry that is deleted so counts as ListenDrops, by which a full queue is noticed.
# Seen on Linux 6.18.  Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 no network namespace or no veth.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
unshare -rn ip link add va type veth peer name vb 2>/dev/null || { echo "no veth"; exit 77; }
uname -sr
unshare -rn python3 - <<'PY'
import socket
import struct
import subprocess
import sys
import time

NEAR, FAR = b"\2\0\0\0\0\1", b"\2\0\0\0\0\x09"
ENDS = {4: ("192.0.2.9", "192.0.2.1"), 6: ("2001:db8::9", "2001:db8::1")}
for line in (
    "link set lo up",
    "link add va address 02:00:00:00:00:01 type veth peer name vb address 02:00:00:00:00:09",
    "link set va up",
    "link set vb up",
    f"address add {ENDS[4][1]}/24 dev va",
    f"address add {ENDS[6][1]}/64 dev va nodad",
    f"neighbour add {ENDS[4][0]} lladdr 02:00:00:00:00:09 dev va",
    f"neighbour add {ENDS[6][0]} lladdr 02:00:00:00:00:09 dev va",
):
    subprocess.run(("ip", *line.split()), check=True)


def total(data):
    data += bytes(len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def frame(family, protocol, body, place):
    """The body, its checksum put in its place, behind headers of IP and Ethernet."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    ends = b"".join(socket.inet_pton(kind, end) for end in ENDS[family])
    pseudo = b"" if protocol == 1 else ends + struct.pack("!II", len(body), protocol)
    body = body[:place] + total(pseudo + body) + body[place + 2 :]
    if family == 6:
        ip = struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + ends
        return NEAR + FAR + b"\x86\xdd" + ip + body
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0x4000, 64, protocol, 0) + ends
    return NEAR + FAR + b"\x08\0" + ip[:10] + total(ip) + ip[12:] + body


def segment(family, source, flags):
    tcp = struct.pack("!HHIIBBHHHI", source, 80, 1, 0, 0x60, flags, 9000, 0, 0, 0x020405B4)
    return frame(family, 6, tcp, 16)


def half_open():
    rows = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}")]
    return sum(row[3] == "03" for row in rows)


def listen_drops():
    names, values = (line.split() for line in list(open("/proc/net/netstat"))[:2])
    return int(values[names.index("ListenDrops")])


listeners = [
    socket.create_server((ENDS[4][1], 80)),
    socket.create_server((ENDS[6][1], 80), family=socket.AF_INET6),
]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("vb", 3))
wire.settimeout(2)


def deleted(family, source, kind, code):
    """Whether the error deletes the half-open connection, and what ListenDrops says."""
    wire.send(segment(family, source, 2))
    port = struct.pack("!HH", 80, source)
    place = 34 if family == 4 else 54
    while True:
        answer, address = wire.recvfrom(2048)
        if address[2] != socket.PACKET_OUTGOING and answer[place : place + 4] == port:
            break
    before = half_open(), listen_drops()
    error = struct.pack("!BBHI", kind, code, 0, 0) + answer[14:]
    wire.send(frame(family, 1 if family == 4 else 58, error, 2))
    time.sleep(0.05)
    after = half_open(), listen_drops()
    wire.send(segment(family, source, 4))  # a reset: whatever is left goes
    time.sleep(0.02)
    return before[0] - after[0], after[1] - before[1]


changed, source = False, 40000
for family, kind, code, name, expected in (
    (4, 3, 0, "net unreachable (soft)", 1),
    (4, 3, 1, "host unreachable (soft)", 1),
    (4, 11, 0, "time exceeded (soft)", 1),
    (4, 3, 2, "protocol unreachable (hard)", 0),
    (4, 3, 3, "port unreachable (hard)", 0),
    (4, 3, 13, "prohibited", 0),
    (6, 1, 0, "no route (soft)", 0),
    (6, 1, 3, "address unreachable (soft)", 0),
    (6, 3, 0, "time exceeded (soft)", 0),
    (6, 1, 4, "port unreachable (hard)", 1),
    (6, 1, 1, "prohibited", 1),
):
    source += 1
    gone, drops = deleted(family, source, kind, code)
    result = "the entry is deleted" if gone else "nothing happens"
    print(f"IPv{family}, {name}: {result}, ListenDrops +{drops}")
    changed |= (gone, drops) != (expected, expected)
sys.exit(changed)
PY
