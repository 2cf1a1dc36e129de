"""syncache/ios/inspect_show.py: `show ip inspect`, from the door that it had."""

from __future__ import annotations

from syncache import Sysctl
from syncache.inspect_rule import Rule, RuleSet
from syncache.ios import inspect as ios_inspect
from syncache.ios import inspect_show as ios_inspect_show


def test_functions_can_be_had_from_ios_inspect():
    """Where callers look for them."""
    for what in ("config", "interfaces", "sessions", "statistics"):
        name = f"show_{what}"
        assert getattr(ios_inspect, name) is getattr(ios_inspect_show, name)


def test_config_shows_the_rules_of_both_sides():
    """Each set under its name."""
    rules = RuleSet.directed(
        RuleSet("FROMOUT", (Rule("http", timeout=9),)),
        RuleSet("FROMIN", (Rule("udp"),)),
    )
    lines = ios_inspect_show.show_config(Sysctl(), rules).splitlines()
    at = lines.index(" Inspection name FROMOUT")
    assert "http" in lines[at + 1]
    assert " Inspection name FROMIN" == lines[at + 2]
    assert "udp" in lines[at + 3]
