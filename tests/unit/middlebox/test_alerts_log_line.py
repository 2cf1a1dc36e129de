"""syncache/alerts/log_line.py: what stands before a message."""

from __future__ import annotations

from calendar import timegm
from itertools import pairwise
from time import gmtime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.alerts.log_line import Header, HeaderReader, moment, uptime

LATEST = float(timegm((2026, 11, 29, 9, 0, 0)))
DAY = 86_400
STAMP = float(timegm((2026, 10, 12, 14, 3, 22)))


def read(head: str) -> Header:
    return HeaderReader(LATEST).read(head)


@pytest.mark.parametrize(
    ("head", "more", "host"),
    [
        ("Oct 12 14:03:22: ", 0, ""),
        ("*Oct 12 14:03:22.123: ", 0.123, ""),
        (".Oct 12 14:03:22.123 CEST: ", 0.123, ""),
        ("000123: *Oct 12 14:03:22: ", 0, ""),
        ("Oct 12 2026 14:03:22.5 UTC: ", 0.5, ""),
        ("Oct 12 14:03:22 2026 r7: ", 0, "r7"),
        ("2026 Oct 12 14:03:22 r7 ", 0, "r7"),
        ("oct 12 14:03:22 r7 ", 0, "r7"),
        ("Oct 12 14:03:22 192.0.2.1 123: *Oct 12 14:03:21.998: ", 0, "192.0.2.1"),
        ("Oct 12 14:03:22 2001:db8::1 123: 000123: ", 0, "2001:db8::1"),
        ("Oct 12 14:03:22 r1.example.com 7: ", 0, "r1.example.com"),
        ("Oct 12 14:03:22 [192.0.2.1] ", 0, "192.0.2.1"),
        ("Oct 12 14:03:22 [192.0.2.1.2.2] 7: ", 0, "192.0.2.1"),
        ("October 12 14:03:22 r7 ", 0, "r7"),
        ("Monday, 12 October 2026 14:03:22 r7 ", 0, "r7"),
        ("2026-10-12 14:03:22.5 CET [pid 5] ", 0.5, ""),
        ("Oct 12 14:03:22 RTR 7: ", 0, "RTR"),
        ("<188>7: 192.0.2.1: *Oct 12 14:03:22 UTC: ", 0, "192.0.2.1"),
        ("<188>7: 2001:DB8::1: Oct 12 14:03:22: ", 0, "2001:DB8::1"),
        ("<188>7: edge router 1: Oct 12 14:03:22: ", 0, "edge router 1"),
        ("<188>7: r1: 000007: Oct 12 14:03:22: ", 0, "r1"),
        ("2026-10-12t14:03:22z r1 ", 0, "r1"),
        ("2026-10-12 14:03:22,5 WARNING ", 0.5, ""),
        ("12\t2026-10-12T14:03:22Z\t2026-10-12T14:03:22Z\t5\tr1\t", 0, ""),
        ("Oct 12 14:03:22 r1 syncache[123]: ", 0, "r1"),
        ("Oct 12 14:03:22.000001 r1 syncache[123]: ", 0.000001, "r1"),
        ("<189>123: *Oct 12 14:03:22.1: ", 0.1, ""),
        ("<189>123: R1: *Oct 12 14:03:22.1: ", 0.1, "R1"),
        ("<132>1 2026-10-12T14:03:22.25Z r1 app 12 ALERT_ON - ", 0.25, "r1"),
        ("<132>1 2026-10-12T14:03:22Z - app - - - ", 0, ""),
        ("<132>1 - r1 app - - - 45: *Oct 12 14:03:22.5: ", 0.5, "r1"),
        ("<132>1 - - app - - - 45: *Oct 12 14:03:22.5: ", 0.5, ""),
        ("2026-10-12T16:03:22+02:00 r1 ", 0, "r1"),
        ("2026-10-12T09:03:22-0500 r1 syncache[1]: ", 0, "r1"),
        ("2026-10-12T19:33:22+05:30 r1 ", 0, "r1"),
        ("2026-10-12T10:33:22-03:30 r1 ", 0, "r1"),
        ("2026-10-12T14:03:22.123Z ", 0.123, ""),
        ("2026-10-12 14:03:22\tLocal7.Debug\t192.0.2.1\t123: ", 0, "192.0.2.1"),
        ("Mon 2026-10-12 14:03:22 CEST r1 ident[3]: ", 0, "r1"),
        ("2026/10/12 14:03:22,5 r1 ", 0.5, "r1"),
        (f"{STAMP:.6f} r1 ident[1]: ", 0, "r1"),
        ("12 Oct 2026 14:03:22 r1 ", 0, "r1"),
        ("2026-10-12_14:03:22.12345 ", 0.12345, ""),
        ("2026-10-12\t14:03:22\tr1\t", 0, "r1"),
        ("12.10.2026\t14:03:22\tWarning\t", 0, ""),
        ("Oct 12, 2026 @ 14:03:22.500 r1 ", 0.5, "r1"),
        ("Oct 12\t14:03:22\tr1\t", 0, "r1"),
        (f"[{STAMP:.3f}] ", 0, ""),
        (f"@{int(STAMP) + 2**62 + 10:x}07270e00 ", 0, ""),
        ("2026/10/12 14:03:22 [warn] ", 0, ""),
        ("2026-10-12 14:03:22,5 WARN ", 0.5, ""),
        ("12-Oct-2026 14:03:22.5: ", 0.5, ""),
        ("12/Oct/2026:14:03:22 r1 ", 0, "r1"),
        ("12.10.2026 14:03:22 r1 123: ", 0, "r1"),
        ("<189>12.10.2026 14:03:22,25 r1 ", 0.25, "r1"),
    ],
)
def test_time_and_host_are_read(head, more, host):
    """Every form that daemons, routers and journald write."""
    found = read(head)
    assert found.time == pytest.approx(STAMP + more, abs=1e-6)
    assert (host, False) == (found.host, found.uptime)


