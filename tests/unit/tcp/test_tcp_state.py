"""The table of transitions: complete, closed, and reaching what RFC 9293 draws."""

from __future__ import annotations

from syncache.connection import TRANSITIONS
from syncache.tcp.state import Action, Happening, State


def test_every_state_and_happening_has_a_transition():
    """What is not in the table cannot happen, so everything is."""
    assert {(s, h) for s in State for h in Happening} == set(TRANSITIONS)


def test_states_are_spelled_as_the_rfc_spells_them():
    """Printed, a state is the RFC's word."""
    assert [
        "SYN-RECEIVED",
        "ESTABLISHED",
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "CLOSE-WAIT",
        "CLOSING",
        "LAST-ACK",
        "TIME-WAIT",
        "CLOSED",
    ] == [str(state) for state in State]


def test_happenings_are_spelled_as_the_rfc_spells_them():
    """Figure 5 of RFC 9293 says rcv FIN, CLOSE, rcv ACK of FIN."""
    assert {"rcv FIN", "CLOSE", "rcv ACK of FIN"} <= {str(h) for h in Happening}


def test_nothing_leaves_closed():
    """CLOSED is the end."""
    for happening in Happening:
        assert (State.CLOSED, Action.NOTHING) == TRANSITIONS[State.CLOSED, happening]


def test_every_state_but_closed_can_reach_closed():
    """No connection is for ever."""
    reaching = {State.CLOSED}
    for _ in State:
        reaching |= {s for (s, _), t in TRANSITIONS.items() if t.state in reaching}
    assert set(State) == reaching


def test_transitions_that_stay_do_nothing_but_challenge_or_linger():
    """An action without a change of state is one of two."""
    actions = {t.action for (state, _), t in TRANSITIONS.items() if t.state is state}
    assert {Action.NOTHING, Action.CHALLENGE, Action.LINGER} == actions


def test_rst_ends_every_state():
    """And the application hears of it, unless it has been told of the end."""
    actions = {s: TRANSITIONS[s, Happening.RST] for s in State}
    assert {State.CLOSED} == {t.state for t in actions.values()}
    silent = {s for s, t in actions.items() if t.action is not Action.RESET}
    assert {State.TIME_WAIT, State.CLOSED} == silent
