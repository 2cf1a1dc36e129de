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
from typing import NamedTuple

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov")
MONTH_NUMBER = {name: at for at, name in enumerate((*MONTHS, "dec"), 1)}
DAY_S = 86_400
TAI_UNIX = 2**62 + 10  # TAI64 of the beginning of 1970
HALF_A_DAY = 12  # hours
HALF_A_YEAR = 6  # months: a larger step is one across New Year
LATE_MONTHS = 2  # of a year, in which lines of November and December may come late
LEAP_CYCLE = 8  # years that may lie between two 29ths of February
UNITS = {"y": 365 * DAY_S, "w": 7 * DAY_S, "d": DAY_S, "h": 3600}
HEADER_MAX = 300  # characters before the message that are looked at
CACHE_MAX = 10_000
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
_BRACKETS = re.compile(r"\[(\d{1,3}(?:\.\d{1,3}){3})(?:\.\d{1,3}){0,2}\]:?")
_NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]*[A-Za-z0-9\]]")
_SECONDS = re.compile(r"\d\d(?:\.\d+)?")
SECONDS = {f"{number:02}": float(number) for number in range(100)}
_NUMBER = re.compile(r"\d+")
_BEFORE = re.compile(
    # `logging origin-id`: a name, an address or words, with a number before or behind
    r"(?:<\d{1,3}>)?(?:1 )?(?:\d+: )?"
    r"(?P<host>[A-Za-z][\w.-]*(?: [\w.-]+){0,5}|\d{1,3}(?:\.\d{1,3}){3}"
    r"|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}): (?:\d+: )?[*.]?$"
)
# RFC 5424 6.2.3: a sender that does not know the time writes "-" for it.
_TIMELESS = re.compile(r"(?:\d{1,5} )?<\d{1,3}>1 - (?P<host>[^\s-]\S*) ")


