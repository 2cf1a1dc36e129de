"""syncache/alerts/top.py: how often each name occurred."""

from __future__ import annotations

from syncache.alerts import top as tops


def test_rare_names_are_forgotten_and_counted(monkeypatch):
    """The frequent ones stay, with their numbers."""
    monkeypatch.setattr(tops, "TOP_MAX", 4)
    top = tops.Top()
    for name in "aabbcdef":
        top.add(name)
    assert [("a", 2), ("b", 2)] == top.most(2)
    assert 6 == len(top)
