"""Tests of `NamedNumber`: members print their names and stay numbers."""

from __future__ import annotations

import json

import pytest

from syncache import Reason, Side
from syncache.flow import Verdict
from syncache.flow_event import End, Kind
from syncache.named import NamedNumber
from syncache.ring import Checksum

MEMBERS = [
    Reason.DROP_LAND,
    Side.CLIENT,
    Verdict.DROP_EARLY,
    Kind.START,
    Checksum.VALID,
    *list(End)[:1],
]


@pytest.mark.parametrize("member", MEMBERS, ids=repr)
def test_member_prints_its_name(member):
    """str(), format() and repr() say the name, whatever the version of Python."""
    assert isinstance(member, NamedNumber)
    assert member.name == str(member)
    assert member.name == f"{member}"
    assert f"[{member.name:>20}]" == f"[{member:>20}]"
    assert f"{type(member).__name__}.{member.name}" in repr(member)


@pytest.mark.parametrize("member", MEMBERS, ids=repr)
def test_member_stays_a_number(member):
    """It indexes, compares, and prints as a number where a number is asked for."""
    number = member.value
    assert f"{number:d} {number:#x}" == f"{member:d} {member:#x}"
    assert f"{number}" == "%d" % member  # noqa: UP031 - the old form has it too
    assert json.dumps(number) == json.dumps(member)
    assert number == member
