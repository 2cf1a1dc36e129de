"""Statements 30 to 42: what a SYN-ACK says, odd segments, timestamps on the ACK."""

from __future__ import annotations

import pytest

from tests.conformance import packetdrill
from tests.conformance.hand import ALL_OPTIONS, IRS, LOCAL, PORT, Hand
from tests.conformance.player import play
from tests.model import option


def syn_ack_options(opts, *, tune=None, listen=None):
    """The option bytes that answer a SYN with these options."""
    return Hand(tune=tune, listen=listen).syn(opts=opts).sent.options


def test_statement_30_all_options_in_order():
    """MSS, window scale, SACK, timestamps: 20 bytes."""
    got = syn_ack_options(ALL_OPTIONS)
    assert "020405b401030306" + "0402080a" == got[:12].hex()
    assert (20, "00000064") == (len(got), got[16:].hex())


LAYOUTS = {
    "nothing": ((), 4),
    "ws": ((("nop",), ("ws", 7)), 8),
    "sack": ((("sack_ok",),), 8),
    "ws+sack": ((("ws", 7), ("sack_ok",)), 12),
    "ts": ((("ts", 1, 0),), 16),
    "sack+ts": ((("sack_ok",), ("ts", 1, 0)), 16),
    "ws+ts": ((("ws", 7), ("ts", 1, 0)), 20),
    "ws+sack+ts": ((("ws", 7), ("sack_ok",), ("ts", 1, 0)), 20),
}


@pytest.mark.parametrize(("opts", "size"), LAYOUTS.values(), ids=LAYOUTS)
def test_statement_31_options_only_as_offered(opts, size):
    """Each combination as the table of section 3.2 has it."""
    got = syn_ack_options(opts)
    decoded = option.decode(got)
    kinds = {o[0] for o in decoded} - {"nop", "eol", "mss"}
    assert {o[0] for o in opts} - {"nop"} == kinds
    again = [o for o in decoded if o[0] not in ("nop", "eol")]
    assert option.syn_ack(again) == got
    assert size == len(got)


def test_statement_31_mss_alone_and_sack_alone():
    """The two byte strings that the statement gives."""
    assert "020405b4" == syn_ack_options((("mss", 536),)).hex()
    assert "020405b404020000" == syn_ack_options((("sack_ok",),)).hex()


def test_statement_32_padding_is_eol_then_zeros():
    """Never a NOP behind the last option."""
    got = syn_ack_options((("ws", 7), ("sack_ok",)))
    assert "0402" + "0000" == got[8:].hex()


@pytest.mark.parametrize(
    ("rcv_window", "announced"),
    [(1, 1), (8192, 8192), (65535, 65535), (1 << 20, 65535)],
)
def test_statement_33_window_is_the_buffer_not_shifted(rcv_window, announced):
    """min(receive buffer, 65535), whatever the scale."""
    hand = Hand(listen={"rcv_window": rcv_window})
    assert announced == hand.syn(opts=ALL_OPTIONS).sent.window


@pytest.mark.parametrize(
    ("rfc1323", "kinds"),
    [
        (0, {"mss", "sack_ok"}),
        (1, {"mss", "sack_ok", "ws", "ts"}),
        (2, {"mss", "sack_ok", "ws"}),
        (3, {"mss", "sack_ok", "ts"}),
    ],
)
def test_statement_34_rfc1323(rfc1323, kinds):
    """0 neither, 1 both, 2 scaling, 3 timestamps."""
    got = option.decode(syn_ack_options(ALL_OPTIONS, tune={"rfc1323": rfc1323}))
    assert kinds == {o[0] for o in got} - {"nop", "eol"}


def test_statement_34_noopt_listener_sends_no_options():
    """And the connection has none, though the SYN offered all."""
    hand = Hand(listen={"options": False})
    assert b"" == hand.syn(opts=ALL_OPTIONS).sent.options
    conn = hand.ack(opts=(("ts", 101, 0),)).made
    got = (conn.snd_wscale, conn.sack_permitted, conn.timestamps)
    assert (None, False, False) == got


def test_statement_35_ecn_until_the_first_retransmission(family):
    """ECE on the SYN-ACK and on its first retransmission, not on the second."""
    hand = Hand(family=family)
    assert "SAE" == hand.syn(flags="SEW").sent.flags
    assert ["SAE", "SA", "SA"] == [packet.flags for _, packet in hand.run(8_000)]


