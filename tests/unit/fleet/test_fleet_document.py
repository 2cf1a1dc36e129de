"""Tests of `Document`: its text, its successors, and what may follow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from first_document import FIRST

from syncache.cli.wall import STEP_SECONDS
from syncache.fleet import FleetError
from syncache.fleet.document import MARGIN_MS, Document, check
from syncache.keyring import Master


def test_text_comes_back():
    """Nothing is lost."""
    both = replace(FIRST.rotated(1000, 60), revoked=("edge-2",))
    assert both == Document.decode(both.encode(), 2, "web")


def test_rotation_counts_and_keeps_the_key_in_force():
    """The new one comes later, with an epoch."""
    after = FIRST.rotated(1000, 60)
    assert (2, [1, 2]) == (after.version, [m.number for m in after.masters])
    assert 1088 == after.masters[1].begins
    check(FIRST, after)


def test_later_puts_the_change_off():
    """To an epoch, and never to an earlier time."""
    after = FIRST.rotated(1000, 60)
    put_off = after.later(1070, 60)
    assert (3, 1152) == (put_off.version, put_off.masters[1].begins)
    assert 1088 == after.later(900, 60).masters[1].begins
    assert after.masters[1].secret == put_off.masters[1].secret
    check(after, put_off)


def test_retired_is_itself_while_nothing_is():
    """Two lifetimes and the skew after the change the old key goes."""
    after = FIRST.rotated(1000, 60)
    over = after.masters[1].begins + 65.25
    assert after is after.retired(over - 0.1)
    left = after.retired(over)
    assert (3, [2]) == (left.version, [m.number for m in left.masters])
    check(after, left)


def test_revoking_names_the_member_and_rotates():
    """Once, however often it is said."""
    after = FIRST.revoking("edge-2", 1000, 60).revoking("edge-2", 1000, 60)
    assert (("edge-2",), 3) == (after.revoked, after.version)
    assert 3 == after.masters[-1].number


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (FIRST, "version 1 follows 1"),
        (replace(FIRST, version=0), "an older document"),
        (replace(FIRST, version=2, lifetime=16), "changes lifetime"),
        (replace(FIRST, version=2, skew_ms=5), "changes skew_ms"),
        (replace(FIRST, version=2, ts_key=b"1" * 16), "changes ts_key"),
        (
            replace(FIRST, version=2, masters=(Master(1, 0, bytes(32)),)),
            "key 1 is another",
        ),
        (
            replace(FIRST, version=2, masters=(Master(0, 0, bytes(32)),)),
            "newest key is 0",
        ),
    ],
)
def test_check_refuses_what_would_lose_cookies(after, message):
    """Whoever sealed it."""
    with pytest.raises(FleetError, match=message):
        check(FIRST, after)


def changed(**fields):
    return json.dumps(json.loads(FIRST.encode()) | fields).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 10_000,
        changed(version=True),
        changed(version=-1),
        changed(version=2),
        changed(group="db"),
        changed(group="a b"),
        changed(lifetime=0),
        changed(lifetime=10**9),
        changed(skew_ms=16_001),
        changed(skew_ms=1.5),
        changed(timestamp="00"),
        changed(timestamp=5),
        changed(keys=[]),
        changed(keys=[[1, 0, "00"]]),
        changed(keys=[[2, 0, "00" * 32], [1, 0, "00" * 32]]),
        changed(keys=[[n, 0, "00" * 32] for n in range(100)]),
        changed(revoked=["\x1b[2J"]),
        changed(revoked=5),
    ],
)
def test_text_that_is_none_is_one_line(body):
    """A sick member seals nonsense, and nobody falls over it."""
    with pytest.raises(FleetError, match=r"not understood|another's") as caught:
        Document.decode(body, 1, "web")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("skew_ms", "lifetime", "expected"),
    [(1000, 32, 1250), (0, 32, 250), (500, 1, 500), (15_900, 32, 16_000)],
)
def test_engines_allow_more_than_the_skew(skew_ms, lifetime, expected):
    """Steps of the clock that an engine does not follow, at two machines, and more."""
    document = replace(FIRST, skew_ms=skew_ms, lifetime=lifetime)
    assert expected == document.engine_skew_ms
    assert MARGIN_MS > 2 * 1000 * STEP_SECONDS


def test_keys_that_are_too_many_are_refused_before_they_are_published():
    """Members would not understand the document."""
    document = FIRST
    for _ in range(63):
        document = document.rotated(1000, 60)
    assert document == Document.decode(document.encode(), document.version, "web")
    with pytest.raises(FleetError, match="64 keys are waiting or in use"):
        document.rotated(1000, 60)
