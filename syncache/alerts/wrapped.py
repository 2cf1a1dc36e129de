r"""Lines that a log shipper wrapped in JSON, and what others leave around them.

    {"__REALTIME_TIMESTAMP": "1795946400000000", "_HOSTNAME": "r1", "MESSAGE": "..."}
    {"log": "...\\n", "stream": "stdout", "time": "2026-11-29T10:00:00.123456789Z"}
    {"@timestamp": "2026-11-29T10:00:00Z", "event": {"original": "..."}}

    __CURSOR=...  and further fields, one a line, of `journalctl -o export`

Contents: finding the text, the time and the host in a record of journald, Docker,
Graylog, Elastic's, Splunk's and other shippers, whatever they call them.  Elsewhere:
the header that the text itself has (`log_line`).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .kernel import may_be_sign
from .steps import WORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Names of the text, and of records that may hold it; the best come first.
TEXTS = (
    *("MESSAGE", "message", "msg", "full_message", "short_message", "log", "line"),
    *("_raw", "raw", "original", "text", "event", "_source", "result", "fields"),
    *("textPayload", "jsonPayload", "SyslogMessage", "Message", "attributes"),
    *("body", "stringValue", "content", "payload"),
)
_TIMES = (
    *("__REALTIME_TIMESTAMP", "@timestamp", "timestamp", "time", "_time", "ts"),
    *("ISODATE", "isodate", "datetime", "date", "TimeGenerated", "timeUnixNano"),
    *("observedTimeUnixNano", "timereported", "timegenerated", "EventTime", "DATE"),
    *("EventReceivedTime", "$date"),
)
_HOSTS = (
    *("_HOSTNAME", "host", "hostname", "HOST", "HOST_FROM", "source", "Computer"),
    *("Hostname", "host.name", "logStream", "logStreamName"),
)
# Records that have time and host too, and those that have a host.
_INNER = ("_source", "result", "attributes", "content", "payload", "message")
_LABELS = (*_INNER, "labels", "stream", "resource")
# Names of what stood in front of the text, if that is a mnemonic.
_TAGS = ("PROGRAM", "program", "programname", "syslogtag", "appname", "app_name", "tag")
_NAMES = ("hostname", "name", "ip")  # of a record about a host


class _Known(NamedTuple):
    """Which of the names above a record has, in their order."""

    texts: tuple[str, ...]
    times: tuple[str, ...]
    hosts: tuple[str, ...]
    inner: tuple[str, ...]
    labels: tuple[str, ...]


@lru_cache(1000)
def _known(names: tuple[str, ...]) -> _Known:
    """Sort the names of a record; most records of a log have the same."""
    of_all = (TEXTS, _TIMES, _HOSTS, _INNER, _LABELS)
    return _Known(*(tuple(n for n in each if n in names) for each in of_all))


_STREAMS = {"stdout", "stderr"}  # of containers; no hosts
_DECODE = json.JSONDecoder().raw_decode
DEPTH_MAX = 4  # records in records
NO_TIME: tuple[None, str] = (None, "")
MICROSECONDS = 16  # digits of microseconds since 1970
PAIR = 2
TEXT_MAX = 40  # characters of a time
_DIGITS = re.compile(r"\d{9,20}(?:\.\d{1,9})?")
# Seconds since 1970, or the same in thousandths, millionths or billionths.
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_VERBOSE = re.compile(r"[A-Z][a-z]{2} (\d{4}-\d\d-\d\d [\d:.]{8,15})\b.* \[s=")
_FRAME = re.compile(rb"(\d{1,5}) (?=<\d{1,3}>)")
_LIST = re.compile(r"\[\s*[\[{]")
_FIELD = re.compile(r"([A-Z_][A-Z0-9_]*)=")
_EXPORTED = ("MESSAGE", "__REALTIME_TIMESTAMP", "_HOSTNAME")
# What closes a field of CSV, of XML or of a terminal's colour behind a message.
_CLOSING = re.compile(  # one character first, for which a search is fast
    r"""["<\x1b\t\\,;'](?:(?<=["<\x1b\t])|(?<=\\)[nrt]|(?<=[,;])(?=\S)"""
    r"""|(?<=')(?=[\s,}\]]*$))"""
)
# What a log server writes in place of a message that comes again: it, or nothing more.
REPEATED = "message repeated "
_REPEATED = re.compile(r"(?:last )?message repeated (\d{1,9}) times?(?:: ?\[ ?(.*)\])?")
_MNEMONIC = re.compile(r"%[A-Z][A-Z0-9_]{1,31}-[0-7]-[A-Z][A-Z0-9_]{1,63}")
_NAMED = re.compile(r'\b(?:host|hostname|device)="?([^\s",;]+)')


