"""syncache/_core/walk.py: the half-open table in short steps."""

from __future__ import annotations

import pytest

from syncache import Syncache, halfopen
from syncache.segment import SYN, Segment


def flooded(count):
    engine = Syncache(seed=bytes(16))
    engine.listen(80, "192.0.2.1")
    for port in range(1000, 1000 + count):
        syn = Segment(
            src="198.51.100.7", dst="192.0.2.1", sport=port, dport=80, flags=SYN
        )
        engine.packet(syn.packet(), 0)
    return engine


def test_slices_together_are_the_list():
    """Whatever a step looks at."""
    engine = flooded(600)
    expected = sorted(engine.half_open(), key=str)
    for look in (1, 100, 4096):
        parts = list(engine.half_open_slices(look))
        assert len(parts) >= 512 // look
        assert max(len(part) for part in parts) <= 256 * halfopen.ENTRY_BYTES
        found = [entry for part in parts for entry in halfopen.read(part)]
        assert expected == sorted(found, key=str)


def test_engine_is_free_between_two_steps():
    """Packets are judged and entries come and go meanwhile."""
    engine = flooded(50)
    slices = engine.half_open_slices(16)
    next(slices)
    engine.packet(b"", 1.0)
    engine.rehash(bytes(16))  # which empties the table
    assert b"" == b"".join(slices)


def test_begin_passes_over_a_part_of_the_table():
    """The second half is what a walk from there has left."""
    engine = flooded(600)
    whole = b"".join(engine.half_open_slices())
    half = b"".join(engine.half_open_slices(begin=0.5))
    assert whole.endswith(half)
    assert 0.3 * len(whole) < len(half) < 0.7 * len(whole)


def test_closed_engine_raises():
    """As every other call."""
    engine = flooded(1)
    slices = engine.half_open_slices()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        next(slices)
