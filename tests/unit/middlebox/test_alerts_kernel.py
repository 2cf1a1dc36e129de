"""syncache/alerts/kernel.py: floods in the words of Linux, FreeBSD and ASA."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.alerts.kernel import Sign, may_be_sign, sign_of
from syncache.alerts.log import LogBook
from syncache.alerts.log_line import HeaderReader

DAY = 1_795_910_400.0  # 2026-11-29
LINUX = "TCP: request_sock_TCP: Possible SYN flooding on port {}. {}."
QUEUE = (
    "sonewconn: pcb 0xfffff804083a3d58{}: Listen queue overflow: 193 already in queue "
    "awaiting acceptance{}"
)
FORGED = (
    "TCP: [{}]:1024 to [{}]:80 tcpflags 0x10<ACK>; syncache_expand: Segment failed "
    "SYNCOOKIE authentication, segment rejected (probably spoofed)"
)


def book_of(*lines):
    book = LogBook(HeaderReader(DAY))
    for line in lines:
        book.add(line + "\n")
    return book


@pytest.mark.parametrize(
    ("line", "sign"),
    [
        (
            "possible SYN flooding on port 4671. Sending cookies.",
            ("Linux", "cookies", "4671"),
        ),
        (
            "TCP: Possible SYN flooding on port 80. Dropping request.",
            ("Linux", "dropped", "80"),
        ),
        (
            LINUX.format("80", "Sending cookies") + "  Check SNMP counters.",
            ("Linux", "cookies", "80"),
        ),
        (
            LINUX.format("8080", "Dropping request").replace("TCP: P", "TCPv6: P"),
            ("Linux", "dropped", "8080"),
        ),
        (
            LINUX.format("0.0.0.0:7070", "Sending cookies"),
            ("Linux", "cookies", "0.0.0.0:7070"),
        ),
        (
            LINUX.format("[2001:db8::1]:443", "Sending cookies"),
            ("Linux", "cookies", "[2001:db8::1]:443"),
        ),
        (
            LINUX.format("[::]:20002", "Sending cookies").replace(
                "sock_TCP", "sock_subflow_v4"
            ),
            ("Linux", "cookies", "[::]:20002"),
        ),
        (
            QUEUE.format(" (0.0.0.0:18080 (proto 6))", " (34 occurrences)"),
            ("FreeBSD", "queue", "0.0.0.0:18080", 34),
        ),
        (
            QUEUE.format(
                " ([::1]:80 (proto 6))", " (1 occurrences), euid 0, rgid 0, jail 0"
            ),
            ("FreeBSD", "queue", "[::1]:80", 1),
        ),
        (
            QUEUE.format("", " (2 occurrences)"),
            ("FreeBSD", "queue", "pcb 0xfffff804083a3d58", 2),
        ),
        (QUEUE.format("", ""), ("FreeBSD", "queue", "pcb 0xfffff804083a3d58")),
        (
            FORGED.format("192.0.2.9", "198.51.100.1"),
            ("FreeBSD", "cookie", "[198.51.100.1]:80"),
        ),
        (
            FORGED.format("2001:db8::9", "2001:db8::1"),
            ("FreeBSD", "cookie", "[2001:db8::1]:80"),
        ),
    ],
)
def test_every_wording_has_its_port_and_its_action(line, sign):
    """Of all versions, wherever in a line."""
    assert may_be_sign(line)
    assert (0, Sign(*sign)) == sign_of(line)
    assert (9, Sign(*sign)) == sign_of(f"kernel:  {line}")
    assert sign[2] in str(Sign(*sign))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "app: possible SYN flooding on port ninety. Sending cookies.",
        LINUX.format("80", "Doing something"),
        "Impossible SYN flooding on port 80. Sending cookies.",
        QUEUE.format(" (local:/var/run/x.sock)", " (2 occurrences)"),
        QUEUE.format(" (192.0.2.1:80 (proto 132))", " (2 occurrences)"),
        "syncache_expand: Segment failed SYNCOOKIE authentication",
    ],
)
def test_other_lines_are_no_sign(line):
    """Nor are the queues of sockets that have nothing to do with TCP."""
    assert sign_of(line) is None
    assert book_of(line).attacks == []


@given(st.text(), st.sampled_from((LINUX, QUEUE, FORGED)), st.integers(0, 90))
def test_any_text_in_a_line_is_no_error(text, form, at):
    """A log is untrusted."""
    line = form.format(text, text)
    sign_of(line[:at] + text + line[at:])


@pytest.mark.parametrize(
    ("head", "router"),
    [
        ("Nov 28 10:00:{:02} web1 kernel: [16508.733356] ", "web1"),
        ("2026-11-28T10:00:{:02}Z web1 kernel: ", "web1"),
        ("2026-11-28T10:00:{:02}Z kernel: ", ""),
        ("[Sat Nov 28 10:00:{:02} 2026] ", ""),
    ],
)
def test_signs_of_a_port_are_one_attack_from_first_to_last(head, router):
    """With the time and the host of syslog and of dmesg -T."""
    text = LINUX.format("0.0.0.0:80", "Sending cookies")
    book = book_of(*(head.format(second) + text for second in (1, 9, 30)))
    (attack,) = book.attacks
    begin = DAY - 14 * 3600
    assert (begin + 1, begin + 30) == (attack.begin, attack.end)
    assert ("kernel", "Linux", "cookies") == (attack.kind, attack.zone, attack.reason)
    assert (router, {"0.0.0.0:80": 3}) == (attack.router, dict(attack.targets))
    assert (3, 0) == (book.messages, book.undated)


def test_ports_hosts_actions_and_quiet_minutes_are_attacks_of_their_own():
    """What is said of one port lasts three minutes beyond its last line."""
    cookies = LINUX.format("80", "Sending cookies")
    queue = QUEUE.format(" (192.0.2.1:80 (proto 6))", " (34 occurrences)")
    book = book_of(
        f"Nov 28 10:00:00 a kernel: {cookies}",
        f"Nov 28 10:01:00 b kernel: {cookies}",
        f"Nov 28 10:01:01 a kernel: {cookies.replace('80', '81')}",
        f"Nov 28 10:01:02 a kernel: {LINUX.format('80', 'Dropping request')}",
        f"Nov 28 10:02:00 a kernel: {cookies}",
        f"Nov 28 10:09:00 a kernel: {cookies}",
        f"Nov 28 10:09:00 f kernel: {queue}",
        f"Nov 28 10:10:00 f kernel: {queue}",
    )
    found = [(a.router, a.reason, a.duration, a.lines) for a in book.attacks]
    assert [
        ("a", "cookies", 120, 2),
        ("b", "cookies", 0, 1),
        ("a", "cookies", 0, 1),
        ("a", "dropped", 0, 1),
        ("a", "cookies", 0, 1),
        ("f", "queue", 60, 2),
    ] == found
    assert {"192.0.2.1:80": 68} == dict(book.attacks[-1].targets)


def test_time_of_a_kernel_is_how_long_it_has_been_up():
    """As dmesg prints it, with and without the processor's number."""
    text = LINUX.format("80", "Sending cookies")
    book = book_of(f"[  601.985349] {text}", f"[  611.985349][    C2] {text}")
    (attack,) = book.attacks
    assert book.uptimes
    assert (601.985349, 611.985349) == (attack.begin, attack.end)