class Wrapped(NamedTuple):
    """The text of a record, and what the record says of it: None and "" if nothing.

    `time` is in seconds since 1970; `said` is a time in words, to be read.
    """

    text: str
    time: float | None = None
    said: str = ""
    host: str = ""


class Choice(NamedTuple):
    """The values of a record that count; None and "" where it has none."""

    text: str | None
    stamp: Any  # `moment_of` reads it
    host: str


def choice_of(record: Any) -> Choice:
    """Choose the text, the time and the host of a record."""
    known = _known(tuple(record))
    text = _tagged(record, _text(record, DEPTH_MAX, known))
    if text is None:
        return Choice(None, None, "")
    return Choice(
        text, _stamp(record, DEPTH_MAX, known), _host(record, DEPTH_MAX, known)
    )


def unwrap(line: str) -> Wrapped | None:
    """Return the text that a line of JSON wraps; None if it wraps none."""
    found: Wrapped | None = None
    for _ in range(DEPTH_MAX):
        begin = line.find("{")
        if begin < 0:
            break
        try:
            record, end = _DECODE(line, begin)
        except (ValueError, RecursionError):
            break
        if found is None and (entry := of_journal(record)) is not None:
            return entry
        text, stamp, host = choice_of(record)
        if text is None and found is None and record == {}:
            line = line[:begin] + line[end:]  # Fluent Bit's, of a time
            continue
        if text is None:
            break
        time, said = moment_of(stamp) or NO_TIME
        if begin:
            said = said or (line[:begin].strip() if time is None else "")
        if found is not None:  # the innermost knows best, if it knows
            time, said = (time, said) if time or said else found[1:3]
            host = host or found.host
        found = Wrapped(text, time, said, host)
        line = text
        if not line.startswith("{"):
            break
    return found


def of_journal(record: dict[str, Any]) -> Wrapped | None:
    """Read journald's form in the shortest way: its entries have many forms."""
    get = record.get
    text, stamp, host = get("MESSAGE"), get("__REALTIME_TIMESTAMP"), get("_HOSTNAME")
    if type(text) is not str or type(stamp) is not str or type(host) is not str:
        return None
    if len(stamp) != MICROSECONDS or not stamp.isdecimal() or text[:1] == "{":
        return None
    if host in _STREAMS or " " in host:
        return None
    return Wrapped(text, int(stamp) / 1e6, "", host)


class Entry:
    """The fields of one entry of `journalctl -o export`, of which each is a line.

    Or of `-o verbose`, whose first line says the time, `said`.
    """

    BEGIN = "__CURSOR="

    def __init__(self, said: str = "") -> None:
        self._fields: dict[str, str] = {}
        self._said = said
        self.ended = False

    @classmethod
    def begun(cls, line: str) -> Entry | None:
        """Return an entry if a line is the first of one."""
        if line.startswith(cls.BEGIN):
            return cls()
        verbose = _VERBOSE.match(line) if " [s=" in line else None
        return cls(verbose[1]) if verbose else None

    def add(self, line: str) -> Wrapped | None:
        """Take a line; behind the last one return the text, if there is one."""
        found = _FIELD.match(line.lstrip() if self._said else line)
        if found is not None:
            if found[1] in _EXPORTED:
                self._fields[found[1]] = found.string[found.end() :].rstrip("\r\n")
            return None
        self.ended = True
        text, stamp, host = map(self._fields.get, _EXPORTED)
        if text is None:
            return None
        known = stamp is not None and _DIGITS.fullmatch(stamp)
        time = float(stamp) / 1e6 if known and stamp else None
        return Wrapped(text, time, self._said, host or "")


