"""ICMP for a host (RFC 792, RFC 4443, RFC 1191, RFC 5927)."""

from __future__ import annotations

import struct

import pytest
from harness import WITH_TIMESTAMPS, established, syn_received
from hypothesis import given
from hypothesis import strategies as st

from syncache import Ring, Stack, address
from syncache.segment import Segment
from syncache.tcp import icmp


def packed(text):
    family, raw = address.pack(text)
    return raw[:4] if family == 4 else raw


def message_v4(kind, code, rest):
    body = struct.pack("!BBH", kind, code, 0) + rest
    return struct.pack("!BBH", kind, code, icmp.checksum(body)) + rest


def ip_v4(src, dst, body):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 55, 1, 0)
    head += packed(src) + packed(dst)
    return head[:10] + struct.pack("!H", icmp.checksum(head)) + head[12:] + body


def ip_v6(src, dst, body, kind, code):
    ends = packed(src) + packed(dst)
    plain = struct.pack("!BBH", kind, code, 0) + body
    pseudo = ends + struct.pack("!II", len(plain), 58)
    total = icmp.checksum(pseudo + plain)
    head = struct.pack("!IHBB", 6 << 28, len(plain), 58, 55) + ends
    return head + struct.pack("!BBH", kind, code, total) + body


def packet(src, dst, rest, *, v4, v6):
    """Make an ICMP message of either family; v4 and v6 are type and code."""
    if ":" in src:
        return ip_v6(src, dst, rest, *v6)
    return ip_v4(src, dst, message_v4(*v4, rest))


def error(hand, quoted, *, v4, v6, mtu=0):
    """Make an error from a router about a packet of ours."""
    rest = struct.pack("!I", mtu) + quoted[: 28 if hand.family == 4 else 60]
    router = "203.0.113.1" if hand.family == 4 else "2001:db8:2::1"
    return packet(router, hand.dst, rest, v4=v4, v6=v6)


def too_big(hand, quoted, mtu):
    return error(hand, quoted, v4=(3, 4), v6=(2, 0), mtu=mtu)


def test_checksum_is_the_internets():
    """The example of RFC 1071 3."""
    assert 0xFFFF - 0xDDF2 == icmp.checksum(bytes.fromhex("0001f203f4f5f6f7"))
    assert 0xFFFF - 0x0100 == icmp.checksum(b"\x01")


def test_echo_request_is_answered_with_its_data(family):
    """Addresses swapped, checksum right, hop limit ours."""
    hand = established(family)
    rest = b"\x12\x34\x00\x01" + bytes(range(57))
    ping = packet(hand.src, hand.dst, rest, v4=(8, 0), v6=(128, 0))
    hand.stack.receive(ping, hand.now)
    (pong,) = hand.stack.packets_to_send(hand.now)
    want = packet(hand.dst, hand.src, rest, v4=(0, 0), v6=(129, 0))
    if family == 4:
        assert want[20:] == pong[20:]
        assert 0 == icmp.checksum(pong[:20])
        assert want[12:20] == pong[12:20]
        assert 64 == pong[8]
    else:
        assert want[8:] == pong[8:]
        assert 64 == pong[7]


def test_flood_of_echo_requests_is_answered_in_part_and_hides_no_error(family):
    """Four of a burst; another burst is answered again."""
    hand = established(family)
    ping = packet(hand.src, hand.dst, bytes(8), v4=(8, 0), v6=(128, 0))
    hand.connection.write(bytes(10))
    (first,) = hand.stack.packets_to_send(hand.now)
    lost = error(hand, first, v4=(3, 3), v6=(1, 4))
    rx, tx = Ring(64), Ring(64)
    for _ in range(2):
        rx.clear()
        for _ in range(63):
            rx.push(ping)
        rx.push(lost)
        assert 64 == hand.stack.burst(rx, tx, hand.now)
        assert 4 == len(hand.stack.packets_to_send(hand.now))
    assert "port unreachable" == hand.connection.info.soft_error


def test_echo_request_that_is_broken_or_not_ours_is_not_answered(family):
    """Checksum, destination, code."""
    hand = established(family)
    rest = b"\x12\x34\x00\x01data"
    good = packet(hand.src, hand.dst, rest, v4=(8, 0), v6=(128, 0))
    other = "198.51.100.8" if family == 4 else "2001:db8::8"
    for bad in (
        good[:-1] + b"x",
        packet(hand.src, other, rest, v4=(8, 0), v6=(128, 0)),
        packet(hand.src, hand.dst, rest, v4=(8, 1), v6=(128, 1)),
        packet(hand.src, hand.dst, rest, v4=(13, 0), v6=(133, 0)),
    ):
        hand.stack.receive(bad, hand.now)
    assert [] == hand.stack.packets_to_send(hand.now)
    hand.stack.receive(good, hand.now)
    assert 1 == len(hand.stack.packets_to_send(hand.now))


