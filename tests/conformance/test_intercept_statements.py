"""Statements I01 to I20 of the specification: lists, both handshakes, the splice."""

from __future__ import annotations

import pytest

from syncache.acl import AccessList, deny, permit
from syncache.options import Mss, Sack, SackPermitted, Timestamps, WindowScale
from tests.conformance.shield import (
    ACK,
    CLIENT,
    FIN,
    FULL_OPTIONS,
    PSH,
    RST,
    SERVER,
    SYN,
    Shield,
    flags_of,
    same_bytes,
)

NOTHING = (0, 0, 0)


def untouched(shield, **members):
    """C's SYN goes on as it came, and nothing is remembered of it."""
    syn = shield.from_client(SYN, dseq=0, options=FULL_OPTIONS, **members)
    out = shield.give(syn, CLIENT)
    return same_bytes(syn, out, SERVER) and NOTHING == shield.counts()


def test_I01_without_list_a_syn_passes_untouched(family):
    """No list: no entry, no count, no rate."""
    shield = Shield(family, acl=())
    assert untouched(shield)
    assert [] == shield.lines()


def test_I02_syn_to_another_port_passes_untouched(family):
    """A list for port 80 says nothing of port 443."""
    assert untouched(Shield(family), dport=443)


def test_I03_denied_client_passes_and_another_is_intercepted(family):
    """`deny host C; permit any`."""
    shield = Shield(family)
    rules = [deny(source=shield.client), permit()]
    shield.engine.acl = AccessList("100", rules)
    assert untouched(shield)
    out = shield.syn(src=shield.other(1))
    assert ["C SA"] == flags_of(out)


def test_I04_permitted_syn_is_answered_in_the_servers_name(family):
    """One SYN-ACK to C, nothing to S; one incomplete, one request."""
    shield = Shield(family)
    ((side, answer),) = shield.syn(options=FULL_OPTIONS)
    assert CLIENT == side
    assert (SYN | ACK, shield.c + 1) == (answer.flags, answer.ack)
    ends = (answer.src, answer.sport, answer.dst, answer.dport)
    assert (shield.server, 80, shield.client, 40000) == ends
    told = 536 if family == 4 else 1220
    assert (64, told) == (answer.hop_limit, answer.window)
    assert (family == 4) == answer.dont_fragment
    assert (1, 0, 1) == shield.counts()
    assert ["SYNRCVD"] == shield.states()


def test_I05_first_ack_opens_the_server_with_the_clients_isn(family):
    """A SYN to S as C, with C's own ISN."""
    shield = Shield(family)
    shield.syn()
    shield.lines()
    ((side, syn),) = shield.ack()
    assert (SERVER, SYN, shield.c) == (side, syn.flags, syn.seq)
    ends = (syn.src, syn.sport, syn.dst, syn.dport)
    assert (shield.client, 40000, shield.server, 80) == ends
    assert ["SYNSENT"] == shield.states()
    assert (1, 0, 1) == shield.counts()
    assert "1st half of connection is established" in shield.lines()[0]


def test_I06_servers_answer_splices_the_halves(family):
    """ACK to S as C, window update to C as S; the SYN-ACK goes nowhere."""
    shield = Shield(family)
    out = shield.established()
    assert ["C A", "S A"] == sorted(flags_of(out))
    by_side = dict(out)
    to_server, to_client = by_side[SERVER], by_side[CLIENT]
    assert (shield.c + 1, shield.s + 1) == (to_server.seq, to_server.ack)
    assert ((shield.p + 1) & 0xFFFFFFFF, shield.c + 1) == (
        to_client.seq,
        to_client.ack,
    )
    assert to_client.window > 0
    assert ["ESTAB"] == shield.states()
    assert (0, 1, 1) == shield.counts()


def test_I07_servers_data_gets_the_clients_numbers(family):
    """SEQ is translated, ACK is not, and the checksum is right."""
    shield = Shield(family)
    shield.established()
    data = shield.from_server(ACK | PSH, payload=bytes(range(100)))
    ((side, seen),) = shield.give(data, SERVER)
    assert CLIENT == side
    assert (shield.p + 1) & 0xFFFFFFFF == seen.seq
    assert (data.ack, data.payload) == (seen.ack, seen.payload)


