"""syncache/attempts.py: the public face of the sketch."""

from __future__ import annotations

import pytest

from syncache import Ring
from syncache.attempts import Attempts
from syncache.segment import SYN, Segment


def test_attempts_are_taken_once():
    """With a secret of its own, or a seed."""
    syn = Segment(src="198.51.100.7", dst="192.0.2.1", sport=9, dport=80, flags=SYN)
    ring = Ring(1)
    ring.push(syn.packet())
    for attempts in (Attempts(), Attempts(b"seed")):
        attempts.look(ring)
        assert ("192.0.2.1", 80, 1, 1) == attempts.take().asked[0][:4]
        assert 0 == attempts.take().total


def test_seed_is_bytes():
    """As everywhere."""
    with pytest.raises(TypeError, match="bytes"):
        Attempts(7)
