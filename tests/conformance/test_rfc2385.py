"""RFC 2385: the MD5 signature option on a handshake."""

from __future__ import annotations

import pytest

from tests.conformance.hand import IRS, MSS_ONLY, PEER, Hand
from tests.model import option

KEY = b"a shared secret"
EMPTY = (("md5", "00" * 16),)


def digest(packet, key=KEY):
    """Section 2.0: pseudo header, header without options, data, key."""
    return packet.signature(key)


def signed(hand, peer=1, key=KEY, **fields):
    """Build a signed packet: its size is that of the signed one."""
    opts = (("nop",), ("nop",), *EMPTY)
    bare = hand.packet(peer, **{**fields, "opts": opts})
    opts = (("nop",), ("nop",), ("md5", digest(bare, key)))
    return hand.packet(peer, **{**fields, "opts": opts})


def keyed(family):
    return Hand(None, family=family, listen={"md5_keys": {PEER[family]: KEY}})


def signature_of(packet):
    found = [o[1] for o in option.decode(packet.options) if o[0] == "md5"]
    return found[0] if found else None


def test_s2_0_signed_handshake_completes_signed(family):
    """The SYN-ACK's digest is right, and the connection knows that it must sign."""
    hand = keyed(family)
    sent = hand.send(signed(hand, flags="S", seq=IRS)).sent
    assert digest(sent) == signature_of(sent)
    ack = signed(hand, flags="A", seq=IRS + 1, ack=sent.seq + 1)
    assert hand.send(ack).made.md5


@pytest.mark.parametrize("how", ["unsigned", "wrong key"])
def test_s2_0_syn_without_a_right_signature_is_dropped_in_silence(family, how):
    """MUST NOT produce any response."""
    hand = keyed(family)
    syn = hand.packet(flags="S", seq=IRS, opts=MSS_ONLY)
    if how == "wrong key":
        syn = signed(hand, key=b"another", flags="S", seq=IRS)
    answer = hand.send(syn)
    assert ("DROP_MD5", None) == (answer.reason, answer.packet)


def test_s2_0_unsigned_rst_and_ack_change_nothing(family):
    """What the option was invented for."""
    hand = keyed(family)
    sent = hand.send(signed(hand, flags="S", seq=IRS)).sent
    for flags in ("R", "A"):
        rst = hand.packet(flags=flags, seq=IRS + 1, ack=sent.seq + 1)
        assert "DROP_MD5" == hand.send(rst).reason
    assert 1 == len(hand.entries)


def test_s4_1_what_we_send_again_is_signed(family):
    """Retransmission and challenge."""
    hand = keyed(family)
    hand.send(signed(hand, flags="S", seq=IRS))
    again = [packet for _, packet in hand.run(8_000)]
    again.append(hand.send(signed(hand, flags="R", seq=IRS + 2)).sent)
    assert 4 == len(again)
    assert [digest(p) for p in again] == [signature_of(p) for p in again]


def test_s4_5_peers_without_a_key_are_served_unsigned(family):
    """A key is one peer's; a signature that nobody asked for is refused."""
    hand = keyed(family)
    other = {4: "192.0.2.77", 6: "2001:db8:1::77"}[family]
    assert "REPLY_SYN_ACK" == hand.syn(src=other).reason
    assert "DROP_MD5" == hand.syn(2, src=other, opts=EMPTY).reason
