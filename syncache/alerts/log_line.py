"""The header in front of a message in a log: when it was written, and by whom.

Contents: the headers of syslog (RFC 3164 as it is written in practice, RFC 5424),
of routers' own time stamps and sequence numbers, of journald's outputs, and of our own
lines.  Elsewhere: the message (`parser`).

Times become seconds since 1970 as if a line without a time zone were in UTC.  A date
without a year gets the latest one that does not lie after the log's own end, and years
go on at New Year.  Of 11/12/2026 an earlier date of the log tells which is the day, one
with a number above 12; without one it has no time.  A router that does not know the
time writes how long it has been up; that is kept as it is, marked by `Header.uptime`.
"""

from __future__ import annotations

import re
from calendar import timegm
from itertools import islice
from typing import TYPE_CHECKING

from .header_shape import HEADER_MAX, NOWHERE, Header, Place, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from .header_shape import Span

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov")
MONTH_NUMBER = {name: at for at, name in enumerate((*MONTHS, "dec"), 1)}
DAY_S = 86_400
TAI_UNIX = 2**62 + 10  # TAI64 of the beginning of 1970
HALF_A_DAY = 12  # hours
HALF_A_YEAR = 6  # months: a larger step is one across New Year
LATE_MONTHS = 2  # of a year, in which lines of November and December may come late
LEAP_CYCLE = 8  # years that may lie between two 29ths of February
UNITS = {"y": 365 * DAY_S, "w": 7 * DAY_S, "d": DAY_S, "h": 3600}
SHORT, CENTURY = 2, 2000  # digits of a short year, and what it lacks
UNIX_MAX = 10  # digits of seconds since 1970; those of milliseconds are more

