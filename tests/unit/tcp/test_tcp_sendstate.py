"""The variables of the sending half (RFC 9293 3.3.1)."""

from __future__ import annotations

from syncache.tcp.congestion import NewReno
from syncache.tcp.rto import RetransmissionTimeout
from syncache.tcp.sendstate import Plan, SendState


def state():
    rto = RetransmissionTimeout(1000, (30, 64000), 200)
    return SendState(99, 1000, NewReno(10_000), rto)


def test_end_is_behind_the_syn_and_what_was_written():
    """Whether or not the SYN was acknowledged."""
    half = state()
    half.queue.write(bytes(7))
    assert 107 == half.end
    half.snd_una = 100
    assert 107 == half.end


def test_planned_data_is_what_was_written_there():
    """Sequence numbers, not offsets."""
    half = state()
    half.queue.write(b"abcdef")
    assert b"cd" == half.look(Plan(102, 2))


def test_fin_is_owed_from_close_until_its_number_is_acknowledged():
    """It takes up one number behind the data."""
    half = state()
    half.queue.write(bytes(5))
    assert not half.fin_owed
    half.close()
    assert half.fin_owed
    half.snd_una = 106
    assert half.fin_acked
    assert not half.fin_owed
