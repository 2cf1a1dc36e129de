"""syncache/alerts/log.py: attacks, sessions and totals of a log."""

from __future__ import annotations

import random
from calendar import timegm

import pytest

from syncache.alerts import log as alert_log
from syncache.alerts.log import LogBook, address
from syncache.alerts.log_line import HeaderReader
from syncache.alerts.log_load import Load
from syncache.alerts.parser import host_alert
from syncache.alerts.steps import Steps
from syncache.alerts.top import Top

DAY = float(timegm((2026, 11, 29, 0, 0, 0)))
ON = "%FW-4-ALERT_ON: {}getting aggressive, count ({}/500) current 1-min rate: {}"
OFF = "%FW-4-ALERT_OFF: {}calming down, count (3/400) current 1-min rate: 390"
HOST = (
    "%FW-4-HOST_TCP_ALERT_ON: Max tcp half-open connections (50) exceeded for host {}."
)
BLOCK = (
    "%FW-4-BLOCK_HOST: Blocking new TCP connections to host {} for 2 minutes "
    "(half-open count 50 exceeded)"
)
UNBLOCK = "%FW-4-UNBLOCK_HOST: New TCP connections to host {} no longer blocked"
START = (
    "%FW-6-SESS_AUDIT_TRAIL_START: Start {} session: initiator ({}) -- responder ({})"
)
STOP = (
    "%FW-6-SESS_AUDIT_TRAIL: Stop {} session: initiator ({}) sent 100 bytes "
    "-- responder ({}) sent {} bytes"
)


def book_of(*lines):
    """Feed lines, each (clock, router, text)."""
    book = LogBook(HeaderReader(DAY))
    for clock, router, text in lines:
        book.add(f"Nov 29 {clock} {router} 1: {text}\n")
    return book


def test_attack_lasts_from_on_to_off():
    """With the numbers of its alert."""
    book = book_of(
        ("01:00:00", "r1", ON.format("", 501, 320)),
        ("01:04:10", "r1", OFF.format("")),
    )
    (attack,) = book.attacks
    assert ("inspect", "r1", "incomplete") == (
        attack.kind,
        attack.router,
        attack.reason,
    )
    assert (DAY + 3600, 250.0) == (attack.begin, attack.duration)
    assert (500, 501, 320, 2) == (
        attack.limit,
        attack.half_open,
        attack.rate,
        attack.lines,
    )


def test_each_router_and_zone_is_in_its_own_state():
    """An OFF ends what its own ON began."""
    zone = "(target:class)-(ZP:CM):"
    book = book_of(
        ("01:00:00", "r1", ON.format("", 3, 501)),
        ("01:00:01", "r2", ON.format("", 3, 501)),
        ("01:00:02", "r1", ON.format(zone, 3, 501)),
        ("01:00:03", "r1", OFF.format("")),
        ("01:00:04", "r1", "%TCP-6-INTERCEPT: getting aggressive, count (9/8) 1 min 3"),
    )
    found = [(a.kind, a.router, a.zone, a.duration) for a in book.attacks]
    assert [
        ("inspect", "r1", "", 3.0),
        ("inspect", "r2", "", None),
        ("inspect", "r1", "ZP:CM", None),
        ("intercept", "r1", "", None),
    ] == found
    assert "rate" == book.attacks[0].reason


def test_attack_that_began_before_the_log_has_no_begin():
    """Its end is known all the same."""
    book = book_of(("01:00:00", "r1", OFF.format("")))
    (attack,) = book.attacks
    assert (None, DAY + 3600, None) == (attack.begin, attack.end, attack.duration)


@pytest.mark.parametrize(("clock", "attacks"), [("01:00:09", 1), ("01:00:05", 2)])
def test_end_that_overtakes_its_begin_is_of_the_same_attack(clock, attacks):
    """As datagrams may, by seconds; an end at the very time is an older attack's."""
    book = book_of(
        (clock, "r1", OFF.format("")), ("01:00:05", "r1", ON.format("", 501, 320))
    )
    assert attacks == len(book.attacks)
    assert {1: 4.0, 2: None}[attacks] == book.attacks[0].duration
    assert {1: 501, 2: 3}[attacks] == book.attacks[0].half_open


def test_reason_fields_of_ours_win():
    """What fired, the target and the sources stand in the line."""
    text = ON.format("", 3, 501)
    text += " reason=rate limit=500 value=501 top=10.0.0.5:80(212) srcs=192.0.2.0/24(9)"
    (attack,) = book_of(("01:00:00", "r1", text)).attacks
    assert {"10.0.0.5:80": 212} == attack.targets
    assert {"192.0.2.0/24": 9} == attack.sources


