"""The halves of a new connection, from a handshake and the tunables."""

from __future__ import annotations

import pytest

from syncache import Sysctl
from syncache.conn import WSCALE_NONE, Opening
from syncache.tcp.opening import make_receiver, make_sender, path_mss, shift
from syncache.tcp.settings import Settings

TCP = "net.inet.tcp."


def opening(**members):
    usual = dict.fromkeys(Opening._fields, 0)
    usual |= {"family": 4, "iss": 10, "irs": 20, "rcv_wnd": 65_535, "snd_wnd": 500}
    usual |= {"snd_wscale": WSCALE_NONE, "rcv_wscale": WSCALE_NONE, "rxmits": 1}
    return Opening(**usual | members)


def settings(**values):
    return Settings.of(Sysctl({TCP + name: value for name, value in values.items()}))


@pytest.mark.parametrize(
    ("family", "mtu", "mss"),
    [(4, 1500, 1460), (6, 1500, 1440), (4, 100, 216), (6, 300, 1220)],
)
def test_payload_of_a_path_is_its_mtu_less_headers(family, mtu, mss):
    """But not below minmss, and no IPv6 path is below 1280."""
    assert mss == path_mss(mtu, family, 216)


def test_sender_begins_behind_its_syn_with_the_peers_window():
    """And may send the initial window at once."""
    half = make_sender(opening(sack_permitted=1), settings(), 1460)
    assert (10, 11, 500) == (half.snd_una, half.snd_nxt, half.snd_wnd)
    assert half.sack
    assert 10 * 1460 == half.congestion.cwnd


def test_sender_after_a_repeated_syn_ack_is_careful():
    """One segment, and 3 seconds (RFC 5681 3.1, RFC 6298 5.7)."""
    half = make_sender(opening(rxmits=2), settings(), 1460)
    assert 1460 == half.congestion.cwnd
    assert 3000 == half.rto.timeout_ms


def test_receiver_grows_between_the_tunables_unless_a_window_is_named():
    """Never beyond what the scale can tell."""
    tuned = settings(recvspace=70_000, recvbuf_max=1 << 20)
    half = make_receiver(opening(rcv_wscale=5), tuned, None, 1460)
    assert (70_000, 1 << 20) == (half.limit, half.limit_max)
    unscaled = make_receiver(opening(), tuned, None, 1460)
    assert (65_535, 65_535) == (unscaled.limit, unscaled.limit_max)
    named = make_receiver(opening(rcv_wscale=5), tuned, 80_000, 1460)
    assert (80_000, 80_000) == (named.limit, named.limit_max)


@pytest.mark.parametrize(
    ("number", "word"), [(0, None), (1, "classic"), (2, "accurate"), (3, "echo")]
)
def test_receiver_has_the_handshakes_ecn(number, word):
    """By its word; None if there is none."""
    assert word == make_receiver(opening(ecn=number), settings(), None, 1460).ecn


def test_shift_without_a_scale_is_none():
    """RFC 7323 2.2: both must have said one."""
    assert [0, 0, 7] == [shift(WSCALE_NONE), shift(0), shift(7)]
