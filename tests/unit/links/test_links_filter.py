"""Filters of tcpdump, compiled by libpcap, run by C, against tcpdump itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from needs import wanted
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.utils import wrpcap

from syncache import Ring
from syncache.links import filter as filters
from syncache.links.link import LinkError
from syncache.links.replay import CaptureReader

EXPRESSIONS = [
    "tcp",
    "tcp port 80",
    "udp and portrange 1000-2000",
    "src net 192.0.2.0/24",
    "ip6",
    "icmp or arp",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "vlan 5 and tcp",
    "greater 100",
    "not host 192.0.2.9",
    "ip[2:2] - ((ip[0] & 0xf) << 2) > 20",
    "tcp[12] / 16 * 4 = 20 and len % 2 = 0",
    "ether host 02:00:00:00:00:01",
]
tcpdump = wanted(found=shutil.which("tcpdump"), what="tcpdump: apt-get install tcpdump")
libpcap = wanted(
    found=filters._library() or shutil.which("tcpdump"),
    what="libpcap: apt-get install libpcap0.8",
)


def frames():
    found = []
    for i in range(64):
        ether = Ether(src=f"02:00:00:00:00:0{i % 3}", dst="02:00:00:00:00:09")
        ends = {"src": f"192.0.{2 + i % 2}.{i % 12}", "dst": "192.0.2.200"}
        ip = IPv6(src="2001:db8::1", dst="2001:db8::2") if i % 5 == 4 else IP(**ends)
        upper = (
            TCP(sport=900 + 50 * i, dport=80 + i % 2, flags=["S", "A", "FA"][i % 3]),
            UDP(sport=900 + 50 * i, dport=53),
            ICMP() if i % 5 != 4 else TCP(dport=443),
        )[i % 3]
        tag = Dot1Q(vlan=5) / ip if i % 7 == 0 else ip
        found.append(ether / tag / upper / bytes(i * 3) if i % 11 else ether / ARP())
    return found


def accepted(path, expression):
    reader, rx = CaptureReader(path, expression=expression), Ring(256, 2048)
    while reader.receive(rx):
        rx.clear()
    counts = reader.counts()
    reader.close()
    assert counts["packets"] + counts["filtered"] == 64
    return counts["packets"]


@libpcap
@pytest.mark.parametrize("expression", EXPRESSIONS)
@tcpdump
def test_what_a_filter_accepts_is_what_tcpdump_accepts(tmp_path, expression):
    """Program by program."""
    path = tmp_path / "a.pcap"
    wrpcap(str(path), frames())
    run = subprocess.run(
        ["tcpdump", "-n", "-r", str(path), expression],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert len(run.stdout.splitlines()) == accepted(path, expression)


@tcpdump
@libpcap
@pytest.mark.parametrize("linktype", [1, 101, 113])
def test_tcpdump_compiles_the_same_where_libpcap_is_missing(monkeypatch, linktype):
    """It is asked with an empty file."""
    made = filters.compiled("tcp port 80", linktype)
    monkeypatch.setattr(filters, "_library", lambda: None)
    assert made == filters.compiled("tcp port 80", linktype)
    with pytest.raises(LinkError, match="filter 'no such': "):
        filters.compiled("no such", linktype)


def test_without_a_compiler_the_message_names_the_package(monkeypatch):
    """One line."""
    monkeypatch.setattr(filters, "_library", lambda: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(LinkError, match="apt install libpcap"):
        filters.compiled("tcp", 1)


@libpcap
def test_a_wrong_expression_is_one_line():
    """With the compiler's reason."""
    with pytest.raises(LinkError, match="filter 'tcp prt 80': ") as caught:
        filters.compiled("tcp prt 80", 1)
    assert "\n" not in str(caught.value)
