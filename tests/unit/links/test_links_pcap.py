"""Capture files in and out, with scapy as the independent hand."""

from __future__ import annotations

import struct
from contextlib import closing

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.utils import PcapNgWriter, rdpcap, wrpcap

from syncache.links import Link, LinkError
from syncache.links.memory import pair
from syncache.links.pcap import PcapReader, PcapWriter
from syncache.ring import Ring

V4 = bytes(IP(src="192.0.2.1", dst="192.0.2.2") / TCP(flags="S"))
V6 = bytes(IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(flags="S"))


def packets_of(path) -> list[bytes]:
    with closing(PcapReader(path)) as reader:
        return [packet for _, packet in reader]


def test_classic_capture_gives_its_ip_packets_in_order(tmp_path):
    """Ethernet with and without VLAN; ARP is skipped and counted."""
    path = tmp_path / "a.pcap"
    frames = [Ether() / IP(V4), Ether() / ARP(), Ether() / Dot1Q(vlan=5) / IPv6(V6)]
    wrpcap(str(path), frames)
    assert packets_of(path) == [V4, V6]
    reader = PcapReader(path)
    assert isinstance(reader, Link)
    assert reader.receive(Ring(16)) == 2
    assert reader.skipped == 1
    reader.close()


def test_ng_capture_gives_packets_and_times(tmp_path):
    """Iterating tells when each was captured."""
    path = tmp_path / "a.pcapng"
    writer = PcapNgWriter(str(path))
    for seconds, packet in ((1000.25, V4), (1001.5, V6)):
        frame = Ether() / (IP(packet) if packet == V4 else IPv6(packet))
        frame.time = seconds
        writer.write(frame)
    writer.close()
    with closing(PcapReader(path)) as reader:
        assert [(1000.25, V4), (1001.5, V6)] == list(reader)


def test_small_ring_is_filled_again_and_again(tmp_path):
    """The reader goes on where the ring was full, and ends with 0."""
    path = tmp_path / "a.pcap"
    wrpcap(str(path), [IP(V4)] * 5)
    with closing(PcapReader(path)) as reader:
        assert [reader.receive(Ring(2)) for _ in range(4)] == [2, 2, 1, 0]


def test_reader_forgets_what_is_sent(tmp_path):
    """A replay has nowhere to send to; the ring is consumed."""
    path = tmp_path / "a.pcap"
    wrpcap(str(path), [IP(V4)])
    reader, tx = PcapReader(path), Ring(2)
    tx.push(V4)
    assert reader.send(tx) == 1
    assert tx.next == 1
    reader.close()


