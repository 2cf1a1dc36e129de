"""syncache/ios/syntax.py: what readers of a configuration collect."""

from __future__ import annotations

import pytest

from syncache.ios.config import read
from syncache.ios.inspect import draft_of
from syncache.ios.syntax import Config, ignored
from syncache.tunables import KNOBS

IDLE = "net.inet.inspect.tcp.idle_time"


def test_values_are_kept_with_their_place():
    """So that a mistake that shows later can be found."""
    config = Config(where="line 7: ")
    config.set(IDLE, "60")
    assert ({IDLE: 60}, {IDLE: "line 7: "}) == (config.changes, config.places)
    config.restore(IDLE)
    assert 3600 == config.changes[IDLE]


@pytest.mark.parametrize("text", ["0x3c", "6_0", "", "-1", "\u0666"])
def test_numbers_are_decimal(text):
    """A router takes nothing else."""
    with pytest.raises(ValueError, match="idle_time is 1 to"):
        Config().set(IDLE, text)


def test_notes_are_made_once_with_their_first_line():
    """A thousand lines of a kind are one note."""
    config = Config(where="line 1: ")
    take = ignored("ip inspect log")
    take(config, [], False)
    config.where = "line 2: "
    take(config, [], True)
    assert ["line 1: ip inspect log is ignored"] == config.notes
    config.said["ip tcp intercept"] = 3
    config.skipped = 2
    assert [
        *config.notes,
        "3 lines of ip tcp intercept have no effect here",
        "2 lines of other features are skipped",
    ] == config.report("ip inspect")


@pytest.mark.parametrize(
    ("said", "undone"),
    [
        (["ip inspect name A tcp", "ip inspect tcp synwait-time 7"], "no ip inspect"),
        (["ip tcp intercept mode watch"], "no ip tcp intercept"),
    ],
)
def test_no_in_front_of_a_feature_takes_back_all_of_it(said, undone):
    """As at the top of a script that sets it anew; what follows counts."""
    config = read([*said, undone])
    assert all(KNOBS[name].default == value for name, value in config.changes.items())
    assert not draft_of(config).rules
    assert [] == read([undone]).report("ip inspect", "ip tcp intercept")


def test_a_list_without_a_direction_is_for_what_leaves():
    """As older routers have it."""
    config = read(["interface e0", " ip access-group WAN"])
    (interface,) = draft_of(config).interfaces.values()
    assert {"out": "WAN"} == interface.lists
