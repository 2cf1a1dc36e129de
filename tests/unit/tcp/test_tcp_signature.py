"""RFC 2385 on a connection, both ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
from described import described
from harness import Hand, text

from syncache import FourTuple
from syncache.options import Md5, encode
from syncache.ring import Checksum
from syncache.tcp.departure import Departure
from syncache.tcp.signature import SigningWriter

KEY = b"a shared secret"


class Keeper:
    """In place of a SegmentWriter."""

    def write(self, ring, departure):
        self.departure = departure


class SignedHand(Hand):
    """A hand whose peer signs everything."""

    def segment(self, line):
        segment = super().segment(line)
        ends = FourTuple(self.dst, 80, self.src, self.port)
        keeper = Keeper()
        # Nothing behind an end of list would be read: NOPs instead.
        options = b"".join(option.encode() for option in segment.options)
        options += b"\1" * (-len(options) % 4)
        plain = Departure(
            segment.seq,
            segment.ack,
            segment.flags,
            segment.window,
            options,
            segment.payload,
        )
        SigningWriter(keeper, ends, KEY).write(None, plain)
        return replace(segment, options_bytes=keeper.departure.options)


def signed(family):
    keys = {"192.0.2.1": KEY, "2001:db8:0::1": KEY}
    hand = SignedHand(family, listen={"md5_keys": keys})
    hand.inject("S 0:0(0) win 65535 <mss 1460,sackOK>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject(". 1:1(0) ack 1")
    assert "ESTABLISHED" == hand.state
    hand.events()
    return hand


def test_signed_data_is_taken_and_unsigned_is_not(family):
    """Who does not know the key says nothing."""
    hand = signed(family)
    plain = Hand.segment(hand, "P. 1:11(10) ack 1")
    hand.inject_packet(plain.packet())
    assert [] == hand.events()
    wrong = replace(plain, options_bytes=encode((Md5(bytes(16)),)))
    hand.inject_packet(wrong.packet())
    assert [] == hand.events()
    hand.inject("P. 1:11(10) ack 1")
    assert ["Readable"] == hand.events()


def test_rst_without_signature_is_ignored(family):
    """What the option was invented for."""
    hand = signed(family)
    hand.inject_packet(Hand.segment(hand, "R 1:1(0)").packet())
    assert "ESTABLISHED" == hand.state
    hand.inject("R 1:1(0)")
    assert "CLOSED" == hand.state


def test_what_we_send_verifies_at_the_peer(family):
    """The peer's side of the same rule; full segments make room for the option."""
    hand = signed(family)
    hand.connection.write(bytes(3000))
    ends = FourTuple(hand.dst, 80, hand.src, 40000)
    verifier = SigningWriter(Keeper(), ends, KEY)
    packets = hand.stack.packets_to_send(hand.now)
    assert all(verifier.verifies(described(p, [ends])) for p in packets)
    assert all(len(p) <= 1500 for p in packets)
    changed = described(packets[0][:-1] + b"x", [ends], Checksum.VALID)
    assert not verifier.verifies(changed)


def test_sack_blocks_leave_room_for_the_signature(family):
    """Forty bytes of options in all."""
    hand = signed(family)
    for place in (101, 201, 301):
        hand.inject(f". {place}:{place + 10}(10) ack 1")
    assert 2 == len(hand.sent[-1].sack.blocks)


def test_fast_open_and_signatures_do_not_go_together():
    """Their options do not fit into one SYN-ACK."""
    with pytest.raises(ValueError, match="fastopen and md5_keys"):
        Hand(4, listen={"md5_keys": {"192.0.2.1": KEY}, "fastopen": 1})


def test_signature_over_a_padded_packet_verifies(family):
    """The digest covers the segment, not the link's padding."""
    hand = signed(family)
    hand.inject_packet(hand.segment("P. 1:3(2) ack 1").packet() + bytes(6))
    assert ["Readable"] == hand.events()
    assert text(0, 2) == hand.connection.read(10)
