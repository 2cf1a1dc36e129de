"""Tests of `Conn` and `Endpoint`: the C structure, the rebuilt SYN, closing."""

from __future__ import annotations

from copy import copy
from dataclasses import FrozenInstanceError, replace

import pytest

from syncache import Conn, Endpoint, FourTuple, Segment
from syncache.conn import CONN_BYTES, read
from syncache.options import Timestamps
from syncache.segment import CWR, ECE, SYN


class Engine:
    def __init__(self):
        self.closed = []

    def _close_endpoint(self, endpoint):
        self.closed.append(endpoint)


def conn(**changed):
    fields = {
        "faddr": "192.0.2.1",
        "laddr": "198.51.100.7",
        "fport": 4242,
        "lport": 80,
        "iss": 0xFFFFFFFF,
        "irs": 1,
        "mss": 1460,
        "snd_wscale": 7,
        "rcv_wscale": 6,
        "rcv_window": 65535,
        "peer_window": 512 << 7,
        "sack_permitted": True,
        "timestamps": True,
        "ts_recent": 5,
        "ts_offset": 6,
        "ecn": "none",
        "via": "cache",
        "rxmits": 1,
        "md5": False,
        "tos": 3,
        "payload_size": 7,
        "endpoint": Endpoint(Engine(), 1, None, 80, None),
    }
    return Conn(**(fields | changed))


@pytest.mark.parametrize(
    "one",
    [
        conn(),
        conn(snd_wscale=None, rcv_wscale=None, ecn="echo", via="cookie"),
        conn(faddr="2001:db8::1", laddr="2001:db8::2", via="fastopen", md5=True),
    ],
    ids=["full", "bare", "ipv6"],
)
def test_c_form_comes_back(one):
    """What goes to accepted() is what was offered."""
    raw = one.raw
    assert CONN_BYTES == len(raw) == 88
    endpoints = [None, one.endpoint]
    assert one == read(raw, endpoints)
    assert one == read(b"12345678" + raw, endpoints, 8)


def test_conn_is_a_value():
    """Equal by its members, hashable, copied, printed; it cannot be changed."""
    one = conn()
    assert one == copy(one) == replace(one)
    assert hash(one) == hash(copy(one))
    assert one != replace(one, iss=1)
    assert "faddr='192.0.2.1'" in repr(one)
    with pytest.raises(FrozenInstanceError):
        one.iss = 3


@pytest.mark.parametrize(("iss", "following"), [(7, 8), (0xFFFFFFFF, 0)])
def test_snd_nxt_follows_the_syn_ack(iss, following):
    """Modulo 2^32."""
    assert following == conn(iss=iss).snd_nxt


def test_conn_needs_every_member_and_no_other():
    """A misspelt member is named."""
    with pytest.raises(TypeError, match="colour"):
        conn(colour=1)
    with pytest.raises(TypeError, match="faddr"):
        Conn(endpoint=Endpoint(Engine(), 1, None, 80, None))


def test_key_is_the_tuple_in_the_c_form():
    """A stack finds its connection by it."""
    for one in (conn(), conn(faddr="2001:db8::1", laddr="2001:db8::2")):
        assert one.four_tuple.to_c() == one.key
        assert (6 if ":" in one.faddr else 4) == one.family


def test_four_tuple_names_it():
    """As closed() takes it."""
    assert FourTuple("192.0.2.1", 4242, "198.51.100.7", 80) == conn().four_tuple


def test_syn_packet_offers_what_was_agreed():
    """The rebuilt SYN carries irs and every option in use."""
    syn = Segment.parse(conn().syn_packet())
    assert ("192.0.2.1", 4242, "198.51.100.7", 80) == (
        syn.src,
        syn.sport,
        syn.dst,
        syn.dport,
    )
    assert (SYN, 1, 0, 65535) == (syn.flags, syn.seq, syn.ack, syn.window)
    assert (1460, 7, True) == (syn.mss, syn.wscale, syn.sack_permitted)
    assert Timestamps(5, 0) == syn.timestamps


def test_syn_packet_leaves_out_what_was_not_agreed():
    """No scale, no SACK, no timestamps; a window that fits."""
    bare = conn(
        snd_wscale=None, sack_permitted=False, timestamps=False, peer_window=100
    )
    syn = Segment.parse(bare.syn_packet())
    assert (None, False, None, 100) == (
        syn.wscale,
        syn.sack_permitted,
        syn.timestamps,
        syn.window,
    )


def test_syn_packet_asks_for_ecn_if_it_was_agreed():
    """Only classic ECN can be asked for again."""
    for ecn, flags in (("classic", SYN | ECE | CWR), ("echo", SYN), ("none", SYN)):
        syn = Segment.parse(replace(conn(), ecn=ecn).syn_packet())
        assert flags == syn.flags


def test_endpoint_closes_once():
    """close() tells the engine, once."""
    engine = Engine()
    endpoint = Endpoint(engine, 3, "192.0.2.1", 80, "tag")
    assert "<Endpoint 192.0.2.1 port 80 open>" == repr(endpoint)
    with endpoint:
        assert not endpoint.closed
    endpoint.close()
    assert [endpoint] == engine.closed
    assert endpoint.closed
    assert "<Endpoint 192.0.2.1 port 80 closed>" == repr(endpoint)