_CLOCK = r"(?P<hm{0}>\d\d?:\d\d):(?P<s{0}>\d\d(?:[.,]\d{{1,9}})?)"
_MONTH = "(?:[Jj]an|[Ff]eb|[Mm]ar|[Aa]pr|[Mm]ay|[Jj]un|[Jj]ul|[Aa]ug|[Ss]ep|[Oo]ct|"
_MONTH += "[Nn]ov|[Dd]ec)"
_LETTERS = "[a-z]{0,6}"  # of a month that is written out
_WHEN = re.compile(
    # 2026-11-29T08:57:00.123+01:00, also with a blank, a slash, svlogd's underscore or
    # in two fields of a table
    rf"(?P<iso>\d{{4}}[-/]\d\d[-/]\d\d)[Tt _\t,;]{_CLOCK.format(1)}"
    r"(?:[ ]?(?P<zone>[Zz]|[+-]\d\d:?\d\d)\b)?"
    # 20261129T085700Z, also with a blank, a dash and colons; I20261129 08:57:00.123456
    r"|(?<![\w.-])(?:[IWEF](?=\d{8} ))?(?P<basic>(?:19|20)\d{6})[Tt _-]"
    r"(?P<hmb>\d\d:?\d\d):?(?P<sb>\d\d(?:[.,]\d{1,9})?)(?P<zoneb>[Zz]|[+-]\d\d:?\d\d)?"
    r"(?![\w:])"
    # W1129 08:57:00.123456, as glog and klog write it, and 11-29 08:57:00.123, Android
    r"|(?<![\w./:-])(?:[IWEF](?P<m5>\d\d)(?P<d5>\d\d)(?= [\d:]{8}\.\d{6} )"
    r"|(?P<m6>\d\d)-(?P<d6>\d\d)(?= [\d:]{8}\.\d{3} ))"
    rf" {_CLOCK.format(5)}"
    # Nov 29 08:57:00.123, with a year before, between or behind; 8:57:00 PM; and
    # Nov 29, 2026 @ 08:57:00.123, which Kibana prints
    rf"|(?:(?P<y1>\d{{4}}) )?(?<!\b\d )(?<!\b\d\d )(?P<month>{_MONTH}){_LETTERS}"
    r" +(?P<day>\d\d?),?[ \t]"
    r"(?:(?P<y2>\d{4}),? (?:@ )?)?"
    rf"{_CLOCK.format(2)}(?: (?P<y3>(?:19|20)\d\d)(?=[ \]])| ?(?P<half2>[AaPp][Mm])\b)?"
    r"(?: ?(?P<zone2>[+-]\d\d:?\d\d)\b)?"
    # 29.11.2026 08:57:00, 11/29/2026 8:57:00 PM, 29-Nov-2026 08:57:00
    rf"|(?<![\w./:-])(?P<first>\d\d?)(?:(?P<sep>[-./])(?P<second>\d\d?|{_MONTH})"
    rf"(?P=sep)| (?P<named>{_MONTH}){_LETTERS} )(?P<y4>\d{{4}}|\d\d)(?:, ?|[ T:\t])"
    rf"{_CLOCK.format(3)}(?:[ ]?(?P<half>[AaPp][Mm])\b)?"
    r"(?: ?(?P<zone3>[+-]\d\d:?\d\d)\b)?"
    # 29 Nov 08:57:00
    rf"|(?<![\w./:-])(?P<d7>\d\d?) (?P<m7>{_MONTH}) {_CLOCK.format(7)}"
    # seconds since 1970, as journalctl -o short-unix prints them, or milliseconds
    r"|(?<![\w.])(?P<unix>\d{9,10}(?:\.\d{1,9})?|\d{13})(?=[] ,])"
    # TAI64N, as multilog and s6-log write it: the seconds in hexadecimal
    r"|(?<!\w)@(?P<tai>4[0-9a-f]{15})[0-9a-f]{8}(?= )"
    # how long a router has been up: 00:00:46, 1d02h, 3w2d, 1y2w
    r"|(?<![\w.:])(?P<up>\d\d:\d\d:\d\d|(?:\d{1,3}[ywdh]){2})(?=: )"
    # how long a Linux kernel has been up, as dmesg prints it
    r"|(?<![\w\]])\[ *(?P<dmesg>\d{1,9}\.\d{6})\](?=[ \[])"
)
_STREAM = re.compile(r" std(?:out|err) [FP] ")  # a container's, as Kubernetes has it
# `Local7.Debug`, and `<local7.debug>` or `<23.7>` of FreeBSD's syslogd -v
_FACILITY_LEVEL = re.compile(r"[A-Za-z]+\d?\.[A-Za-z]+|<(?:[a-z]+\d?\.[a-z]+|\d+\.\d)>")
_LEVELS = {"WARNING", "WARN", "INFO", "ERROR", "DEBUG", "NOTICE", "CRITICAL", "TRACE"}
# Zones whose clocks are set forward in summer, and their names then.
SUMMER = {"CEST": "CET", "MEST": "MET", "EEST": "EET", "WEST": "WET", "BST": "GMT"}
SUMMER |= {"EDT": "EST", "CDT": "CST", "MDT": "MST", "PDT": "PST", "AKDT": "AKST"}
SUMMER |= {"ADT": "AST", "NDT": "NST", "AEDT": "AEST", "ACDT": "ACST", "NZDT": "NZST"}
_SUMMER = re.compile(rf" ({'|'.join([*SUMMER, *SUMMER.values()])})\b")
_ZONE_NAME = re.compile(r"[A-Z]{2,5}:?")
# Between host and message: numbers, a router's own time, `name[pid]`, dashes.
_WORD = re.compile(r"\S+")
_BRACKETS = re.compile(r"\[(\d{1,3}(?:\.\d{1,3}){3})(?:\.\d{1,3}){0,2}\]:?")
_NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]*[A-Za-z0-9\]]")
_NUMBER = re.compile(r"\d+")
_BEFORE = re.compile(
    # `logging origin-id`: a name, an address or words, with a number before or behind
    r"(?:<\d{1,3}>)?(?:1 )?(?:\d+: )?"
    r"(?P<host>[A-Za-z][\w.-]*(?: [\w.-]+){0,5}|\d{1,3}(?:\.\d{1,3}){3}"
    r"|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}): (?:\d+: )?[*.]?$"
)
# RFC 5424 6.2.3: a sender that does not know the time writes "-" for it.
_TIMELESS = re.compile(r"(?:\d{1,5} )?<\d{1,3}>1 - (?P<host>[^\s-]\S*) ")


