"""Records of one form are read as any record is, only faster."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.alerts.record_form import (
    DEBT_MAX,
    LINES_EACH,
    PAUSE,
    VALUES_MAX,
    Forms,
    form_of,
)
from syncache.alerts.wrapped import Wrapped, unwrap

ON = "%FW-4-ALERT_ON: getting aggressive, count (550/500) current 1-min rate: 250"
ELASTIC = {
    "@timestamp": "2026-11-29T10:00:00Z",
    "event": {"original": ON, "module": "cisco"},
    "host": {"name": "r1"},
    "n": 1,
    "ok": True,
    "none": None,
}
NAMES = [
    *("MESSAGE", "message", "log", "event", "original", "time", "@timestamp", "$date"),
    *("timestamp", "host", "hostname", "name", "stream", "labels", "attributes"),
    *("__REALTIME_TIMESTAMP", "_HOSTNAME", "PROGRAM"),
    *("facility", "severity", "mnemonic", "other"),
]
VALUES = st.sampled_from(
    [
        *(ON, f"{ON}\n", "a text", "", "%FW-4-ALERT_ON", "FW", "ALERT_ON", "r1", "r 2"),
        *("stdout", "2026-11-29T10:00:00Z", "1795946400", "1795946400000000", "0", "7"),
        *(1795946400, 1795946400.25, 0, 4, -1, 1e30, True, None, '"', "\\n", "\\"),
        *("{", json.dumps({"log": ON}), "ü", "x" * 50, [], [ON], {}),
    ]
)
RECORDS = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=6),
    lambda inner: st.dictionaries(
        st.sampled_from(NAMES), VALUES | inner, min_size=1, max_size=5
    ),
    max_leaves=4,
)


def with_values(record, draw):
    """Return a record of the same names with other values."""
    return {
        name: with_values(value, draw) if isinstance(value, dict) else draw(VALUES)
        for name, value in record.items()
    }


@given(RECORDS, st.data())
def test_a_known_form_changes_nothing(record, data):
    """A record is read as without the one before it, whose names it has."""
    forms = Forms()
    for each in (
        record,
        with_values(record, data.draw),
        with_values(record, data.draw),
    ):
        for end in ("", "\n", " {}\n"):
            line = json.dumps(each, ensure_ascii=False) + end
            assert unwrap(line) == forms.unwrap(line)


@given(st.text(alphabet='{}[]":,\\ \n0123456789.-eax%', max_size=60))
def test_any_text_is_no_form_or_one(text):
    """Nothing that begins like a record raises."""
    form_of(text)
    form_of(f'{{"log":{text}}}')


def test_values_differ_and_the_form_is_the_same():
    """Text, time and host of the second record are its own."""
    form = form_of(json.dumps(ELASTIC))
    other = json.dumps(
        ELASTIC
        | {
            "@timestamp": "2026-11-30T10:00:00Z",
            "event": {"original": f"{ON}.", "module": '\\x"'},
        }
        | {"host": {"name": "r2"}, "n": -2.5}
    )
    found = form.match(other)
    assert f"{ON}." == found[form.text]
    assert "2026-11-30T10:00:00Z" == found[form.time]
    assert "r2" == found[form.host]
    assert Wrapped(f"{ON}.", None, "2026-11-30T10:00:00Z", "r2") == unwrap(other)


@pytest.mark.parametrize(
    "other",
    [
        {"event": {"original": "no sign", "module": "cisco"}},
        {"host": {"name": "stdout"}},
        {"@timestamp": "0"},
        {"event": {"original": json.dumps({"log": ON}), "module": "cisco"}},
        {"n": 1e30},
        {"ok": False},
        {"host": {"name": "r3", "ip": "192.0.2.1"}},
    ],
)
def test_a_value_that_changes_the_choice_is_looked_at(other):
    """The record is read in the long way, and right."""
    forms = Forms()
    forms.unwrap(json.dumps(ELASTIC))
    line = json.dumps(ELASTIC | other)
    assert unwrap(line) == forms.unwrap(line)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"MESSAGE": "down", "log": ON}, {"MESSAGE": ON, "log": "down"}),
        ({"log": ON, "_HOSTNAME": "", "host": "r1"}, {"_HOSTNAME": "r2"}),
        ({"log": ON, "_HOSTNAME": "stdout", "host": "r1"}, {"_HOSTNAME": "r2"}),
        ({"log": ON, "timestamp": "0", "time": "1795946400"}, {"timestamp": "1"}),
        ({"log": ON, "timestamp": -1, "time": 1795946400.5}, {"timestamp": 5e8}),
        ({"PROGRAM": "", "log": "down"}, {"PROGRAM": "%FW-4-ALERT_ON"}),
    ],
)
def test_a_value_that_said_nothing_says_something(first, then):
    """A better one that was passed over in the first record counts in the next."""
    forms = Forms()
    forms.unwrap(json.dumps(first))
    line = json.dumps(first | then)
    assert unwrap(line) == forms.unwrap(line)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        "12",
        "{}",
        f'{{{{"log": "{ON}", "log": "{ON}"}}}}',
        f'{{{{"log": "{ON}", "n": 1e3}}}}',
        f'{{{{"log": "{ON}", "time": 5e400}}}}',
        '{"log": "\\u0025FW"}',
        json.dumps({"log": ON, "tags": ["a"]}),
        json.dumps({"log": ON} | {f"n{at}": "" for at in range(VALUES_MAX)}),
        json.dumps(
            {"msg": "down", "facility": "LINK", "severity": 3, "mnemonic": "UPDOWN"}
        ),
        "{" * 5000,
    ],
)
def test_what_has_no_form(line):
    """Lists, names that occur twice, escaped characters and too many values."""
    assert form_of(line) is None


def test_too_many_forms_are_not_tried():
    """For a while; a log of one form is read by it all the time."""
    many, one = Forms(), Forms()
    for number in range(DEBT_MAX + 10):
        many.unwrap(json.dumps({"log": ON, f"n{number % 50}": 1}))
        one.unwrap(json.dumps({"log": ON, "n": number}))
    assert many._pause > PAUSE // 2
    assert (0, 0) == (one._pause, one._debt)
    log = json.dumps({"log": ON, "n7": 1})
    assert unwrap(log) == many.unwrap(log)


def test_forms_are_few():
    """A log whose every line has other names makes no pattern of each."""
    forms = Forms()
    for number in range(LINES_EACH):
        forms.unwrap(json.dumps({"log": ON, f"n{number}": 1}))
    assert len(forms._forms) <= 4
    assert forms._credit < 2 * LINES_EACH
