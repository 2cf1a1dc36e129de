"""The receiving half: window, gathering, limits."""

from __future__ import annotations

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
