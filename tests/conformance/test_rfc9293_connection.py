"""RFC 9293: what happens to a half-open connection, and to one that is established.

3.10.7.2 and 3.10.7.4 in the order of the RFC, retransmission, ICMP, the end, and what
the checklist asks of a connection.  Options, numbers and addresses: test_rfc9293.py.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from harness import (
    HANDSHAKE,
    PORT,
    established,
    fin_wait_2,
    listen,
    syn_received,
    time_wait,
)

from tests.conformance.hand import IRS, MASK32, ROUTER, Hand
from tests.model.packet import Packet, icmp_error

KINDS = {  # ICMP types and codes, by family
    "net unreachable": {4: (3, 0), 6: (1, 0)},
    "host unreachable": {4: (3, 1), 6: (1, 3)},
    "port unreachable": {4: (3, 3), 6: (1, 4)},
    "time exceeded": {4: (11, 0), 6: (3, 0)},
    "parameter problem": {4: (12, 0), 6: (4, 1)},
}


# 3.10.7.2: LISTEN.


def test_s3_10_7_2_first_a_rst_is_ignored(family):
    """Whatever else it says: no answer, no entry."""
    hand = Hand(None, family=family)
    for flags in ("R", "RA", "RS", "RF"):
        answer = hand.send(hand.packet(flags=flags, seq=1, ack=1))
        assert ("DROP_RST_NO_ENTRY", None) == (answer.reason, answer.packet)


def test_s3_10_7_2_second_an_ack_draws_a_rst(family):
    """<SEQ=SEG.ACK><CTL=RST>; a SYN|ACK, as FreeBSD has it, draws nothing."""
    hand = Hand(None, family=family)
    rst = hand.send(hand.packet(flags="A", seq=5, ack=7)).sent
    assert ("R", 7, 0) == (rst.flags, rst.seq, rst.ack)
    assert "DROP_SYN_ACK" == hand.send(hand.packet(flags="SA", ack=7)).reason


def test_s3_10_7_2_third_a_syn_draws_a_syn_ack(family):
    """<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>; its data is not acknowledged."""
    hand = Hand(None, family=family)
    sent = hand.syn(payload=b"early").sent
    (entry,) = hand.entries
    assert ("SA", entry.iss, IRS + 1) == (sent.flags, sent.seq, sent.ack)


def test_s3_10_7_2_fourth_anything_else_is_dropped(family):
    """Without SYN, RST and ACK: silence."""
    hand = Hand(None, family=family)
    for flags in ("", "F", "P", "U", "FPU"):
        answer = hand.send(hand.packet(flags=flags, seq=1))
        assert ("DROP_NO_SYN", None) == (answer.reason, answer.packet)


def test_s3_10_7_1_closed_port_draws_the_rst_of_the_rfc(family):
    """With ACK: SEQ=SEG.ACK; without: SEQ=0, ACK=SEG.SEQ+SEG.LEN; none to a RST."""
    hand = Hand(None, family=family)
    rst = hand.send(hand.packet(flags="A", seq=5, ack=7, dport=81)).sent
    assert ("R", 7) == (rst.flags, rst.seq)
    rst = hand.syn(seq=5, payload=b"abc", dport=81).sent
    assert ("RA", 0, 9) == (rst.flags, rst.seq, rst.ack)
    assert hand.send(hand.packet(flags="R", seq=5, dport=81)).packet is None


# 3.10.7.4: SYN-RECEIVED.


@pytest.mark.parametrize("dseq", [-1, -1000, 65535, 100_000])
def test_s3_10_7_4_first_seq_outside_the_window_draws_an_ack(family, dseq):
    """An ACK unless it was a RST; the handshake goes on."""
    hand = Hand(None, family=family)
    iss = hand.syn().sent.seq
    ack = hand.ack(dseq=dseq).sent
    assert ("A", iss + 1 & MASK32, IRS + 1) == (ack.flags, ack.seq, ack.ack)
    assert hand.rst(dseq=dseq).packet is None
    assert "ACCEPT_CACHE" == hand.ack().reason


def test_s3_10_7_4_second_a_rst_at_rcv_nxt_returns_to_listen(family):
    """Passive origin: the entry goes, without a word."""
    hand = Hand(None, family=family)
    hand.syn()
    assert ("DROP_RST", None) == (hand.rst().reason, hand.rst().packet)
    assert [] == hand.entries


def test_s3_10_7_4_fourth_a_syn_leaves_the_handshake_alone(family):
    """One with another number is answered, and the first handshake still completes."""
    hand = Hand(None, family=family)
    first = hand.syn().sent.seq
    assert "REPLY_OTHER_ISN" == hand.syn(seq=IRS + 100).reason
    ack = hand.packet(flags="A", seq=IRS + 1, ack=first + 1 & MASK32)
    assert "ACCEPT_CACHE" == hand.send(ack).reason


@pytest.mark.parametrize("dack", [-1, 1, 1000, -(1 << 31)])
def test_s3_10_7_4_fifth_an_unacceptable_ack_draws_a_rst(family, dack):
    """SEG.ACK is ISS+1 or it is none of ours; the entry stays."""
    hand = Hand(None, family=family)
    iss = hand.syn().sent.seq
    rst = hand.ack(dack=dack).sent
    assert ("R", iss + 1 + dack & MASK32) == (rst.flags, rst.seq)
    assert "ACCEPT_CACHE" == hand.ack().reason


def test_s3_10_7_4_sixth_urgent_data_is_data(family):
    """The urgent pointer is not followed; nothing is lost or refused by it."""
    hand = Hand(None, family=family)
    hand.syn()
    assert "ACCEPT_CACHE" == hand.ack(flags="AU", urgent=3, payload=b"abc").reason


def test_s3_10_7_4_seventh_text_of_the_ack_is_delivered(family):
    """It is the connection's first data."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject("P. 1:101(100) ack 1")
    assert 100 == len(hand.connection.read(1000))