def test_I08_clients_ack_gets_the_servers_numbers(family):
    """ACK is translated, SEQ is not."""
    shield = Shield(family)
    shield.established()
    ((side, seen),) = shield.ack(dack=101)
    assert (SERVER, shield.c + 1, shield.s + 101) == (side, seen.seq, seen.ack)


def test_I09_sack_blocks_get_the_servers_numbers(family):
    """Blocks in C's ACK count from p; S sees them from s, whatever their place."""
    shield = Shield(family, options="client")
    shield.established(client=FULL_OPTIONS[:2], server=FULL_OPTIONS[:2])
    p, s = shield.p, shield.s
    blocks = ((p + 201, p + 301), (p + 401, p + 501))
    blocks = tuple((a & 0xFFFFFFFF, b & 0xFFFFFFFF) for a, b in blocks)
    ((_, seen),) = shield.ack(options=(Sack(blocks),))
    assert ((s + 201, s + 301), (s + 401, s + 501)) == seen.sack.blocks


@pytest.mark.parametrize("apart", [5, 2**32 - 5, 2**31, 1, 0, 2**31 + 1])
def test_I10_numbers_may_wrap_anywhere(family, apart):
    """I07 to I09 hold for any difference of p and s."""
    shield = Shield(family, options="client")
    shield.syn(options=FULL_OPTIONS[:2])
    shield.s = (shield.p - apart) & 0xFFFFFFFF
    shield.ack()
    shield.syn_ack(options=FULL_OPTIONS[:2])
    assert ["ESTAB"] == shield.states()
    data = shield.from_server(ACK, payload=b"x" * 100)
    ((_, down),) = shield.give(data, SERVER)
    assert (shield.p + 1) & 0xFFFFFFFF == down.seq
    block = ((shield.p + 201) & 0xFFFFFFFF, (shield.p + 301) & 0xFFFFFFFF)
    ((_, up),) = shield.ack(dack=101, options=(Sack((block,)),))
    assert (shield.s + 101) & 0xFFFFFFFF == up.ack
    assert (
        ((shield.s + 201) & 0xFFFFFFFF, (shield.s + 301) & 0xFFFFFFFF),
    ) == up.sack.blocks


@pytest.mark.parametrize(
    ("reset", "last"), [("always", ["C RA"]), ("validated", []), ("never", [])]
)
def test_I11_silent_client_gets_five_syn_acks(family, reset, last):
    """At 0, 1, 3, 7, 15 s; at 31 s it is over.  RST only if told to: who is silent
    may never have been there."""
    shield = Shield(family, reset_client_on_giveup=reset)
    shield.syn()
    p = shield.p
    sent = shield.until(120.0)
    answers = [item for item in sent if item[2].flags & SYN]
    assert [1.0, 3.0, 7.0, 15.0] == [when for when, _, _ in answers]
    assert {(CLIENT, p)} == {(side, seg.seq) for _, side, seg in answers}
    rest = [item for item in sent if not item[2].flags & SYN]
    assert last == flags_of(rest)
    assert [31.0] * len(last) == [when for when, _, _ in rest]
    assert [(p + 1) & 0xFFFFFFFF] * len(last) == [seg.seq for _, _, seg in rest]
    assert [] == shield.states()
    assert 0 == shield.counts()[0]
    assert any("SYNRCVD retransmitting too long" in line for line in shield.lines())


def test_I11_entry_is_there_until_31_seconds(family):
    """Not a millisecond less."""
    shield = Shield(family)
    shield.syn()
    shield.until(30.999)
    assert ["SYNRCVD"] == shield.states()
    shield.until(31.0)
    assert [] == shield.states()


def test_I12_silent_server_gets_five_syns_and_the_client_a_rst(family):
    """The second half's clock starts anew; C, who believes it is connected, is told."""
    shield = Shield(family)
    shield.until(1.0)
    shield.syn()
    shield.until(1.9)
    shield.until(10.0)
    shield.ack()
    shield.lines()
    sent = shield.until(120.0)
    syns = [item for item in sent if item[1] is SERVER]
    assert [11.0, 13.0, 17.0, 25.0] == [when for when, _, _ in syns]
    assert {(SYN, shield.c)} == {(seg.flags, seg.seq) for _, _, seg in syns}
    ((when, _, reset),) = [item for item in sent if item[1] is CLIENT]
    assert 41.0 == when
    assert (RST, (shield.p + 1) & 0xFFFFFFFF) == (reset.flags & RST, reset.seq)
    assert shield.c + 1 == reset.ack
    lines = "\n".join(shield.lines())
    assert "SYNSENT retransmit 4" in lines
    assert "INTERCEPT: SYNSENT retransmitting too long" in lines
    assert [] == shield.states()