def test_too_big_lowers_the_mss_and_sends_again_at_once(family):
    """Path MTU discovery, for the connection that was quoted."""
    hand = established(family)
    hand.connection.nodelay = True
    hand.connection.write(bytes(2800))
    first = hand.stack.packets_to_send(hand.now)
    hand.stack.receive(too_big(hand, first[0], 1300), hand.now)
    again = [Segment.parse(p) for p in hand.stack.packets_to_send(hand.now)]
    mss = 1300 - (40 if family == 4 else 60)
    assert mss == hand.connection.info.mss
    assert mss == len(again[0].payload)
    assert Segment.parse(first[0]).seq == again[0].seq
    assert 2800 == sum(len(s.payload) for s in again)


def test_too_big_below_the_minimum_is_not_believed(family):
    """RFC 8201 4 and minmss: nobody makes us send crumbs."""
    hand = established(family, options=WITH_TIMESTAMPS)
    hand.connection.write(bytes(2000))
    first = hand.stack.packets_to_send(hand.now)
    hand.stack.receive(too_big(hand, first[0], 68), hand.now)
    floor = 216 if family == 4 else 1280 - 60
    assert floor - 12 == hand.connection.info.mss


def test_too_big_that_quotes_nothing_under_way_changes_nothing(family):
    """RFC 5927: the number must be one of ours, unacknowledged."""
    hand = established(family)
    hand.connection.write(bytes(1000))
    (first,) = hand.stack.packets_to_send(hand.now)
    before = hand.connection.info.mss
    hand.inject(". 1:1(0) ack 1001")
    hand.stack.receive(too_big(hand, first, 600), hand.now)
    assert before == hand.connection.info.mss


def test_too_big_of_an_old_router_tries_the_next_plateau():
    """RFC 1191 7: no MTU in the message."""
    hand = established(4)
    hand.connection.write(bytes(1460))
    (first,) = hand.stack.packets_to_send(hand.now)
    hand.stack.receive(too_big(hand, first, 0), hand.now)
    assert 1492 - 40 == hand.connection.info.mss


def test_too_big_is_ignored_without_path_mtu_discovery():
    """net.inet.ip.path_mtu_discovery=0: routers fragment."""
    hand = established(4, sysctl={"net.inet.ip.path_mtu_discovery": 0})
    hand.connection.write(bytes(1460))
    (first,) = hand.stack.packets_to_send(hand.now)
    assert not Segment.parse(first).dont_fragment
    hand.stack.receive(too_big(hand, first, 600), hand.now)
    assert 1460 == hand.connection.info.mss


@pytest.mark.parametrize(
    ("v4", "v6", "text"),
    [
        ((3, 1), (1, 3), "unreachable"),
        ((3, 3), (1, 4), "port unreachable"),
        ((11, 0), (3, 0), "time exceeded"),
        ((12, 0), (4, 0), "parameter problem"),
    ],
)
def test_error_is_noted_and_ends_no_established_connection(family, v4, v6, text):
    """RFC 5927 4: even a hard one; it is told if the connection times out."""
    hand = established(family)
    hand.connection.write(bytes(100))
    (first,) = hand.stack.packets_to_send(hand.now)
    hand.stack.receive(error(hand, first, v4=v4, v6=v6), hand.now)
    assert "ESTABLISHED" == hand.state
    assert text in hand.connection.info.soft_error
    hand.advance(ms=3_600_000)
    assert text in hand.events()[-1]


def test_hard_error_ends_an_unfinished_handshake(family):
    """SYN-RECEIVED by Fast Open: nobody is there."""
    hand = syn_received(family)
    hand.write(10)
    quoted = hand.sent.pop().packet()
    hand.stack.receive(error(hand, quoted, v4=(3, 3), v6=(1, 4)), hand.now)
    assert "CLOSED" == hand.state


@given(st.binary(max_size=120))
def test_any_message_is_read_or_refused(data):
    """Whatever its bytes are, nothing raises."""
    for src, dst in (("192.0.2.1", "198.51.100.7"), ("2001:db8::1", "2001:db8::7")):
        stack = Stack(dst, seed=bytes(16))
        v4 = v6 = (*data[:2], 0, 0)[:2]
        stack.receive(packet(src, dst, data[2:], v4=v4, v6=v6), 1.0)


def test_echo_request_behind_an_extension_header_is_answered():
    """IPv6: hop-by-hop options that may be ignored; they are not in the reply."""
    hand = established(6)
    rest = b"\x12\x34\x00\x01data"
    ping = packet(hand.src, hand.dst, rest, v4=(8, 0), v6=(128, 0))
    size = (len(ping) - 40 + 8).to_bytes(2, "big")
    options = bytes((58, 0, 1, 4, 0, 0, 0, 0))
    hand.stack.receive(
        ping[:4] + size + b"\0" + ping[7:40] + options + ping[40:], hand.now
    )
    (pong,) = hand.stack.packets_to_send(hand.now)
    want = packet(hand.dst, hand.src, rest, v4=(0, 0), v6=(129, 0))
    assert want[:7] + want[8:] == pong[:7] + pong[8:]


