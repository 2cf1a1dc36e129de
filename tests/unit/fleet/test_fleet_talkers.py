"""Tests of `Talkers`: shares of what was counted, which fade."""

from __future__ import annotations

from syncache.attempts import Asked, Asking, Counted
from syncache.fleet import talkers
from syncache.fleet.talkers import Talkers


def counted(total, asking, asked=()):
    return Counted(
        total,
        len(asking),
        [Asked(address, port, syns, 1) for address, port, syns in asked],
        [Asking(prefix, syns) for prefix, syns in asking],
    )


def test_networks_and_targets_have_shares_of_all_syns():
    """The heaviest come first, ports together; what is below SHARE_MIN is left out."""
    seen = Talkers()
    asking = [("2001:db8:1::/48", 39), ("203.0.113.0/24", 60), ("198.51.100.0/24", 1)]
    asked = [("192.0.2.1", 80, 40), ("2001:db8::1", 80, 39), ("192.0.2.1", 443, 21)]
    seen.see(counted(100, asking, asked))
    assert (("203.0.113.0/24", 0.6), ("2001:db8:1::/48", 0.39)) == seen.sources
    assert (("192.0.2.1", 0.61), ("2001:db8::1", 0.39)) == seen.targets


def test_share_fades_when_others_take_over():
    """Half a minute later nothing is left of it."""
    seen = Talkers()
    assert ((), ()) == (seen.sources, seen.targets)
    seen.see(counted(64, [("203.0.113.0/24", 64)]))
    for _ in range(40):
        seen.see(counted(64, [("198.51.100.0/24", 64)]))
    assert ["198.51.100.0/24"] == [name for name, _ in seen.sources]
    for _ in range(100):
        seen.see(None)
    assert ((), ()) == (seen.sources, seen.targets)


def test_counts_are_bounded_whatever_comes(monkeypatch):
    """Random sources of a flood name nobody, and take no memory."""
    monkeypatch.setattr(talkers, "KEPT", 8)
    seen = Talkers()
    for number in range(50):
        asking = [(f"10.{number}.{n}.0/24", 1) for n in range(64)]
        seen.see(counted(64, asking, [("192.0.2.1", 80, 64)]))
    assert len(seen._sources) <= 8
    assert () == seen.sources
    assert ["192.0.2.1"] == [name for name, _ in seen.targets]


HOSTILE = [
    "0.0.0.0/0",
    "203.0.0.0/16",
    "::/0",
    "::/48",
    "::ffff:0:0/96",
    "::ffff:203.0.113.0/120",
    "::1/128",
    "2001:db8::/32",
]


def test_networks_that_are_too_much_of_the_world_are_not_blocked():
    """Nor IPv4 in the clothes of IPv6, however many members ask for it."""
    liars = [tuple((network, 1.0) for network in HOSTILE)] * 5
    assert () == talkers.to_block(liars, 2)
    fair = ("203.0.113.0/24", 1.0), ("2001:db8::/48", 0.2), ("192.0.2.0/24", 0.19)
    assert ("2001:db8::/48", "203.0.113.0/24") == talkers.to_block([fair] * 2, 2)


def test_member_that_repeats_a_network_has_one_voice():
    """Another has to name it too."""
    liar, other = (("203.0.113.0/24", 1.0),) * 4, (("203.0.113.0/24", 0.5),)
    assert () == talkers.to_block([liar], 2)
    assert ("203.0.113.0/24",) == talkers.to_block([liar, other], 2)
    assert ("203.0.113.0/24",) == talkers.to_block([liar], 1)
