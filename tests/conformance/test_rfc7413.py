"""RFC 7413: the server's side of TCP Fast Open."""

from __future__ import annotations

import pytest

from tests.conformance.hand import IRS, Hand
from tests.model import option

SERVER = {"fastopen.server_enable": 1}


def server(family, pending=10, tune=None):
    return Hand(
        None, {**SERVER, **(tune or {})}, family=family, listen={"fastopen": pending}
    )


def tfo_of(packet):
    """The Fast Open option of a packet, in hexadecimal; None: there is none."""
    found = [o[1] for o in option.decode(packet.options) if o[0] == "tfo"]
    return found[0] if found else None


def cookie(hand, peer=99, **fields):
    """Ask for the cookie of a peer's address, and end that handshake."""
    got = tfo_of(hand.syn(peer, opts=(("mss", 1460), ("tfo", "")), **fields).sent)
    hand.rst(peer, **fields)
    return got


def request(hand, peer, value, **fields):
    return hand.syn(peer, opts=(("mss", 1460), ("tfo", value)), **fields)


def test_s4_1_1_cookie_is_sent_only_if_asked_for(family):
    """Of 4 to 16 bytes, an even number; never on a retransmission."""
    hand = server(family)
    assert tfo_of(hand.syn(1).sent) is None
    got = tfo_of(request(hand, 2, "").sent)
    assert 16 == len(got)
    assert [None] * 3 == [tfo_of(p) for _, p in hand.run(8_000) if p.dport == 50002]


def test_s4_1_2_cookie_authenticates_the_address_alone(family):
    """Any port, any time: the same; another address: another."""
    hand = server(family)
    other = {4: "192.0.2.77", 6: "2001:db8:1::77"}[family]
    first = cookie(hand, 1)
    hand.now_ms += 600_000
    assert first == cookie(hand, 2)
    assert first != cookie(hand, 3, src=other)


@pytest.mark.parametrize("wrong", ["00" * 8, "00" * 4, "00" * 16, "00" * 7])
def test_s4_2_2_data_without_a_valid_cookie_is_not_acknowledged(family, wrong):
    """Falls back to the three-way handshake."""
    hand = server(family)
    answer = request(hand, 1, wrong, payload=b"early")
    assert ("REPLY_SYN_ACK", IRS + 1) == (answer.reason, answer.sent.ack)


def test_s4_2_2_cookie_of_another_address_is_not_valid(family):
    """And the right one comes with the SYN-ACK."""
    hand = server(family)
    other = {4: "192.0.2.77", 6: "2001:db8:1::77"}[family]
    stolen = cookie(hand, 1, src=other)
    answer = request(hand, 2, stolen, payload=b"early")
    assert ("REPLY_SYN_ACK", IRS + 1) == (answer.reason, answer.sent.ack)
    assert cookie(hand, 3) == tfo_of(answer.sent)


def test_s4_2_2_data_with_a_valid_cookie_is_acknowledged(family):
    """The connection is there before the handshake is done."""
    hand = server(family)
    good = cookie(hand)
    answer = request(hand, 1, good, payload=b"early")
    assert ("ACCEPT_FASTOPEN", IRS + 6) == (answer.reason, answer.sent.ack)
    assert "fastopen" == answer.made.via


def test_s5_1_pending_requests_are_limited(family):
    """Beyond the limit the option is as if it were not there."""
    hand = server(family, pending=2)
    good = cookie(hand)
    answers = [request(hand, n, good, payload=b"x").reason for n in (1, 2, 3)]
    assert ["ACCEPT_FASTOPEN", "ACCEPT_FASTOPEN", "REPLY_SYN_ACK"] == answers


def test_s5_1_request_that_was_reset_counts_for_a_while(family):
    """A RST may be the answer of a peer whose address was spoofed."""
    hand = server(family, pending=2)
    good = cookie(hand)
    for peer in (1, 2):
        conn = request(hand, peer, good).made
        hand.engine.accepted(conn, peer)
        assert "PASS_KNOWN" == hand.rst(peer).reason
        hand.engine.closed(conn)
    assert "REPLY_SYN_ACK" == request(hand, 3, good).reason
    hand.rst(3)
    hand.now_ms += 120_000
    assert "ACCEPT_FASTOPEN" == request(hand, 4, good).reason


def test_s4_2_server_can_be_switched_off(family):
    """Then the option is not there, for endpoints that asked for it too."""
    hand = server(family, tune={"fastopen.server_enable": 0})
    assert tfo_of(request(hand, 1, "").sent) is None
