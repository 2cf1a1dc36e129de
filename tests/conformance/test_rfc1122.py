"""RFC 1122 4.2.3.5, 4.2.3.8 to 10: what RFC 9293 took over from the host's duties."""

from __future__ import annotations

import pytest
from harness import established, listen

from tests.conformance.hand import ROUTER, Hand
from tests.model.packet import Packet, icmp_error


def test_s4_2_3_5_r2_of_a_connection_exceeds_100_seconds(family):
    """Data is tried for longer than that before the connection ends."""
    hand = established(family)
    hand.write(100)
    hand.advance(ms=100_000)
    assert "ESTABLISHED" == hand.state


def test_s4_2_3_6_keepalive_is_the_applications_choice(family):
    """Default off."""
    assert not established(family).connection.keepalive


@pytest.mark.parametrize("kind", [(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0)])
def test_s4_2_3_9_soft_errors_do_not_abort(kind):
    """Nor a half-open one that was asked for but once."""
    hand = Hand(None)
    hand.syn()
    peer = hand.packet()
    ours = Packet(peer.dst, peer.src, peer.dport, peer.sport, seq=hand.iss[1])
    error = icmp_error(ours.encode(), ROUTER[4], kind=kind)
    assert "DROP_ICMP" == hand.engine.packet(error, hand.now).reason.name
    assert 1 == len(hand.entries)


@pytest.mark.parametrize("dst", ["224.0.0.5", "255.255.255.255"])
def test_s4_2_3_10_group_address_is_ignored_by_closed_ports_too(dst):
    """A SYN to it draws no RST either."""
    hand = Hand(None)
    answer = hand.syn(dst=dst, dport=9)
    assert ("DROP_DESTINATION", None) == (answer.reason, answer.packet)


def test_s4_2_2_13_reset_of_what_arrives_after_the_end(family):
    """A connection that is gone answers with RST."""
    hand = listen(family)
    hand.inject(". 1:1(0) ack 5000")
    hand.iss = 0
    hand.expect("R 5000:5000(0)")