def test_statement_36_syn_data_is_not_acknowledged(family):
    """ack = irs + 1, whatever the SYN carried."""
    hand = Hand(family=family)
    assert IRS + 1 == hand.syn(payload=b"x" * 100).sent.ack


def test_statement_36_data_of_the_ack_is_delivered():
    """The third segment's data is the new connection's."""
    script = """
    +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    +0 bind(3, ..., ...) = 0
    +0 listen(3, 1) = 0
    +0 < S 0:50(50) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 1 <mss 1460>
    +.1 < P. 1:101(100) ack 1 win 65535
    * > . 1:1(0) ack 101
    +0 accept(3, ..., ...) = 4
    +0 read(4, ..., 1000) = 100
    """
    assert [] == play(packetdrill.read(script, "statement 36"))


def test_statement_37_synfin():
    """A SYN with FIN is a SYN, unless drop_synfin."""
    assert "REPLY_SYN_ACK" == Hand().syn(flags="SF").reason
    hand = Hand(tune={"drop_synfin": 1})
    assert "DROP_SYN_FIN" == hand.syn(flags="SF").reason
    assert {"badsyn": 1} == hand.moved()


def test_statement_38_syn_ack_to_a_listener_is_silent(family):
    """No RST, no change, badsyn."""
    hand = Hand(family=family)
    hand.syn()
    hand.moved()
    answer = hand.ack(flags="SA")
    assert ("DROP_SYN_ACK", None) == (answer.reason, answer.packet)
    assert {"badsyn": 1} == hand.moved()
    assert 1 == len(hand.entries)


@pytest.mark.parametrize("flags", ["F", "", "U", "P", "FPU"])
def test_statement_39_without_syn_silent(flags):
    """FIN only, null, URG only: badsyn."""
    hand = Hand()
    answer = hand.send(hand.packet(flags=flags, seq=1))
    assert ("DROP_NO_SYN", None) == (answer.reason, answer.packet)
    assert {"badsyn": 1} == hand.moved()


ODD_ENDS = {
    "land": ({"src": LOCAL[4], "sport": PORT}, 4),
    "multicast source": ({"src": "224.0.0.1"}, 4),
    "broadcast source": ({"src": "255.255.255.255"}, 4),
    "unspecified source": ({"src": "0.0.0.0"}, 4),
    "multicast destination": ({"dst": "224.0.0.1"}, 4),
    "broadcast destination": ({"dst": "255.255.255.255"}, 4),
    "land v6": ({"src": LOCAL[6], "sport": PORT}, 6),
    "multicast source v6": ({"src": "ff02::1"}, 6),
    "unspecified source v6": ({"src": "::"}, 6),
    "multicast destination v6": ({"dst": "ff02::1"}, 6),
}


@pytest.mark.parametrize(("fields", "family_"), ODD_ENDS.values(), ids=ODD_ENDS)
def test_statement_39_odd_addresses_are_silent(fields, family_):
    """SYN from our own address and port, multicast, broadcast: nothing at all."""
    hand = Hand(family=family_)
    answer = hand.syn(**fields)
    assert answer.reason.startswith("DROP_"), answer.reason
    assert [] == hand.entries


@pytest.mark.parametrize(
    ("tsval", "reason"),
    [
        (99, "DROP_PAWS"),
        (100, "ACCEPT_CACHE"),
        (101, "ACCEPT_CACHE"),
        (100 - (1 << 30), "DROP_PAWS"),
    ],
)
def test_statement_40_paws(tsval, reason):
    """A TSval below the SYN's is dropped in silence, an equal one completes."""
    hand = Hand()
    hand.syn(opts=ALL_OPTIONS)
    answer = hand.ack(opts=(("ts", tsval & 0xFFFFFFFF, 0),))
    assert (reason, None) == (answer.reason, answer.packet)
    assert (reason == "DROP_PAWS") == bool(hand.entries)


def test_statement_41_missing_timestamps():
    """Tolerated by default; tolerate_missing_ts=0 drops in silence and keeps."""
    hand = Hand()
    hand.syn(opts=ALL_OPTIONS)
    assert "ACCEPT_CACHE" == hand.ack().reason
    hand = Hand(tune={"tolerate_missing_ts": 0})
    hand.syn(opts=ALL_OPTIONS)
    assert "DROP_MISSING_TS" == hand.ack().reason
    assert 1 == len(hand.entries)


def test_statement_42_unexpected_timestamps_are_ignored():
    """Not negotiated: accepted, and not on."""
    hand = Hand()
    hand.syn()
    conn = hand.ack(opts=(("ts", 5, 5),)).made
    assert not conn.timestamps