CLEAR = timegm((2025, 11, 29, 14, 3, 22))


@pytest.mark.parametrize(
    "head",
    [
        "29.11.2025 14:03:22 r1 ",
        "29/11/2025 14:03:22 r1 ",
        "29-11-2025 14:03:22 r1 ",
        "11/29/2025 14:03:22 r1 ",
        "11/29/2025 2:03:22 PM r1 ",
        "11/29/2025, 2:03:22 pm r1 ",
    ],
)
def test_clear_date_in_numbers_has_a_time_in_any_order(head):
    """A number above 12 is the day, and dots have the day in front."""
    assert Header(CLEAR, "r1") == read(head)
    reader = HeaderReader(LATEST)
    assert Header(CLEAR, "r1") == reader.read(head)
    assert Header(CLEAR + 1, "r1") == reader.read(head.replace(":22", ":23"))


@pytest.mark.parametrize(
    ("head", "day"),
    [
        ("3/1/2025, 2:03:22.000 PM r1 ", (2025, 3, 1)),
        ("3/1/2025, 2:03:22 pm r1 ", None),
        ("3/1/2025 2:03:22 PM r1 ", None),
        ("2025/03/01,14:03:22 r1 ", (2025, 3, 1)),
        ("2025-03-01;14:03:22 r1 ", (2025, 3, 1)),
    ],
)
def test_date_of_a_table_has_a_time_where_its_form_tells_the_order(head, day):
    """Browsers write a comma and capitals for Americans alone."""
    expected = None if day is None else timegm((*day, 14, 3, 22))
    assert expected == read(head).time


