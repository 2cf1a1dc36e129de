"""The receiving half: window, gathering, limits."""

from __future__ import annotations

import pytest

from syncache.segment import AE, CWR, ECE
from syncache.tcp.reassembly import NOTHING_AHEAD
from syncache.tcp.receiver import Receiver


def receiver(window=4000, wscale=0, mss=1000):
    return Receiver(0, window, wscale, mss)


def test_right_edge_never_moves_left():
    """RFC 9293 3.8.6: shrinking the window is discouraged, so it is not done."""
    half = receiver()
    edge = half.rcv_adv
    half.take(1, bytes(1000), 0)
    half.window_field()
    assert edge == half.rcv_adv
    assert 3000 == half.rcv_wnd


def test_window_field_rounds_up_to_its_scale():
    """The peer must not be told of less than before (RFC 7323 2.4)."""
    half = receiver(window=4000, wscale=7)
    half.take(1, bytes(10), 0)
    assert (4000 - 10 + 127) // 128 == half.window_field()


def test_window_opens_in_useful_steps():
    """RFC 9293 3.8.6.2.2: no silly windows."""
    half = receiver()
    for n in range(4):
        half.take(1 + 1000 * n, bytes(1000), 0)
    assert 0 == half.window_field()
    half.read(999)
    assert not half.window_opened()
    half.read(1001)
    assert half.window_opened()


def test_limit_doubles_while_the_application_keeps_up():
    """Memory follows need."""
    half = receiver()
    half.limit_max = 16000
    seq = 1
    for _ in range(40):
        half.take(seq, bytes(1000), 0)
        seq += 1000
        half.read(1000)
        half.tune()
        half.window_field()
    assert 16000 == half.limit


def test_limit_stays_while_the_application_does_not_read():
    """A slow reader is given no more."""
    half = receiver()
    half.limit_max = 16000
    for n in range(4):
        half.take(1 + 1000 * n, bytes(1000), 0)
        half.tune()
    assert 4000 == half.limit


def test_small_pieces_are_gathered():
    """A byte at a time does not cost an object a byte."""
    half = receiver(window=60000)
    for n in range(10_000):
        half.take(1 + n, bytes((n & 0xFF,)), 0)
    assert 3 >= len(half._chunks)
    assert bytes(n & 0xFF for n in range(10_000)) == half.read(20_000)


def test_read_returns_as_much_as_asked_for_and_keeps_the_rest():
    """Across pieces."""
    half = receiver()
    half.take(1, bytes(range(100)) * 6, 0)
    half.take(601, bytes(range(50)) * 12, 0)
    assert bytes(range(100)) * 6 + bytes(range(50)) == half.read(650)
    assert bytes(range(50)) * 11 == half.read(10_000)
    assert b"" == half.read(1)
    assert 0 == half.size


def test_acks_of_a_flood_of_holes_are_bounded():
    """One for each segment, sixty-four at a time."""
    half = receiver()
    for _ in range(1000):
        half.take(2001, b"x", 0)
    assert 64 == half.acks_owed


def test_data_carries_the_ack_but_not_the_duplicates():
    """RFC 5681: with data it would not be counted."""
    half = receiver()
    half.take(2001, b"x", 0)
    half.acknowledged(with_data=True)
    assert 1 == half.acks_owed
    half.acknowledged(with_data=False)
    assert 0 == half.acks_owed


def test_each_window_told_is_taken_and_stays_while_rounding_has_room():
    """Rounded to units on the wire, the edge is the same in the state."""
    for scale in (0, 1, 3, 7):
        receiver = Receiver(irs=999, window=65535, wscale=scale, mss=1460)
        told = receiver.rcv_adv
        for _ in range(60):
            receiver.take(receiver.rcv_nxt, bytes(1001), now_ms=0)
            edge = receiver.rcv_nxt + (receiver.window_field() << scale)
            assert edge >= told
            assert receiver.rcv_adv >= edge
            told = edge


def test_an_edge_once_told_is_taken_even_where_units_are_large():
    """A window may seem to shrink by less than a unit (RFC 7323 2.4), not really."""
    receiver = Receiver(irs=999, window=65535, wscale=10, mss=1460)
    told = receiver.rcv_adv
    for _ in range(60):
        receiver.take(receiver.rcv_nxt, bytes(1001), now_ms=0)
        edge = receiver.rcv_nxt + (receiver.window_field() << 10)
        assert edge > told - 1024
        told = max(told, edge)
        assert receiver.rcv_adv >= told


