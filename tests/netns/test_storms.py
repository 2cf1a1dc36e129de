"""Every kind of flood at every engine: honest clients beside it are served.

Short, at a quarter of the rate of `make floods`, which prints the table.
"""

from __future__ import annotations

import pytest
from shielded import shielding
from storms import ENGINES, KINDS, RATES, Stormed, visited

pytestmark = pytest.mark.slow
RATE = 10_000
CLIENTS = 15


@pytest.mark.parametrize("engine", ENGINES)
def test_clients_are_served_in_floods_of_every_kind(engine, tmp_path):
    """Families by turns, the engine with its defaults, one flood after the other."""
    with shielding(tmp_path, Stormed) as made:
        made.start_engine(engine)
        served = {}
        for number, kind in enumerate(KINDS):
            family = (4, 6)[number % 2]
            rate = RATES.get(kind, RATE)
            clients, attack = visited(made, kind, family, CLIENTS, rate)
            times = clients["served_ms"]
            print(f"{engine} {kind} IPv{family} {attack} {max(times, default=None)}")
            served[kind] = len(times)
            assert attack["sent"] > 0
            # Its packets need a connection of its own, or it sends none.
            assert kind != "established" or attack["completed"] == 1
        made.end_engine()
    assert dict.fromkeys(KINDS, CLIENTS) == served
