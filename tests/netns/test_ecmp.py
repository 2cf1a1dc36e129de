"""
The fleet of ecmp.py for some seconds: every part of it happens at least once.

    client -- router (ECMP) -- three members, one address -- Valkey by a socket
"""

from __future__ import annotations

import ecmp
import pytest

pytestmark = pytest.mark.slow
COUNT = 2500
OUTAGE_SECONDS = 4.0


def test_no_handshake_is_lost_while_members_and_keys_change(tmp_path):
    """Leaving, joining, killed, rotated, re-cut, Valkey dead and old, clocks apart."""
    try:
        said = ecmp.play(tmp_path, COUNT, rotations=1, outage=OUTAGE_SECONDS)
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    assert {} == said["refused"]
    assert said["done"] + said["orphaned"] >= COUNT
    # Who completed a handshake at a machine that then died is lost with it.
    assert said["orphaned"] <= ecmp.AT_ONCE * said["killed"]
    happened = ["left", "killed", "rotations", "valkey killed", "sc_recvcookie"]
    happened += ["resilient cuts", "ordinary cuts"]
    happened += ["away at all", "wiped", "restored", "lower raised", "lower over"]
    assert [] == [name for name in happened if not said.get(name)], said
    # Clocks that differ by all of the allowed skew are right.
    assert "clock raised" not in said