def test_date_in_numbers_is_read_as_the_clear_ones_before_it():
    """A date of two numbers up to 12 has no time before the log has told the order."""
    assert read("11/12/2025 14:03:22 r1 ") == Header(None, "r1")
    assert read("11/11/2025 14:03:22 r1 ").time == timegm((2025, 11, 11, 14, 3, 22))
    for clear, month, day in (("10/31/2025", 11, 12), ("31/10/2025", 12, 11)):
        reader = HeaderReader(LATEST)
        assert reader.read(f"{clear} 00:00:00 r1 ").host == "r1"
        time = reader.read("11/12/2025 14:03:22 r1 ").time
        assert timegm((2025, month, day, 14, 3, 22)) == time


@pytest.mark.parametrize(
    ("clock", "hour"), [("12:00:01 AM", 0), ("12:00:01 PM", 12), ("1:00:01 AM", 1)]
)
def test_clock_of_twelve_hours_begins_at_twelve(clock, hour):
    """Midnight is 12 AM."""
    expected = timegm((2025, 11, 29, hour, 0, 1))
    assert expected == read(f"11/29/2025 {clock} r1 ").time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:46", 46), ("1d02h", 93_600), ("3w2d", 1_987_200), ("1y2w", 32_745_600)],
)
def test_uptime_is_marked(text, seconds):
    """A router that does not know the time states how long it has been up."""
    assert Header(seconds, "", uptime=True) == read(f"{text}: ")
    assert seconds == uptime(text)


@pytest.mark.parametrize(
    "head",
    [
        *(
            "",
            "garbage ",
            "Oct 32 14:03:22 ",
            "Oct 12 25:03:22 ",
            "0000-01-01T00:00:00 ",
        ),
        *("31.02.2025 14:03:22 ", "13/13/2025 14:03:22 ", "11/29/2025 13:00:00 PM "),
        *("32.13.2025 14:03:22 ", "00/30/2025 14:03:22 ", "29.11/2025 14:03:22 "),
    ],
)
def test_line_without_a_time_has_none(head):
    """Nor has one with a time that does not exist."""
    assert read(head).time is None


@pytest.mark.parametrize(
    ("head", "host"),
    [
        ("<132>1 - r1 app 12 ALERT_ON - ", "r1"),
        ('<132>1 - 2001:db8::1 - - - [a@32473][b@32473 c="]"] ', "2001:db8::1"),
        ("104 <132>1 - r1.example.com app - - - ", "r1.example.com"),
        ("<132>1 - - app - - - ", ""),
        ("<132> - r1 app ", ""),
    ],
)
def test_host_stands_behind_a_time_that_is_not_known(head, host):
    assert read(head) == Header(None, host)


def test_year_is_the_latest_that_is_not_in_the_future():
    """December of a log that ends in November is last year's."""
    reader = HeaderReader(LATEST)
    assert timegm((2025, 12, 31, 23, 59, 59)) == reader.read("Dec 31 23:59:59: ").time
    assert timegm((2026, 1, 1, 0, 0, 1)) == reader.read("Jan  1 00:00:01: ").time
    late = reader.read("Dec 31 23:59:58: ")
    assert timegm((2025, 12, 31, 23, 59, 58)) == late.time


@pytest.mark.parametrize(
    ("days", "years"),
    [
        # Silent for months within a year, and over New Year.
        ("Jan  5,Aug 10,Aug 11,Nov  1", (2026, 2026, 2026, 2026)),
        ("Jul  3,Jan  2,Feb  1", (2025, 2026, 2026)),
        ("Sep 30,Jul  1", (2025, 2026)),
        # A line that comes late: of the old month, of the old year.
        ("Oct  1,Sep 30,Oct  2", (2026, 2026, 2026)),
        ("Dec 31,Jan  1,Dec 31,Jan  1", (2025, 2026, 2025, 2026)),
        # Files in the wrong order: the next year would be the future.
        ("Nov 28,May 30", (2026, 2026)),
        # The 29th of February, and the day after it.
        ("Feb 28,Feb 29,Mar  1", (2026, None, 2026)),
        ("Feb 29,Mar  1", (2024, 2024)),
    ],
)
def test_years_of_a_log_follow_from_its_months(days, years):
    """Whatever the gaps; no line is put into the future."""
    first = years[0]
    reader = HeaderReader(LATEST, first if first != 2026 else None)
    found = [reader.read(f"{day} 10:00:00 r1: ").time for day in days.split(",")]
    assert [None if time is None else gmtime(time).tm_year for time in found] == [
        *years
    ]


