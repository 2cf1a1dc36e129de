"""syncache/cli/wall.py: a wall clock that is set, and believed or not."""

from __future__ import annotations

import pytest

from syncache.cli.wall import DOUBT_SECONDS, Wall

SKEW = 1.0


@pytest.mark.parametrize("step", [0.05, -0.05])
def test_noise_is_not_followed(step):
    """The offset of the beginning stays."""
    wall = Wall(1000.0)
    assert not wall.look(1000.0 + step, 1.0, SKEW)
    assert (1000.0, None) == (wall.offset, wall.doubt)


@pytest.mark.parametrize("step", [0.2, -0.2, 1.0, -1.0])
def test_step_within_the_skew_is_followed_at_once(step):
    """Whatever the others say."""
    wall = Wall(1000.0)
    assert wall.look(1000.0 + step, 1.0, SKEW, right=False)
    assert (1000.0 + step, None) == (wall.offset, wall.doubt)


@pytest.mark.parametrize("step", [1.1, -1.1, 3600.0, -86400.0])
def test_larger_step_is_in_doubt_until_others_agree(step):
    """Nothing moves before."""
    wall = Wall(1000.0)
    assert not wall.look(1000.0 + step, 1.0, SKEW)
    assert (1000.0, pytest.approx(step)) == (wall.offset, wall.doubt)
    assert not wall.look(1000.0 + step, 1.5, SKEW)
    assert wall.look(1000.0 + step, 2.0, SKEW, right=True)
    assert (1000.0 + step, None) == (wall.offset, wall.doubt)


def test_voices_about_an_earlier_step_do_not_count():
    """They were asked about another clock."""
    wall = Wall(0.0)
    assert not wall.look(50.0, 1.0, SKEW, right=True)
    assert not wall.look(90.0, 2.0, SKEW, right=True)
    assert wall.look(90.0, 3.0, SKEW, right=True)


def test_clock_that_is_set_back_is_in_force_as_before():
    """And the doubt is over."""
    wall = Wall(1000.0)
    wall.look(1030.0, 1.0, SKEW)
    assert not wall.look(1000.0, 2.0, SKEW)
    assert (1000.0, None) == (wall.offset, wall.doubt)


def test_clock_that_nobody_judges_is_believed_after_a_time():
    """A machine that is alone has nobody to ask."""
    wall = Wall(1000.0)
    assert not wall.look(1030.0, 1.0, SKEW)
    assert not wall.look(1030.0, 0.9 + DOUBT_SECONDS, SKEW)
    assert wall.look(1030.0, 1.0 + DOUBT_SECONDS, SKEW)


def test_clock_that_others_deny_is_never_believed():
    """And the time begins anew when they fall silent."""
    wall = Wall(1000.0)
    for now in range(1, 200):
        assert not wall.look(1030.0, float(now), SKEW, right=False)
    assert not wall.look(1030.0, 199.0 + DOUBT_SECONDS - 1, SKEW)
    assert wall.look(1030.0, 199.0 + DOUBT_SECONDS, SKEW)
