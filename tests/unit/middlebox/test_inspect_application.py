"""syncache/inspect_application.py: the port map of the original."""

from __future__ import annotations

import pytest

from syncache.inspect_application import APPLICATIONS, PORTLESS
from syncache.ios.config import read
from syncache.ios.inspect import chosen


def test_ports_are_ports_and_names_are_told_apart():
    """In order, lower case, none both with a port and without."""
    assert sorted(APPLICATIONS) == list(APPLICATIONS)
    assert not set(APPLICATIONS) & set(PORTLESS)
    for name, (transport, port) in APPLICATIONS.items():
        assert transport in {6, 17}, name
        assert 1 <= port <= 65535, name
        assert name == name.lower()


@pytest.mark.parametrize("name", [*APPLICATIONS, *PORTLESS])
def test_every_application_can_be_inspected(name):
    """By its name, beside tcp."""
    config = read(["ip inspect name A tcp", f"ip inspect name A {name} timeout 30"])
    rules = chosen(config)
    assert rules is not None
    assert (name in APPLICATIONS) == (rules.find(name) is not None)
    assert (name in PORTLESS) == bool(config.notes)
