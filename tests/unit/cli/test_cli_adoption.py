"""syncache/cli/adoption.py: what a member does while others are attacked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from syncache import Inspection, Intercept, Syncache, Sysctl
from syncache.cli.adoption import ADOPT_SECONDS, BLOCK_SECONDS, Adoption
from syncache.fleet.talkers import BLOCKS_MAX
from syncache.links import LinkError
from syncache.tunables.shield import MODE

HOST = "net.inet.inspect.tcp.max_incomplete_host"
ENGINES = [
    (Syncache, "net.inet.tcp.syncookies_only", 0, 1),
    (lambda: Intercept(acl=None), "net.inet.tcp.intercept.synack", "cache", "cookie"),
    (Inspection, HOST, 50, 1),
]


class Shield:
    """What of it is asked for."""

    def __init__(self):
        self.sysctl = Sysctl()


def a_member(*, adopt=True, block=False):
    conf = SimpleNamespace(adopt=adopt, block=block, group="web")
    return SimpleNamespace(conf=conf, attacked=0, blocks=())


@pytest.mark.parametrize(
    ("make", "name", "calm", "prepared"), [*ENGINES, (Shield, MODE, "auto", "always")]
)
def test_attack_on_others_is_adopted_for_a_time(make, name, calm, prepared):
    """Only if the configuration says so; what an operator sets meanwhile stays."""
    engine, lines, member = make(), [], a_member()
    adoption = Adoption(member)
    member.attacked = 3
    adoption.turn(engine, lines.append, 100.0)
    assert prepared == engine.sysctl[name]
    member.attacked = 0
    adoption.turn(engine, lines.append, 99.9 + ADOPT_SECONDS)
    assert prepared == engine.sysctl[name]
    adoption.turn(engine, lines.append, 100.0 + ADOPT_SECONDS)
    assert calm == engine.sysctl[name]
    assert ["3 members are attacked", "the attack is over"] == [
        line.split(": ")[1] for line in lines
    ]
    member.attacked = 2
    adoption.turn(engine, lines.append, 200.0)
    engine.sysctl[name] = calm
    member.attacked = 0
    adoption.turn(engine, lines.append, 300.0)
    assert calm == engine.sysctl[name]


@pytest.mark.parametrize(("make", "name", "calm", "prepared"), ENGINES)
def test_who_does_not_adopt_stays_as_it_is(make, name, calm, prepared):
    del prepared
    engine, member = make(), a_member(adopt=False)
    member.attacked, member.blocks = 3, ("203.0.113.0/24",)
    Adoption(member).turn(engine, pytest.fail, 100.0, pytest.fail)
    assert calm == engine.sysctl[name]


def test_inspection_that_would_refuse_clients_does_not_prepare():
    """Its limit of half-open sessions is for cookies alone."""
    engine, member = Inspection(), a_member()
    engine.sysctl["net.inet.inspect.block_action"] = "drop"
    member.attacked = 3
    Adoption(member).turn(engine, pytest.fail, 100.0)
    assert 50 == engine.sysctl[HOST]


def test_networks_are_blocked_until_a_while_after_they_were_named():
    """The link is told only what changes."""
    told, lines, member = [], [], a_member(block=True)
    adoption, engine = Adoption(member), Syncache()
    member.blocks = ("203.0.113.0/24",)
    adoption.turn(engine, lines.append, 100.0, told.append)
    member.blocks = ("2001:db8::/48", "203.0.113.0/24")
    adoption.turn(engine, lines.append, 110.0, told.append)
    member.blocks = ()
    adoption.turn(engine, lines.append, 109.9 + BLOCK_SECONDS, told.append)
    assert [("203.0.113.0/24",), ("2001:db8::/48", "203.0.113.0/24")] == told
    adoption.turn(engine, lines.append, 110.0 + BLOCK_SECONDS, told.append)
    assert () == told[-1]
    assert 2 == sum("are not dropped any more" in line for line in lines)


@pytest.mark.parametrize("can", [True, False])
def test_link_that_cannot_block_is_one_line(can):
    """And packets go on."""
    lines, member = [], a_member(block=True)

    def refuse(networks):
        raise LinkError("no memory")

    adoption = Adoption(member)
    member.blocks = ("203.0.113.0/24",)
    for now in (100.0, 101.0, 102.0):
        adoption.turn(Syncache(), lines.append, now, refuse if can else None)
    assert 1 == len(lines)
    assert ("no memory" if can else "cannot drop") in lines[0]


def test_members_that_name_new_networks_each_second_fill_no_log():
    """No more are blocked at a time, and each stays for its time."""
    told, lines, member = [], [], a_member(block=True)
    adoption = Adoption(member)
    seconds = 10 * int(BLOCK_SECONDS)
    for second in range(seconds):
        member.blocks = tuple(f"10.{second // 60}.{n}.0/24" for n in range(16))
        if second % 2:
            member.blocks = tuple(f"172.16.{second % 250}.0/24" for _ in range(4))
        adoption.turn(Syncache(), lines.append, 100.0 + second, told.append)
        assert len(told[-1]) <= BLOCKS_MAX
    assert len(lines) <= 2 * BLOCKS_MAX * (seconds / BLOCK_SECONDS + 1)
    member.blocks = ()
    adoption.turn(Syncache(), lines.append, 100.0 + 2 * seconds, told.append)
    assert () == told[-1]
