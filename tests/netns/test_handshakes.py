"""
A few of the handshakes of handshakes.py: half of its combinations, none refused.

    kernel clients (198.18.0.1, fd00:18::1) -- TUN -- our TCP (198.18.0.2, fd00:18::2)

The half is chosen so that any three choices occur together: what takes all four to go
wrong is left to `make handshakes`.
"""

from __future__ import annotations

import pytest
from handshakes import COMBINATIONS, compile_client, faults, play

pytestmark = pytest.mark.isa

COUNT = 400
HALF = [
    combination
    for combination in COMBINATIONS
    if sum(
        (
            combination.via == "cookie",
            combination.timestamps,
            combination.wscale,
            combination.family == 6,
        )
    )
    % 2
    == 0
]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return compile_client(tmp_path_factory.mktemp("client"))


@pytest.mark.parametrize("combination", HALF, ids=str)
def test_kernel_handshakes_are_all_completed(client, combination):
    """Each by the path and with the options that were asked for, and echoed."""
    counts = play(client, combination, COUNT)
    assert [] == faults(combination, COUNT, counts)
    assert (0, 0) == (counts["count"], counts["lost"])
