#!/bin/sh
# sniff(session=TCPSession) of scapy 2.8.0 puts data in its place by sequence numbers, but
# not by their arithmetic (RFC 9293 3.4: modulo 2^32, and a SYN takes one).  Of a request
# whose sequence numbers wrap nothing comes out; of one whose first bytes came with the SYN
# (RFC 7413) the rest stands one byte too far, with a NUL in the gap, so that the header
# line behind it is lost.  tshark and the hosts themselves read all three alike.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install scapy==2.8.0 || exit 77
"$folder/v/bin/python" - "$folder/file.pcap" <<'PY'
import logging
import sys

logging.disable(logging.CRITICAL)
from scapy.all import IP, TCP, Ether, Raw, TCPSession, conf, sniff, wrpcap
from scapy.layers.http import HTTPRequest

conf.verb = 0
PARTS = (b"GET / HTTP/1.1\r\n", b"Host: example.net\r\nAccept: */*\r\n", b"\r\n")


def packet(seq, flags, data=b""):
    head = IP(src="192.0.2.1", dst="198.51.100.2")
    tcp = TCP(sport=40000, dport=80, seq=seq % 2**32, ack=8, flags=flags, window=9000)
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / head / tcp / Raw(data)


def client(iss, parts, with_syn):
    """Packets of a client that sends the first of the parts with its SYN, or not."""
    early, parts = (parts[0], parts[1:]) if with_syn else (b"", parts)
    packets, seq = [packet(iss, "S", early)], iss + 1 + len(early)
    packets.append(packet(seq, "A"))
    for part in parts:
        packets.append(packet(seq, "PA", part))
        seq += len(part)
    return packets


def requests(packets):
    wrpcap(sys.argv[1], packets)
    session = sniff(offline=sys.argv[1], session=TCPSession)
    found = [each[HTTPRequest] for each in session if HTTPRequest in each]
    return [(each.Host, bytes(each.underlayer.payload)) for each in found]


text = b"".join(PARTS)
cases = {
    "ordinary": (1000, False, [(b"example.net", text)]),
    "wraps behind the SYN": (2**32 - 10, False, []),
    "begins with the SYN": (1000, True, [(None, PARTS[0] + b"\0" + b"".join(PARTS[1:]))]),
}
changed = False
for name, (iss, with_syn, expected) in cases.items():
    found = requests(client(iss, PARTS, with_syn))
    print(f"{name}: {found}")
    changed |= found != expected
sys.exit(changed)
PY
