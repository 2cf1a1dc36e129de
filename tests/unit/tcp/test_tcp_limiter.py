"""Challenge ACKs in a period."""

from __future__ import annotations

from syncache.tcp.limiter import Limiter


def test_limit_holds_within_the_period_and_ends_with_it():
    """Two in a hundred milliseconds."""
    limiter = Limiter(2, 100)
    taken = [limiter.allows(now) for now in (0, 1, 2, 99, 100, 101, 102)]
    assert [True, True, False, False, True, True, False] == taken


def test_zero_means_without_limit():
    """Either of the two tunables."""
    for limiter in (Limiter(0, 100), Limiter(2, 0)):
        assert all(limiter.allows(0) for _ in range(100))