def frames(line: str) -> list[str]:
    """Return the messages of a line whose sizes are counted (RFC 6587 3.4.1).

    Empty if it has fewer than two.
    """
    data, found, at = line.encode(errors="replace"), [], 0
    while (frame := _FRAME.match(data, at)) is not None:
        at = frame.end() + int(frame[1])
        if at > len(data):
            break
        found.append(data[frame.end() : at].decode(errors="replace"))
    return found if len(found) > 1 else []


def several(line: str) -> list[Wrapped]:
    """Return the texts of a line of JSON that holds many records, in lists.

    Empty if it is not such a line, or is one record alone (`unwrap`).
    """
    line = line.strip(" \t\r\n\0,\ufeff")
    if "[" not in line or (line[0] != "[" and not _LIST.search(line)):
        return []
    try:
        value, end = _DECODE(line)
    except (ValueError, RecursionError):
        return []
    if end < len(line):
        return []
    if isinstance(value, dict) and _text(value, DEPTH_MAX, _known(tuple(value))):
        return []
    try:
        return list(_walk(value, ()))
    except RecursionError:
        return []


def _walk(value: Any, around: tuple[dict[str, Any], ...]) -> Iterator[Wrapped]:
    found = list(of_record(value, around))
    if found:
        yield from found
    elif isinstance(value, dict) and (rows := rows_of(value)):
        for row in rows:
            yield from of_record(row, (value, *around))
    elif isinstance(value, dict):
        for each in value.values():
            if isinstance(each, (dict, list)):
                yield from _walk(each, (value, *around))
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, (dict, list)):
                yield from _walk(each, around)


def rows_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a table with names above it, as queries give one."""
    columns = table.get("columns")
    rows = table.get("rows", table.get("values"))
    if not isinstance(columns, list) or not isinstance(rows, list):
        return []
    known = (each.get("name") if isinstance(each, dict) else each for each in columns)
    names = [name if isinstance(name, str) else "" for name in known]
    return [
        dict(zip(names, row, strict=False)) for row in rows if isinstance(row, list)
    ]


def of_record(value: object, around: Iterable[dict[str, Any]]) -> Iterator[Wrapped]:
    """Yield the text of one record, if it has one that may be of use.

    `around` are the records that hold it, the innermost first: they know the host
    where it does not.  A record may be a pair of time and text, as Loki has it, or a
    list of names and values.
    """
    if isinstance(value, list):
        if len(value) == PAIR and _is_pair(*value):
            value = {"timestamp": value[0], "message": value[1]}
        else:
            value = _named(value)
    if not isinstance(value, dict) or not value:
        return
    known = _known(tuple(value))
    text = _tagged(value, _text(value, DEPTH_MAX, known))
    if text is None or not ("%" in text or WORD in text or may_be_sign(text)):
        return
    time, said = moment_of(_stamp(value, DEPTH_MAX, known)) or NO_TIME
    host = _host(value, DEPTH_MAX, known)
    for each in around:
        known = _known(tuple(each))
        host = host or _host(each, DEPTH_MAX, known)
        if time is None and not said:
            time, said = moment_of(_stamp(each, DEPTH_MAX, known)) or NO_TIME
    yield Wrapped(text, time, said, host)


def _is_pair(time: object, text: object) -> bool:
    return isinstance(time, str) and isinstance(text, str) and time.isdecimal()


def _named(value: list[Any]) -> dict[str, Any]:
    """Return a list of names and values as a record; empty if it is none."""
    record: dict[str, Any] = {}
    for each in value:
        if not isinstance(each, dict):
            return {}
        name = each.get("key", each.get("field"))
        inner = each.get("value")
        if type(name) is not str or inner is None:
            return {}
        if isinstance(inner, dict):
            inner = inner.get("stringValue")
        record[name.removeprefix("@")] = inner
    return record


def _tagged(record: object, text: str | None) -> str | None:
    """Return a text with the mnemonic that a reader of syslog took off it."""
    if text is None or "%" in text or not isinstance(record, dict):
        return text
    for name in _TAGS:
        tag = record.get(name)
        if type(tag) is str and tag[:1] == "%":
            return f"{tag.rstrip(': ')}: {text.lstrip()}"
    parts = [record.get(name) for name in ("facility", "severity", "mnemonic")]
    if not all(type(part) in {str, int} for part in parts):
        return text
    tag = "%{}-{}-{}".format(*parts)  # taken apart as a whole
    return f"{tag}: {text.lstrip()}" if _MNEMONIC.fullmatch(tag) else text


def repeated(line: str, before: str) -> tuple[str, int] | None:
    """Return the line that another one says was repeated, and how many times.

    Its header is that of the other.  `before` is the line in front of it, which must be
    of the same host.
    """
    found = _REPEATED.search(line)
    if found is None:
        return None
    head, again = line[: found.start()], found[2]
    if again is None:
        mnemonic = before.find("%")
        begin = before[:mnemonic].split()
        if mnemonic < 0 or head.split()[-1:] not in ([], *([word] for word in begin)):
            return None
        again = before[mnemonic:]
    return head + again, int(found[1])


def named_host(text: str) -> str:
    """Return the host that a line of names and values has, or ""."""
    found = _NAMED.search(text) if "=" in text else None
    return found[1] if found else ""


def end_of(line: str, begin: int) -> int:
    """Return where a message ends, without what a field's end leaves behind it."""
    found = _CLOSING.search(line, begin)
    end = begin + len(line[begin : found.start() if found else None].rstrip())
    text = line[begin:end]
    return end - (text[-1:] == ")" and text.count(")") > text.count("("))


