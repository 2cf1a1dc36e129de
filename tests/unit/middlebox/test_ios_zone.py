"""Parameter maps of the zone-based firewall in an IOS configuration."""

from __future__ import annotations

import pytest

from syncache.ios import config as ios_config

MAP = """parameter-map type inspect PM
 log dropped-packets enable
 max-incomplete low 800
 max-incomplete high 1000
 tcp max-incomplete host 50 block-time 5
 audit-trail on
 no one-minute high 7
ip inspect name A tcp
"""


def test_limits_of_a_map_are_named_as_the_lines_that_would_be_taken():
    """Nothing of a map changes a tunable; one note has all its limits."""
    config = ios_config.read(MAP.split("\n"))
    assert {} == config.changes
    (note,) = config.notes
    assert note.startswith("line 1: parameter-map inspect PM ")
    assert note.endswith(
        "ip inspect max-incomplete low 800; ip inspect max-incomplete high 1000; "
        "ip inspect tcp max-incomplete host 50 block-time 5"
    )
    assert 7 == config.skipped
    taken = ios_config.read(note.partition("would be: ")[2].split("; "))
    assert 1000 == taken.changes["net.inet.inspect.max_incomplete.high"]


def test_map_without_limits_is_skipped_as_other_features_are():
    """Also a map of another type."""
    lines = ["parameter-map type regex X", " pattern y", "hostname z"]
    config = ios_config.read(lines)
    assert ([], 3) == (config.notes, config.skipped)
    with pytest.raises(ValueError, match="parameter-map type regex"):
        ios_config.read(lines, strict=True)


def test_limits_that_inspection_has_not_are_in_no_note():
    """What stands there without low and high, or by protocol, is no line of its."""
    lines = ["parameter-map type inspect-vrf V", " max-incomplete 2000"]
    assert [] == ios_config.read([*lines, " max-incomplete tcp 1000"]).notes