def test_I13_clients_data_waits_for_the_server(family):
    """Dropped in SYNSENT and counted; C sends it again when it can pass."""
    shield = Shield(family)
    shield.syn()
    shield.ack()
    shield.lines()
    data = shield.from_client(ACK | PSH, payload=b"GET / HTTP/1.1\r\n\r\n")
    assert [] == shield.give(data, CLIENT)
    assert 1 == shield.count("client_dropped_synsent")
    assert "client packet dropped in SYNSENT" in shield.lines()[0]
    shield.syn_ack()
    ((side, seen),) = shield.give(data, CLIENT)
    assert (SERVER, data.payload) == (side, seen.payload)


def test_I14_repeated_syn_is_answered_again_and_counts_once(family):
    """The same p; rate and schedule stay."""
    shield = Shield(family)
    shield.syn()
    p = shield.p
    shield.until(0.5)
    ((_, again),) = shield.syn()
    assert p == again.seq
    assert (1, 0, 1) == shield.counts()
    assert [1.0, 3.0] == [when for when, _, _ in shield.until(3.0)]


def test_I15_wrong_ack_does_nothing_but_count(family):
    """ack = p+2: no answer, no state."""
    shield = Shield(family)
    shield.syn()
    assert [] == shield.ack(dack=2)
    assert ["SYNRCVD"] == shield.states()
    assert 1 == shield.count("bad_ack")


def test_I16_clients_rst_ends_the_entry(family):
    """SEQ c+1 is the one that counts."""
    shield = Shield(family)
    shield.syn()
    assert [] == shield.give(shield.from_client(RST, dseq=2), CLIENT)
    assert ["SYNRCVD"] == shield.states()
    assert [] == shield.give(shield.from_client(RST), CLIENT)
    assert [] == shield.states()
    assert 0 == shield.counts()[0]


def test_I17_closed_server_port_is_told_to_the_client_at_once(family):
    """A valid RST of S's: RST to C with its numbers; gone after finrst_timeout."""
    shield = Shield(family)
    shield.syn()
    shield.ack()
    refusal = shield.from_server(RST | ACK, dseq=-shield.s)
    ((side, reset),) = shield.give(refusal, SERVER)
    assert CLIENT == side
    assert (RST, (shield.p + 1) & 0xFFFFFFFF) == (reset.flags & RST, reset.seq)
    shield.until(4.9)
    assert ["CLOSING"] == shield.states()
    shield.until(5.1)
    assert [] == shield.states()


def test_I17_spoofed_rst_of_the_server_is_not_believed(family):
    """Without ack = c+1 it comes from somebody who saw no SYN of ours."""
    shield = Shield(family)
    shield.syn()
    shield.ack()
    for reset in (
        shield.from_server(RST | ACK, dack=2),
        shield.from_server(RST),
        shield.from_server(RST | ACK, dack=0),
    ):
        assert [] == shield.give(reset, SERVER)
    assert ["SYNSENT"] == shield.states()


def test_I18_silent_connection_is_forgotten_after_its_timeout(family):
    """24 h after the last packet, whoever sent it; no RST is sent."""
    shield = Shield(family)
    shield.established()
    shield.until(86_000.0)
    assert 1 == len(shield.ack())
    assert [] == shield.until(172_399.9)
    assert ["ESTAB"] == shield.states()
    assert [] == shield.until(172_400.1)
    assert [] == shield.states()


def test_I18_untouched_connection_ends_after_a_day(family):
    """What never sends anything, too."""
    shield = Shield(family)
    shield.established()
    shield.until(86_399.9)
    assert ["ESTAB"] == shield.states()
    shield.until(86_400.1)
    assert [] == shield.states()