def test_a_kernels_line_in_json_has_the_time_of_its_record():
    """Of journald."""
    text = LINUX.format("80", "Sending cookies")
    book = book_of(
        f'{{"__REALTIME_TIMESTAMP": "1795900000000000", "_HOSTNAME": "h", '
        f'"MESSAGE": "{text}"}}'
    )
    (attack,) = book.attacks
    assert (1795900000.0, "h") == (attack.begin, attack.router)


def test_memory_is_bounded_whatever_the_ports(monkeypatch):
    """More attacks than are kept are counted."""
    monkeypatch.setattr("syncache.alerts.log.ATTACKS_MAX", 5)
    text = "Nov 28 10:00:00 a kernel: " + LINUX
    book = book_of(*(text.format(port, "Sending cookies") for port in range(1, 13)))
    assert (5, 7) == (len(book.attacks), book.attacks_lost)


SAID = "203.0.113.9/40000 to 192.0.2.10/80 on interface outside"
LIMITS = {
    f"%ASA-6-201010: Embryonic connection limit exceeded 104/100 for input packet "
    f"from {SAID}": ("embryonic", "192.0.2.10:80", 104, "203.0.113.9"),
    "%ASA-2-201003: Embryonic limit exceeded 748/500 for 203.0.113.9/1024 to 10.0.0.5 "
    "(192.0.2.5)/443 on interface out": (
        "embryonic",
        "10.0.0.5:443",
        748,
        "203.0.113.9",
    ),
    "%PIX-2-201003: Embryonic limit exceeded 9/8 for 203.0.113.9/1024 (192.0.2.5) "
    "10.0.0.5/443 on interface out": ("embryonic", "10.0.0.5:443", 9, "203.0.113.9"),
    "%FTD-session-6-201012: Per-client embryonic connection limit exceeded curr num "
    f"135/100 for input packet from {SAID}": (
        *("client", "192.0.2.10:80", 135, "203.0.113.9"),
    ),
    "%ASA-6-201010: Embryonic connection limit exceeded 2/1 for input packet from "
    "2001:db8::9/40000 to 2001:db8::1/80 on interface out": (
        *("embryonic", "[2001:db8::1]:80", 2, "2001:db8::9"),
    ),
    "%ASA-4-733100: [ SYN attck] drop rate-1 exceeded. Current burst rate is 3 per "
    "second, max configured rate is 2; Current average rate is 110 per second, max "
    "configured rate is 100; Cumulative total count is 66000": (
        *("rate", "the firewall", 0, ""),
    ),
}


@pytest.mark.parametrize(("line", "said"), LIMITS.items())
def test_limits_of_a_firewall_are_attacks(line, said):
    """Each names the count, the limit and the packet that was one too many."""
    reason, target, half_open, source = said
    book = book_of(f"Nov 29 08:57:00 fw1 : {line}")
    (attack,) = book.attacks
    assert ("firewall", "fw1", "ASA", reason) == (
        attack.kind,
        attack.router,
        attack.zone,
        attack.reason,
    )
    assert {target: 1} == attack.targets
    assert half_open == attack.half_open
    assert [source] * bool(source) == list(attack.sources)
    assert {"rate": 6600}.get(reason, 0) == attack.rate


def test_forged_sources_of_a_firewall_are_bounded(monkeypatch):
    """Whoever floods chooses them."""
    monkeypatch.setattr("syncache.alerts.log.SOURCES_MAX", 3)
    line = next(iter(LIMITS))
    book = book_of(*(line.replace("113.9", f"113.{n}") for n in range(9)))
    (attack,) = book.attacks
    assert 3 == len(attack.sources)
    assert 9 == attack.lines
