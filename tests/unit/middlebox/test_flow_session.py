"""Tests of sessions as listed: what C writes is what Python reads."""

from __future__ import annotations

from syncache import _core, flow_session
from syncache.flow_event import Place
from syncache.flow_session import SESSION_BYTES, Session, State

ffi = _core.ffi


def test_states_are_those_of_c():
    """A number of C means the same here."""
    numbers = dict(ffi.typeof("enum flow_state").relements)
    assert len(State) == numbers.pop("FLOW_STATE_COUNT")
    assert {f"FLOW_{state.name}": state.value for state in State} == numbers


def test_session_of_c_is_read_member_by_member():
    """Every member has its own value, so none can stand in another's place."""
    raw = ffi.new("struct flow_session_view *")
    raw.tuple.faddr[0:4] = [192, 0, 2, 10]
    raw.tuple.laddr[0:4] = [198, 51, 100, 5]
    raw.tuple.fport, raw.tuple.lport, raw.tuple.family = 40000, 80, 4
    raw.protocol, raw.state, raw.mode, raw.counted = 17, 2, ord("W"), 1
    raw.side, raw.rule, raw.rexmts = 1, 3, 4
    raw.client_wscale, raw.server_wscale, raw.told_wscale = 7, 10, 255
    raw.delta, raw.id, raw.icmp_id = 5, 6, 8
    raw.created_ms, raw.last_ms, raw.deadline_ms = 1000, 2500, 2**64 - 1
    raw.bytes = [22, 208]
    view = ffi.buffer(raw)[:]
    assert SESSION_BYTES == len(view)
    (session,) = flow_session.read(view)
    assert (
        Session(
            client=Place("192.0.2.10", 40000),
            server=Place("198.51.100.5", 80),
            protocol=17,
            state=State.ESTAB,
            mode="W",
            counted=True,
            side=1,
            rule=3,
            rexmts=4,
            client_wscale=7,
            server_wscale=10,
            told_wscale=None,
            delta=5,
            id=6,
            icmp_id=8,
            created=1.0,
            last=2.5,
            deadline=None,
            client_bytes=22,
            server_bytes=208,
        )
        == session
    )


def test_first_two_states_are_half_open():
    """SYNRCVD and SYNSENT, and a session without mode has none."""
    raw = ffi.new("struct flow_session_view[]", len(State))
    for state in State:
        raw[state].state, raw[state].tuple.family = state, 6
        raw[state].deadline_ms = 1500
    sessions = flow_session.read(ffi.buffer(raw)[:])
    assert [True, True, False, False] == [session.half_open for session in sessions]
    assert {""} == {session.mode for session in sessions}
    assert {1.5} == {session.deadline for session in sessions}
