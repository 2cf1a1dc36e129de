"""The door where a connection's bytes become values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncache import FourTuple
from syncache.options import Md5, Sack, SackPermitted, Timestamps, encode
from syncache.segment import ACK, PSH, Segment
from syncache.tcp.arrival import near, read, tcp_offset, tuple_of

NUMBERS = st.integers(0, 2**40)


def segment(family=4, **fields):
    ends = {4: ("192.0.2.1", "198.51.100.7"), 6: ("2001:db8::1", "2001:db8::7")}
    src, dst = ends[family]
    return Segment(src=src, dst=dst, sport=1, dport=2, **fields)


@given(NUMBERS, st.integers(-(2**31), 2**31 - 1))
def test_near_finds_the_number_that_was_meant(known, distance):
    """Within half the circle, unwrapping undoes wrapping."""
    assert known + distance == near((known + distance) & 0xFFFFFFFF, known)


def test_read_takes_header_options_and_payload(family):
    """What a segment says is what is read."""
    options = encode((Timestamps(7, 9), Sack(((1, 5), (9, 12)))))
    packet = segment(
        family,
        seq=1000,
        ack=2000,
        flags=ACK | PSH,
        window=77,
        options_bytes=options,
        payload=b"data",
        tos=3,
    ).packet()
    arrival = read(memoryview(packet))
    assert (1000, 2000, ACK | PSH, 77) == (
        arrival.seq,
        arrival.ack,
        arrival.flags,
        arrival.window,
    )
    assert (7, 9) == (arrival.tsval, arrival.tsecr)
    assert [(1, 5), (9, 12)] == arrival.sack
    assert b"data" == bytes(arrival.payload)
    assert 3 == arrival.ecn


def test_read_takes_the_usual_layout_of_timestamps(family):
    """NOP NOP TIMESTAMPS goes a shorter way to the same values."""
    layout = bytes.fromhex("0101080a000000070000000b")
    arrival = read(memoryview(segment(family, options_bytes=layout).packet()))
    assert (7, 11) == (arrival.tsval, arrival.tsecr)


def test_read_takes_md5_and_skips_what_it_does_not_know(family):
    """Unknown options are passed over by their length."""
    options = encode((SackPermitted(), Md5(bytes(range(16)))))
    arrival = read(memoryview(segment(family, options_bytes=options).packet()))
    assert bytes(range(16)) == arrival.md5
    assert arrival.tsval is None


def test_read_stops_at_a_broken_option(family):
    """A length of 0, 1 or too many ends the list."""
    for broken in ("08000000", "08010000", "08280000"):
        packet = segment(family, options_bytes=bytes.fromhex(broken)).packet()
        assert read(memoryview(packet)).tsval is None


def test_tuple_is_the_key_of_a_connection(family):
    """Its source is foreign, in the form that C has."""
    one = segment(family)
    expected = FourTuple(one.src, one.sport, one.dst, one.dport).to_c()
    assert expected == tuple_of(memoryview(one.packet()))


def test_extension_headers_are_passed_over():
    """IPv6: options before TCP."""
    packet = bytearray(segment(6, payload=b"x").packet())
    packet[6:7] = b"\0"
    packet[40:40] = bytes((6, 0, 1, 4, 0, 0, 0, 0))
    packet[4:6] = (len(packet) - 40).to_bytes(2, "big")
    assert 48 == tcp_offset(memoryview(packet))
    assert b"x" == bytes(read(memoryview(packet)).payload)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data):
    """Nothing raises."""
    for first in (b"", b"\x45", b"\x60"):
        view = memoryview(first + data)
        read(view)
        tuple_of(view)


def test_what_is_neither_ipv4_nor_ipv6_has_no_tcp_header():
    """However long it is; nor has UDP."""
    packet = bytearray(segment(4, payload=bytes(40)).packet())
    packet[9] = 17
    assert 0 == tcp_offset(memoryview(packet))
    packet[0] = 0x55
    assert 0 == tcp_offset(memoryview(packet))
    assert tuple_of(memoryview(packet)) is None


def test_read_refuses_a_data_offset_that_lies(family):
    """Below 5, or beyond the packet."""
    packet = bytearray(segment(family).packet())
    for offset in (0x40, 0x60):
        packet[(20 if family == 4 else 40) + 12] = offset
        assert read(memoryview(packet)) is None


def test_bytes_behind_the_ip_length_are_not_payload(family):
    """Ethernet pads short frames; the IP header knows where its packet ends."""
    packet = segment(family, payload=b"hi").packet() + b"\0" * 6
    assert b"hi" == bytes(read(memoryview(packet)).payload)
    bare = segment(family).packet() + b"\0" * 6
    assert 0 == read(memoryview(bare)).size


def test_a_header_beyond_the_ip_length_is_refused(family):
    """Padding completes no TCP header."""
    packet = bytearray(segment(family).packet() + bytes(20))
    packet[(20 if family == 4 else 40) + 12] = 0x60
    assert read(memoryview(packet)) is None


def test_ip_length_zero_means_the_whole_packet(family):
    """Super-segments beyond 65,535 bytes have no length (RFC 2675 3, Linux TSO)."""
    packet = bytearray(segment(family, payload=b"much").packet())
    at = 2 if family == 4 else 4
    packet[at : at + 2] = bytes(2)
    assert b"much" == bytes(read(memoryview(packet)).payload)
