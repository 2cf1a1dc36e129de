"""Tests of events: what C writes is what Python reads."""

from __future__ import annotations

import pytest

from syncache import _core, flow_event
from syncache.alerts import Share
from syncache.flow_event import EVENT_BYTES, End, Kind, Place, Reason

ffi = _core.ffi


def words(enum, prefix):
    """The names of an enumeration of C by their numbers, without the last."""
    numbers = dict(ffi.typeof(f"enum {enum}").relements)
    numbers.pop(f"{prefix}COUNT", None)
    return {name.removeprefix(prefix): number for name, number in numbers.items()}


@pytest.mark.parametrize(
    ("enum", "prefix", "members"),
    [
        ("flow_event_kind", "FLOW_EVENT_", Kind),
        ("flow_reason", "FLOW_REASON_", Reason),
        ("flow_end", "FLOW_END_", End),
    ],
)
def test_words_are_those_of_c_in_order(enum, prefix, members):
    """A number of C means the same here."""
    assert words(enum, prefix) == {
        name: member.value for name, member in members.__members__.items()
    }


def test_event_of_c_is_read_member_by_member():
    """Every member has its own value, so none can stand in another's place."""
    raw = ffi.new("struct flow_event *")
    raw.time_ms = 12_345
    raw.kind, raw.protocol, raw.reason, raw.ours = 19, 17, 2, 1
    raw.number, raw.incomplete, raw.udp, raw.limit, raw.rate = 1, 2, 3, 4, 5
    raw.tuple.faddr[0:4] = [192, 0, 2, 10]
    raw.tuple.laddr[0:4] = [198, 51, 100, 5]
    raw.tuple.fport, raw.tuple.lport, raw.tuple.family = 40000, 80, 4
    raw.bytes = [22, 208]
    raw.top_address[0:2] = [0x20, 0x01]
    raw.top_port, raw.top_family, raw.top_count = 443, 6, 7
    raw.source_prefix[0:4] = [10, 1, 2, 3]
    raw.source_family, raw.source_count = 4, 8
    view = ffi.buffer(raw)[:]
    assert EVENT_BYTES == len(view)
    (event,) = flow_event.read(view)
    assert (
        flow_event.FlowEvent(
            time=12.345,
            kind=Kind.RST_CLIENT,
            protocol=17,
            reason=2,
            ours=True,
            number=1,
            incomplete=2,
            udp=3,
            limit=4,
            rate=5,
            client=Place("192.0.2.10", 40000),
            server=Place("198.51.100.5", 80),
            client_bytes=22,
            server_bytes=208,
            top=Share("[2001::]:443", 7),
            sources=Share("10.1.2.0/24", 8),
        )
        == event
    )


def test_plain_tuples_have_what_objects_have():
    """Who counts in bulk sees the same as who reads."""
    events = ffi.new("struct flow_event[2]")
    for number, event in enumerate(events):
        event.time_ms, event.kind, event.protocol = 1000 * number, 6 + number, 17
        event.reason, event.bytes = 3, [22, 208]
        event.tuple.faddr[0:4] = [192, 0, 2, 10]
        event.tuple.laddr[0:4] = [198, 51, 100, 5]
        event.tuple.fport, event.tuple.lport, event.tuple.family = 40000, 80, 4
    view = ffi.buffer(events)[:]
    packed = ffi.buffer(ffi.addressof(events[0], "tuple"))[:]
    assert [(0, 6, 17, 3, packed, 22, 208), (1000, 7, 17, 3, packed, 22, 208)] == list(
        flow_event.brief(view)
    )
    client = bytes((192, 0, 2, 10, *bytes(12)))
    server = bytes((198, 51, 100, 5, *bytes(12)))
    assert (6, 17, client, server, 80, 4) == next(flow_event.ends(view))
    (second,) = flow_event.read(view, but={6})
    assert list(flow_event.read(view))[1] == second


def test_event_without_tuple_and_shares_has_none():
    """A change of mode has no connection."""
    (event,) = flow_event.read(bytes(EVENT_BYTES))
    assert Place("", 0) == event.client == event.server
    assert event.top is None
    assert event.sources is None


def test_cause_tells_the_value_of_its_threshold():
    """By rate it is the rate, else the count."""
    by = {"kind": Kind.AGGRESSIVE, "time": 0.0, "incomplete": 3, "rate": 501}
    by |= {"limit": 2}
    rate = flow_event.FlowEvent(reason=Reason.RATE, number=500, **by)
    count = flow_event.FlowEvent(reason=Reason.INCOMPLETE, number=2, **by)
    host = flow_event.FlowEvent(reason=Reason.HOST, **by | {"kind": Kind.HOST_ALERT})
    assert "reason=rate limit=500 value=501" == str(rate.cause)
    assert "reason=incomplete limit=2 value=3" == str(count.cause)
    assert "reason=host limit=2 value=3" == str(host.cause)


def test_ipv6_source_is_a_prefix_of_48():
    """What one customer has at least."""
    raw = ffi.new("struct flow_event *")
    raw.source_prefix[0:8] = [0x20, 0x01, 0x0D, 0xB8, 0, 1, 0, 2]
    raw.source_family, raw.source_count = 6, 1
    (event,) = flow_event.read(ffi.buffer(raw)[:])
    assert Share("2001:db8:1::/48", 1) == event.sources


def test_event_becomes_an_object_when_it_is_asked_for(monkeypatch):
    """A turn that logs eight of hundreds pays for eight."""
    made = []
    monkeypatch.setattr(flow_event, "_event", made.append)
    events = flow_event.read(bytes(300 * EVENT_BYTES))
    assert [] == made
    for _ in range(8):
        next(events)
    assert 8 == len(made)
