"""Statement P27 of the specification: counters agree with a brute-force model."""

from __future__ import annotations

import random

import pytest

from tests.conformance.inspect_pair import Pair, random_step, settings_of


@pytest.mark.parametrize("seed", range(1, 6))
def test_P27_counters_agree_with_a_brute_force_model(seed):
    """2,000 events for each of five settings; the seed gives them again."""
    rng = random.Random(seed)
    pair = Pair(settings_of(rng), family=rng.choice([4, 6]))
    for _ in range(2000):
        random_step(pair, rng)
        pair.check()
    assert pair.model.created > 100
    assert pair.model.modes
