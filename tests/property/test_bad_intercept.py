"""Bad packets through `Intercept`; for more of them: bad_input.py --what intercept."""

from __future__ import annotations

from collections import Counter

import bad_intercept

# What only a packet can bring about that fits to a connection.
DEEP = {
    "CONSUMED",
    "DROP_BAD_ACK",
    "DROP_BAD_CHECKSUM",
    "DROP_EARLY",
    "DROP_RST",
    "DROP_UNKNOWN",
    "FORWARD",
    "FORWARD_REWRITTEN",
}


def test_bad_packets_raise_nothing_and_both_ways_agree():
    """One by one and in rings, every set of tunables: the same, bit for bit."""
    worlds = bad_intercept.worlds(seed=2)
    for world in worlds:
        world.run(6144)
    assert set() == DEEP - set(sum((w.reasons for w in worlds), Counter()))