def _text(record: dict[str, Any], depth: int, known: _Known) -> str | None:
    """Return the text: the first with a percent sign, else the first."""
    first: str | None = None
    for name in known.texts:
        value = record[name]
        if isinstance(value, dict) and depth:
            value = _text(value, depth - 1, _known(tuple(value)))
        elif isinstance(value, list):
            value = _bytes(value)
        if isinstance(value, str):
            if "%" in value:
                return value
            first = first or value
    return first


def _bytes(value: list[Any]) -> str | None:
    """Return a text that journald writes as numbers, since it is not plain ASCII."""
    try:
        return bytes(value).decode(errors="replace")
    except (TypeError, ValueError, OverflowError):
        return None


def _stamp(record: dict[str, Any], depth: int, known: _Known) -> Any:
    """Return the first time that says something, as it stands in the record."""
    for name in known.times:
        value = record[name]
        if isinstance(value, dict):
            value = value.get("$date")
        if value is not None and moment_of(value) is not None:
            return value
    for name in known.inner:
        value = record[name]
        if isinstance(value, dict) and depth:
            return _stamp(value, depth - 1, _known(tuple(value)))
    return None


def moment_of(value: Any) -> tuple[float | None, str] | None:
    """Return a time in seconds since 1970, or in words; None if it says nothing."""
    if type(value) is str:
        if not _DIGITS.fullmatch(value):
            # OTLP has 0 where it does not know.
            return None if value.isdecimal() else (None, value[:TEXT_MAX])
        value = float(value)
    if type(value) in {int, float} and 0 < value < 1e20:
        unit = next((unit for least, unit in _UNITS if value >= least), 1.0)
        return value / unit, ""
    return None


def host_of(value: str) -> str:
    """Return a host as one word, "" if it is none."""
    if value in _STREAMS:
        return ""
    return value.replace(" ", "") if " " in value else value


def _host(
    record: dict[str, Any], depth: int, known: _Known, names: tuple[str, ...] = ()
) -> str:
    for name in names or known.hosts:
        value = record.get(name)
        if type(value) is str and (host := host_of(value)):
            return host
        if isinstance(value, dict) and depth:
            return _host(value, depth - 1, _known(tuple(value)), _NAMES)
    for name in known.labels:
        value = record[name]
        inner = _named(value) if isinstance(value, list) else value
        if isinstance(inner, dict) and depth:
            host = _host(inner, depth - 1, _known(tuple(inner)))
            if host:
                return host
    return ""
