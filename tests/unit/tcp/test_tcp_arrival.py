"""The door where a connection's bytes become values."""

from __future__ import annotations

from described import HANDLE, described
from hypothesis import given
from hypothesis import strategies as st

from syncache import FourTuple, Reason
from syncache._core import ffi
from syncache.options import Md5, Sack, SackPermitted, Timestamps, encode
from syncache.ring import Checksum
from syncache.segment import ACK, PSH, Segment
from syncache.tcp.arrival import ARRIVAL_BYTES, Arrival, near
from syncache.tcp.icmp import checksum

NUMBERS = st.integers(0, 2**40)


def segment(family=4, **fields):
    ends = {4: ("192.0.2.1", "198.51.100.7"), 6: ("2001:db8::1", "2001:db8::7")}
    src, dst = ends[family]
    return Segment(src=src, dst=dst, sport=1, dport=2, **fields)


@given(NUMBERS, st.integers(-(2**31), 2**31 - 1))
def test_near_finds_the_number_that_was_meant(known, distance):
    """Within half the circle, unwrapping undoes wrapping."""
    assert known + distance == near((known + distance) & 0xFFFFFFFF, known)


def read(packet: bytes, checksum: Checksum = Checksum.VERIFY) -> Arrival | None:
    """Return what a burst says of a packet of one of two known tuples."""
    known = [segment(family) for family in (4, 6)]
    ends = [FourTuple(one.src, one.sport, one.dst, one.dport) for one in known]
    return described(packet, ends, checksum)


def test_arrival_has_header_options_and_payload(family):
    """What a segment says is what is read."""
    options = encode((Timestamps(7, 9), Sack(((1, 5), (9, 12)))))
    one = segment(
        family,
        seq=1000,
        ack=2000,
        flags=ACK | PSH,
        window=77,
        options_bytes=options,
        payload=b"data",
        tos=3,
    )
    arrival = read(one.packet())
    assert (1000, 2000, ACK | PSH, 77) == (
        arrival.seq,
        arrival.ack,
        arrival.flags,
        arrival.window,
    )
    assert (7, 9) == (arrival.tsval, arrival.tsecr)
    assert [(1, 5), (9, 12)] == arrival.sack
    assert (b"data", 4) == (bytes(arrival.payload), arrival.size)
    assert 3 == arrival.ecn
    assert (Reason.PASS_KNOWN, HANDLE) == (arrival.reason, arrival.handle)
    assert one.packet() == bytes(arrival.packet)


def test_arrival_without_options_has_none_of_them(family):
    """Nothing is left over from another packet."""
    arrival = read(segment(family, payload=b"x").packet())
    assert (None, None, None) == (arrival.tsval, arrival.sack, arrival.md5)


def test_arrival_has_md5_and_the_header_that_it_covers(family):
    """Unknown options are passed over by their length."""
    options = encode((SackPermitted(), Md5(bytes(range(16)))))
    one = segment(family, flags=ACK, options_bytes=options, payload=b"x")
    arrival = read(one.packet())
    assert bytes(range(16)) == arrival.md5
    assert arrival.tsval is None
    assert one.tcp()[:-1] == bytes(arrival.header)


def test_options_end_at_a_broken_one(family):
    """A length of 0, 1 or too many ends the list."""
    for broken in ("08000000", "08010000", "08280000"):
        packet = segment(family, options_bytes=bytes.fromhex(broken)).packet()
        assert read(packet).tsval is None


def test_sack_of_a_wrong_length_is_not_there(family):
    """Blocks are 8 bytes each, at least one."""
    for broken in ("05020101", "05060000000001" + "01", "0509" + "00" * 7 + "010101"):
        one = segment(family, flags=ACK, options_bytes=bytes.fromhex(broken))
        assert read(one.packet()).sack is None


def test_key_is_that_of_a_connection(family):
    """Its source is foreign, in the form that C has."""
    one = segment(family, flags=ACK)
    expected = FourTuple(one.src, one.sport, one.dst, one.dport).to_c()
    assert expected == read(one.packet()).key


def test_extension_headers_are_passed_over():
    """IPv6: options before TCP."""
    packet = bytearray(segment(6, payload=b"x").packet())
    packet[6:7] = b"\0"
    packet[40:40] = bytes((6, 0, 1, 4, 0, 0, 0, 0))
    packet[4:6] = (len(packet) - 40).to_bytes(2, "big")
    assert b"x" == bytes(read(bytes(packet)).payload)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data):
    """Nothing raises, and nothing lies outside of the packet."""
    for first in (b"", b"\x45", b"\x60"):
        arrival = read(first + data, Checksum.VALID)
        if arrival is not None and arrival.is_tcp:
            assert arrival.size <= len(first + data)


def test_packet_without_tcp_is_passed_as_it_is(family):
    """Its addresses are there, without ports; it is no ICMP message."""
    packet = bytearray(segment(family, payload=bytes(40)).packet())
    packet[9 if family == 4 else 6] = 17
    if family == 4:
        packet[10:12] = bytes(2)
        packet[10:12] = checksum(bytes(packet[:20])).to_bytes(2, "big")
    arrival = read(bytes(packet))
    assert (Reason.PASS_NOT_TCP, False) == (arrival.reason, arrival.is_tcp)
    assert (b"", None) == (bytes(arrival.payload), arrival.icmp)
    one = segment(family)
    assert FourTuple(one.src, 0, one.dst, 0).to_c() == arrival.key
    assert bytes(packet) == bytes(arrival.packet)


def test_data_offset_that_lies_is_refused(family):
    """Below 5, or beyond the packet."""
    packet = bytearray(segment(family).packet())
    for offset in (0x40, 0x60):
        packet[(20 if family == 4 else 40) + 12] = offset
        assert read(bytes(packet), Checksum.VALID) is None


def test_bytes_behind_the_ip_length_are_not_payload(family):
    """Ethernet pads short frames; the IP header knows where its packet ends."""
    packet = segment(family, payload=b"hi").packet() + b"\0" * 6
    assert b"hi" == bytes(read(packet).payload)
    bare = segment(family).packet() + b"\0" * 6
    assert 0 == read(bare).size


def test_header_beyond_the_ip_length_is_refused(family):
    """Padding completes no TCP header."""
    packet = bytearray(segment(family).packet() + bytes(20))
    packet[(20 if family == 4 else 40) + 12] = 0x60
    assert read(bytes(packet), Checksum.VALID) is None


def test_structure_is_that_of_c():
    """Every member has the place and the size that the format says."""
    members = ffi.typeof("struct syncache_arrival").fields
    assert ARRIVAL_BYTES == ffi.sizeof("struct syncache_arrival")
    sizes = {"q": 8, "i": 4, "h": 2, "b": 1}
    at, spelled = 40, "qqiiiiiiiihhhhhhbbbbbbb"
    for (_, member), kind in zip(members[1:], spelled, strict=False):
        assert (at, sizes[kind]) == (member.offset, ffi.sizeof(member.type))
        at += sizes[kind]
    assert "reserved" == members[1 + len(spelled)][0]
