"""RFC 9293: segments, options, sequence numbers and who may be spoken to.

One test for each requirement of Appendix B that a passive opener has, the number in
its name; what happens to a connection is in test_rfc9293_connection.py.  Requirements
of an active opener are listed in docs/conformance.md.
"""

from __future__ import annotations

import pytest
from harness import HANDSHAKE, PORT, established, listen

from tests.conformance.hand import IRS, LOCAL, MASK32, PEER, ROUTER, Hand
from tests.model import option
from tests.model.packet import Packet, checksum, icmp_error

HEADERS = {4: 40, 6: 60}


def with_ip_options(packet: bytes, options: bytes) -> bytes:
    """Put options into an IPv4 header; their size is a multiple of 4."""
    header = bytearray(packet[:20] + options)
    header[0] = 0x40 | len(header) // 4
    header[2:4] = (len(packet) + len(options)).to_bytes(2, "big")
    header[10:12] = bytes(2)
    header[10:12] = checksum(bytes(header)).to_bytes(2, "big")
    return bytes(header) + packet[20:]


def raw(hexadecimal: str):
    """Options as they lie on the wire."""
    return (("raw", hexadecimal),)


# The header.


def test_MUST_1_window_is_unsigned(family):
    """A window with its highest bit set is large, not negative."""
    hand = Hand(None, family=family)
    hand.syn()
    assert 0xFFFF == hand.ack(window=0xFFFF).made.peer_window


def test_REC_1_window_is_kept_in_32_bits(family):
    """A window of 65535 under the largest scale is used whole."""
    hand = established(family, options="mss 1460,wscale 14")
    hand.inject(". 1:1(0) ack 1 win 65535")
    assert 65535 << 14 == hand.connection.info.snd_wnd


def test_MUST_2_what_is_sent_has_a_checksum(family):
    """SYN-ACK, challenge ACK and RST: decoding verifies them."""
    hand = Hand(None, family=family)
    hand.syn()
    kinds = [hand.syn().reason, hand.ack(dseq=-1).reason, hand.ack(dack=1).reason]
    assert ["REPLY_DUPSYN", "REPLY_CHALLENGE_ACK", "REPLY_RST"] == kinds


def test_MUST_3_wrong_checksum_is_dropped_in_silence(family):
    """No entry, no answer."""
    hand = Hand(None, family=family)
    syn = hand.packet(flags="S", seq=IRS).encode(bad_checksum=True)
    verdict = hand.engine.packet(syn, hand.now)
    assert ("DROP_CHECKSUM", None) == (verdict.reason.name, verdict.reply)
    assert [] == hand.entries


# Options.


def test_MUST_4_eol_nop_and_mss_are_understood(family):
    """NOP is skipped, MSS is read, and nothing is read behind EOL."""
    hand = Hand(None, family=family)
    hand.syn(opts=raw("01" + "02040400" + "00" + "0402"))
    (entry,) = hand.entries
    assert (1024, False) == (entry.mss, entry.sack_permitted)


@pytest.mark.parametrize("flags", ["S", "A", "R", "FA"])
def test_MUST_5_options_may_be_in_any_segment(family, flags):
    """With or without options, a segment means the same."""
    reasons = []
    for opts in ((), raw("01010101")):
        hand = Hand(None, family=family)
        hand.syn()
        answer = hand.send(
            hand.packet(
                flags=flags,
                seq=IRS + (flags != "S"),
                ack=hand.iss[1] + 1,
                opts=opts,
            )
        )
        reasons.append(answer.reason)
    assert 1 == len(set(reasons))
    assert reasons[0] in {"REPLY_DUPSYN", "ACCEPT_CACHE", "DROP_RST"}


def test_MUST_6_unknown_option_is_skipped_by_its_length(family):
    """What comes behind it counts."""
    hand = Hand(None, family=family)
    hand.syn(opts=raw("fd060204ffff" + "02040400"))
    assert 1024 == hand.entries[0].mss


@pytest.mark.parametrize("size", ["00", "01", "05", "ff"])
def test_MUST_7_illegal_option_length_does_no_harm(family, size):
    """The list ends there, or the option is passed over; the SYN is answered."""
    hand = Hand(None, family=family)
    answer = hand.syn(opts=raw("04" + "02" + "02" + size + "040000"))
    assert "REPLY_SYN_ACK" == answer.reason
    assert (None, True) == (hand.entries[0].mss, hand.entries[0].sack_permitted)