def test_year_may_be_given():
    """And goes on at New Year."""
    reader = HeaderReader(LATEST, 2001)
    assert timegm((2001, 12, 31, 0, 0, 0)) == reader.read("Dec 31 00:00:00: ").time
    assert timegm((2002, 1, 1, 0, 0, 0)) == reader.read("Jan  1 00:00:00: ").time


@pytest.mark.parametrize(
    ("heads", "steps"),
    [
        (["02:59:00 CEST", "02:00:05 CET", "03:00:05 CET"], [65, 3600]),
        (["01:59:00 CET", "03:00:05 CEST"], [65]),
        (["01:59:00.5 EDT", "01:00:05.5 EST"], [65]),
        (["02:59:00 CEST", "02:00:05 GMT", "01:00:05 CET"], [-3535, 0]),
        (["02:59:00", "02:00:05"], [-3535]),
    ],
)
def test_hour_that_comes_twice_passes_twice(heads, steps):
    """If a router writes the name of its zone; others' names change nothing."""
    reader = HeaderReader(LATEST)
    times = [reader.read(f"12: Oct 25 {head}: ").time for head in heads]
    assert steps == [b - a for a, b in pairwise(times)]


def test_leap_day_is_of_a_leap_year():
    """The latest year that has it."""
    assert timegm((2024, 2, 29, 10, 0, 0)) == read("Feb 29 10:00:00: ").time


def test_lines_alike_are_read_alike():
    """The shortcut for a line like the one before gives what the long way gives."""
    heads = [
        "Oct 12 14:03:22 r1 1: ",
        "Oct 12 14:03:23 r1 2: ",
        "Oct 12 14:03:23 r10 2: ",
        "Oct 12 14:03:24.5 r1 3: ",
        "Oct 12 14:03:xx r1 4: ",
        "Oct 12 14:04:00 r1 5: ",
        "2026-10-12T14:04:01.250+02:00 r1 ",
        "2026-10-12T14:04:02.251+02:00 r1 ",
        "2026-10-12T14:04:03.25x r1 ",
    ]
    reader = HeaderReader(LATEST)
    for head in heads:
        again, alone = reader.read(head), read(head)
        assert alone.host == again.host, head
        assert again.time == pytest.approx(alone.time), head


@given(st.lists(st.text(max_size=80)))
def test_no_header_raises(heads):
    """A log may hold anything."""
    reader = HeaderReader(LATEST)
    for head in heads:
        reader.read(head)


@given(
    st.from_regex(
        r"[*.]?(Oct|Feb|Jan) ?\d{1,3} (\d{4} )?\d\d:\d\d:\d\d([.,]\d{0,10})?.{0,12}"
    )
)
def test_no_date_raises(head):
    """Dates that do not exist, digits of other scripts, endless fractions."""
    HeaderReader(LATEST).read(head)


@pytest.mark.parametrize(
    ("head", "time", "host"),
    [
        ("1791813802500 ", 1791813802.5, ""),
        ("1791813802 r1 ", 1791813802.0, "r1"),
        ("2026-10-12T14:03:22Z stdout F ", 1791813802.0, ""),
        ("2026-10-12T14:03:22Z stderr P Oct 12 14:03:21 r1 ", 1791813802.0, "r1"),
    ],
)
def test_headers_of_containers(head, time, host):
    """Milliseconds since 1970, and a container's stream, which is no host."""
    assert Header(time, host) == read(head)