def test_I19_both_fins_close_it_after_five_seconds(family):
    """Five seconds without a packet; whatever comes until then is translated."""
    shield = Shield(family)
    shield.established()
    shield.until(100.0)
    shield.give(shield.from_client(FIN | ACK), CLIENT)
    assert ["ESTAB"] == shield.states()
    ((_, fin),) = shield.give(shield.from_server(FIN | ACK, dack=2), SERVER)
    assert (shield.p + 1) & 0xFFFFFFFF == fin.seq
    assert ["CLOSING"] == shield.states()
    assert (0, 1, 1)[1] == shield.counts()[1]
    shield.until(104.9)
    ((_, last),) = shield.ack(dseq=2, dack=2)
    assert shield.s + 2 == last.ack
    shield.until(109.8)
    assert ["CLOSING"] == shield.states()
    shield.until(110.0)
    assert [] == shield.states()


def test_I19_own_syn_come_late_ends_nothing(family):
    """A duplicate of C's SYN, after both FINs: translation goes on until the end."""
    shield = Shield(family)
    shield.established()
    shield.give(shield.from_client(FIN | ACK), CLIENT)
    shield.give(shield.from_server(FIN | ACK, dack=2), SERVER)
    p = shield.p
    assert ["S S"] == flags_of(shield.syn())
    ((_, last),) = shield.ack(dseq=2, dack=2)
    assert (p, shield.s + 2) == (shield.p, last.ack)
    assert ["CLOSING"] == shield.states()


def test_I19_one_fin_alone_closes_nothing(family):
    """A half-closed connection may go on for a day."""
    shield = Shield(family)
    shield.established()
    shield.until(100.0)
    shield.give(shield.from_client(FIN | ACK), CLIENT)
    shield.until(1000.0)
    assert ["ESTAB"] == shield.states()


def test_I19_fin_beyond_the_window_closes_nothing(family):
    """A FIN that no receiver takes is forwarded and changes nothing."""
    shield = Shield(family)
    shield.established()
    shield.give(shield.from_client(FIN | ACK), CLIENT)
    far = shield.from_server(FIN | ACK, dseq=2**30)
    assert ["C FA"] == flags_of(shield.give(far, SERVER))
    assert ["ESTAB"] == shield.states()


@pytest.mark.parametrize("side", [CLIENT, SERVER], ids=str)
def test_I20_reset_closes_it_after_five_seconds(family, side):
    """A RST at the receiver's RCV.NXT, from either end."""
    shield = Shield(family)
    shield.established()
    shield.until(100.0)
    make = shield.from_client if side is CLIENT else shield.from_server
    assert 1 == len(shield.give(make(RST), side))
    shield.until(104.9)
    assert ["CLOSING"] == shield.states()
    shield.until(105.1)
    assert [] == shield.states()


@pytest.mark.parametrize("side", [CLIENT, SERVER], ids=str)
@pytest.mark.parametrize("dseq", [0, 2, 1000])
def test_I20_blind_reset_changes_nothing(family, side, dseq):
    """One that the receiver would challenge goes on, and the connection too."""
    shield = Shield(family)
    shield.established()
    make = shield.from_client if side is CLIENT else shield.from_server
    assert 1 == len(shield.give(make(RST, dseq=dseq), side))
    assert ["ESTAB"] == shield.states()


def test_whole_conversation_prints_the_originals_lines(family):
    """Steps 1 to 4 as a router's debug output has them."""
    shield = Shield(family)
    shield.established()
    client = f"{shield.client}:40000" if family == 4 else f"[{shield.client}]:40000"
    server = f"{shield.server}:80" if family == 4 else f"[{shield.server}]:80"
    assert [
        f"INTERCEPT: new connection ({client} SYN -> {server})",
        f"INTERCEPT(*): ({client} <- ACK+SYN {server})",
        f"INTERCEPT: 1st half of connection is established ({client} ACK -> {server})",
        f"INTERCEPT(*): ({client} SYN -> {server})",
        f"INTERCEPT: 2nd half of connection established ({client} <- ACK+SYN {server})",
        f"INTERCEPT(*): ({client} ACK -> {server})",
        f"INTERCEPT(*): ({client} <- WINDOW {server})",
    ] == shield.lines()


def test_options_used_are_those_that_were_told(family):
    """A sanity check of the helper: options of the SYN to S are a list of ours."""
    shield = Shield(family, options="client")
    shield.syn(options=FULL_OPTIONS)
    ((_, syn),) = shield.ack(options=(Timestamps(101, 0),))
    kinds = {type(option) for option in syn.options}
    assert kinds <= {Mss, SackPermitted, Timestamps, WindowScale}
