"""The door to C's replays and samples."""

from __future__ import annotations

from syncache import Ring
from syncache._core.inspect import AGES, handshake_ages, replay, sample
from syncache.inspection import Inspection


def test_an_empty_engine_has_nothing_to_tell():
    """No packet, no host, no handshake."""
    core = Inspection(seed=bytes(16))._core
    with core:
        assert 0 == replay(core, Ring(4, 256), None)
        assert ("", 0, False) == (
            sample(core, 1.0).host,
            sample(core, 1.0).incomplete,
            sample(core, 1.0).aggressive,
        )
        assert [0] * AGES == handshake_ages(core)
