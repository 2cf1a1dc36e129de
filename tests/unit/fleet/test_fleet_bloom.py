"""Tests of `Redeemed`: what was told is never missed, nearly nothing else is hit."""

from __future__ import annotations

import pytest

from syncache.fleet import FleetError, bloom
from syncache.fleet.bloom import (
    FILTER_BYTES_MAX,
    HASHES,
    ITEMS_MAX,
    Bloom,
    Redeemed,
    digest_of,
)

KEY = bytes(16)


def digests(count, word="a"):
    return [digest_of(KEY, f"{word} {n}".encode()) for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 10, ITEMS_MAX])
def test_filter_has_all_that_was_put_in_and_nothing_else(count):
    """Its chance of an error follows from its bits: one in 10^8 and less."""
    known = digests(count)
    made = Bloom.of(known)
    assert all(digest in made for digest in known)
    assert not any(digest in made for digest in digests(5000, "b"))
    full = int.from_bytes(made.bits, "little").bit_count() / (8 * len(made.bits))
    assert full**HASHES < 1e-8
    assert len(made.bits) <= FILTER_BYTES_MAX
    assert Bloom.decode(made.bits) == made


def test_filter_is_bounded_whatever_is_put_in():
    """The rest is not told."""
    made = Bloom.of(digests(3 * ITEMS_MAX))
    assert len(made.bits) <= FILTER_BYTES_MAX
    Bloom.decode(made.bits)


@pytest.mark.parametrize(
    "body", [b"", bytes(15), bytes(FILTER_BYTES_MAX + 1), b"\xff" * 64, b"\x7f" * 16]
)
def test_filter_that_refuses_too_much_is_none(body):
    """A member that was taken over cannot refuse everybody's clients."""
    with pytest.raises(FleetError, match="a filter"):
        Bloom.decode(body)


def test_handshake_of_another_member_is_refused_for_a_cookies_life(monkeypatch):
    """One that was stored here, or that is new, is not."""
    now = [100.0]
    monkeypatch.setattr(bloom.time, "monotonic", lambda: now[0])
    one, other = Redeemed(KEY, 64.0), Redeemed(KEY, 64.0)
    assert one.admit(b"client 1", by_cookie=True)
    other.hear(one.take())
    assert b"" == one.take()
    assert other.admit(b"client 2", by_cookie=True)
    assert other.admit(b"client 1", by_cookie=False)
    assert not other.admit(b"client 1", by_cookie=True)
    assert (1, 1) == (other.refused, other.kept)
    now[0] += 64.0
    assert other.admit(b"client 1", by_cookie=True)
    one.admit(b"client 3", by_cookie=True)
    other.hear(one.take())
    assert 1 == other.kept


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(bloom, "FILTERS_MAX", 4)
    seen = Redeemed(KEY, 64.0)
    for number in range(5000):
        seen.admit(str(number).encode(), by_cookie=False)
    body = seen.take()
    assert len(body) <= FILTER_BYTES_MAX
    for _ in range(9):
        seen.hear(body)
    assert 4 == seen.kept