def test_hosts_named_during_an_attack_are_its_targets():
    """And have attacks of their own, which end with a quiet minute or the block."""
    book = book_of(
        ("01:00:00", "r1", ON.format("", 3, 501)),
        ("01:00:05", "r1", HOST.format("10.0.0.5")),
        ("01:00:06", "r1", BLOCK.format("10.0.0.5")),
        ("01:02:06", "r1", UNBLOCK.format("10.0.0.5")),
        ("01:03:00", "r1", OFF.format("")),
        ("02:00:00", "r1", HOST.format("10.0.0.5")),
    )
    whole, first, second = book.attacks
    assert {"10.0.0.5": 2} == whole.targets
    assert ("host", 121.0, 120) == (first.kind, first.duration, first.blocked_s)
    assert DAY + 7200 == second.begin


def test_every_line_of_a_host_counts_for_its_attack():
    """The alert, the block, and the end of the block."""
    book = book_of(
        ("01:00:05", "r1", HOST.format("10.0.0.5")),
        ("01:00:06", "r1", BLOCK.format("10.0.0.5")),
        ("01:02:06", "r1", UNBLOCK.format("10.0.0.5")),
        ("01:02:07", "r1", UNBLOCK.format("10.0.0.6")),  # of no attack that is known
    )
    (attack,) = book.attacks
    assert (3, 121.0) == (attack.lines, attack.duration)


def test_start_and_stop_belong_together_whatever_their_names():
    """A rule that changed meanwhile gives the STOP another name."""
    book = book_of(
        ("01:00:00", "r1", START.format("http", "10.0.0.2:1025", "192.0.2.1:80")),
        ("01:00:30", "r1", STOP.format("tcp", "10.0.0.2:1025", "192.0.2.1:80", 900)),
        ("01:00:40", "r1", STOP.format("udp", "10.0.0.3:53", "192.0.2.1:53", 0)),
    )
    total = book.sessions
    assert (1, 2, 1, 1) == (total.started, total.stopped, total.timed, total.unanswered)
    assert (30.0, 200, 900) == (
        total.longest,
        total.initiator_bytes,
        total.responder_bytes,
    )
    assert {"http": 1, "udp": 1} == total.protocols
    assert [("10.0.0.2", 1), ("10.0.0.3", 1)] == sorted(book.initiators.most(9))


def test_drops_are_counted_by_reason_and_ends():
    """One packet a line, or a digest of many."""
    book = book_of(
        (
            "01:00:00",
            "r1",
            "%FW-6-DROP_PKT: Dropping tcp session 10.0.0.2:1 192.0.2.1:80 due to  X",
        ),
        (
            "01:00:00",
            "r1",
            "%FW-6-LOG_SUMMARY: 5 udp packets were dropped from 10.0.0.2:1 => b:2",
        ),
        (
            "01:00:00",
            "r1",
            "%FW-6-LOG_SUMMARY: 5 udp packets were passed from 10.0.0.2:1 => b:2",
        ),
    )
    assert 6 == book.drops
    assert [("10.0.0.2", 6)] == book.drop_sources.most(3)
    assert [("b:2", 5), ("192.0.2.1:80", 1)] == book.drop_targets.most(3)
    assert [("not stated", 5), ("X", 1)] == book.drop_reasons.most(3)


def test_what_is_not_understood_is_counted_by_name():
    """Other lines of the firewall; lines of other features are no matter of ours."""
    book = book_of(
        ("01:00:00", "r1", "%FW-4-TCP_OoO_SEG: Dropping TCP Segment"),
        ("01:00:00", "r1", "%LINK-3-UPDOWN: Interface Gi0/1, changed state to up"),
        ("01:00:00", "r1", "%TCP-6-BADAUTH: No MD5 digest"),
    )
    assert (3, 0) == (book.lines, book.messages)
    assert [("TCP_OOO_SEG", 1)] == book.unknown.most(3)


def test_lines_without_time_count_at_the_one_before():
    """And are counted as such."""
    book = book_of(("01:00:00", "r1", ON.format("", 3, 501)))
    book.add(OFF.format("") + "\n")
    assert 1 == book.undated
    assert DAY + 3600 == book.now


