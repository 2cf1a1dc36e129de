"""The wire in memory: what one end sends, the other receives."""

from __future__ import annotations

import select

import pytest

from syncache.links.link import Link
from syncache.links.memory import pair
from syncache.ring import Checksum, Ring

PACKET = b"\x45" + bytes(39)


def readable(link) -> bool:
    return bool(select.select([link.fileno()], [], [], 0)[0])


def filled(*packets: bytes) -> Ring:
    ring = Ring(8)
    for packet in packets:
        ring.push(packet)
    return ring


@pytest.fixture
def ends():
    one, two = pair(slots=4)
    yield one, two
    one.close()
    two.close()


def test_both_ends_are_links(ends):
    """An end has the calls of the protocol and what it was made with."""
    one, two = ends
    assert isinstance(one, Link)
    assert (1500, 0) == (two.mtu, two.gso_max)
    big, other = pair(mtu=9000, gso_max=65535)
    assert (9000, 65535) == (big.mtu, other.gso_max)
    big.close()
    other.close()


def test_sent_packets_arrive_in_order_with_their_offloads(ends):
    """Bytes, checksum state and gso_size cross the wire; the sender's ring is used."""
    one, two = ends
    tx, rx = Ring(8), Ring(8)
    tx.push(PACKET, checksum=Checksum.PARTIAL, gso_size=1400)
    tx.push(PACKET + b"2")
    assert one.send(tx) == 2
    assert tx.next == 2
    assert two.receive(rx) == 2
    assert [PACKET, PACKET + b"2"] == [bytes(rx[i]) for i in range(2)]
    assert [Checksum.PARTIAL, Checksum.VERIFY] == [rx.checksum(i) for i in range(2)]
    assert [1400, 0] == [rx.gso_size(i) for i in range(2)]


def test_descriptor_is_readable_while_packets_wait(ends):
    """A loop is woken by the first packet and sleeps after the last one."""
    one, two = ends
    assert not readable(two)
    one.send(filled(PACKET))
    one.send(filled(PACKET, PACKET))
    assert readable(two)
    assert not readable(one)
    small = Ring(2)
    assert two.receive(small) == 2
    assert readable(two)
    small.clear()
    assert two.receive(small) == 1
    assert not readable(two)
    assert two.receive(small) == 0


def test_full_wire_takes_no_more_until_the_other_end_received(ends):
    """A send that is cut short goes on where it stopped."""
    one, two = ends
    tx = filled(*[PACKET + bytes([i]) for i in range(6)])
    assert one.send(tx) == 4
    assert one.send(tx) == 0
    rx = Ring(8)
    assert two.receive(rx) == 4
    assert one.send(tx) == 2
    assert two.receive(rx) == 2
    assert [PACKET + bytes([i]) for i in range(6)] == [bytes(rx[i]) for i in range(6)]


def test_packets_to_a_closed_end_vanish(ends):
    """As on a wire that leads nowhere, the sender does not notice."""
    one, two = ends
    two.close()
    tx = filled(PACKET, PACKET)
    assert one.send(tx) == 2
    assert tx.next == 2
