"""Log lines that a shipper wrapped."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.alerts.log import LogBook
from syncache.alerts.log_line import HeaderReader
from syncache.alerts.wrapped import Wrapped, end_of, unwrap

ON = "%FW-4-ALERT_ON: getting aggressive, count (550/500) current 1-min rate: 250"
NOON = 1795946400.0  # 2026-11-29T10:00:00Z
ISO = "2026-11-29T10:00:00.000Z"
INSIDE = "Nov 29 10:00:00 r1"


def taken(line):
    """Return time and router of the attack in a line."""
    book = LogBook(HeaderReader(NOON + 60))
    book.add(line)
    (attack,) = book.attacks
    return attack.begin, attack.router


@pytest.mark.parametrize(
    ("record", "host"),
    [
        ({"__REALTIME_TIMESTAMP": "1795946400000000", "MESSAGE": ON}, ""),
        (
            {
                "__REALTIME_TIMESTAMP": "1795946400000000",
                "_HOSTNAME": "r1",
                "MESSAGE": ON,
            },
            "r1",
        ),
        (
            {"MESSAGE": list(ON.encode()), "__REALTIME_TIMESTAMP": "1795946400000000"},
            "",
        ),
        (
            {
                "MESSAGE": list(ON.encode()),
                "__REALTIME_TIMESTAMP": "1795946400000000",
                "_HOSTNAME": "r1",
            },
            "r1",
        ),
        (
            {
                "host": "r1",
                "timestamp": NOON,
                "message": json.dumps({"log": ON, "time": ISO}),
            },
            "r1",
        ),
        ({"log": ON + "\n", "stream": "stdout", "time": ISO}, ""),
        ({"log": f"{INSIDE} {ON}", "source": "stdout", "time": ISO}, "r1"),
        ({"log": f"{INSIDE} {ON}", "stream": "stdout"}, "r1"),
        ({"host": "r1", "short_message": ON, "timestamp": NOON, "level": 4}, "r1"),
        (
            {
                "host": "r1",
                "short_message": "%FW-4-ALERT",
                "full_message": ON,
                "timestamp": NOON,
            },
            "r1",
        ),
        ({"@timestamp": ISO, "host": {"name": "r1"}, "message": ON}, "r1"),
        ({"@timestamp": ISO, "event": {"original": ON}, "log": {"level": "x"}}, ""),
        ({"_source": {"@timestamp": ISO, "hostname": "r1", "message": ON}}, "r1"),
        ({"result": {"_raw": f"{INSIDE} {ON}", "_time": ISO}}, "r1"),
        ({"timestamp": int(NOON * 1000), "line": ON}, ""),
        ({"ISODATE": ISO, "MESSAGE": ON, "PROGRAM": "1"}, ""),
        ({"time": ISO, "log": json.dumps({"host": "r1", "msg": ON})}, "r1"),
    ],
)
def test_records_of_shippers_are_taken(record, host):
    """With the time and the host that they say, else those of the text."""
    for line in (json.dumps(record), json.dumps(record) + ",\n"):
        assert (NOON, host) == taken(line)


@pytest.mark.parametrize(
    ("line", "host"),
    [
        (f"{ISO}\tcisco.ios\t{json.dumps({'host': 'r1', 'message': ON})}", "r1"),
        (f'"{ISO[:19].replace("T", " ")}","r1","{ON}","x"', ""),
        (f'ts={ISO} host=r1 msg="{ON}"', ""),
        (f"<event><time>{ISO}</time><msg>{ON}</msg></event>", ""),
        (f"{INSIDE} {ON}\x1b[0m", "r1"),
    ],
)
def test_what_is_around_a_message_is_passed_over(line, host):
    """Words before a record, and what closes a field."""
    assert (NOON, host) == taken(line)


@pytest.mark.parametrize(
    "line", ["{", "{}", "[1]", '{"MESSAGE": 5}', "%FW", "{" * 9999, '{"log": [1e9]}']
)
def test_what_is_no_record_stays(line):
    """A line that begins with a brace may be anything."""
    assert unwrap(line) is None


def test_text_of_a_record_without_a_message_is_its_first():
    """So that steps of connections, which have no percent sign, are found."""
    assert Wrapped("INTERCEPT: x", None, "", "r1") == unwrap(
        '{"message": "INTERCEPT: x", "host": "r1"}'
    )
    assert 1 == end_of('a"b<c', 0)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["log", "MESSAGE", "time", "host", "_source", "event"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["log", "message", "time", "host"]), VALUES))
def test_no_record_raises(record):
    """Whatever stands where."""
    LogBook(HeaderReader(NOON)).add(json.dumps(record))


@pytest.mark.parametrize(
    ("line", "router"),
    [
        (f'[0] cisco: [1795946400.0, {{"log": "{ON}"}}]\n', ""),
        (f'[1] cisco: [[1795946400.0, {{}}], {{"log": "{ON}"}}]', ""),
        (json.dumps({"host": "r1", "message": ON, "timestamp": NOON}) + "\0\n", "r1"),
        (json.dumps({"textPayload": ON, "timestamp": ISO}), ""),
        (json.dumps({"TimeGenerated": ISO, "Computer": "r1", "Message": ON}), "r1"),
        (json.dumps({"line": ON, "ts": int(NOON) * 10**9}), ""),
        (json.dumps({"msg": ON, "timereported": ISO, "hostname": "r1"}), "r1"),
        (json.dumps({"Message": ON, "EventTime": ISO, "Hostname": "r1"}), "r1"),
        (json.dumps({"msg": ON, "time": {"$date": ISO}, "host": "r1"}), "r1"),
        (json.dumps({"content": {"message": ON, "timestamp": ISO}}), ""),
        (json.dumps({"line": ON, "timestamp": ISO, "labels": {"host": "r1"}}), "r1"),
        (
            json.dumps(
                {
                    "PROGRAM": "%FW-4-ALERT_ON",
                    "MESSAGE": ON.partition(": ")[2],
                    "HOST": "r1",
                    "DATE": "Nov 29 10:00:00",
                }
            ),
            "r1",
        ),
        (f"Body: Str({ISO} r1 {ON})", "r1"),
        (
            json.dumps(
                {
                    "facility": "FW",
                    "severity": 4,
                    "mnemonic": "ALERT_ON",
                    "message": ON.partition(": ")[2],
                    "host": "r1",
                    "timestamp": ISO,
                }
            ),
            "r1",
        ),
        (
            json.dumps({"attributes": {"message": ON, "host": "r1", "time": ISO}}),
            "r1",
        ),
    ],
)
def test_more_shippers_are_understood(line, router):
    """Fluent Bit, GELF with its byte of zero, and the names that clouds have."""
    assert (NOON, router) == taken(line)


def test_an_entry_of_journald_is_a_field_a_line():
    """As `journalctl -o export` writes; the host may stand behind the message."""
    book = LogBook(HeaderReader(NOON + 60))
    entry = [
        "__CURSOR=s=1",
        "__REALTIME_TIMESTAMP=1795946400000000",
        "PRIORITY=4",
        f"MESSAGE={ON}",
        "_HOSTNAME=r1",
        "",
    ]
    for line in [*entry, "__CURSOR=s=2", "_HOSTNAME=r2", "no field", *entry]:
        book.add(f"{line}\n")
    (attack,) = book.attacks
    assert (NOON, "r1", 2) == (attack.begin, attack.router, attack.lines)
    assert (15, 2) == (book.lines, book.messages)


@pytest.mark.parametrize("stamp", ["179594640000.000", "1795946400000.00", "x" * 16])
def test_a_stamp_of_journald_that_is_no_whole_number_is_taken_or_left(stamp):
    """Damaged or another program's, in both forms; the message counts."""
    book = LogBook(HeaderReader(NOON + 60))
    record = {"__REALTIME_TIMESTAMP": stamp, "_HOSTNAME": "r1", "MESSAGE": ON}
    fields = "\n".join(f"{name}={value}" for name, value in record.items())
    for line in (json.dumps(record), "__CURSOR=s=1", *fields.split("\n"), ""):
        book.add(f"{line}\n")
    assert 2 == book.messages


@given(st.lists(st.sampled_from(["__CURSOR=", "MESSAGE=", "_HOSTNAME=", "", ON, "x"])))
def test_any_fields_are_safe(lines):
    """In any order, with any end."""
    book = LogBook(HeaderReader(NOON))
    for line in lines:
        book.add(line)
    assert len(lines) == book.lines


@pytest.mark.parametrize(
    ("deep", "found"), [(1, True), (4, True), (5, False), (400, False)]
)
@pytest.mark.parametrize("name", ["_source", "attributes"])
def test_records_in_records_are_looked_into_four_deep(name, deep, found):
    """What lies deeper is not looked at, and costs nothing."""
    inner = {"timestamp": NOON - 60, "host": "r1"}
    for _ in range(deep):
        inner = {name: inner}
    line = json.dumps({"message": f"Nov 29 10:00:00 r2 {ON}", **inner})
    assert taken(line) == ((NOON - 60, "r1") if found else (NOON, "r2"))


@pytest.mark.parametrize("end", ["'", "' ", "'}", '"', '",', "\\n"])
def test_what_closes_a_field_is_no_part_of_its_text(end):
    """Also of YAML's; an apostrophe within a text is none."""
    assert len("that's 250") == end_of(f"that's 250{end}", 0)
