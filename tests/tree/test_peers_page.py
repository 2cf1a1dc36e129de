"""docs/peers.md is what the last run of `make peers` found, and says what is absent."""

from __future__ import annotations

import json
from pathlib import Path

from tests.stacks.__main__ import HERE
from tests.stacks.page import WAYS, page
from tests.stacks.peers import PEERS

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENT = json.loads((DOCS / "peers.json").read_text())


def test_page_is_that_of_the_results():
    """`make peers` writes both; the page alone is not to be edited."""
    assert (DOCS / "peers.md").read_text() == page(DOCUMENT)


def test_every_peer_has_a_row_and_every_way_a_result():
    """A version means that it was here, and then it was tried."""
    assert [peer.name for peer in PEERS] == [row["name"] for row in DOCUMENT["peers"]]
    for peer, row in zip(PEERS, DOCUMENT["peers"], strict=True):
        ways = {way for way in WAYS if peer.goes(way)}
        assert set(row["results"]) == (ways if row["version"] else set())


def test_every_peer_can_be_tried_in_some_way_and_its_programs_are_there():
    """A way that does not exist would be passed over."""
    assert [] == [peer.name for peer in PEERS if set(peer.ways) - set(WAYS)]
    for name in ("exchange.py", "echo.py", "first_syn.py", "silent.py", "usec.py"):
        assert (HERE / name).is_file()


def test_page_names_what_was_wrong_and_what_is_absent():
    """Neither is left out."""
    here = {"name": "one", "version": "1.0", "note": "odd", "again": [1.0]}
    here |= {"results": {"cache": "reset"}, "syn": {"options": ["TS"], "window": 5}}
    gone = {"name": "two", "version": "", "note": "why", "again": []}
    gone |= {"results": {}, "syn": {}}
    text = page({"date": "2026-01-02", "peers": [here, gone]})
    assert "| one | 1.0 | reset |" in text
    assert "| two | absent |" in text
    assert "| one | TS | 5 | 1.0 s | odd |" in text