def test_memory_is_bounded(monkeypatch):
    """Sessions and attacks beyond a number are forgotten, and counted."""
    monkeypatch.setattr(alert_log, "OPEN_MAX", 3)
    monkeypatch.setattr(alert_log, "ATTACKS_MAX", 2)
    lines = [
        ("01:00:00", "r1", START.format("tcp", f"10.0.0.2:{port}", "192.0.2.1:80"))
        for port in range(9)
    ]
    lines += [("01:00:00", f"r{i}", OFF.format("")) for i in range(5)]
    book = book_of(*lines)
    assert (2, 3) == (len(book.attacks), book.attacks_lost)
    for port, timed in ((0, 0), (8, 1)):  # the latest is known
        stop = STOP.format("tcp", f"10.0.0.2:{port}", "192.0.2.1:80", 1)
        book.add(f"Nov 29 01:00:02 r1 1: {stop}\n")
        assert timed == book.sessions.timed


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("10.0.0.5:80", "10.0.0.5"),
        ("10.0.0.5", "10.0.0.5"),
        ("[2001:db8::5]:80", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        ("2001:db8:0:0:0:0:0:5:80", "2001:db8:0:0:0:0:0:5"),
        ("", ""),
        ("[", ""),
    ],
)
def test_address_is_an_end_without_its_port(end, expected):
    """In every way that one is written."""
    assert expected == address(end)


HEADERS = (
    "Nov 29 {0:02}:{1:02}:{2:02} r{3} {4}: ",
    "Nov 29 {0:02}:{1:02}:{2:02} r1 {4}: *Nov 29 {0:02}:{1:02}:{2:02}.1{2:02}: ",
    "2026-11-29T{0:02}:{1:02}:{2:02}.5Z r{3} ",
    "<189>Nov 29 {0:02}:{1:02}:{2:02}.250 r{3}: ",
    "Nov 29 {0:02}:{1:02}:{2:02} r{3} 100% ",
    "Nov 29 {0:02}:{1:02} r{3} ",
    "{0}d0{3}h: ",
    "",
)
ENDS = ("10.0.0.{}:1{:04}", "2001:DB8::{}", "[2001:db8::{}]:1{:04}", "h{}", ":{}", "")
ZONE = "(target:class)-(ZP:CM):"


def any_line(rand):
    """A line of an audit trail, of another message, or spoiled."""
    head = rand.choice(HEADERS).format(
        rand.randrange(25),
        rand.randrange(61),
        rand.randrange(101),
        rand.randrange(3),
        rand.randrange(999),
    )
    ends = [rand.choice(ENDS).format(rand.randrange(4), 3) for _ in range(2)]
    sent = rand.choice((0, 1, 10**19, 10**21))
    text = rand.choice((START, STOP, STOP, START, ON, BLOCK, HOST))
    words = (rand.choice(("tcp", "HTTP")), *ends, sent)
    line = head + text.format(*(words[1:] if text in {BLOCK, HOST} else words))
    for old, new in (
        ("START: ", "START: " + ZONE),
        ("TRAIL: ", "TRAIL: " + ZONE),
        ("%FW", "%IOSXE-6-PLATFORM: %FW"),
        ("Stop", "stop"),
        (" -- ", "--"),
        ("FW-6", "TCP-6"),
        (")", ") (x)"),
        (": ", " :  VRF-a:"),
    ):
        if rand.random() < 0.08:
            line = line.replace(old, new, 1)
    if rand.random() < 0.05:
        at = rand.randrange(len(line))
        line = line[:at] + rand.choice(("", "(", " ", "%", "x" * 5000)) + line[at + 1 :]
    return line + rand.choice(("\n", "\r\n", ".\n", "", " folded=3\n"))


def facts(book):
    """Everything that a log book knows."""
    return {
        name: vars(value) if isinstance(value, (Top, Load, Steps)) else value
        for name, value in vars(book).items()
        if name not in {"reader", "speaks", "_unpacker", "_texts", "unread"}
    } | {"unread": list(book.unread.parts())}


def test_audit_trail_read_at_once_counts_as_read_in_steps(monkeypatch):
    """Whatever a line looks like, both ways of reading find the same."""
    rand = random.Random(4)
    at_once = LogBook(HeaderReader(DAY), speaks=False)
    in_steps = LogBook(HeaderReader(DAY))
    lines = [any_line(rand) for _ in range(6000)]
    matched = sum(
        alert_log.trail(line, max(line.find("%"), 0)) is not None for line in lines
    )
    assert 1000 < matched < 5000
    alerts = [host_alert(line, max(line.find("%"), 0)) for line in lines]
    assert 100 < sum(alert is not None for alert in alerts) < 1500
    for line in lines:
        at_once.add(line)
    monkeypatch.setattr(alert_log, "trail", lambda line, at: None)
    for line in lines:
        in_steps.add(line)
    assert facts(in_steps) == facts(at_once)