class HeaderReader:
    """Reads the headers of one log, in the order of its lines.

    Args:
        latest: seconds since 1970 that no line of the log is later than, such as the
            time of the file's last change; a day more is allowed for time zones.
        year: the year of the first date without one.
    """

    def __init__(self, latest: float, year: int | None = None) -> None:
        self._latest = latest + DAY_S
        self._year = year
        self._month = 0
        self._month_first: bool | None = None  # as the log's clear dates have it
        self._order = ""  # of short numbers in a date: a key of `_short`
        self._zones: dict[str, str] = {}  # which of its two names each had first
        self._shapes = Shapes()

    def read(self, head: str) -> Header:
        """Read the header of a message."""
        return self._shapes.read(head) or self._read(head)

    def _read(self, head: str) -> Header:
        found = _WHEN.search(head, 0, HEADER_MAX)
        if found is None:
            host = host_before(head)
            return self._kept(head, Place(host, dated=False), None)
        kind = found.lastgroup or ""
        if kind in _READERS:
            return self._simple(head, found, kind)
        before = self._state()
        form, time = self._time(found)
        if before != self._state():
            self._shapes.forget_minutes()
        summer = 0.0
        if form in {"2", "3"}:
            summer = self._summer(head[found.end() :])
        host = self._origin(head, found)
        if time is None:
            return Header(None, head[slice(*host)])
        place = Place(host, found.span(), found.span(f"s{form}"), summer)
        return self._kept(head, place, time)

    def _simple(self, head: str, found: re.Match[str], kind: str) -> Header:
        """Read a time that is a number by itself."""
        read, host, is_up = _READERS[kind], NOWHERE, kind in {"up", "dmesg"}
        if kind == "up":
            host = self._origin(head, found)
        elif kind != "dmesg":
            host = host_behind(head, found.end())
        time = read(found[kind])
        if kind == "tai":  # letters are digits in it, so few are of one shape
            return Header(time, head[slice(*host)])
        place = Place(host, found.span(kind), reader=read, uptime=is_up)
        return self._kept(head, place, time)

    def _kept(self, head: str, place: Place, time: float | None) -> Header:
        self._shapes.keep(head, place, time)
        if time is not None:
            time += place.summer
        return Header(time, head[slice(*place.host)], place.uptime)

    def _state(self) -> tuple[int | None, int, bool | None, str]:
        """What the dates so far say of how others are read."""
        return self._year, self._month, self._month_first, self._order

    def _time(self, found: re.Match[str]) -> tuple[str, float | None]:
        """Return which clock of the pattern was found, and the time of the date."""
        if found["iso"]:
            return "1", self._iso(found)
        if found["basic"]:
            return "b", self._basic(found)
        if found["y4"]:
            return "3", self._numbered(found)
        if found["month"]:
            return "2", self._dated(found)
        if found["m7"]:
            month, day = MONTH_NUMBER[found["m7"].lower()], int(found["d7"])
            return "7", self._without_year(month, day, found["hm7"], found["s7"])
        month = int(found["m5"] or found["m6"])
        day = int(found["d5"] or found["d6"])
        return "5", self._without_year(month, day, found["hm5"], found["s5"])

    def _origin(self, head: str, found: re.Match[str]) -> Span:
        """Return where the host stands."""
        stream = _STREAM.match(head, found.end())
        if stream:
            begin = stream.end() - 1
            host = self._read(head[begin:]).host
            at = head.find(host, begin)
            return (at, at + len(host))
        host_at = host_behind(head, found.end())
        if host_at == NOWHERE and found.start() > 1:
            return host_before(head[: found.start()])
        return host_at

    def _iso(self, found: re.Match[str]) -> float | None:
        year, month, day = (int(part) for part in re.split("[-/]", found["iso"]))
        base = moment(year, month, day, found["hm1"])
        if base is None:
            return None
        return base - offset(found["zone"]) + float(found["s1"].replace(",", "."))

    def _basic(self, found: re.Match[str]) -> float | None:
        """Return the time of a date without dashes."""
        date, clock = found["basic"], found["hmb"].replace(":", "")
        year, month, day = int(date[:4]), int(date[4:6]), int(date[6:])
        base = moment(year, month, day, f"{clock[:2]}:{clock[2:]}")
        if base is None:
            return None
        return base - offset(found["zoneb"]) + float(found["sb"].replace(",", "."))

    def _dated(self, found: re.Match[str]) -> float | None:
        said = found["y1"] or found["y2"] or found["y3"]
        month, day = MONTH_NUMBER[found["month"].lower()], int(found["day"])
        year = int(said) if said else self._year_of(month, day, found["hm2"])
        base = moment(year, month, day, of_day(found["hm2"], found["half2"]))
        if base is None:
            return None
        return base - offset(found["zone2"]) + float(found["s2"].replace(",", "."))

    def _without_year(
        self, month: int, day: int, clock: str, seconds: str
    ) -> float | None:
        """Return the time of a date that says no year."""
        if not 1 <= month <= len(MONTH_NUMBER):
            return None
        base = moment(self._year_of(month, day, clock), month, day, clock)
        return None if base is None else base + float(seconds.replace(",", "."))

    def _numbered(self, found: re.Match[str]) -> float | None:
        """Return the time of a date whose day stands in front, or behind the month."""
        first, second = found["first"], found["named"] or found["second"]
        clock = of_day(found["hm3"], found["half"])
        seconds = float(found["s3"].replace(",", ".")) - offset(found["zone3"])
        if not second.isdecimal():
            day, month = int(first), MONTH_NUMBER[second.lower()]
        elif len(found["y4"]) == SHORT and found["sep"] != ".":
            base = self._short(int(first), int(second), int(found["y4"]), clock)
            return None if base is None else base + seconds
        elif found["sep"] == "." or self._is_day_first(int(first), int(second)):
            day, month = int(first), int(second)
        elif self._month_first or first == second or is_american(found):
            day, month = int(second), int(first)
        else:
            return None
        year = int(found["y4"])
        if len(found["y4"]) == SHORT:
            year += CENTURY
        base = moment(year, month, day, clock)
        return None if base is None else base + seconds

    def _short(self, first: int, second: int, third: int, clock: str) -> float | None:
        """Return the minute of a date of three short numbers.

        The order in which they make a day that is not later than the log's end; of
        several the one that an earlier date of the log had, else none.
        """
        orders = {
            "ymd": (first, second, third),
            "mdy": (third, first, second),
            "dmy": (third, second, first),
        }
        found = {
            name: time
            for name, (year, month, day) in orders.items()
            if (time := moment(CENTURY + year, month, day, clock)) is not None
            and time <= self._latest
        }
        if len(found) == 1:
            self._order = next(iter(found))
        if len(set(found.values())) == 1:
            return next(iter(found.values()))
        return found.get(self._order)

    def _summer(self, rest: str) -> float:
        """Return the seconds that a clock is behind what it was first in the log.

        So the hour that comes twice in autumn passes twice.
        """
        found = _SUMMER.match(rest)
        if found is None:
            return 0.0
        name = found[1]
        first = self._zones.setdefault(SUMMER.get(name, name), name)
        return 3600.0 * ((first in SUMMER) - (name in SUMMER))

    def _is_day_first(self, first: int, second: int) -> bool:
        """Tell if the day is in front; a number above 12 tells it for what follows."""
        if max(first, second) > len(MONTH_NUMBER) >= min(first, second):
            self._month_first = second > first
        return self._month_first is False

    def _year_of(self, month: int, day: int, clock: str) -> int:
        """Return the year of a date that says none."""
        if self._year is None:
            self._year = self._latest_year(month, day, clock)
        elif self._month - month > HALF_A_YEAR:
            self._year += 1
        elif self._month - month > 1 and self._may_be(
            self._year + 1, month, day, clock
        ):
            self._year += 1  # a log that was silent for months
        elif month - self._month > HALF_A_YEAR and self._month:
            around_new_year = self._month <= LATE_MONTHS and month > 12 - LATE_MONTHS
            if around_new_year or not self._may_be(self._year, month, day, clock):
                return self._year - 1  # a line of the old year that came late
        self._month = month
        return self._year

    def _may_be(self, year: int, month: int, day: int, clock: str) -> bool:
        """True if a date exists in a year, and is not later than the log's end."""
        time = moment(year, month, day, clock)
        return time is not None and time <= self._latest

    def _latest_year(self, month: int, day: int, clock: str) -> int:
        year = 1970
        while (moment(year + 1, 1, 1, "00:00") or 0) <= self._latest:
            year += 1
        candidates = range(year, year - LEAP_CYCLE, -1)
        may_be = (each for each in candidates if self._may_be(each, month, day, clock))
        return next(may_be, year)