def test_s3_10_7_4_eighth_fin_of_the_ack_enters_close_wait(family):
    """ESTABLISHED on the way."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject("F. 1:1(0) ack 1")
    assert "CLOSE-WAIT" == hand.state


def test_SHLD_2_rst_may_carry_data(family):
    """It resets all the same."""
    hand = Hand(None, family=family)
    hand.syn()
    assert "DROP_RST" == hand.rst(payload=b"go away").reason


# Retransmission.


def test_MUST_18_retransmitted_syn_ack_gives_no_sample(family):
    """Karn: a handshake of which the SYN-ACK was sent again measures nothing."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.advance(ms=1000)
    hand.expect("S. 0:0(0) ack 1")
    hand.advance(ms=50)
    hand.inject(". 1:1(0) ack 1")
    assert hand.connection.info.srtt_ms is None


def test_MUST_19_back_off_is_exponential(family):
    """1, 2 and 4 s between SYN-ACKs, plus the slop; and slow start on data."""
    hand = Hand(None, family=family)
    hand.syn()
    times = [0] + [at for at, _ in hand.run(60_000)]
    gaps = [after - before for before, after in pairwise(times)]
    late = [gap - want for gap, want in zip(gaps, (1000, 2200, 4200), strict=True)]
    assert all(0 <= ms < 5 for ms in late)
    info = established(family).connection.info
    assert 10 * info.mss == info.cwnd < info.ssthresh


def test_MUST_20_connection_ends_after_r2_retransmissions(family):
    """Data that nobody acknowledges: a bounded number of times, then the end."""
    hand = established(family)
    hand.write(100)
    hand.advance(ms=1_200_000)
    assert 13 == len(hand.sent)
    assert ["Closed timed out"] == hand.events()


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_MUST_21_r2_can_be_set(family, limit):
    """rexmtlimit, and from the next SYN-ACK on."""
    hand = Hand(None, family=family)
    hand.set("syncache.rexmtlimit", limit)
    hand.syn()
    assert limit == len(hand.run(300_000))
    assert [] == hand.entries


def test_MUST_22_syn_ack_is_retransmitted_as_data_is(family):
    """The same segment again, by a timer that backs off."""
    hand = Hand(None, family=family)
    first = hand.syn().sent
    again = [packet for _, packet in hand.run(60_000)]
    assert 3 == len(again)
    same = {(p.seq, p.ack, p.flags, p.options) for p in (first, *again)}
    assert 1 == len(same)


def test_MUST_23_departure_r2_of_a_syn_ack_is_15_s_by_default(family):
    """FreeBSD's and ours: 15.6 s, as a half-open entry is worth little."""
    hand = Hand(None, family=family)
    hand.syn()
    hand.run(15_500)
    assert 1 == len(hand.entries)
    hand.run(150)
    assert [] == hand.entries


def test_MUST_23_r2_of_three_minutes_is_restored_by_a_tunable(family):
    """rexmtlimit=7: 1, 2, 4, 8, 16, 32 and 64 s twice, plus the slops."""
    hand = Hand(None, {"syncache.rexmtlimit": 7}, family=family)
    hand.syn()
    hand.run(180_000)
    assert 1 == len(hand.entries)
    hand.run(20_000)
    assert [] == hand.entries


# ICMP.


