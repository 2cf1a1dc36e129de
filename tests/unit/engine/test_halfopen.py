"""Tests of `HalfOpen`: reading the C structure, netstat's line."""

from __future__ import annotations

from struct import pack

from syncache import HalfOpen

FORMAT = "=16s16sHHB3xIIIIQHBBBBBB"


def entry(**changed):
    fields = {
        "faddr": bytes([192, 0, 2, 1]),
        "laddr": bytes([198, 51, 100, 7]),
        "fport": 4242,
        "lport": 80,
        "family": 4,
        "iss": 1,
        "irs": 2,
        "endpoint": 3,
        "age_ms": 1500,
        "deadline_ms": 2500,
        "mss": 1460,
        "snd_wscale": 7,
        "rcv_wscale": 6,
        "sack": 1,
        "timestamps": 0,
        "ecn": 1,
        "rxmits": 2,
    }
    return pack(FORMAT, *(fields | changed).values())


def test_fields_have_their_units():
    """Times in seconds, scales and MSS as offered."""
    assert HalfOpen(
        faddr="192.0.2.1",
        laddr="198.51.100.7",
        fport=4242,
        lport=80,
        iss=1,
        irs=2,
        endpoint=3,
        age=1.5,
        deadline=2.5,
        mss=1460,
        snd_wscale=7,
        rcv_wscale=6,
        sack_permitted=True,
        timestamps=False,
        ecn="classic",
        rxmits=2,
    ) == HalfOpen.read(entry())


def test_absent_options_are_none():
    """No MSS, no scale, no timer."""
    bare = HalfOpen.read(
        b"...." + entry(mss=0, snd_wscale=255, rcv_wscale=255, deadline_ms=2**64 - 1), 4
    )
    assert (None,) * 4 == (bare.mss, bare.snd_wscale, bare.rcv_wscale, bare.deadline)


def test_text_is_netstats():
    """One line an entry."""
    line = str(HalfOpen.read(entry()))
    assert line.split() == [
        "tcp4",
        "0",
        "0",
        "198.51.100.7.80",
        "192.0.2.1.4242",
        "SYN_RECEIVED",
    ]
    assert str(HalfOpen.read(entry(family=6))).startswith("tcp6 ")