def host_before(head: str) -> Span:
    """Return where the host of a header without a time, or in front of it, stands."""
    found = _BEFORE.match(head) or _TIMELESS.match(head)
    return found.span("host") if found else NOWHERE


def host_behind(head: str, at: int) -> Span:
    """Return where the host stands that a log server puts behind its time.

    A router's own time ends with a colon, and nobody stands behind it.
    """
    if head[at : at + 1] not in {" ", "\t"}:
        return NOWHERE
    words = [(each[0], each.start()) for each in islice(_WORD.finditer(head, at), 4)]
    if not words:
        return NOWHERE
    word, begin = words[0]
    if word[0] == "[" and (of_port := _BRACKETS.fullmatch(word)):
        return begin + of_port.start(1), begin + of_port.end(1)
    if word in _LEVELS:
        return NOWHERE
    if _ZONE_NAME.fullmatch(word):
        if word.endswith(":"):
            return NOWHERE
        words = words[1:]  # `Nov 29 08:57:00 CET router`, or a host of capitals
        if not words or (_NUMBER.match(words[0][0]) and words[0][0].endswith(":")):
            return begin, begin + len(word)
    if _FACILITY_LEVEL.fullmatch(words[0][0]) and len(words) > 1:
        words = words[1:]
    word, begin = words[0]
    if word in {"-", ":"} or word[0] in "%[":
        return NOWHERE  # no host, or the part of a program
    if word.upper() in _LEVELS or _WHEN.match(word):
        return NOWHERE
    name = word.rstrip(":")
    if not _NAME.fullmatch(name) or name.isdigit():
        return NOWHERE
    return begin, begin + len(name)


