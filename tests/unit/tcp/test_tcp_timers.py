"""syncache/tcp/timers.py: the heap asks a connection when it is due, not earlier."""

from __future__ import annotations

from syncache.tcp.timers import Timers


class Connection:
    def __init__(self, deadline=None):
        self.deadline, self.timer_ms = deadline, None


def test_due_are_those_whose_time_has_come_in_order():
    """Once each; a deadline that has not come is kept."""
    timers, made = Timers(), [Connection(ms) for ms in (30, 10, 20)]
    for connection in made:
        timers.schedule(connection, 3)
    assert 10 == timers.next_ms()
    assert [made[1], made[2]] == list(timers.due(29))
    assert [] == list(timers.due(29))
    assert 30 == timers.next_ms()


def test_earlier_deadline_overtakes_and_a_later_one_waits_for_its_turn():
    """The heap never holds nothing earlier than the deadline."""
    timers, one = Timers(), Connection(50)
    timers.schedule(one, 1)
    one.deadline = 20
    timers.schedule(one, 1)
    one.deadline = 90
    timers.schedule(one, 1)
    assert 20 == timers.next_ms()
    assert [one] == list(timers.due(60))  # asked early, to no effect
    timers.schedule(one, 1)
    assert 90 == timers.next_ms()


def test_connection_without_a_deadline_has_no_timer():
    """Nor one that has ended."""
    timers, one = Timers(), Connection()
    timers.schedule(one, 1)
    assert timers.next_ms() is None
    one.deadline = 10
    timers.schedule(one, 1)
    one.timer_ms = None
    assert timers.next_ms() is None
    assert [] == list(timers.due(99))


def test_heap_stays_in_proportion_to_the_connections():
    """Timers that were overtaken are thrown away."""
    timers, one = Timers(), Connection()
    for ms in range(2000, 0, -1):
        one.deadline = ms
        timers.schedule(one, 1)
    assert len(timers) < 300
    assert 1 == timers.next_ms()


def test_heap_is_put_in_order_in_proportion_only():
    """Four overtaken timers a connection may stay: each clean-up looks at them all."""
    timers, made = Timers(), [Connection() for _ in range(300)]
    for ms in (4, 3, 2, 1):
        for connection in made:
            connection.deadline = ms
            timers.schedule(connection, len(made))
    assert 4 * 300 == len(timers)
    assert made == list(timers.due(1))


def test_timers_stay_in_order_when_overtaken_ones_are_thrown_away():
    """Each connection is due once, at its latest deadline, in order."""
    timers, made = Timers(), [Connection() for _ in range(100)]
    for step in range(1, 11):
        for n, connection in enumerate(made):
            connection.deadline = 50_000 - 3000 * step + n * 7919 % 1000
            timers.schedule(connection, 1)
    due = list(timers.due(50_000))
    assert sorted(made, key=lambda c: c.deadline) == due
