"""The events of a stack for its application (`Stack.next_event`).

An event says that something changed, not how much: after Readable, read until there is
nothing; after Accepted, accept until there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Connection
    from .listener import Listener


@dataclass(frozen=True, slots=True)
class Accepted:
    """A connection waits in the listener's queue: `listener.accept()` takes it."""

    listener: Listener
    connection: Connection


@dataclass(frozen=True, slots=True)
class Readable:
    """Data arrived since the last time the application was told."""

    connection: Connection


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The peer sends no more: after the data that is there comes nothing."""

    connection: Connection


@dataclass(frozen=True, slots=True)
class Writable:
    """There is room again after a write that was not taken whole."""

    connection: Connection


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over; data that arrived before may still be read.

    `error` is None after an orderly end, which is the beginning of TIME-WAIT on the
    side that closed first; else it names the cause.
    """

    connection: Connection
    error: str | None


Event = Accepted | Readable | EndOfStream | Writable | Closed
