"""What the tests of both frame links do with a `Wire`: curl, and SYNs in VLANs."""

from __future__ import annotations

import hashlib
import os

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from syncache.segment import Segment

BULK_BYTES = 100_000_000
CURL_REFUSED, CURL_TIMED_OUT = 7, 28
URL_HOST = {4: "198.18.0.2", 6: "[fd00:18::2]"}
MAC_C, MAC_S = "02:00:00:00:00:01", "02:00:00:00:00:02"

VLANS = {
    "untagged": (),
    "802.1Q": (Dot1Q(vlan=7, prio=5),),
    "802.1ad": (Dot1AD(vlan=70), Dot1Q(vlan=7)),
}
ENDS = {
    "IPv4": IP(src="198.18.0.9", dst="198.18.0.2"),
    "IPv6": IPv6(src="fd00:18::9", dst="fd00:18::2"),
}


def download(wire, family, size, directory):
    """Fetch `size` bytes with curl; their SHA-256."""
    file = directory / "body"
    url = f"http://{URL_HOST[family]}/{size}"
    words = ("-sS", "--fail", "-m", "99", "-w", "%{speed_download}", "-o", file, url)
    speed = float(wire.client.run("curl", *words))
    print(f"{url}: {speed / 1e6:.0f} MB/s")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def upload(wire, family, size, directory):
    """Send `size` zero bytes with curl; the SHA-256 that the server computed."""
    file, answer = directory / "body", directory / "answer"
    file.write_bytes(bytes(size))
    url = f"http://{URL_HOST[family]}/upload"
    words = ("-sS", "--fail", "-m", "99", "-o", answer, "-T", file, url)
    wire.client.run("curl", *words)
    return answer.read_text()


def connect(wire, seconds=99):
    """Ask the server's port 80 for a byte; what curl says of it."""
    words = ("-sS", "-m", str(seconds), "-o", os.devnull, f"http://{URL_HOST[4]}/1")
    process = wire.client.start("curl", *words)
    process.communicate()
    return process.returncode


def tagged_syn(ip, vlans):
    """Make a SYN in VLANs, and the Ethernet header that its answer has to have."""
    there, back = Ether(src=MAC_C, dst=MAC_S), Ether(src=MAC_S, dst=MAC_C)
    for vlan in vlans:
        there, back = there / vlan, back / vlan
    syn = bytes(there / ip / TCP(sport=4000, dport=80, seq=9, flags="S"))
    size = len(bytes(there))
    return syn, bytes(back)[:-2] + syn[size - 2 : size]


def expect_replies_through_vlans(wire):
    """The answer to each such SYN comes with this header."""
    for name, ip in ENDS.items():
        for tags, vlans in VLANS.items():
            syn, header = tagged_syn(ip, vlans)
            (answer,) = wire.client.python("frames", ["c0", [syn.hex()], 1])
            frame = bytes.fromhex(answer)
            assert frame[: len(header)] == header, (name, tags)
            segment = Segment.parse(frame[len(header) :])
            assert (segment.sport, segment.dport, segment.ack) == (80, 4000, 10)
