"""syncache/pcapng.py: blocks that Wireshark reads."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest
from needs import wanted

from syncache import Ring, Segment, pcapng
from syncache.links.replay import CaptureReader, captured_at

PACKET = Segment(src="192.0.2.1", dst="192.0.2.2", sport=1, dport=2, flags=2).packet()
SIX = Segment(
    src="2001:db8::1", dst="2001:db8::2", sport=3, dport=4, flags=16, payload=bytes(300)
).packet()
TIME = 1_795_942_620.123456


@pytest.fixture
def file(tmp_path):
    """Two interfaces, two packets, a comment of every kind of character."""
    path = tmp_path / "x.pcapng"
    path.write_bytes(
        pcapng.section("syncache")
        + pcapng.interface("outside")
        + pcapng.interface("inside")
        + pcapng.packet(0, TIME, PACKET, "dropped: bad ack \u00e9")
        + pcapng.packet(1, TIME + 1, SIX[:128], "forwarded", len(SIX))
    )
    return path


def test_blocks_are_whole(file):
    """Each is a multiple of four, and its length stands at both ends."""
    data = file.read_bytes()
    kinds = []
    while data:
        kind, size = struct.unpack_from("<II", data)
        assert 0 == size % 4
        assert (size,) == struct.unpack_from("<I", data, size - 4)
        kinds.append(kind)
        data = data[size:]
    assert [pcapng.SECTION, 1, 1, 6, 6] == kinds


def test_our_reader_reads_it(file):
    """Packets and times come back."""
    ring = Ring()
    reader = CaptureReader(file)
    while reader.receive(ring):
        pass
    assert 2 == len(ring)
    assert PACKET == bytes(ring[0])
    first = captured_at(ring, 0) - reader.shift
    assert first == pytest.approx(TIME, abs=1e-3)
    reader.close()


@wanted(found=shutil.which("tshark"), what="tshark: apt-get install tshark")
def test_tshark_shows_the_comments(file):
    """Beside the packets, with their interfaces and times."""
    words = ["tshark", "-r", str(file), "-T", "fields", "-E", "separator=|"]
    for name in (
        "frame.comment",
        "frame.interface_name",
        "frame.time_epoch",
        "frame.len",
    ):
        words += ["-e", name]
    shown = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=60
    )
    first, second = (line.split("|") for line in shown.stdout.splitlines())
    assert ["dropped: bad ack \u00e9", "outside"] == first[:2]
    assert ["forwarded", "inside"] == second[:2]
    assert second[3] == str(len(SIX))


def test_long_comment_is_cut_and_times_stay_within_bounds():
    """Whatever a caller gives."""
    block = pcapng.packet(0, -5.0, b"", "x" * 10**6)
    assert len(block) < pcapng.COMMENT_MAX + 100
    assert pcapng.packet(0, 1e30, b"abc", "\ud800")
