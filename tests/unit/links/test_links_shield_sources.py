"""syncache/links/shield_sources.py, with maps in memory; the programs are in netns."""

from __future__ import annotations

import errno
import struct

import pytest

from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache.links.link import LinkError
from syncache.links.shield_sources import ShieldSources, key_of, network_of

SAMPLES, BLOCKED = 1, 2
MAPS = {"samples_map": SAMPLES, "blocked": BLOCKED}
ROOM = 3
MAPPED = bytes(10) + b"\xff\xff"
SOURCE4, TARGET4 = MAPPED + bytes([203, 0, 113, 9]), MAPPED + bytes([192, 0, 2, 1])
SOURCE6, TARGET6 = (
    bytes.fromhex("20010db80001") + bytes(10),
    bytes.fromhex("20010db8") + bytes(12),
)


@pytest.fixture
def maps(monkeypatch):
    """Return the processors' samples, and the networks."""
    found = {SAMPLES: [bytes(core.SAMPLES_BYTES)] * 2, BLOCKED: {}}

    def update(fd, key, value):
        if len(found[fd]) == ROOM:
            raise OSError(errno.ENOSPC, "No space left on device")
        found[fd][key] = value

    monkeypatch.setattr(_core_bpf, "lookup", lambda fd, *_: b"".join(found[fd]))
    monkeypatch.setattr(_core_bpf, "keys", lambda fd, _: [*found[fd]])
    monkeypatch.setattr(_core_bpf, "delete", lambda fd, key: found[fd].pop(key))
    monkeypatch.setattr(_core_bpf, "update", update)
    return found


def samples(*taken, count=None):
    """Return a processor's map, with these sources and targets in turn."""
    slots = [bytes(40)] * core.SAMPLES
    for number, (source, target) in enumerate(taken):
        port = (80).to_bytes(2, "big")
        slots[number % core.SAMPLES] = source + target + port + bytes(6)
    return struct.pack("=Q24x", len(taken) if count is None else count) + b"".join(
        slots
    )


def test_sample_is_counted_once_by_network_and_target(maps):
    """Of all processors; what was there before does not count."""
    maps[SAMPLES][0] = samples((SOURCE4, TARGET4))
    sources = ShieldSources(MAPS, 2)
    assert (0, 0, [], []) == tuple(sources.counted())[:4]
    maps[SAMPLES][0] = samples(*[(SOURCE4, TARGET4)] * 3)
    maps[SAMPLES][1] = samples((SOURCE6, TARGET6))
    counted = sources.counted()
    assert (3 * core.SAMPLED, 2) == counted[:2]
    assert [("192.0.2.1", 80), ("2001:db8::", 80)] == [a[:2] for a in counted.asked]
    assert [("203.0.113.0/24", 128), ("2001:db8:1::/48", 64)] == counted.asking
    assert 0 == sources.counted().total


def test_sample_that_went_round_has_its_last_ones(maps):
    """However many there were."""
    sources = ShieldSources(MAPS, 2)
    maps[SAMPLES][0] = samples(
        *[(SOURCE4, TARGET4)] * core.SAMPLES, count=10 * core.SAMPLES + 3
    )
    assert core.SAMPLES * core.SAMPLED == sources.counted().total


def test_exactly_the_networks_that_are_asked_for_are_blocked(maps):
    """Those of a process before us in pinned maps are not."""
    maps[BLOCKED][key_of("10.0.0.0/24")] = b"\1"
    sources = ShieldSources(MAPS, 2)
    assert ({}, False) == (maps[BLOCKED], sources.blocks)
    for networks in (["203.0.113.0/24"], ["2001:db8::/48", "203.0.113.0/24"], []):
        sources.block(networks)
        assert {key_of(network) for network in networks} == maps[BLOCKED].keys()
        assert bool(networks) == sources.blocks


def test_networks_without_room_are_one_line(maps):
    """What is blocked by then stays, and goes when it is asked for."""
    sources = ShieldSources(MAPS, 2)
    with pytest.raises(LinkError, match=r"no room for 4 networks: No space"):
        sources.block([f"10.0.{number}.0/24" for number in range(4)])
    assert sources.blocks
    sources.block(())
    assert {} == maps[BLOCKED]


def test_networks_are_written_as_the_programs_have_them():
    """IPv4 has its place in IPv6."""
    assert core.network(120, MAPPED + bytes([203, 0, 113, 0])) == key_of(
        "203.0.113.0/24"
    )
    assert "203.0.113.0/24" == network_of(SOURCE4)
    assert "2001:db8:1::/48" == network_of(SOURCE6)
