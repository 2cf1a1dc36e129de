"""syncache/cli/log_form.py: one line in each form."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone

import pytest

from syncache.cli.log_form import FORMS, Entry, form_of, moment_of, stamp

NOON = datetime(2026, 1, 2, 12, 0, 0, 250999, tzinfo=timezone.utc)
ENTRY = Entry(
    text='he said "no" \u00e9',
    moment=NOON,
    kind="flood",
    severity=4,
    facts={"syns": 7, "text": "clash", "odd": {1}},
)


def test_each_form_is_one_line():
    """Whatever is in the text."""
    for name in FORMS:
        line = form_of(name, "serve", lambda _: b"<1>1")(ENTRY)
        assert line.endswith("\n")
        assert 1 == line.count("\n")


def test_json_keeps_facts_apart_from_its_own_names():
    """A fact of the same name is renamed, and one that JSON has not is spelled."""
    row = json.loads(form_of("json", "serve")(ENTRY))
    assert ENTRY.text == row["text"]
    assert ("clash", 7, "{1}") == (row["fact_text"], row["syns"], row["odd"])
    assert ("2026-01-02T12:00:00.250Z", "warning") == (row["time"], row["severity"])


def test_text_has_the_time_if_the_entry_says_so():
    """As the messages of inspection have it."""
    plain = Entry(text="x", moment=NOON)
    timed = Entry(text="x", moment=NOON, has_time=True)
    assert "x\n" == form_of("text", "serve")(plain)
    assert f"{stamp(NOON)} x\n" == form_of("text", "serve")(timed)
    assert f"{stamp(NOON)} x\n" == form_of("time", "serve")(plain)
    assert "MESSAGE" == plain.mnemonic


def test_time_of_an_event_is_that_of_the_wall():
    """A second ago is a second ago."""
    before = moment_of(time.monotonic() - 1.0)
    assert timedelta(0.5) > datetime.now(timezone.utc) - before >= timedelta(seconds=1)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300])
def test_impossible_time_is_now(seconds):
    """A line is never lost for it."""
    assert moment_of(seconds) <= datetime.now(timezone.utc)
