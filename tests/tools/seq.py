"""Sequence numbers: 32 bits that wrap, in one place (RFC 9293 3.4).

A comparison is right while the two numbers are less than 2^31 apart; at 2^31
each is before the other.
"""

from __future__ import annotations

MASK = 0xFFFFFFFF
_HALF = 0x80000000


def add(seq: int, count: int) -> int:
    """Return the number `count` after `seq`; a negative count goes back."""
    return (seq + count) & MASK


def diff(a: int, b: int) -> int:
    """Return how far `a` is after `b`: -2^31 to 2^31 - 1."""
    return (((a - b) & MASK) ^ _HALF) - _HALF


def lt(a: int, b: int) -> bool:
    """Tell whether `a` is before `b`."""
    return (a - b) & _HALF != 0


def leq(a: int, b: int) -> bool:
    """Tell whether `a` is `b` or before it."""
    return a == b or (a - b) & _HALF != 0


def gt(a: int, b: int) -> bool:
    """Tell whether `a` is after `b`."""
    return (b - a) & _HALF != 0


def geq(a: int, b: int) -> bool:
    """Tell whether `a` is `b` or after it."""
    return a == b or (b - a) & _HALF != 0


def within(seq: int, start: int, size: int) -> bool:
    """Tell whether `seq` is one of the `size` numbers from `start` on."""
    return (seq - start) & MASK < size