def test_rounding_windows_up_is_bounded():
    """One byte at a time for ever is not taken by a reader that sleeps."""
    receiver = Receiver(irs=999, window=65535, wscale=7, mss=1460)
    while receiver.rcv_wnd > 1:
        receiver.take(receiver.rcv_nxt, b"x", now_ms=0)
        receiver.window_field()
        assert receiver.size <= 65535 + 65535 // 8 + 128


def test_what_one_connection_keeps_ahead_is_none_of_another():
    """The queue that connections share while they keep nothing stays empty."""
    one, other = receiver(), receiver()
    one.take(1001, b"later", 0)
    other.stop()
    assert one.has_blocks
    assert not other.has_blocks
    assert 0 == other.take(2001, b"much later", 0)
    assert [(1001, 1006)] == list(one.sack_blocks(4))
    assert [(2001, 2011)] == list(other.sack_blocks(4))
    assert not NOTHING_AHEAD


def quiet_receiver(**options):
    """One whose quick ACKs of the beginning are used up."""
    half = receiver(window=60_000, **options)
    for _ in range(64):
        half.take(half.rcv_nxt, bytes(1000), 0)
        half.acknowledged(with_data=False)
        half.read(1000)
        half.window_field()
    return half


def owed(half, *sizes):
    """ACKs that are owed, and the deadline, after each piece of data in order."""
    found = []
    for size in sizes:
        half.take(half.rcv_nxt, bytes(size), 100)
        found.append((half.acks_owed, half.deadline))
    return found


def test_every_second_segment_is_acknowledged_at_once():
    """RFC 5681 4.2: however small; the first waits for as long as was set."""
    half = quiet_receiver()
    assert [(0, 140), (1, 140)] == owed(half, 1, 1)
    half.acknowledged(with_data=True)
    assert (0, None) == (half.acks_owed, half.deadline)
    assert [(0, 140), (1, 140)] == owed(half, 1000, 1)


@pytest.mark.parametrize(("size", "at_once"), [(1999, 0), (2000, 1)])
def test_two_segments_in_one_are_acknowledged_at_once(size, at_once):
    """A super-segment is as many as its bytes."""
    ((acks, deadline),) = owed(quiet_receiver(), size)
    assert (at_once, None if at_once else 140) == (acks, deadline)


def test_ack_does_not_wait_where_none_shall():
    """Without a time to wait, or with bytes that came twice to tell of."""
    half = quiet_receiver()
    half.delack_ms = 0
    assert [(1, None)] == owed(half, 1)
    half = quiet_receiver()
    half.sack = True
    half.take(half.rcv_nxt - 1, b"xx", 100)
    assert (1, None) == (half.acks_owed, half.deadline)


def test_full_segments_of_the_beginning_are_acknowledged_one_by_one():
    """Slow start needs them; a small one waits, and uses none up."""
    half = receiver(window=60_000)
    assert [(0, 140)] == owed(half, 535)
    half.acknowledged(with_data=False)
    quick = 0
    while owed(half, 536) == [(1, None)]:
        half.acknowledged(with_data=False)
        half.read(2000)
        half.window_field()
        quick += 1
    assert 16 == quick


def test_fin_takes_a_number_and_no_room():
    """RFC 9293 3.4; the edge moves with it."""
    half = receiver()
    edge = half.rcv_adv
    half.take_fin()
    assert (2, edge + 1, 4000) == (half.rcv_nxt, half.rcv_adv, half.rcv_wnd)


def test_acks_that_left_are_owed_no_more():
    """As many as left, and never less than none."""
    half = receiver()
    for _ in range(3):
        half.take(2001, b"x", 0)
    half.acknowledged(with_data=False, count=2)
    assert 1 == half.acks_owed
    half.acknowledged(with_data=False, count=2)
    assert 0 == half.acks_owed


