"""ESTABLISHED, marks of congestion arrive (RFC 3168 6.1.3, RFC 9768 3.2)."""

from __future__ import annotations

from dataclasses import replace

from harness import HANDSHAKE, established, listen

ECT0 = 2
CE = 3


def with_ecn(family, flags, **kwargs):
    hand = listen(family, **kwargs)
    hand.inject(f"S{flags} 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.iss = hand.sent[0].seq
    hand.sent.clear()
    hand.inject(". 1:1(0) ack 1")
    return hand


def test_established_rcv_ce_is_echoed_until_cwr(family):
    """Classic ECN: ECE on every segment until the peer has reduced."""
    hand = with_ecn(family, "EW")
    assert "classic" == hand.connection.info.ecn
    hand.tos = CE
    hand.inject("P. 1:11(10) ack 1")
    hand.tos = ECT0
    hand.inject("P. 11:21(10) ack 1")
    hand.expect(".E 1:1(0) ack 21")
    hand.write(10)
    hand.expect("P.E 1:11(10) ack 21")
    hand.inject("P.W 21:31(10) ack 11")
    hand.write(10)
    sent = hand.expect("P. 11:21(10) ack 31")
    assert 0 == sent.tos & 3  # never ECT


def test_established_rcv_ce_without_ecn_is_ignored(family):
    """Nobody agreed on it."""
    hand = established(family)
    hand.tos = CE
    hand.inject("P. 1:11(10) ack 1")
    hand.write(10)
    hand.expect("P. 1:11(10) ack 11")


def test_established_rcv_ect_after_a_cookie_proves_ecn(family):
    """A cookie forgets ECN; a mark is evidence, and CE is then echoed."""
    hand = with_ecn(family, "EW", sysctl={"net.inet.tcp.syncookies_only": 1})
    assert "echo" == hand.connection.info.ecn
    hand.tos = CE
    hand.inject("P. 1:11(10) ack 1")
    hand.write(10)
    hand.expect("P.E 1:11(10) ack 11")
    assert "classic" == hand.connection.info.ecn


def test_established_rcv_ce_with_accurate_ecn_is_counted(family):
    """AccECN: the three ACE bits count from 5 (AE and ECE)."""
    hand = listen(family, sysctl={"net.inet.tcp.ecn.enable": 3})
    syn = hand.segment(f"SEW 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.inject_packet(replace(syn, flags=syn.flags | 0x100).packet())
    hand.iss = hand.sent[0].seq
    hand.sent.clear()
    hand.inject(". 1:1(0) ack 1")
    assert "accurate" == hand.connection.info.ecn
    hand.tos = CE
    hand.inject("P. 1:11(10) ack 1")
    hand.write(10)
    assert 0x180 == hand.sent[0].flags & 0x1C0  # 6: AE and CWR
