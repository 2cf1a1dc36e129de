"""docs/departures.md says of each tunable what the registry and the preset say."""

from __future__ import annotations

import re
from pathlib import Path

from syncache import Sysctl

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "departures.md").read_text("utf-8")
ROW = re.compile(r"^\| (\d+) \| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", re.MULTILINE)


def test_each_tunable_has_the_default_and_the_preset_it_is_said_to_have():
    """A changed default shows up in the page, or here."""
    freebsd = Sysctl()
    freebsd.preset("freebsd")
    told, found = [], []
    for _, short, default, preset in ROW.findall(PAGE):
        name = f"net.inet.tcp.syncache.{short}"
        told.append((name, default, preset))
        found.append((name, str(Sysctl()[name]), str(freebsd[name])))
    assert found == told
    assert 14 == len(told)


def test_each_departure_has_a_section_and_its_tunables_are_of_one():
    """In order, none left out."""
    sections = [int(n) for n in re.findall(r"^## (\d+)\. ", PAGE, re.MULTILINE)]
    assert list(range(1, len(sections) + 1)) == sections != []
    assert {int(row[0]) for row in ROW.findall(PAGE)} <= set(sections)