class Header(NamedTuple):
    """When and by whom a line was written; time is None if the line does not say."""

    time: float | None
    host: str
    uptime: bool = False


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
        self._days: dict[str, float] = {}
        # The last line up to its minute; by the text between its seconds and the end of
        # its host, the time of that minute and the host.  Most lines differ from the
        # one before them in the seconds and the host only.
        self._prefix = ""
        self._size = 0  # of the seconds
        self._behind: dict[str, tuple[float, str]] = {}

    def again(self, line: str, size: int) -> tuple[float, str] | None:
        """Return time and host if the header, line[:size], is like the last one.

        None if it differs in more than its seconds and its host.
        """
        prefix = self._prefix
        if not prefix or not line.startswith(prefix):
            return None
        at = len(prefix)
        end = at + self._size
        # The first blank is in front of the host, or of a zone's.
        stop = line.find(" ", line.find(" ", end, size) + 1, size)
        known = self._behind.get(line[end:stop])
        if known is None:
            return None
        text = line[at:end]
        second = SECONDS.get(text)
        if second is None:
            if not _SECONDS.fullmatch(text):
                return None
            second = float(text)
        return known[0] + second, known[1]

    def read(self, head: str) -> Header:
        """Read the header of a message."""
        known = self.again(head, len(head))
        return self._read(head) if known is None else Header(*known)

    def _read(self, head: str) -> Header:
        found = _WHEN.search(head, 0, HEADER_MAX)
        if found is None:
            return Header(None, host_before(head))
        kind = found.lastgroup
        if kind == "up":
            return Header(uptime(found["up"]), self._origin(head, found), uptime=True)
        if kind == "dmesg":
            return Header(float(found["dmesg"]), "", uptime=True)
        if kind == "unix":
            unix = found["unix"]
            in_ms = len(unix) > UNIX_MAX and "." not in unix
            seconds = float(unix) / (1000 if in_ms else 1)
            return Header(seconds, host_behind(head[found.end() :]))
        if kind == "tai":
            seconds = float(int(found["tai"], 16) - TAI_UNIX)
            return Header(seconds, host_behind(head[found.end() :]))
        form, time = self._time(found)
        if time is not None and form in {"2", "3"}:
            time += self._summer(head[found.end() :])
        host = self._origin(head, found)
        if time is not None and host:
            self._remember(head, found, form, time, host)
        return Header(time, host)

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

    def _remember(
        self, head: str, found: re.Match[str], form: str, time: float, host: str
    ) -> None:
        """Keep a header, if its host stands where `again` looks for it."""
        form = f"s{form}"
        end = found.end(form)
        stop = head.find(" ", head.find(" ", end) + 1)
        behind = head[end:stop]
        if stop < found.end() or not behind.rstrip(":").endswith(" " + host):
            return
        prefix, seconds = head[: found.start(form)], found[form]
        if (prefix, len(seconds)) != (self._prefix, self._size):
            self._prefix, self._size = prefix, len(seconds)
            self._behind = {}
        elif len(self._behind) >= CACHE_MAX:
            self._behind.clear()
        self._behind[behind] = time - float(seconds.replace(",", ".")), host

    def _origin(self, head: str, found: re.Match[str]) -> str:
        stream = _STREAM.match(head, found.end())
        if stream:
            return self._read(head[stream.end() - 1 :]).host
        host = host_behind(head[found.end() :])
        if not host and found.start() > 1:
            host = host_before(head[: found.start()])
        return host

    def _iso(self, found: re.Match[str]) -> float | None:
        key = f"{found['iso']} {found['hm1']} {found['zone']}"
        base = self._days.get(key)
        if base is None:
            year, month, day = (int(part) for part in re.split("[-/]", found["iso"]))
            base = moment(year, month, day, found["hm1"])
            if base is None:
                return None
            self._keep(key, base - offset(found["zone"]))
            base = self._days[key]
        return base + float(found["s1"].replace(",", "."))

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
        key = f"{year} {month} {day} {found['hm2']} {found['half2']} {found['zone2']}"
        base = self._days.get(key)
        if base is None:
            base = moment(year, month, day, of_day(found["hm2"], found["half2"]))
            if base is None:
                return None
            base -= offset(found["zone2"])
            self._keep(key, base)
        return base + float(found["s2"].replace(",", "."))

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

    def _keep(self, key: str, base: float) -> None:
        if len(self._days) >= CACHE_MAX:
            self._days.clear()
        self._days[key] = base


def host_before(head: str) -> str:
    """Return the host of a header without a time, or in front of it; "" if none."""
    found = _BEFORE.match(head) or _TIMELESS.match(head)
    return found["host"] if found else ""


def host_behind(rest: str) -> str:
    """Return the host that a log server puts behind its time, or "" if there is none.

    A router's own time ends with a colon, and nobody stands behind it.
    """
    if rest[:1] not in {" ", "\t"}:
        return ""
    words = rest.split(None, 4)
    if words and words[0][0] == "[" and (of_port := _BRACKETS.fullmatch(words[0])):
        return of_port[1]
    if words and words[0] in _LEVELS:
        return ""
    if words and _ZONE_NAME.fullmatch(words[0]):
        if words[0].endswith(":"):
            return ""
        words = words[1:]  # `Nov 29 08:57:00 CET router`, or a host of capitals
        if not words or (_NUMBER.match(words[0]) and words[0].endswith(":")):
            return rest.split(None, 1)[0]
    if words and _FACILITY_LEVEL.fullmatch(words[0]) and len(words) > 1:
        words = words[1:]
    if not words or words[0] in {"-", ":"} or words[0][0] in "%[":
        return ""  # no host, or the part of a program
    if words[0].upper() in _LEVELS or _WHEN.match(words[0]):
        return ""
    name = words[0].rstrip(":")
    found = _NAME.fullmatch(name)
    return name if found and not name.isdigit() else ""


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
