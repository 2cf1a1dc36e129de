"""The shield's tunables, as table."""

from __future__ import annotations

import pytest

from syncache import Sysctl
from syncache.tunables import KNOBS
from syncache.tunables.shield import HOLD, MODE, QLEN, SHIELD, VERIFY


def test_every_tunable_is_in_the_registry_and_of_the_shield():
    """No engine in C takes one."""
    assert set(SHIELD) <= set(KNOBS.values())
    assert {"shield"} == {knob.engine for knob in SHIELD}
    assert {""} == {knob.field for knob in SHIELD}


def test_defaults_leave_a_calm_listener_alone():
    sysctl = Sysctl()
    assert ("auto", 256, 1000, 1) == tuple(
        sysctl[name] for name in (MODE, QLEN, HOLD, VERIFY)
    )


@pytest.mark.parametrize(
    ("name", "value"), [(MODE, "never"), (QLEN, 0), (HOLD, 0), (VERIFY, 2)]
)
def test_what_is_not_legal_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Sysctl()[name] = value
