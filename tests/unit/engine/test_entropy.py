"""Tests of the system's random bytes."""

from __future__ import annotations

from syncache.entropy import entropy


def test_entropy_has_the_size_asked_for_and_never_repeats():
    """32 bytes twice the same would be no entropy."""
    drawn = {entropy(32) for _ in range(100)}
    assert 100 == len(drawn)
    assert {32} == {len(each) for each in drawn}
    assert b"" == entropy(0)