def test_too_big_without_a_size_is_noted_as_an_error():
    """IPv6 has no plateaus: the router says what fits."""
    hand = established(6)
    hand.connection.write(bytes(1000))
    (first,) = hand.stack.packets_to_send(hand.now)
    before = hand.connection.info.mss
    hand.stack.receive(too_big(hand, first, 0), hand.now)
    assert "packet too big" == hand.connection.info.soft_error
    assert before == hand.connection.info.mss


def test_error_that_quotes_what_was_acknowledged_is_not_noted(family):
    """RFC 5927 4.1: its number must be one under way."""
    hand = established(family)
    hand.connection.write(bytes(100))
    (first,) = hand.stack.packets_to_send(hand.now)
    hand.inject(". 1:1(0) ack 101")
    hand.stack.receive(error(hand, first, v4=(3, 1), v6=(1, 0)), hand.now)
    assert hand.connection.info.soft_error is None


def test_error_that_quotes_no_connection_is_ignored(family):
    """Somebody else's, or one that is gone."""
    hand = established(family)
    gone = Segment(src=hand.dst, dst=hand.src, sport=80, dport=9, flags=0x10)
    hand.stack.receive(error(hand, gone.packet(), v4=(3, 1), v6=(1, 0)), hand.now)
    assert hand.connection.info.soft_error is None


def test_message_that_is_no_error_about_tcp_is_not_read(family):
    """Other types; quotations too short, of another family, not of TCP."""
    hand = established(family)
    hand.connection.write(bytes(100))
    (quoted,) = hand.stack.packets_to_send(hand.now)
    protocol = 9 if family == 4 else 6
    udp = quoted[:protocol] + b"\x11" + quoted[protocol + 1 :]
    long_header = b"\x4f" + quoted[1:]
    good = error(hand, quoted, v4=(3, 1), v6=(1, 0))
    for bad in (
        error(hand, quoted, v4=(5, 1), v6=(137, 0)),
        error(hand, quoted[:27], v4=(3, 1), v6=(1, 0)),
        error(hand, b"\x55" + quoted[1:], v4=(3, 1), v6=(1, 0)),
        error(hand, udp, v4=(3, 1), v6=(1, 0)),
        error(hand, long_header, v4=(3, 1), v6=(1, 0)),
        good[:20],
    ):
        hand.stack.receive(bad, hand.now)
        assert hand.connection.info.soft_error is None
    hand.stack.receive(good, hand.now)
    assert hand.connection.info.soft_error is not None


@pytest.mark.parametrize(
    ("of", "kind", "code", "text", "hard"),
    [
        (4, 3, 0, "network unreachable", False),
        (4, 3, 1, "host unreachable", False),
        (4, 3, 2, "protocol unreachable", True),
        (4, 3, 3, "port unreachable", True),
        (4, 3, 13, "administratively prohibited", False),
        (4, 3, 5, "destination unreachable", False),
        (4, 11, 0, "time exceeded", False),
        (4, 12, 2, "parameter problem", False),
        (6, 1, 0, "no route", False),
        (6, 1, 1, "administratively prohibited", False),
        (6, 1, 2, "destination unreachable", False),
        (6, 1, 3, "address unreachable", False),
        (6, 1, 4, "port unreachable", True),
        (6, 3, 1, "time exceeded", False),
        (6, 4, 3, "parameter problem", False),
    ],
)
def test_error_has_its_words_and_may_be_hard(of, kind, code, text, hard):
    """RFC 1122 4.2.3.9: a hard one ends an unfinished handshake, others do not."""
    hand = syn_received(of)
    hand.write(10)
    quoted = hand.sent.pop().packet()
    number = (kind, code)
    hand.stack.receive(error(hand, quoted, v4=number, v6=number), hand.now)
    assert text == hand.connection.info.soft_error
    assert ("CLOSED" if hard else "SYN-RECEIVED") == hand.state


def test_echo_reply_keeps_what_the_request_was_marked_with(family):
    """TOS and identification, or traffic class and flow label; 64 hops of its own."""
    hand = established(family)
    ping = bytearray(
        packet(hand.src, hand.dst, b"\x12\x34\0\1odd", v4=(8, 0), v6=(128, 0))
    )
    if family == 4:
        ping[1], ping[10:12] = 0x28, b"\0\0"
        ping[10:12] = struct.pack("!H", icmp.checksum(bytes(ping[:20])))
    else:
        ping[:4] = b"\x62\x81\x23\x45"
    hand.stack.receive(bytes(ping), hand.now)
    (pong,) = hand.stack.packets_to_send(hand.now)
    if family == 4:
        assert (0x45, 0x28, ping[4:8]) == (pong[0], pong[1], pong[4:8])
        assert 0 == icmp.checksum(pong[20:])
        assert len(ping) == len(pong) == int.from_bytes(pong[2:4], "big")
    else:
        assert ping[:6] == pong[:6]
        assert (58, 64) == (pong[6], pong[7])
        pseudo = pong[8:40] + struct.pack("!II", len(pong) - 40, 58)
        assert 0 == icmp.checksum(pseudo + pong[40:])
