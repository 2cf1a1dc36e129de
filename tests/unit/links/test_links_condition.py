"""syncache/links/condition.py: an interface goes down, and comes up again."""

from __future__ import annotations

import pytest

from syncache.links import condition, ethtool
from syncache.links.condition import Addresses, Condition, flags_of, kind_of

UP, DOWN, CARRIER, LOWER_UP = 0x1043, 0x1002, 0x1003, 0x11003


def test_each_change_is_told_once():
    """Down, up without carrier, up again."""
    seen = Condition("eth9")
    told = [seen.look("eth9", flags) for flags in (UP, DOWN, DOWN, CARRIER, UP, UP)]
    assert told == [
        [],
        [("down", "eth9 is down: `ip link set eth9 up`")],
        [],
        [("carrier", "eth9 has no carrier: look at its cable and other end")],
        [("up", "eth9 is up again")],
        [],
    ]


def test_interface_that_is_down_from_the_start_is_told():
    """Nothing would come, and nobody would know why."""
    assert ["down"] == [kind for kind, _ in Condition("eth9").look("eth9", DOWN)]


def test_new_name_is_told_and_used_from_then_on():
    """An interface is renamed while it is down, or while it is up."""
    seen = Condition("eth9")
    renamed = ("renamed", "eth9 is called wan0 now")
    assert [renamed] == seen.look("wan0", UP)
    assert [("down", "wan0 is down: `ip link set wan0 up`")] == (
        seen.look("wan0", DOWN)
    )


def test_carrier_that_the_kernel_has_not_spread_yet_is_carrier():
    """IFF_RUNNING comes up to a second later, where the other end has just come up."""
    assert [] == Condition("eth9").look("eth9", LOWER_UP)


@pytest.mark.parametrize(("link", "kind"), [(True, "up"), (False, "carrier")])
def test_driver_is_asked_where_the_flags_do_not_say_yet(monkeypatch, link, kind):
    monkeypatch.setattr(ethtool, "has_link", lambda name: link and name == "eth9")
    answer = condition.IFREQ_FLAGS.pack(b"eth9", CARRIER)
    monkeypatch.setattr(condition.fcntl, "ioctl", lambda *_: answer)
    assert kind == kind_of(flags_of("eth9"))


def test_flags_of_loopback_are_read():
    """It is no cable's, so it has carrier while it is up."""
    assert kind_of(flags_of("lo")) in {"up", "down"}


def test_flags_of_no_interface_are_an_error():
    """It has got another name, or is gone."""
    with pytest.raises(OSError, match="device"):
        flags_of("syncache-none")


def test_address_that_is_taken_and_given_back_is_told_once(monkeypatch):
    """One that the machine never had is another's affair."""
    known = ["192.0.2.2", "fd00::2"]
    monkeypatch.setattr(condition.rtnetlink, "addresses", lambda: known)
    seen = Addresses(["192.0.2.2/24", "fd00::2/64", "192.0.2.9"])
    assert [[], []] == [seen.look(), seen.look()]
    known.clear()
    (text,) = seen.look()
    assert "has lost 192.0.2.2, fd00::2, and clients" in text
    assert [] == seen.look()
    known.append("fd00::2")
    assert ["this machine has fd00::2 again"] == seen.look()
    known.append("192.0.2.2")
    assert ["this machine has 192.0.2.2 again"] == seen.look()
    assert [] == seen.look()


def test_link_without_addresses_asks_nobody(monkeypatch):
    monkeypatch.setattr(condition.rtnetlink, "addresses", None)
    assert [] == Addresses([]).look()