def test_a_line_of_a_flood_counts_as_what_it_stands_for():
    """Our audit trail is folded to a hundred lines a second; totals are not."""
    start = START.format("tcp", "10.0.0.2:1025", "192.0.2.1:80")
    stop = STOP.format("tcp", "10.0.0.2:1025", "192.0.2.1:80", 0)
    drop = "%FW-6-DROP_PKT: Dropping tcp pkt 10.0.0.2:1 => 192.0.2.1:80"
    texts = (start, f"{start} folded=99", f"{stop} folded=40", f"{drop} folded=7")
    book = book_of(*(("08:00:00", "r1", text) for text in texts))
    assert (100, 40, 7) == (book.sessions.started, book.sessions.stopped, book.drops)
    assert (98, 39) == (book.sessions.folded_started, book.sessions.folded_stopped)
    assert {"tcp": 100} == book.sessions.protocols
    assert (6, [("10.0.0.2", 1)]) == (book.drops_folded, book.drop_sources.most(3))
    assert 100 == book.load.samples()[0].one_minute


def test_first_and_last_time_are_those_of_the_clock_not_of_the_lines():
    """A line that came late moves neither, of whatever kind it is."""
    trail = START.format("tcp", "10.0.0.2:1025", "192.0.2.1:80")
    for text in (trail, HOST.format("10.0.0.5")):
        clocks = ("01:00:05", "01:00:05", "01:00:03", "01:00:09", "01:00:07")
        book = book_of(*((clock, "r1", text) for clock in clocks))
        assert (DAY + 3603, DAY + 3609) == (book.first, book.last)
        assert (DAY + 3607, False) == (book.now, book.uptimes)


def test_attack_whose_end_came_late_took_no_time():
    """A clock that was set back in between makes none of less than nothing."""
    book = book_of(
        ("01:00:05", "r1", ON.format("", 3, 501)),
        ("01:00:01", "r1", OFF.format("")),
    )
    assert [0.0] == [attack.duration for attack in book.attacks]


def test_attacks_on_two_hosts_at_a_time_are_kept_apart():
    """The lines of each are counted to its own."""
    book = book_of(
        *(
            (f"01:00:0{second}", "r1", HOST.format(f"198.51.100.{host}"))
            for second, host in enumerate((5, 6, 5, 6, 5))
        )
    )
    assert [
        (3, {"198.51.100.5": 3}, DAY + 3600, DAY + 3604),
        (2, {"198.51.100.6": 2}, DAY + 3601, DAY + 3603),
    ] == [(a.lines, dict(a.targets), a.begin, a.end) for a in book.attacks]


def test_session_without_an_answer_was_half_open_to_its_stop():
    """One that was answered for a second."""
    ends = "tcp", "192.0.2.10:40000", "198.51.100.5:80"
    for answered, seconds in ((0, 5), (7, 1)):
        book = book_of(
            ("01:00:00", "r1", START.format(*ends)),
            ("01:00:04", "r1", STOP.format(*ends, answered)),
            ("01:00:06", "r1", START.format("tcp", "192.0.2.11:1", "198.51.100.6:80")),
        )
        half_open = [s.incomplete for s in book.load.samples()]
        assert [1] * seconds + [0] * (6 - seconds) == half_open[:6]


REPEATED = "message repeated 3 times"


@pytest.mark.parametrize(
    ("again", "drops"),
    [
        ("Nov 29 01:00:09 r1 last " + REPEATED, 4),
        ("Nov 29 01:00:09 r1 " + REPEATED + ": [ {}]", 4),
        ("Nov 29 01:00:09 r2 last " + REPEATED, 1),  # that of another host
    ],
)
def test_message_that_a_log_server_repeats_counts_as_often(again, drops):
    """In place of the message, or with it."""
    text = "%FW-6-DROP_PKT: Dropping tcp pkt 10.0.0.5:1 => 192.0.2.1:80"
    book = book_of(("01:00:00", "r1", text))
    book.add(again.format(text) + "\n")
    assert drops == book.drops
    book.add("Nov 29 01:00:10 r1 sshd: something else\n")
    book.add("Nov 29 01:00:11 r1 last message repeated 2 times\n")
    assert drops == book.drops


def test_alert_that_a_log_server_repeats_is_of_the_same_attack():
    """With all of its lines, and its time is the later one."""
    book = book_of(("01:00:00", "r1", HOST.format("192.0.2.1")))
    book.add("Nov 29 01:00:30 r1 last message repeated 4 times\n")
    (attack,) = book.attacks
    assert (5, 30.0) == (attack.lines, attack.duration)


@pytest.mark.parametrize(
    "line",
    [
        'level=warn msg="{}" host=r7 time=2026-11-29T01:00:00Z',
        '"{}","2026-11-29T01:00:00.000+0000","r7"',
        "{},2026-11-29 01:00:00,r7",
        'level=warn msg="{}" ts=1795914000',
    ],
)
def test_time_may_stand_behind_the_message(line):
    """In a table of values, or among values with names."""
    book = LogBook(HeaderReader(DAY))
    book.add(line.format(ON.format("", 501, 320)) + "\n")
    (attack,) = book.attacks
    assert DAY + 3600 == attack.begin
    assert attack.router == ("r7" if "host=" in line else "")
