"""Statements W01 to W12 of the specification: watch mode."""

from __future__ import annotations

import pytest

from syncache import ios
from tests.conformance.shield import (
    ACK,
    CLIENT,
    FULL_OPTIONS,
    PSH,
    RST,
    SERVER,
    SYN,
    Shield,
    flags_of,
    same_bytes,
)


def watching(family, **tunables):
    return Shield(family, mode="watch", **tunables)


def passes(shield, segment, side):
    """Does it go on byte for byte, and nothing else?"""
    other = SERVER if side is CLIENT else CLIENT
    return same_bytes(segment, shield.give(segment, side), other)


def handshake(shield, steps=3):
    """The first steps of a handshake, each of which has to pass."""
    segments = [
        (shield.from_client(SYN, dseq=0, options=FULL_OPTIONS), CLIENT),
        (shield.from_server(SYN | ACK, dseq=0, options=FULL_OPTIONS), SERVER),
    ]
    shield.p = shield.s  # C sees the numbers of S itself
    segments.append((shield.from_client(ACK), CLIENT))
    return all(passes(shield, segment, side) for segment, side in segments[:steps])


def test_W01_handshake_passes_byte_for_byte(family):
    """One established; debug lines without a star."""
    shield = watching(family)
    assert handshake(shield)
    assert (0, 1, 1) == shield.counts()
    assert ["ESTAB"] == shield.states()
    lines = shield.lines()
    assert 3 == len(lines)
    assert not any("(*)" in line for line in lines)
    assert "new connection" in lines[0]
    assert "<- ACK+SYN" in lines[1]
    assert " ACK -> " in lines[2]


def test_W02_silent_client_is_reset_at_the_server(family):
    """At 30.0 s after the SYN one RST to S as C, at its RCV.NXT; nothing to C."""
    shield = watching(family)
    assert handshake(shield, steps=1)
    shield.until(0.03)
    answer = shield.from_server(SYN | ACK, dseq=0)
    assert passes(shield, answer, SERVER)
    shield.lines()
    ((when, side, reset),) = shield.until(100.0)
    assert (30.0, SERVER) == (when, side)
    assert RST == reset.flags & (RST | SYN)
    assert (shield.client, 40000, shield.c + 1) == (reset.src, reset.sport, reset.seq)
    assert 0 == shield.counts()[0]
    lines = shield.lines()
    assert "INTERCEPT: SYNRCVD timing out" in lines[0]
    assert lines[1].startswith("INTERCEPT(*): (")
    assert " RST -> " in lines[1]


def test_W03_servers_retransmissions_do_not_move_the_deadline(family):
    """SYN-ACKs at 2 and 6 s: 30.0 s as before."""
    shield = watching(family)
    handshake(shield, steps=2)
    for when in (2.0, 6.0):
        shield.until(when)
        assert passes(shield, shield.from_server(SYN | ACK, dseq=0), SERVER)
    assert [30.0] == [when for when, _, _ in shield.until(100.0)]


def test_W03_other_server_packet_is_named(family):
    """Passed in SYNRCVD."""
    shield = watching(family)
    handshake(shield, steps=2)
    shield.lines()
    assert passes(shield, shield.from_server(ACK, payload=b"early"), SERVER)
    assert "server packet passed in SYNRCVD" in shield.lines()[0]


def test_W04_late_ack_is_in_time(family):
    """At 29.9 s it is established, and no RST follows."""
    shield = watching(family)
    handshake(shield, steps=2)
    shield.until(29.9)
    assert passes(shield, shield.from_client(ACK), CLIENT)
    assert ["ESTAB"] == shield.states()
    assert [] == shield.until(1000.0)


@pytest.mark.parametrize(("timeout", "half"), [(30, 15.0), (15, 7.5)])
def test_W05_aggressive_halves_the_timeout(family, timeout, half):
    """30 becomes 15, 15 becomes 7.5."""
    shield = watching(
        family,
        watch_timeout=timeout,
        max_incomplete__low=1,
        max_incomplete__high=1,
        one_minute__high=100_000,
    )
    shield.many(2)
    assert shield.engine.statistics().aggressive
    handshake(shield, steps=2)
    resets = [
        when
        for when, side, segment in shield.until(100.0)
        if segment.src == shield.client
    ]
    assert [half] == resets