def is_american(found: re.Match[str]) -> bool:
    """True of `3/1/2026, 8:57:00 AM`, as browsers and Azure print it for `en-US`.

    Other countries of the comma have no capitals in AM.
    """
    behind_year = found.string[found.end("y4") : found.end("y4") + 1]
    half = found["half"]
    return found["sep"] == "/" and behind_year == "," and half in {"AM", "PM"}


def of_day(clock: str, half: str | None) -> str:
    """Return the hour and minute of a day from those of its half, am or pm."""
    if not half:
        return clock
    hour, _, minute = clock.partition(":")
    if not 1 <= int(hour) <= HALF_A_DAY:
        return "99:00"  # there is none
    late = HALF_A_DAY if half.lower() == "pm" else 0
    return f"{int(hour) % HALF_A_DAY + late}:{minute}"


def moment(year: int, month: int, day: int, clock: str) -> float | None:
    """Return a minute in seconds since 1970; None: there is no such day or minute."""
    hour, _, minute = clock.partition(":")
    if not 1 <= month <= 12 or int(hour) > 23 or int(minute) > 59:
        return None
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = 31 - (month in {4, 6, 9, 11}) - (0 if month != 2 else 2 if leap else 3)
    if not 1 <= day <= days or not 1970 <= year <= 9999:
        return None
    return float(timegm((year, month, day, int(hour), int(minute), 0)))


def offset(zone: str | None) -> int:
    """Return the seconds that a zone, `Z` or `+01:00`, is ahead of UTC."""
    if not zone or zone in {"Z", "z"}:
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def uptime(text: str) -> float:
    """Return the seconds of `00:01:02`, `1d02h` or `3w2d`."""
    if ":" in text:
        hours, minutes, seconds = (int(part) for part in text.split(":"))
        return float(hours * 3600 + minutes * 60 + seconds)
    parts = re.findall(r"(\d+)([ywdh])", text)
    return float(sum(int(number) * UNITS[unit] for number, unit in parts))


def unix_time(text: str) -> float:
    """Return the seconds since 1970 of a number of them, or of milliseconds."""
    in_ms = len(text) > UNIX_MAX and "." not in text
    return float(text) / (1000 if in_ms else 1)


def tai_time(text: str) -> float:
    """Return the seconds since 1970 of TAI64's."""
    return float(int(text, 16) - TAI_UNIX)


_READERS: dict[str, Callable[[str], float]] = {
    "up": uptime,
    "dmesg": float,
    "unix": unix_time,
    "tai": tai_time,
}
