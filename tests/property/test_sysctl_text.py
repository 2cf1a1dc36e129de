"""Any text as a sysctl.conf.

Invariant: a text is taken whole or refused whole; a refusal is one of three errors that
name the line; and what was taken, written down and loaded again, is the same.
"""

from __future__ import annotations

import re
import warnings

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from syncache import Sysctl
from syncache.tunables import KNOBS

FREE = [name for name, knob in KNOBS.items() if knob.settable != "never"]

numbers = st.one_of(
    st.sampled_from([0, 1, 3, 12, 13, 512, 500, 2**16, 2**32, 2**64, -1]),
    st.integers(-(2**70), 2**70),
).map(str)
words = st.sampled_from(["age", "bucket", "wide", "freebsd", "off", "Age", "", "1k"])
values = st.one_of(numbers, words, st.text(max_size=12))
names = st.one_of(
    st.sampled_from(FREE),
    st.sampled_from(sorted(KNOBS)),
    st.sampled_from(FREE).map(str.upper),
    st.text(max_size=30),
)
assignments = st.builds(
    "{}{}{}{}".format, names, st.sampled_from(["=", " = ", "==", "", ":"]), values,
    st.sampled_from(["", " # why", "#", " ", "\t", '"', "\r"]),
)  # fmt: skip
lines = st.one_of(assignments, st.text(max_size=40), st.just(""), st.just("# word"))


def snapshot(sysctl: Sysctl) -> dict[str, int | str]:
    """Return every value."""
    return dict(sysctl.items())


def load(sysctl: Sysctl, source: list[str]) -> str | None:
    """Load; return the error's text, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # x.strict=0 may warn
        try:
            sysctl.load(source)
        except (KeyError, ValueError, PermissionError) as error:
            return str(error.args[0])
    return None


@settings(deadline=None)
@given(st.lists(lines, max_size=12))
@example(["net.inet.tcp.syncookies=0", "net.inet.tcp.syncookies"])
@example(["=", "a=b=c", "\0", "\ud800"])
@example([f"net.inet.tcp.syncookies={'9' * 10000}"])
def test_any_text_is_taken_whole_or_refused_whole(source: list[str]) -> None:
    """A refusal names a line that is there and changes nothing."""
    sysctl = Sysctl()
    before = snapshot(sysctl)
    why = load(sysctl, source)
    if why is None:
        return
    assert snapshot(sysctl) == before
    place = re.search(r"line (\d+): ", why)
    assert place is None or 1 <= int(place[1]) <= len(source)


@settings(deadline=None)
@given(st.lists(st.builds("{}={}".format, st.sampled_from(FREE), numbers), max_size=6))
def test_what_was_taken_loads_again_the_same(source: list[str]) -> None:
    """The values, written one a line, are a sysctl.conf that says the same."""
    sysctl, again = Sysctl(), Sysctl()
    if load(sysctl, source) is not None:
        return
    written = [f"{name}={sysctl[name]}" for name in FREE]
    assert load(again, written) is None
    assert snapshot(again) == snapshot(sysctl)


@pytest.mark.parametrize("name", FREE)
def test_every_value_is_read_as_it_is_written(name: str) -> None:
    """The default of every tunable stands in a line of its own."""
    sysctl = Sysctl()
    assert load(sysctl, [f"  {name} = {sysctl[name]}  # as it was"]) is None
    assert sysctl[name] == Sysctl()[name]