@pytest.mark.parametrize("shift", range(4))
def test_MUST_64_options_begin_anywhere(family, shift):
    """Not only at words."""
    hand = Hand(None, family=family)
    hand.syn(opts=raw("01" * shift + "02040400" + "080a0000006400000000" + "030307"))
    (entry,) = hand.entries
    assert (1024, True, 7) == (entry.mss, entry.timestamps, entry.snd_wscale)


def test_MUST_68_every_option_but_eol_and_nop_has_a_length(family):
    """What we send can be walked by a peer that knows no option at all."""
    hand = Hand(None, family=family)
    opts = (("mss", 1460), ("ws", 7), ("sack_ok",), ("ts", 1, 0))
    sent = hand.syn(opts=opts).sent.options
    at, kinds = 0, []
    while at < len(sent):
        kinds.append(sent[at])
        at += 1 if sent[at] < 2 else sent[at + 1]
    assert len(sent) == at
    assert [2, 1, 3, 4, 8] == kinds


def test_MUST_69_padding_is_zero(family):
    """Behind the end of the list."""
    hand = Hand(None, family=family)
    sent = hand.syn(opts=(("mss", 1460), ("sack_ok",))).sent.options
    assert "04020000" == sent[4:].hex()


# Maximum segment size.


def test_MUST_14_mss_is_sent_and_received(family):
    """Ours in the SYN-ACK, the peer's in the connection."""
    hand = Hand(None, family=family)
    sent = option.decode(hand.syn(opts=(("mss", 1000),)).sent.options)
    assert ("mss", 1500 - HEADERS[family]) == sent[0]
    assert 1000 == hand.ack().made.mss


@pytest.mark.parametrize("opts", [(), (("mss", 536),), (("mss", 1220),)])
def test_SHLD_5_MAY_3_mss_is_sent_always(family, opts):
    """Also where it is the default, and whatever the SYN had."""
    hand = Hand(None, family=family, listen={"mtu": 0})
    sent = option.decode(hand.syn(opts=opts).sent.options)
    assert ("mss", {4: 536, 6: 1220}[family]) == sent[0]


def test_MUST_15_without_mss_option_536_or_1220(family):
    """The default of the family."""
    hand = Hand(None, family=family)
    hand.syn(opts=())
    assert {4: 536, 6: 1220}[family] == hand.ack().made.mss


def test_MUST_16_effective_mss_is_the_smallest_of_both_less_options(family):
    """Peer's, path's, and room for the timestamps of each segment."""
    path = 1500 - HEADERS[family]
    for peer, options, want in (
        (9000, "mss 9000", path),
        (700, "mss 700", 700),
        (700, "mss 700,TS val 100 ecr 0", 700 - 12),
    ):
        hand = established(family, options=options)
        assert want == hand.connection.info.mss, peer


def test_SHLD_6_mss_follows_the_paths_mtu(family):
    """A router's packet-too-big, which quotes what is under way, lowers it."""
    hand = established(family)
    hand.connection.nodelay = True
    hand.connection.write(bytes(1400))
    (first,) = hand.stack.packets_to_send(hand.now)
    kind = {4: (3, 4), 6: (2, 0)}[family]
    error = icmp_error(first, ROUTER[family], kind=kind, word=1300)
    hand.stack.receive(error, hand.now)
    assert 1300 - HEADERS[family] == hand.connection.info.mss


