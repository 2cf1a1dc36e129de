"""Events of a shield: records of the programs, and what is kept of them."""

from __future__ import annotations

import struct

import pytest

from syncache._core import shield as core
from syncache.links.shield_events import EVENTS_MAX, Events, Told, read_told


@pytest.mark.parametrize(
    ("address", "v6", "text"),
    [
        (bytes([192, 0, 2, 1]) + bytes(12), 0, "192.0.2.1"),
        (bytes.fromhex("20010db8") + bytes(11) + b"\1", 1, "2001:db8::1"),
    ],
)
def test_record_of_a_program_is_read(address, v6, text):
    """Address and port lie as in a packet."""
    raw = struct.unpack("=4IH", address + b"\x01\xbb")
    record = core.EVENT.pack(1_500_000_000, core.FULL, 7, *raw, v6)
    assert Told(1.5, core.FULL, 7, text, 443) == read_told(record)


def test_events_are_taken_once_in_their_order():
    events, woken = Events(), []
    events.awaited = lambda: woken.append(1)
    events.wake()
    for number in range(3):
        events.tell(float(number), "flood", str(number))
    events.wake()
    assert [1] == woken
    assert ["0", "1", "2"] == [event.text for event in events.take()]
    assert [] == list(events.take())


def test_more_events_than_are_kept_lose_the_oldest_and_are_counted():
    events = Events()
    for number in range(EVENTS_MAX + 5):
        events.tell(0.0, "flood", str(number))
    assert 5 == events.lost
    assert "5" == next(events.take()).text
