"""Tests of spliced connections as bytes: whole or refused."""

from __future__ import annotations

import random

import pytest

from syncache import Intercept
from syncache.acl import AccessList, permit
from syncache.flow_state import StateError, pack, unpack
from tests.conformance.shield import ACK, CLIENT, FIN, SERVER, Shield


def restarted(shield):
    """The same shield with a new engine that knows what the old one exported."""
    data = shield.engine.export_state(shield.now)
    fresh = Intercept(acl=AccessList("100", [permit(dport=80)]), seed=b"another seed")
    told = fresh.import_state(data, shield.now)
    shield.engine = fresh
    return told


def test_connection_goes_on_after_a_restart(family):
    """Numbers are translated as before, both ways."""
    shield = Shield(family)
    shield.established()
    assert (1, 1) == restarted(shield)
    assert ["ESTAB"] == shield.states()
    ((_, up),) = shield.ack(dack=101)
    assert shield.s + 101 == up.ack
    ((_, down),) = shield.give(shield.from_server(ACK, payload=b"x"), SERVER)
    assert (shield.p + 1) & 0xFFFFFFFF == down.seq


@pytest.mark.parametrize("side", [CLIENT, SERVER], ids=str)
@pytest.mark.parametrize("far", [2**20 + 1, -(2**20) - 1, 2**31])
def test_connection_that_went_on_too_long_is_dropped(family, side, far):
    """The first packet each way lies within 2^20 of the exported number."""
    shield = Shield(family)
    shield.established()
    restarted(shield)
    make = shield.from_client if side is CLIENT else shield.from_server
    shield.give(make(ACK, dseq=1 + far, payload=b"x"), side)
    assert [] == shield.states()


def test_half_open_connections_are_not_exported(family):
    """They begin anew."""
    shield = Shield(family)
    shield.syn()
    assert (0, 0) == restarted(shield)


def test_known_connection_is_not_taken_twice(family):
    """An import of what is there already changes nothing."""
    shield = Shield(family)
    shield.established()
    data = shield.engine.export_state(0.0)
    assert (0, 1) == shield.engine.import_state(data, 0.0)
    assert ["ESTAB"] == shield.states()


def test_more_connections_than_one_call_takes():
    """A thousand of them."""
    shield = Shield()
    for number in range(1000):
        shield.client, shield.p = shield.other(number), None
        shield.established()
    assert (1000, 1000) == restarted(shield)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"X" + data[1:],
        lambda data: pack(unpack(data)[:-1]),
    ],
)
def test_spoilt_bytes_are_refused(spoil):
    """Cut, longer, changed, of another kind; nothing has changed."""
    shield = Shield()
    shield.established()
    data = shield.engine.export_state(0.0)
    fresh = Intercept(acl=None)
    with pytest.raises(StateError):
        fresh.import_state(spoil(data), 0.0)
    assert [] == fresh.connections()


def test_nonsense_in_a_whole_file_is_not_taken():
    """The digest is right, the members are not: C looks at each."""
    shield = Shield()
    shield.established()
    size = len(unpack(shield.engine.export_state(0.0)))
    fresh = Intercept(acl=None)
    assert (0, 1) == fresh.import_state(pack(b"\xff" * size), 0.0)
    assert [] == fresh.connections()


def test_connection_that_lies_in_a_whole_state_harms_nobody(family):
    """It is taken or not; nothing raises, then or when packets come."""
    shield = Shield(family)
    for number in range(4):
        shield.client, shield.p = shield.other(number), None
        shield.established()
    rows = unpack(shield.engine.export_state(shield.now))
    draw = random.Random(family)
    for _ in range(300):
        spoilt = bytearray(rows)
        for _ in range(draw.choice((1, 4, 16))):
            at = draw.randrange(len(spoilt))
            spoilt[at] = draw.choice((spoilt[at] ^ 1, 0, 4, 6, 14, 127, 255))
        shield.engine = Intercept(acl=AccessList("100", [permit(dport=80)]), seed=b"x")
        taken, _ = shield.engine.import_state(pack(bytes(spoilt)), shield.now)
        assert taken == len(shield.engine.connections())
        for number in range(4):
            shield.client = shield.other(number)
            shield.ack(dack=101, payload=b"x")
            shield.give(shield.from_server(ACK | FIN, payload=b"x"), SERVER)
        shield.until(shield.now + 100)
        shield.engine.export_state(shield.now)


def test_state_with_any_bytes_changed_is_refused():
    """The digest covers the connections, and the first line is compared whole."""
    shield = Shield()
    shield.established()
    data = shield.engine.export_state(shield.now)
    fresh = Intercept(acl=None)
    for at in range(len(data)):
        spoilt = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        with pytest.raises(StateError):
            fresh.import_state(spoilt, shield.now)
