"""Tests of `Verdict`, `Kind`, `Reason`."""

from __future__ import annotations

from syncache import Kind, Reason, Verdict
from syncache.verdict import KINDS, PLAIN, REASONS


def test_kind_is_the_beginning_of_the_name():
    """Every reason says its kind."""
    for reason in Reason:
        assert reason.name.startswith(reason.kind.name + "_")
        assert reason.kind is KINDS[reason]
        assert reason is REASONS[reason]


def test_every_kind_has_reasons():
    """No kind is empty."""
    assert set(Kind) == set(KINDS)


def test_plain_verdicts_have_nothing_but_their_reason():
    """One for each reason, with no reply, no connection, no handle."""
    assert [Verdict(r.kind, r, None, None, 0) for r in Reason] == list(PLAIN)