def icmp(hand, kind, *, dseq=0):
    """Let an ICMP error of a kind arrive about the SYN-ACK; its verdict."""
    peer, seq = hand.packet(), (hand.iss[1] + dseq) & MASK32
    ours = Packet(peer.dst, peer.src, peer.dport, peer.sport, seq=seq)
    error = icmp_error(ours.encode(), ROUTER[hand.family], kind=kind[hand.family])
    return hand.engine.packet(error, hand.now).reason.name


@pytest.mark.parametrize("dseq", [-1, 1, 1 << 31])
def test_MUST_54_icmp_counts_only_if_it_quotes_our_number(family, dseq):
    """Else it is consumed and changes nothing, however often it comes."""
    hand = Hand(None, family=family)
    hand.syn()
    hand.run(8_000)
    for _ in range(3):
        assert "DROP_ICMP" == icmp(hand, KINDS["port unreachable"], dseq=dseq)
    assert 1 == len(hand.entries)


def test_MUST_55_source_quench_is_discarded():
    """Nobody looks at it."""
    hand = Hand(None)
    hand.syn()
    before = hand.entries
    assert "PASS_NOT_TCP" == icmp(hand, {4: (4, 0)})
    assert before == hand.entries


@pytest.mark.parametrize("kind", KINDS)
def test_MUST_56_SHLD_25_soft_error_aborts_no_connection(family, kind):
    """It is noted, and told should the connection time out."""
    hand = established(family)
    hand.connection.write(bytes(100))
    (first,) = hand.stack.packets_to_send(hand.now)
    error = icmp_error(first, ROUTER[family], kind=KINDS[kind][family])
    hand.stack.receive(error, hand.now)
    assert "ESTABLISHED" == hand.state
    assert hand.connection.info.soft_error


@pytest.mark.parametrize("kind", KINDS)
def test_MUST_56_first_error_leaves_a_half_open_connection(family, kind):
    """It may be a moment's trouble: the SYN-ACK is sent again."""
    hand = Hand(None, family=family)
    hand.syn()
    icmp(hand, KINDS[kind])
    icmp(hand, KINDS[kind])
    assert 3 == len(hand.run(60_000))


def test_SHLD_26_lasting_error_ends_a_half_open_connection(family):
    """The second one, once the third retransmission is out: nobody is there."""
    hand = Hand(None, family=family)
    hand.syn()
    hand.run(8_000)
    icmp(hand, KINDS["port unreachable"])
    assert 1 == len(hand.entries)
    icmp(hand, KINDS["port unreachable"])
    assert [] == hand.entries
    assert {"sc_unreach": 1} == {k: v for k, v in hand.moved().items() if "un" in k}


# The application.


def test_MUST_12_application_is_told_of_an_abort(family):
    """The event names what happened."""
    hand = established(family)
    hand.inject("R 1:1(0)")
    assert ["Closed connection reset by peer"] == hand.events()


def test_MUST_47_errors_are_reported(family):
    """A soft one can be asked for, and is the reason given at the end."""
    hand = established(family)
    hand.connection.write(bytes(100))
    (first,) = hand.stack.packets_to_send(hand.now)
    kind = KINDS["host unreachable"][family]
    hand.stack.receive(icmp_error(first, ROUTER[family], kind=kind), hand.now)
    assert "unreachable" in hand.connection.info.soft_error
    hand.advance(ms=1_200_000)
    (closed,) = hand.events()
    assert "unreachable" in closed


# The end.


def test_MUST_13_time_wait_lasts_two_msl(family):
    """msl is 30 s."""
    hand = time_wait(family)
    hand.advance(ms=59_999)
    assert "TIME-WAIT" == hand.state
    hand.advance(ms=1)
    assert [] == hand.stack.connections


def test_MAY_2_syn_with_a_greater_number_leaves_time_wait(family):
    """The old connection is gone, the new handshake as any other."""
    hand = time_wait(family)
    hand.inject(f"S 100:100(0) win 65535 <{HANDSHAKE}>")
    hand.iss = None
    hand.expect("S. 0:0(0) ack 101")
    assert [] == hand.stack.connections


def test_SHLD_4_newer_timestamp_leaves_time_wait(family):
    """RFC 6191: though its number is not greater."""
    stamps = HANDSHAKE + ",TS val 100 ecr 0"
    hand = established(family, options=stamps)
    hand.close()
    hand.inject(f"F. 1:1(0) ack 2 <TS val 101 ecr {hand.tsval}>")
    hand.sent.clear()
    assert "TIME-WAIT" == hand.state
    hand.inject("S 0:0(0) win 65535 <mss 1460,TS val 102 ecr 0>")
    hand.iss = None
    hand.expect("S. 0:0(0) ack 1")


def test_MAY_1_close_is_not_half_duplex(family):
    """After our FIN the peer may go on, and is heard."""
    hand = fin_wait_2(family)
    hand.inject("P. 1:11(10) ack 2")
    assert 10 == len(hand.connection.read(100))