@pytest.mark.parametrize(
    ("head", "hour"),
    [
        ("Nov 29, 2026 10:00:00 AM r1 ", 10),
        ("Nov 29, 2026, 1:00:00 PM r1 ", 13),
        ("Nov 29 2026 12:00:00 am r1 ", 0),
        ("Nov 29, 2026 10:00:00 r1 ", 10),
    ],
)
def test_a_month_may_have_a_comma_and_half_days(head, hour):
    """As programs write that show logs to people."""
    header = HeaderReader(2e9).read(head)
    assert (1795910400.0 + hour * 3600, "r1") == header[:2]


def test_a_half_day_has_twelve_hours():
    """Of 13:00 PM nobody knows which is meant."""
    assert HeaderReader(2e9).read("Nov 29, 2026 13:00:00 PM r1 ").time is None


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ((1970, 1, 1, "00:00"), 0.0),
        ((1970, 1, 1, "23:59"), 86340.0),
        ((1969, 12, 31, "23:59"), None),
        ((9999, 12, 31, "00:00"), 253402214400.0),
        ((10_000, 1, 1, "00:00"), None),
        ((2026, 0, 1, "00:00"), None),
        ((2026, 13, 1, "00:00"), None),
        ((2026, 4, 30, "00:00"), 1777507200.0),
        ((2026, 4, 31, "00:00"), None),
        ((2026, 1, 0, "00:00"), None),
        ((2026, 1, 31, "24:00"), None),
        ((2026, 1, 31, "23:60"), None),
        ((2026, 2, 29, "00:00"), None),
        ((2000, 2, 29, "00:00"), 951782400.0),
        ((2100, 2, 29, "00:00"), None),
        ((2028, 2, 29, "00:00"), 1835395200.0),
    ],
)
def test_minute_that_does_not_exist_is_none(date, seconds):
    """Leap years, short months, and the ends of time."""
    assert seconds == moment(*date)


@pytest.mark.parametrize(
    ("head", "host"),
    [
        ("W1012 14:03:22.000000  1234 relay.cc:12] ", ""),
        ("I20261012 14:03:22.000000 1234 relay.go:12] ", ""),
        ("10-12 14:03:22.000  1234  5678 W fw: ", ""),
        ("20261012T140322Z r1 ", "r1"),
        ("20261012T160322.000+0200 r1 ", "r1"),
        ("20261012-14:03:22 r1 ", "r1"),
        ("12 Oct 14:03:22 r1 ", "r1"),
        ("12 Oct 26 14:03:22 r1 ", "r1"),
        ("12-Oct-26 14:03:22 r1 ", "r1"),
        ("12.10.26 14:03:22 r1 ", "r1"),
        ("Mon, 12 Oct 2026 16:03:22 +0200 r1 ", "r1"),
        ("[12/Oct/2026:16:03:22 +0200] ", ""),
        ("Oct 12 12:03:22 -0200 r1 ", "r1"),
        ("Oct 12 14:03:22 <local7.debug> r1 7: ", "r1"),
        ("Oct 12 14:03:22 <23.7> r1 7: ", "r1"),
    ],
)
def test_headers_of_other_programs(head, host):
    """Glog, Android, ISO 8601 without dashes, short years, zones in numbers."""
    assert Header(STAMP, host) == read(head)


def test_short_numbers_of_a_date_have_the_order_that_the_log_shows():
    """One day that is not in the future, or the order of an earlier line; or none."""
    reader = HeaderReader(LATEST)
    assert reader.read("10/12/11 14:03:22 r1 ").time is None
    assert STAMP + DAY == reader.read("10/13/26 14:03:22 r1 ").time
    assert STAMP == reader.read("10/12/26 14:03:22 r1 ").time
    assert gmtime(reader.read("10/12/11 14:03:22 r1 ").time or 0)[:3] == (2011, 10, 12)
    assert read("26-10-12 14:03:22 r1 ").time is None
    last = HeaderReader(LATEST)
    assert gmtime(last.read("26-11-29 08:00:00 r1 ").time or 0)[:3] == (2026, 11, 29)
    assert STAMP == last.read("26-10-12 14:03:22 r1 ").time
    assert read("99/99/99 14:03:22 r1 ").time is None