@pytest.mark.parametrize("kept", [20, 39, 40, 48])
def test_packet_cut_off_by_the_capture_is_filled_up_behind_its_headers(tmp_path, kept):
    """With its TCP header it has its length on the wire; without it is counted."""
    path = tmp_path / "a.pcap"
    packet = V4 + bytes([1] * 12)
    packet = packet[:2] + struct.pack(">H", len(packet)) + packet[4:]
    wrpcap(str(path), [IP(V4)])
    whole = path.read_bytes()
    record = struct.pack("<IIII", 0, 0, kept, len(packet)) + packet[:kept]
    path.write_bytes(whole[:24] + record + whole[24:])
    reader = PcapReader(path)
    found = [packet for _, packet in reader]
    reader.close()
    filled = packet[:kept] + bytes(len(packet) - kept)
    assert found == [filled, V4] if kept >= 40 else [V4]
    assert [("cut", 1)] * (kept < 40) == [(p.reason, p.packets) for p in reader.passed]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: no capture was written to it"),
        (b"\n", "is not a pcap or pcapng file"),
        (b"GIF89a" * 20, "is not a pcap or pcapng file"),
        (b"\xd4\xc3\xb2\xa1" + bytes(3), "is not a pcap or pcapng file"),
    ],
    ids=["empty", "short", "other", "cut"],
)
def test_file_that_is_no_capture_gives_one_line(tmp_path, content, message):
    """It names the file and what is wrong with it."""
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(LinkError) as caught:
        PcapReader(path)
    assert str(caught.value).startswith(f"{path} {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [PcapReader, PcapWriter])
def test_file_that_cannot_be_opened_gives_one_line(tmp_path, make):
    """It names the file and the reason."""
    path = tmp_path / "nowhere" / "a.pcap"
    with pytest.raises(LinkError, match=r"a\.pcap: No such file or directory"):
        make(path)


def write_ng(path):
    writer = PcapNgWriter(str(path))
    writer.write(Ether(dst="ff:ff:ff:ff:ff:ff") / IP(V4))
    writer.write(Ether(dst="ff:ff:ff:ff:ff:ff") / IPv6(V6))
    writer.close()


def write_classic(path):
    wrpcap(str(path), [IP(V4), IP(V4)])


@pytest.mark.parametrize("write", [write_ng, write_classic])
def test_cut_capture_gives_what_came_before_then_one_line(tmp_path, write):
    """Wherever the file ends, whole packets are given and nothing is invented."""
    path = tmp_path / "a"
    write(path)
    whole = path.read_bytes()
    packets = packets_of(path)
    assert len(packets) == 2
    damaged = 0
    for size in range(28, len(whole)):
        path.write_bytes(whole[:size])
        found, message = drained(path)
        assert found == packets[: len(found)]
        damaged += "is damaged: it ends within a" in message
        assert "\n" not in message
    assert damaged >= len(whole) - 28 - 4


def drained(path) -> tuple[list[bytes], str]:
    """What a reader gives ring by ring, and how it ended."""
    found, rx = [], Ring(1)
    with closing(PcapReader(path)) as reader:
        try:
            while reader.receive(rx):
                found.append(bytes(rx[0]))
                rx.clear()
        except LinkError as error:
            return found, str(error)
        return found, ""


@pytest.mark.parametrize("write", [write_ng, write_classic])
def test_any_changed_byte_gives_packets_or_one_line(tmp_path, write):
    """Damage of any kind never raises anything but LinkError."""
    path = tmp_path / "a"
    write(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for value in (0, 0x7F, 0xFF):
            path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            try:
                found, _ = drained(path)
            except LinkError:
                found = []
            assert len(found) <= 2


def test_damage_after_packets_in_one_ring_is_told_by_the_next_call(tmp_path):
    """No packet is lost to an error that came after it."""
    path = tmp_path / "a"
    write_classic(path)
    path.write_bytes(path.read_bytes()[:-1])
    rx = Ring(16)
    with closing(PcapReader(path)) as reader:
        assert reader.receive(rx) == 1
        for _ in range(2):
            with pytest.raises(LinkError, match="it ends within a record"):
                reader.receive(rx)


def test_writer_records_what_passes_in_both_directions(tmp_path):
    """Times and bytes are as scapy reads them; the packets go their way."""
    path = tmp_path / "a.pcap"
    near, far = pair()
    seconds = iter([1000.25, 1001.5])
    tap = PcapWriter(path, near, clock=lambda: next(seconds))
    tx, rx = Ring(2), Ring(2)
    tx.push(V4)
    assert tap.send(tx) == 1
    assert far.receive(rx) == 1
    tx.clear()
    tx.push(V6)
    far.send(tx)
    rx.clear()
    assert tap.receive(rx) == 1
    tap.close()
    far.close()
    assert [(1000.25, V4), (1001.5, V6)] == [
        (float(packet.time), bytes(packet)) for packet in rdpcap(str(path))
    ]


def test_packet_longer_than_a_slot_is_skipped(tmp_path):
    """It is counted, and the next one comes."""
    path = tmp_path / "a.pcap"
    wrpcap(str(path), [IP(V4) / bytes(200), IP(V4)])
    rx = Ring(4, 128)
    with closing(PcapReader(path)) as reader:
        assert reader.receive(rx) == 1
        assert reader.skipped == 1


def test_writer_passes_on_what_its_link_is(tmp_path):
    """MTU, super-segments and descriptor are those of the link below."""
    near, far = pair(mtu=9000, gso_max=65535)
    tap = PcapWriter(tmp_path / "a.pcap", near)
    assert (9000, 65535) == (tap.mtu, tap.gso_max)
    assert tap.fileno() == near.fileno()
    assert tap.next_deadline() is None
    tap.close()
    far.close()


def test_writer_without_room_raises_one_line():
    """A full disk is told as the others are."""
    with pytest.raises(LinkError, match="cannot write /dev/full: No space left"):
        PcapWriter("/dev/full")


def test_writer_alone_is_a_link_without_a_far_end(tmp_path):
    """It receives nothing and takes everything."""
    path = tmp_path / "a.pcap"
    writer, tx = PcapWriter(path), Ring(2)
    assert isinstance(writer, Link)
    tx.push(V4)
    tx.push(V6)
    assert writer.send(tx) == 2
    assert writer.receive(Ring(2)) == 0
    writer.close()
    assert packets_of(path) == [V4, V6]
