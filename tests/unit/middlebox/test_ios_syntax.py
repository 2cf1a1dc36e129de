"""syncache/ios/syntax.py: what readers of a configuration collect."""

from __future__ import annotations

import pytest

from syncache.ios.config import INTERCEPT, read
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


def test_features_that_a_configuration_speaks_of_are_counted():
    """Each line by its feature, those of lists together; of others none."""
    config = read(
        [
            "access-list 100 permit tcp any any",
            "ip access-list extended WEB",
            " permit tcp any any eq 80",
            "ip inspect name A tcp",
            "ip tcp intercept list 100",
            "ip tcp intercept mode watch",
            "ip tcp intercept drop-mode random",
            "hostname edge",
        ]
    )
    assert {
        "access lists": 2,
        "ip inspect": 1,
        "ip tcp intercept": 3,
    } == config.said
    assert 1 == config.skipped


@pytest.mark.parametrize("command", ["ip tcp intercept", "ip inspect"])
def test_no_with_a_word_too_many_takes_nothing_back(command):
    """Only the bare command ends the feature."""
    first = "ip tcp intercept mode watch"
    with pytest.raises(ValueError, match="'bogus' is not understood"):
        read([first, f"no {command} bogus"])
    for line, mode in (
        ("no ip tcp intercept", "intercept"),
        ("no ip inspect", "watch"),
    ):
        changes = read([first, line]).changes
        assert {f"{INTERCEPT}mode": mode} == changes


def test_file_without_a_line_of_ours_says_so():
    """What is skipped may be all that there is."""
    (text,) = read(["hostname r1", "service pad"]).report()
    assert text == "2 lines of other features are skipped, and there are no others"
