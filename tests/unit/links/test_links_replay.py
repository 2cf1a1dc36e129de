"""Capture files through C: the packets of every kind, and what is wrong with others."""

from __future__ import annotations

import io
import struct
import sys

import pytest

from syncache import Ring, Segment
from syncache.links import capture
from syncache.links.link import LinkError
from syncache.links.replay import CaptureReader, captured_at

IP = Segment(src="192.0.2.1", dst="192.0.2.2", sport=1, dport=2, flags=2).packet()


def classic(frames, linktype=101, size=None):
    data = capture.header(linktype, 65535)
    for time, frame in frames:
        data += capture.record(time, frame)
    return data[:size]


@pytest.fixture
def write(tmp_path):
    def write(data):
        path = tmp_path / "a.pcap"
        path.write_bytes(data)
        return path

    return write


def read(path, slots=4):
    """Read all: packets with their times."""
    reader, rx, found = CaptureReader(path), Ring(slots, 2048), []
    try:
        while reader.receive(rx):
            found += [(captured_at(rx, i), bytes(rx[i])) for i in range(len(rx))]
            rx.clear()
    finally:
        reader.close()
    return found


def test_packets_come_with_the_time_of_their_capture(write):
    """Ten of them through a ring of four, to the millisecond."""
    frames = [(1.5004 + i / 1000, IP + bytes([i])) for i in range(10)]
    found = read(write(classic(frames)))
    assert [frame for _, frame in frames] == [packet for _, packet in found]
    assert [int(time * 1000) for time, _ in frames] == [
        round(time * 1000) for time, _ in found
    ]


def test_standard_input_is_a_capture_too(write, monkeypatch):
    """A pipe cannot be sought in; nothing needs that."""
    data = io.BytesIO(classic([(1.0, IP)]))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert [(1.0, IP)] == read("-")


def test_counts_tell_what_was_skipped(write):
    """ARP is no packet of ours."""
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    reader = CaptureReader(write(classic([(1.0, arp)], linktype=1)))
    rx = Ring(4, 2048)
    assert 0 == reader.receive(rx)
    assert (1, 1) == (reader.packets, reader.skipped)
    assert reader.fileno() > 2
    rx.push(IP)
    assert 1 == reader.send(rx)
    reader.close()


def test_a_record_longer_than_the_buffer_is_read(write, monkeypatch):
    """The buffer grows with what has to lie in it."""
    monkeypatch.setattr("syncache.links.replay.BUFFER_BYTES", 64)
    frames = [(1.0, IP), (2.0, IP + bytes(500)), (3.0, IP)]
    assert [packet for _, packet in read(write(classic(frames)))] == [
        frame for _, frame in frames
    ]


def long_record():
    return classic([]) + struct.pack("<IIII", 1, 0, 2**25, 2**25)


def odd_block():
    section = struct.pack("<IIIIqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, -1, 28)
    return section + struct.pack("<II", 6, 13) + bytes(20)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\xd4\xc3", "is not a pcap or pcapng file"),
        (b"GIF89a" * 10, "is not a pcap or pcapng file"),
        (classic([(1.0, IP)], size=-1), "is damaged: it ends within a record"),
        (classic([(1.0, IP)], size=30), "is damaged: it ends within a record"),
        (long_record(), "is damaged: a record is too long"),
        (odd_block(), "is damaged: a block contradicts itself"),
    ],
)
def test_what_is_no_good_capture_is_one_line(write, data, message):
    """File and reason, so that the operator knows what to do."""
    path = write(data)
    with pytest.raises(LinkError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    """As any other operator's mistake."""
    with pytest.raises(LinkError, match=r"cannot read .*: No such file"):
        CaptureReader(tmp_path / "none")
    with pytest.raises(LinkError, match=r"cannot read .*: Is a directory; name the"):
        CaptureReader(tmp_path)


def test_a_capture_without_packets_is_one(write):
    """It only ends at once."""
    assert [] == read(write(classic([])))


def test_packets_before_the_damage_come_first(write):
    """And then the error, again and again."""
    reader = CaptureReader(write(classic([(1.0, IP), (2.0, IP)], size=-1)))
    rx = Ring(4, 2048)
    assert 1 == reader.receive(rx)
    for _ in range(2):
        with pytest.raises(LinkError, match="damaged"):
            reader.receive(rx)
    reader.close()
