"""syncache/ios/table.py: one table for reading a configuration and writing it."""

from __future__ import annotations

import pytest

from syncache import Sysctl
from syncache.ios import inspect as ios_inspect
from syncache.ios import intercept as ios_intercept
from syncache.ios.config import read
from syncache.ios.table import written
from syncache.tunables import KNOBS

TABLES = [ios_intercept.TABLE, ios_inspect.TABLE]
ENTRIES = [entry for table in TABLES for entry in table]


def other(knob):
    """Return a legal value that is not the default."""
    if knob.type == "enum":
        return next(word for word in knob.legal if word != knob.default)
    if knob.type == "text":
        return "110"
    if knob.type == "bool":
        return 1 - knob.default
    return knob.default * 2 if knob.power_of_two else knob.default + 1


def names(entry):
    """Return the tunables that an entry sets."""
    if isinstance(entry, ios_inspect.HostLimit):
        return [ios_inspect.HOST, ios_inspect.MINUTES]
    if entry.name in KNOBS:
        return [entry.name]
    return [entry.name + ".low", entry.name + ".high"]


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ENTRIES if not getattr(entry, "alias", False)],
    ids=lambda entry: " ".join(entry.path),
)
def test_what_an_entry_writes_it_reads(entry):
    """For every command: the lines of changed values give the same values."""
    sysctl = Sysctl({name: other(KNOBS[name]) for name in names(entry)})
    lines = written([entry], sysctl)
    assert 1 == len(lines)
    config = read(lines, known=["110"])
    assert {name: sysctl[name] for name in names(entry)} == config.changes


@pytest.mark.parametrize("table", TABLES, ids=["intercept", "inspect"])
def test_defaults_are_not_written(table):
    """A router does not print them either."""
    assert [] == written(table, Sysctl())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: " ".join(entry.path))
def test_no_restores_the_default(entry):
    """Or turns a switch the other way."""
    config = read([f"no {' '.join(entry.path)}"])
    for name in names(entry):
        assert KNOBS[name].default == config.changes[name]


def test_what_holds_for_one_vrf_is_noted():
    """There are none here."""
    config = read(["ip inspect max-incomplete high 5 vrf red"])
    assert {} == config.changes
    assert ["line 1: what holds for one VRF is ignored"] == config.notes
