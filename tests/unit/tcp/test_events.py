"""Events are values that name their connection."""

from __future__ import annotations

import dataclasses

import pytest

from syncache import Accepted, Closed, EndOfStream, Readable, Writable


@pytest.mark.parametrize("kind", [Readable, EndOfStream, Writable])
def test_event_names_its_connection_and_cannot_change(kind):
    """A value, equal to another one of the same connection."""
    event = kind("connection")
    assert kind("connection") == event
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.connection = None


def test_accepted_and_closed_say_where_and_why():
    """The two events with a second field."""
    assert "listener" == Accepted("listener", "connection").listener
    assert "timed out" == Closed("connection", "timed out").error