def test_W06_entries_too_old_expire_when_aggressive_mode_begins(family):
    """20 s old: at the next tick, with a RST to S."""
    shield = watching(
        family,
        max_incomplete__low=1,
        max_incomplete__high=1,
        one_minute__high=100_000,
    )
    handshake(shield, steps=2)
    shield.until(20.0)
    out = shield.many(1)
    out += [(side, segment) for _, side, segment in shield.until(20.0)]
    resets = [segment for _, segment in out if segment.flags & RST]
    assert [shield.c + 1] == [r.seq for r in resets if r.src == shield.client]
    assert shield.other(1) in {r.client.address for r in shield.engine.connections()}


def test_W07_numbers_are_never_altered(family):
    """Whatever the table's other entries do."""
    shield = Shield(family)
    shield.established()
    shield.tune(mode="watch")
    shield.client = shield.other(1)
    assert handshake(shield)
    for segment, side in (
        (shield.from_client(ACK | PSH, payload=b"hello"), CLIENT),
        (shield.from_server(ACK | PSH, dack=6, payload=b"world"), SERVER),
        (shield.from_client(ACK, dseq=6, dack=6), CLIENT),
    ):
        assert passes(shield, segment, side)


def test_W08_mode_may_change_at_run_time(family):
    """Spliced ones translate on, new SYNs pass, the list says I and W."""
    shield = Shield(family)
    shield.established()
    spliced = shield.p
    shield.tune(mode="watch")
    ((_, seen),) = shield.give(shield.from_server(ACK, payload=b"x"), SERVER)
    assert (spliced + 1) & 0xFFFFFFFF == seen.seq
    shield.client = shield.other(1)
    assert handshake(shield, steps=1)
    rows = shield.engine.connections()
    assert {"I", "W"} == {row.mode for row in rows}
    text = ios.show_connections(rows, shield.now)
    assert {"I", "W"} == {
        line[-1] for line in text.splitlines() if "SYNRCVD" in line or "ESTAB" in line
    }


def test_W09_thresholds_work_as_for_intercepted_ones(family):
    """Calm at 1,100; at 1,101 not; the evicted one is reset at S."""
    shield = watching(family, one_minute__high=100_000)
    out = shield.many(1100)
    assert 1100 == len(out)
    assert not shield.engine.statistics().aggressive
    shield.many(1, first=2000)
    assert shield.engine.statistics().aggressive
    out = shield.many(1, first=3000)
    assert ["S R", "S S"] == sorted(flags_of(out))
    (reset,) = [segment for _, segment in out if segment.flags & RST]
    assert (shield.other(1), shield.c + 1) == (reset.src, reset.seq)
    assert 1101 == shield.counts()[0]


def test_W10_watch_reset_both_tells_the_client_too(family):
    """RST to S at c+1; RST|ACK to C, seq s+1, ack c+1."""
    shield = watching(family, watch_reset="both")
    handshake(shield, steps=2)
    sent = {side: segment for _, side, segment in shield.until(30.0)}
    assert shield.c + 1 == sent[SERVER].seq
    to_client = sent[CLIENT]
    assert (RST | ACK, shield.s + 1, shield.c + 1) == (
        to_client.flags,
        to_client.seq,
        to_client.ack,
    )


def test_W10_watch_reset_none_tells_nobody(family):
    """The entry is gone, and that is all."""
    shield = watching(family, watch_reset="none")
    handshake(shield, steps=2)
    assert [] == shield.until(100.0)
    assert [] == shield.states()


def test_W11_dead_server_is_reset_too(family):
    """So that a backlog entry that comes late cannot survive."""
    shield = watching(family)
    handshake(shield, steps=1)
    ((when, side, reset),) = shield.until(100.0)
    assert (30.0, SERVER, shield.c + 1) == (when, side, reset.seq)
    assert [] == shield.states()


def test_W12_clients_rst_closes_without_one_of_ours(family):
    """At RCV.NXT it ends the entry; anywhere else it is forwarded for nothing."""
    shield = watching(family)
    handshake(shield, steps=2)
    assert passes(shield, shield.from_client(RST, dseq=2), CLIENT)
    assert ["SYNRCVD"] == shield.states()
    assert passes(shield, shield.from_client(RST), CLIENT)
    assert ["CLOSING"] == shield.states()
    assert [] == shield.until(100.0)


@pytest.mark.parametrize(("dseq", "dack"), [(1, 2), (1, 0), (2, 1), (0, 1)])
def test_W12_spoofed_ack_does_not_end_the_watch(family, dseq, dack):
    """Only ACK(c+1, s+1) establishes."""
    shield = watching(family)
    handshake(shield, steps=2)
    assert passes(shield, shield.from_client(ACK, dseq=dseq, dack=dack), CLIENT)
    assert ["SYNRCVD"] == shield.states()
    assert [30.0] == [when for when, _, _ in shield.until(100.0)]
