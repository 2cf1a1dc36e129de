"""Records of many lines, and lines of many records."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.alerts.document import FIELDS_MAX, Unpacker
from syncache.alerts.log import LogBook
from syncache.alerts.log_line import HeaderReader

ON = "%FW-4-ALERT_ON: getting aggressive, count (550/500) current 1-min rate: 250"
OFF = "%FW-4-ALERT_OFF: calming down, count (0/400) current 1-min rate: 0"
NOON = 1795946400.0  # 2026-11-29T10:00:00Z
ISO, LATER = "2026-11-29T10:00:00.000Z", "2026-11-29T10:00:09.000Z"
NANO, NANO_LATER = "1795946400000000000", "1795946409000000000"
PLAIN = f"2026-11-29T10:00:00Z r1 {ON}"


def told(text):
    """Return begin, end and router of each attack of a log."""
    book = LogBook(HeaderReader(NOON + 60))
    for line in text.splitlines(keepends=True):
        book.add(line)
    book.finish()
    return [(attack.begin, attack.end, attack.router) for attack in book.attacks]


def otlp(*records):
    scope = {"scope": {}, "logRecords": list(records)}
    attributes = [{"key": "host.name", "value": {"stringValue": "r1"}}]
    resource = {"resource": {"attributes": attributes}, "scopeLogs": [scope]}
    return {"resourceLogs": [resource]}


def body(time, text):
    return {
        "timeUnixNano": "0",
        "observedTimeUnixNano": time,
        "body": {"stringValue": text},
    }


DOCUMENTS = {
    "Loki": {
        "status": "success",
        "data": {
            "result": [
                {"stream": {"host": "r1"}, "values": [[NANO, ON]]},
                {"stream": {"host": "r1"}, "values": [[NANO_LATER, OFF]]},
            ]
        },
    },
    "a table": {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [
                    {"name": "TimeGenerated", "type": "datetime"},
                    {"name": "Computer", "type": "string"},
                    {"name": "SyslogMessage", "type": "string"},
                ],
                "rows": [[ISO, "r1", ON], [LATER, "r1", OFF]],
            }
        ]
    },
    "OTLP": otlp(body(NANO, ON), body(NANO_LATER, OFF)),
    "Elasticsearch": {
        "hits": {
            "hits": [
                {"_source": {"@timestamp": ISO, "message": ON, "host": "r1"}},
                {"_source": {"@timestamp": LATER, "message": OFF, "host": "r1"}},
            ]
        }
    },
    "Graylog": {
        "messages": [
            {"message": {"timestamp": ISO, "source": "r1", "message": ON}},
            {"message": {"timestamp": LATER, "source": "r1", "message": OFF}},
        ]
    },
    "CloudWatch": {
        "logStream": "r1",
        "logEvents": [
            {"timestamp": 1795946400000, "message": ON},
            {"timestamp": 1795946409000, "message": OFF},
        ],
    },
    "a list": [
        {"time": NOON, "hostname": "r1", "msg": ON},
        {"time": NOON + 9, "hostname": "r1", "msg": OFF},
    ],
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_record_of_a_document_is_read(name, indent):
    """In one line or over many, with time and host of its own or of what is around."""
    text = json.dumps(DOCUMENTS[name], indent=indent)
    assert [(NOON, NOON + 9, "r1")] == told(text + "\n")


def test_hash_of_ruby_has_its_time_behind_the_text():
    """What Logstash prints for people; its times have no quotes."""
    text = "".join(
        f'{{\n  "message" => "<188>1: {message}",\n "host" => {{\n  "name" => "r1"\n'
        f'  }},\n  "@timestamp" => {time}\n}}\n'
        for message, time in ((ON, ISO), (OFF, LATER))
    )
    assert [(NOON, NOON + 9, "r1")] == told(text)


def test_journal_in_words_has_the_time_in_front():
    """`journalctl -o verbose`; the last entry ends with the file."""
    text = "".join(
        f"Sun 2026-11-29 10:00:0{second}.000000 UTC [s=1;i=2]\n"
        f"    MESSAGE={message}\n    _HOSTNAME=r1\n"
        for second, message in ((0, ON), (9, OFF))
    )
    assert [(NOON, NOON + 9, "r1")] == told(text)


def test_messages_with_their_sizes_need_no_line_each():
    """A stream of RFC 6587 is one line."""
    both = [
        f"<188>1 {time} r1 - - - - {text}" for time, text in ((ISO, ON), (LATER, OFF))
    ]
    text = "".join(f"{len(each)} {each}" for each in both)
    assert [(NOON, NOON + 9, "r1")] == told(text + "\n")
    assert [(NOON, None, "r1")] == told(f"{len(both[0])} {both[0]}\n")


@pytest.mark.parametrize(
    "before", ["{\n", "[\n{\n", '{\n  "a": 1,\n', '{\n  "a": {\n', "{\n]\n", "[\n}\n"]
)
def test_document_that_breaks_off_takes_no_line_with_it(before):
    """What is none of it is read by itself, and so is all that follows."""
    assert [(NOON, None, "r1")] == told(f"{before}{PLAIN}\n")


def test_document_that_is_cut_gives_what_it_had():
    """The end of the file ends it."""
    text = f'[\n{{\n"time": {NOON},\n"host": "r1",\n"msg": "{ON}"'
    assert [(NOON, None, "r1")] == told(text)
    assert [(NOON, None, "r1"), (NOON, None, "r2")] == told(
        f"{text}\nNov 29 10:00:00 r2 {ON}\n"
    )


def test_memory_for_a_document_is_bounded():
    """A record with too many fields is read line by line; a list has any number."""
    unpacker = Unpacker()
    found = unpacker.add("[\n")
    for number in range(3 * FIELDS_MAX):
        for line in ("{", f'"msg": "{ON}",', f'"time": {NOON + number}', "},"):
            found = unpacker.add(f"  {line}\n")
        assert [NOON + number] == [each.time for each in found]
    deep = "{\n" + '"a": {\n' * 100 + f'"msg": "{ON}"\n'
    assert 1 == len(told(deep))
    wide = "{\n" + '"a": 1,\n' * (3 * FIELDS_MAX) + f'"msg": "{ON}"\n}}\n'
    assert [(None, None, "")] == told(wide)
    early = f'{{\n"msg": "{ON}",\n' + '"a": 1,\n' * (3 * FIELDS_MAX) + "}\n"
    assert [(None, None, "")] == told(early)


@given(st.lists(st.text(alphabet='{}[],:="\n %a1>', max_size=20), max_size=30))
def test_no_lines_of_brackets_raise(lines):
    """Whatever a file holds; and a plain line behind it is read, if nothing is open."""
    unpacker = Unpacker()
    for line in lines:
        unpacker.add(line + "\n")
    unpacker.finish()
    assert unpacker.add("plain\n") is None
