"""A log that nobody reads, or that has no disk, costs no client of a flood its service.

Short; `make floods-logs` compares the times with those of a run without.
"""

from __future__ import annotations

import pytest
from hurt import visited
from storms import Stormed

CLIENTS = 10


@pytest.mark.parametrize(
    ("engine", "way", "family"),
    [
        ("intercept", "stalled", 6),
        ("intercept", "reader gone", 4),
        ("inspect", "full disk", 6),
    ],
)
def test_clients_are_served_beside_a_log_that_is_hurt(tmp_path, engine, way, family):
    """With a line for every step, or every session."""
    made = Stormed(tmp_path)
    made.engine = engine
    try:
        assert CLIENTS == len(visited(made, engine, way, family, CLIENTS))
    finally:
        made.close()