def test_MUST_65_mss_option_is_only_sent_with_syn(family):
    """The challenge ACK and the data have none, and one in an ACK is passed over."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 1 win 65535 <mss 400>")
    assert 1500 - HEADERS[family] == hand.connection.info.mss
    hand.write(100)
    assert () == hand.expect("P. 1:101(100) ack 1").options


def test_MUST_67_announced_mss_comes_from_what_can_be_received(family):
    """MTU less fixed headers, 40 or 60; options are not subtracted (RFC 6691)."""
    for mtu in (1280, 1500, 9000):
        hand = Hand(None, family=family, listen={"mtu": mtu})
        opts = (("mss", 1460), ("ts", 1, 0))
        sent = option.decode(hand.syn(opts=opts).sent.options)
        assert ("mss", mtu - HEADERS[family]) == sent[0]


# Initial sequence numbers.


def isn(hand, peer=1):
    return hand.syn(peer).sent.seq


def test_MUST_8_isn_follows_a_clock_of_4_microseconds(family):
    """Without cookies: 250 a millisecond, for one tuple."""
    early = Hand(None, {"syncookies": 0}, family=family)
    late = Hand(None, {"syncookies": 0}, family=family, start_ms=1_000_000 + 4321)
    assert 250 * 4321 == (isn(late) - isn(early)) & MASK32


def test_MUST_8_isn_that_is_a_cookie_changes_with_the_period(family):
    """With cookies the clock is the key's epoch: an old ISS does not come again."""
    hand = Hand(None, {"syncookies_only": 1}, family=family)
    seen = set()
    for _ in range(8):
        seen.add(isn(hand))
        hand.now_ms += 32_000
    assert 8 == len(seen)


@pytest.mark.parametrize("syncookies", [0, 1])
def test_SHLD_1_isn_is_a_keyed_function_of_the_tuple(family, syncookies):
    """The same seed gives the same, another tuple or another key another one."""
    numbers = {
        (peer, seed): isn_of(family, syncookies, peer, seed)
        for peer in (1, 2)
        for seed in (b"a" * 16, b"b" * 16)
    }
    assert 4 == len(set(numbers.values()))
    assert numbers[1, b"a" * 16] == isn_of(family, syncookies, 1, b"a" * 16)


def isn_of(family, syncookies, peer, seed):
    import syncache

    sysctl = syncache.Sysctl({"net.inet.tcp.syncookies": syncookies})
    engine = syncache.Syncache(sysctl, seed=seed)
    engine.listen(80, LOCAL[family])
    syn = Packet(PEER[family], LOCAL[family], 50000 + peer, 80, "S", IRS).encode()
    reply = engine.packet(syn, 1.0).reply
    assert reply is not None
    return reply.seq


def test_MUST_9_isn_is_not_computable_from_outside(family):
    """Two engines without a seed draw their own keys of 128 bits."""
    import syncache

    numbers = set()
    for _ in range(4):
        engine = syncache.Syncache()
        engine.listen(80, LOCAL[family])
        syn = Packet(PEER[family], LOCAL[family], 50000, 80, "S", IRS).encode()
        reply = engine.packet(syn, 1.0).reply
        assert reply is not None
        numbers.add(reply.seq)
    assert 4 == len(numbers)


# Passive opens.


def test_MUST_10_simultaneous_open_is_left_to_who_opens(family):
    """A SYN of a tuple that the stack opened is the stack's, listener or not."""
    hand = Hand(None, family=family)
    ends = (PEER[family], 50001, LOCAL[family], 80)
    hand.engine.opened(ends, 7)
    answer = hand.syn(1)
    assert ("PASS_KNOWN", 7) == (answer.reason, answer.handle)
    assert "REPLY_SYN_ACK" == hand.syn(2).reason