@pytest.mark.parametrize(
    ("again", "blocks"),
    [
        ((1001, 1002), [(1001, 1002), (1001, 1011), (3001, 3011), (2001, 2011)]),
        ((1010, 1011), [(1010, 1011), (1001, 1011), (3001, 3011), (2001, 2011)]),
        ((2001, 2011), [(2001, 2011), (2001, 2011), (3001, 3011), (1001, 1011)]),
        ((1, 2), [(1, 2), (3001, 3011), (2001, 2011), (1001, 1011)]),
        ((1011, 1012), [(1011, 1012), (3001, 3011), (2001, 2011), (1001, 1011)]),
    ],
)
def test_bytes_that_came_twice_are_told_first_and_once(again, blocks):
    """RFC 2883 4: then the block that holds them, then the newest."""
    half = receiver()
    half.sack = True
    for at in (1001, 2001, 3001):
        half.take(at, bytes(10), 0)
    half.came_twice(*again)
    assert blocks[:3] == list(half.sack_blocks(3))
    half.came_twice(*again)
    assert blocks == list(half.sack_blocks(4))
    newest = [(3001, 3011), (2001, 2011), (1001, 1011)]
    assert newest == list(half.sack_blocks(4))


@pytest.mark.parametrize(
    ("kind", "seen", "flags"),
    [
        ("classic", [(3, 0)], ECE),
        ("classic", [(1, 0), (2, 0)], 0),
        ("classic", [(3, 0), (2, CWR)], 0),
        ("classic", [(3, 0), (3, CWR)], ECE),
        ("classic", [(3, 0), (2, 0)], ECE),
        ("echo", [(0, 0)], 0),
        ("echo", [(3, 0)], ECE),
        ("accurate", [], AE | ECE),
        ("accurate", [(2, 0), (1, CWR)], AE | ECE),
        ("accurate", [(3, 0)], AE | CWR),
        ("accurate", [(3, 0)] * 2, AE | CWR | ECE),
        ("accurate", [(3, 0)] * 3, 0),
        (None, [(3, 0)], 0),
    ],
)
def test_congestion_marks_are_echoed_or_counted(kind, seen, flags):
    """RFC 3168 6.1.3: until CWR; RFC 9768 3.2.2: by their number, from 5 on."""
    half = receiver()
    half.ecn = kind
    for mark, said in seen:
        half.see_ecn(mark, said, int(mark == 3))
    assert flags == half.ecn_flags()


@pytest.mark.parametrize(("window", "opened"), [(999, True), (1000, False)])
def test_room_that_no_syn_ack_could_tell_is_told_if_it_matters(window, opened):
    """A window of a segment or more is enough until the first segment of ours."""
    half = receiver(window=window)
    half.limit = 8000
    assert opened == half.window_opened()
    half.window_field()
    half.limit = 16_000
    assert half.window_opened()


@pytest.mark.parametrize("sack", [False, True])
def test_bytes_that_came_twice_are_reported_to_a_peer_with_sack_alone(sack):
    """RFC 2883."""
    half = receiver()
    half.sack = sack
    half.take(1, bytes(100), 0)
    half.take(51, bytes(100), 0)
    assert sack == half.has_blocks
    assert ([(51, 101)] if sack else []) == list(half.sack_blocks(3))


def test_stop_ends_the_wait_for_a_delayed_ack():
    """Nothing is owed by a connection that is over."""
    half = receiver()
    half._quick = 0
    half.take(1, bytes(10), 5)
    assert 45 == half.deadline
    half.stop()
    assert half.deadline is None
    assert 0 == half.acks_owed


def test_window_of_less_than_a_segment_is_opened_by_two():
    """Half of the limit would be long to wait for (RFC 9293 3.8.6.2.2)."""
    half = receiver(window=10_000)
    for n in range(10):
        half.take(1 + 1000 * n, bytes(1000), 0)
    half.window_field()
    half.read(1999)
    assert not half.window_opened()
    half.read(1)
    assert half.window_opened()
    half.rcv_adv += 1000  # a segment fits: no hurry
    half.read(2000)
    assert not half.window_opened()


@pytest.mark.parametrize("count", range(16))
def test_accurate_ecn_counts_in_three_flags(count):
    """The AccECN count, modulo 8: AE, CWR, ECE."""
    half = receiver()
    half.ecn = "accurate"
    half._ce_packets = count
    flags = half.ecn_flags()
    assert count & 7 == 4 * bool(flags & AE) + 2 * bool(flags & CWR) + bool(flags & ECE)
