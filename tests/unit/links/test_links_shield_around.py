"""syncache/links/shield_around.py: what is looked at around a shield, and when."""

from __future__ import annotations

import dataclasses

import pytest

from syncache.links import LinkError, rtnetlink, shield_around
from syncache.links.shield_around import Around
from syncache.links.shield_events import Events


class Changes:
    """Says what it is told to."""

    def __init__(self):
        self.are_due = True

    def seen(self):
        was, self.are_due = self.are_due, False
        return was

    def again(self):
        self.are_due = True

    def close(self):
        self.are_due = None


class Hooks:
    """Programs of which some were taken off."""

    def __init__(self, *lines):
        self.lines = lines
        self.there = None

    def mend(self, there):
        self.there = there
        yield from self.lines


@pytest.fixture
def world(monkeypatch):
    """The surroundings of a shield on eth0, whose parts a test changes."""
    info = dataclasses.replace(rtnetlink.interface("lo"), name="eth0", flags=0x10043)
    monkeypatch.setattr(shield_around, "ethernet", lambda _: info)
    monkeypatch.setattr(shield_around, "receiver_of", lambda found: found)
    monkeypatch.setattr(shield_around, "tags_off", lambda _: [])
    monkeypatch.setattr(shield_around, "Changes", Changes)
    monkeypatch.setattr(shield_around, "interfaces", lambda: [info])
    monkeypatch.setattr(shield_around.host_settings, "in_the_way", list)
    events = Events()
    around = Around("eth0", events)
    around.told = lambda: [(event.kind, event.text) for event in events.take()]
    yield around
    around.close()


def test_interfaces_are_listed_when_the_kernel_tells_of_a_change(world, monkeypatch):
    """And again if that failed."""
    assert world.look_at_interfaces(1.0)
    assert not world.look_at_interfaces(2.0)

    def refuse():
        raise LinkError("no list from the kernel")

    kept = shield_around.interfaces
    monkeypatch.setattr(shield_around, "interfaces", refuse)
    world.changes.again()
    with pytest.raises(LinkError):
        world.look_at_interfaces(3.0)
    down = dataclasses.replace(kept()[0], flags=0)
    monkeypatch.setattr(shield_around, "interfaces", lambda: [down])
    assert world.look_at_interfaces(4.0)
    assert [("down", "eth0 is down: `ip link set eth0 up`")] == world.told()


def test_interface_that_is_gone_is_told_once(world, monkeypatch):
    """Nothing comes after that."""
    monkeypatch.setattr(shield_around, "interfaces", list)
    for now in (1.0, 2.0):
        world.changes.again()
        assert not world.look_at_interfaces(now)
    assert ([("gone", "eth0 is gone")], True) == (world.told(), world.is_gone)


def test_what_is_in_the_way_is_told_once_and_when_it_is_over(world, monkeypatch):
    """What was put back is told each time."""
    world.look_at_interfaces(0.0)
    hooks = Hooks("XDP on eth0: it is on again")
    world.look_for_obstacles(1.0, "native", hooks)
    assert {world.interface.index} == hooks.there
    assert [("trouble", "XDP on eth0: it is on again")] == world.told()
    monkeypatch.setattr(shield_around, "tags_off", lambda _: ["eth0.7"])
    for now in (2.0, 3.0):
        world.look_for_obstacles(now, "native", Hooks())
    ((kind, text),) = world.told()
    assert ("off", True) == (kind, "eth0.7" in text)
    world.look_for_obstacles(4.0, "tc", Hooks())  # which sees tags
    assert ["on"] == [kind for kind, _ in world.told()]
    assert [] == world.obstacles