def test_MUST_11_reset_handshake_returns_to_listen_in_silence(family):
    """The entry came from LISTEN: nobody is told, and the listener goes on."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject("R 1:1(0)")
    hand.expect_nothing()
    assert ([], 0) == (hand.events(), len(hand.stack.syncache.half_open()))
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")


def test_MUST_41_listening_disturbs_no_connection(family):
    """Another listener opens and closes; the connection does not notice."""
    hand = established(family)
    hand.stack.listen(PORT + 1).close()
    hand.listener.close()
    hand.write(10)
    hand.expect("P. 1:11(10) ack 1")


def test_MUST_42_MUST_43_listeners_of_one_port_by_local_address(family):
    """Each address has its own; the optional local address chooses."""
    hand = Hand(None, family=family)
    other = {4: "198.51.100.8", 6: "2001:db8::8"}[family]
    second = hand.engine.listen(80, other, tag="second")
    hand.syn(1)
    hand.syn(2, dst=other)
    assert hand.endpoint is hand.ack(1).made.endpoint
    assert second is hand.ack(2, dst=other).made.endpoint


def test_MUST_45_reply_comes_from_the_address_that_was_asked(family):
    """Of a listener on any address, as of one on this one."""
    hand = Hand(None, family=family)
    other = {4: "198.51.100.8", 6: "2001:db8::8"}[family]
    hand.engine.listen(81)
    hand.engine._address(other)
    sent = hand.syn(dst=other, dport=81).sent
    assert (other, 81) == (sent.src, sent.sport)


NOBODY = {
    "group": {4: "224.0.0.1", 6: "ff02::1"},
    "everybody": {4: "255.255.255.255", 6: "ff05::2"},
    "unspecified": {4: "0.0.0.0", 6: "::"},
}


@pytest.mark.parametrize("who", NOBODY)
def test_MUST_46_nobody_can_be_listened_for_at_an_address_that_is_none(family, who):
    """A Stack refuses to listen where it is not; a group is none of its addresses."""
    hand = listen(family)
    with pytest.raises(ValueError, match="not an address of this stack"):
        hand.stack.listen(81, NOBODY[who][family])


@pytest.mark.parametrize("who", ["group", "everybody"])
def test_MUST_57_syn_to_a_group_is_dropped_in_silence(family, who):
    """Also where somebody listens on any address."""
    hand = Hand(None, family=family)
    hand.engine.listen(81)
    answer = hand.syn(dst=NOBODY[who][family], dport=81)
    assert ("DROP_DESTINATION", None) == (answer.reason, answer.packet)


@pytest.mark.parametrize("who", NOBODY)
def test_MUST_63_syn_from_an_invalid_address_is_dropped_in_silence(family, who):
    """Nobody could be answered."""
    hand = Hand(None, family=family)
    answer = hand.syn(src=NOBODY[who][family])
    assert ("DROP_SOURCE", None) == (answer.reason, answer.packet)
    assert [] == hand.entries


# IP.


def test_MUST_48_SHLD_22_diffserv_is_the_listeners_and_sent_unchanged(family):
    """On the SYN-ACK and on what follows; the two ECN bits are not its."""
    hand = listen(family, listen={"tos": 0xB8})
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    assert 0xB8 == hand.expect("S. 0:0(0) ack 1").tos
    hand.inject(". 1:1(0) ack 1")
    hand.write(10)
    assert 0xB8 == hand.expect("P. 1:11(10) ack 1").tos


def test_MUST_49_ttl_is_configurable(family):
    """On the SYN-ACK as on data; 64 unless told."""
    for options, want in (({}, 64), ({"hop_limit": 255}, 255)):
        hand = listen(family, listen=options)
        hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
        assert want == hand.expect("S. 0:0(0) ack 1").hop_limit
        hand.inject(". 1:1(0) ack 1")
        hand.write(10)
        assert want == hand.expect("P. 1:11(10) ack 1").hop_limit


def test_MAY_9_received_diffserv_is_told(family):
    """The connection's record holds the field of the last segment."""
    hand = Hand(None, family=family)
    hand.syn()
    assert 0xB8 == hand.ack(tos=0xB8).made.tos


@pytest.mark.parametrize("options", ["01010101", "94040000", "44080500" + "00000000"])
def test_MUST_50_unknown_ip_options_are_passed_over(options):
    """NOP, router alert, timestamp: the SYN is answered as without."""
    hand = Hand(None)
    plain = hand.packet(flags="S", seq=IRS).encode()
    packet = with_ip_options(plain, bytes.fromhex(options))
    assert "REPLY_SYN_ACK" == hand.engine.packet(packet, hand.now).reason.name


@pytest.mark.parametrize("kind", ["83", "89"])
def test_MUST_51_MUST_52_MUST_53_SHLD_24_source_routes_are_refused(kind):
    """No return route is ever built: a source-routed packet goes nowhere."""
    hand = Hand(None)
    plain = hand.packet(flags="S", seq=IRS).encode()
    packet = with_ip_options(plain, bytes.fromhex(kind + "0704" + "c0000209" + "00"))
    verdict = hand.engine.packet(packet, hand.now)
    assert ("DROP_SOURCE_ROUTE", None) == (verdict.reason.name, verdict.reply)
