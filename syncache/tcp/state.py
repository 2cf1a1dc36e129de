"""The states of a connection and the table of every transition between them.

The table is the machine: what is not in it does not happen.  It knows no segment and
no timer, only the events of RFC 9293 3.10 in the order in which they are told to it.

Special cases, and where they are decided (`syncache.connection`):

- One segment can be several events.  They are told in the RFC's order: RST, SYN, ACK
  (or ACK of FIN), FIN; so a FIN|ACK that acknowledges our FIN takes FIN-WAIT-1 through
  FIN-WAIT-2 to TIME-WAIT.
- RST and SYN mean segments that passed RFC 5961 3.2 and 4.2.  A SYN that may replace
  a connection in TIME-WAIT (RFC 6191) is decided before it becomes an event.
- LISTEN is the listener's and SYN-SENT does not exist: there is no active open.
- RFC 9293 lets a passive connection go back to LISTEN; its listener never left, so it
  goes to CLOSED.

- In TIME-WAIT a RST is one of a peer that refused our challenge of its SYN; others are
  ignored (RFC 1337).

See RFC 9293 3.3.2, 3.6, 3.10; RFC 5961 4.2; RFC 1337.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Word(Enum):
    """A word of the machine: itself alone, so that finding it costs no hash of text."""

    __hash__ = object.__hash__

    def __str__(self) -> str:
        """Return the RFC's spelling."""
        return str(self.value)


class State(Word):
    """A state of a connection, spelled as RFC 9293 spells it when printed."""

    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"
    CLOSED = "CLOSED"


class Happening(Word):
    """The events of a connection: user calls, arriving segments, time-outs."""

    RST = "rcv RST"
    SYN = "rcv SYN"
    ACK = "rcv ACK"
    ACK_OF_FIN = "rcv ACK of FIN"
    FIN = "rcv FIN"
    CLOSE = "CLOSE"
    ABORT = "ABORT"
    USER_TIMEOUT = "user timeout"
    STATE_TIMEOUT = "state timeout"


class Action(Word):
    """The action of a transition."""

    NOTHING = "nothing"
    CHALLENGE = "challenge ACK"
    ESTABLISH = "stop the handshake's timer"
    SEND_FIN = "FIN after the queued data"
    AWAIT_FIN = "wait; within a limit if the application has gone"
    END_OF_STREAM = "ACK, tell the application"
    LINGER = "ACK, start 2 MSL, tell the application"
    SEND_RST = "RST, forget"
    RESET = "tell the application: connection reset"
    GIVE_UP = "tell the application: timed out"
    FINISH = "forget"


class Transition(NamedTuple):
    """The next state of an event, and the actions on the way."""

    state: State
    action: Action


def _row(state: State, **moves: tuple[State, Action]) -> dict[Happening, Transition]:
    """Return the row of a state; events that are not named change nothing."""
    row = {kind: Transition(state, Action.NOTHING) for kind in Happening}
    for name, (target, action) in moves.items():
        row[Happening[name]] = Transition(target, action)
    return row


_RESET = (State.CLOSED, Action.RESET)
_GIVE_UP = (State.CLOSED, Action.GIVE_UP)
_SEND_RST = (State.CLOSED, Action.SEND_RST)
_FINISH = (State.CLOSED, Action.FINISH)
_LINGER = (State.TIME_WAIT, Action.LINGER)

_ROWS = {
    State.SYN_RECEIVED: _row(
        State.SYN_RECEIVED,
        RST=_RESET,
        SYN=(State.SYN_RECEIVED, Action.CHALLENGE),
        ACK=(State.ESTABLISHED, Action.ESTABLISH),
        FIN=(State.CLOSE_WAIT, Action.END_OF_STREAM),
        CLOSE=(State.FIN_WAIT_1, Action.SEND_FIN),
        ABORT=_SEND_RST,
        USER_TIMEOUT=_GIVE_UP,
    ),
    State.ESTABLISHED: _row(
        State.ESTABLISHED,
        RST=_RESET,
        SYN=(State.ESTABLISHED, Action.CHALLENGE),
        FIN=(State.CLOSE_WAIT, Action.END_OF_STREAM),
        CLOSE=(State.FIN_WAIT_1, Action.SEND_FIN),
        ABORT=_SEND_RST,
        USER_TIMEOUT=_GIVE_UP,
    ),
    State.FIN_WAIT_1: _row(
        State.FIN_WAIT_1,
        RST=_RESET,
        SYN=(State.FIN_WAIT_1, Action.CHALLENGE),
        ACK_OF_FIN=(State.FIN_WAIT_2, Action.AWAIT_FIN),
        FIN=(State.CLOSING, Action.END_OF_STREAM),
        ABORT=_SEND_RST,
        USER_TIMEOUT=_GIVE_UP,
    ),
    State.FIN_WAIT_2: _row(
        State.FIN_WAIT_2,
        RST=_RESET,
        SYN=(State.FIN_WAIT_2, Action.CHALLENGE),
        FIN=_LINGER,
        ABORT=_SEND_RST,
        USER_TIMEOUT=_GIVE_UP,
        STATE_TIMEOUT=_FINISH,
    ),
    State.CLOSE_WAIT: _row(
        State.CLOSE_WAIT,
        RST=_RESET,
        SYN=(State.CLOSE_WAIT, Action.CHALLENGE),
        CLOSE=(State.LAST_ACK, Action.SEND_FIN),
        ABORT=_SEND_RST,
        USER_TIMEOUT=_GIVE_UP,
    ),
    State.CLOSING: _row(
        State.CLOSING,
        RST=_RESET,
        SYN=(State.CLOSING, Action.CHALLENGE),
        ACK_OF_FIN=_LINGER,
        ABORT=_FINISH,
        USER_TIMEOUT=_GIVE_UP,
    ),
    State.LAST_ACK: _row(
        State.LAST_ACK,
        RST=_RESET,
        SYN=(State.LAST_ACK, Action.CHALLENGE),
        ACK_OF_FIN=_FINISH,
        ABORT=_FINISH,
        USER_TIMEOUT=_GIVE_UP,
    ),
    State.TIME_WAIT: _row(
        State.TIME_WAIT,
        RST=_FINISH,
        SYN=(State.TIME_WAIT, Action.CHALLENGE),
        FIN=_LINGER,
        ABORT=_FINISH,
        STATE_TIMEOUT=_FINISH,
    ),
    State.CLOSED: _row(State.CLOSED),
}

TRANSITIONS: dict[tuple[State, Happening], Transition] = {
    (state, kind): transition
    for state, row in _ROWS.items()
    for kind, transition in row.items()
}