# Keepalive, and ACKs.


def test_MUST_24_MUST_25_keepalive_is_off_unless_asked_for(family):
    """A day of silence sends nothing; one attribute switches it on."""
    hand = established(family)
    hand.advance(ms=86_400_000)
    hand.expect_nothing()
    hand.connection.keepalive = True
    hand.collect()
    hand.advance(ms=0)
    hand.expect(". 0:0(0) ack 1")
    hand.expect_nothing()


def test_MUST_26_MUST_27_MUST_28_keepalive_after_two_hours_of_silence(family):
    """keepidle is a tunable; anything received starts it anew."""
    hand = established(family)
    hand.connection.keepalive = True
    hand.advance(ms=3_600_000)
    hand.inject(". 1:1(0) ack 1")
    hand.advance(ms=7_199_000)
    hand.expect_nothing()
    hand.advance(ms=1_000)
    hand.expect(". 0:0(0) ack 1")
    hand = established(family, sysctl={"net.inet.tcp.keepidle": 5_000})
    hand.connection.keepalive = True
    hand.advance(ms=5_000)
    hand.expect(". 0:0(0) ack 1")


def test_MUST_29_unanswered_probe_ends_nothing(family):
    """ACKs of probes may be lost: keepcnt of them in a row end the connection."""
    hand = established(family)
    hand.connection.keepalive = True
    hand.advance(ms=7_200_000 + 6 * 75_000)
    assert 7 == len(hand.sent)
    assert "ESTABLISHED" == hand.state
    hand.inject(". 1:1(0) ack 1")
    hand.advance(ms=3_600_000)
    assert "ESTABLISHED" == hand.state


def test_MUST_58_acks_are_aggregated(family):
    """Two full segments draw one ACK, but for the first of a connection."""
    hand = established(family)
    for first in range(1, 16 * 1460, 1460):
        hand.inject(f". {first}:{first + 1460}(1460) ack 1")
        hand.expect(f". 1:1(0) ack {first + 1460}")
    hand.inject(". 23361:24821(1460) ack 1")
    hand.expect_nothing()
    hand.inject(". 24821:26281(1460) ack 1")
    hand.expect(". 1:1(0) ack 26281")
    hand.expect_nothing()


def test_MUST_59_all_that_is_queued_is_processed_before_the_ack(family):
    """Filling the hole acknowledges what came before it, too."""
    hand = established(family)
    hand.inject(". 101:201(100) ack 1")
    hand.expect(". 1:1(0) ack 1")
    hand.inject(". 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 201")


def test_MUST_58_data_of_the_third_ack_is_acknowledged_with_the_answer(family):
    """The delayed ACK rides on what the application writes."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject("P. 1:101(100) ack 1")
    hand.expect_nothing()
    hand.write(50)
    hand.expect("P. 1:51(50) ack 101")


def test_MAY_12_injected_data_is_guarded_against(family):
    """RFC 5961: an ACK of what was never sent is challenged, its data thrown away."""
    hand = established(family)
    hand.inject("P. 1:11(10) ack 5000")
    hand.expect(". 1:1(0) ack 1")
    assert b"" == hand.connection.read(100)


def test_SHLD_8_ecn_is_there(family):
    """A SYN that asks for it is told yes."""
    hand = listen(family)
    hand.inject(f"SEW 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S.E 0:0(0) ack 1")
    hand.inject(". 1:1(0) ack 1")
    assert "classic" == hand.connection.info.ecn


def test_MAY_18_congestion_control_is_newreno(family):
    """RFC 5681 and 6582: no other is offered; three duplicates halve the window."""
    hand = established(family, options="mss 1000")
    hand.write(10_000)
    for _ in range(3):
        hand.inject(". 1:1(0) ack 1 win 65535")
    assert 5_000 == hand.connection.info.ssthresh


def test_MUST_11_request_by_fast_open_is_closed_by_a_rst(family):
    """SYN-RECEIVED with a connection: that one was told of, so its end is told too."""
    hand = syn_received(family)
    hand.inject("R 1:1(0)")
    assert "Closed" in hand.events()[-1]


def test_MUST_30_departure_urgent_data_is_plain_data(family):
    """No urgent mechanism (RFC 6093 advises against its use): bytes in their place."""
    hand = established(family)
    hand.inject("PU. 1:11(10) ack 1")
    assert 10 == len(hand.connection.read(100))


def test_s3_10_1_passive_open_of_a_taken_port_is_an_error(family):
    """The port and address are in use."""
    hand = listen(family)
    with pytest.raises(ValueError, match="taken"):
        hand.stack.listen(PORT)
