"""Tests of the segments' door to C: packets to values and back, straight into rings."""

from __future__ import annotations

import pytest

from syncache import Reason, Ring, Segment
from syncache._core.segment import SegmentWriter, build, parse
from syncache.segment import ACK, FIN, PSH
from syncache.tcp.departure import Departure

ENDS = (bytes((198, 51, 100, 7)) + bytes(12), 80, bytes((192, 0, 2, 1)) + bytes(12), 9)


def test_what_is_built_is_parsed_again(family):
    """The structure of C goes both ways."""
    ends = {4: ("192.0.2.1", "198.51.100.7"), 6: ("2001:db8::1", "2001:db8::7")}[family]
    packet = Segment(
        src=ends[0], dst=ends[1], sport=1, dport=2, seq=3, ack=4, flags=ACK
    ).packet()
    verdict, fields = parse(packet)
    assert Reason.PASS_KNOWN == verdict
    assert packet == build(fields, b"", b"")


def test_what_is_no_segment_has_its_reason():
    """The verdict is that of the engine."""
    assert Reason.DROP_TRUNCATED == parse(b"")[0]
    assert Reason.DROP_IP_HEADER == parse(bytes(40))[0]


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_writer_appends_a_whole_packet(size):
    """Addresses and ports are the connection's, all else the departure's."""
    writer = SegmentWriter(
        4, ENDS, hop_limit=64, tos=8, dont_fragment=True, flow_label=0
    )
    ring = Ring(2, 2048)
    writer.write(ring, Departure(5, 6, ACK, 77, b"", bytes(size), 0))
    one = Segment.parse(bytes(ring[0]))
    assert ("198.51.100.7", 80, "192.0.2.1", 9) == (
        one.src,
        one.sport,
        one.dst,
        one.dport,
    )
    assert (5, 6, ACK, 77, size) == (
        one.seq,
        one.ack,
        one.flags,
        one.window,
        len(one.payload),
    )
    assert (64, 8) == (one.hop_limit, one.tos)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("size", [1, 1000, 1001, 3000, 3001])
def test_super_segment_is_cut_into_the_segments_that_it_is(whole, size):
    """As if each had been written alone: PSH and FIN on the last, numbers go on."""
    writers = [
        SegmentWriter(4, ENDS, hop_limit=64, tos=8, dont_fragment=whole, flow_label=0)
        for _ in range(2)
    ]
    data = bytes(number % 251 for number in range(size))
    cut, alone = Ring(4, 2048), Ring(4, 2048)
    start = 0xFFFFFFFF - 1500
    parts = [data[at : at + 1000] for at in range(0, size, 1000)]
    last = Departure(start, 6, ACK | PSH | FIN, 77, bytes(12), memoryview(data), 1000)
    assert len(parts) == writers[0].cut(cut, last)
    for number, part in enumerate(parts):
        flags = ACK | PSH | FIN if number == len(parts) - 1 else ACK
        seq = start + 1000 * number & 0xFFFFFFFF
        writers[1].write(alone, Departure(seq, 6, flags, 77, bytes(12), part, 0))
    assert [bytes(cut[i]) for i in range(len(cut))] == [
        bytes(alone[i]) for i in range(len(alone))
    ]
    assert all(cut.gso_size(i) == 0 for i in range(len(cut)))


@pytest.mark.parametrize("whole", [False, True])
def test_packets_that_may_be_broken_up_have_numbers_of_their_own(whole):
    """RFC 6864 4: one after the other; where DF is set, 0 tells nobody anything."""
    writer = SegmentWriter(
        4, ENDS, hop_limit=64, tos=0, dont_fragment=whole, flow_label=0
    )
    ring = Ring(3, 2048)
    for _ in range(3):
        writer.write(ring, Departure(5, 6, ACK, 77, b"", b"x", 0))
    numbers = [int.from_bytes(bytes(packet)[4:6], "big") for packet in ring]
    assert ([0, 0, 0] if whole else [1, 2, 3]) == numbers
