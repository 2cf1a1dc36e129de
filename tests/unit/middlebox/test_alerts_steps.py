"""syncache/alerts/steps.py: the lines of `debug ip tcp intercept`."""

from __future__ import annotations

import pytest

from syncache import Intercept, Segment, Side
from syncache.acl import AccessList
from syncache.alerts.log import LogBook
from syncache.alerts.log_line import HeaderReader
from syncache.alerts.steps import Steps
from syncache.cli import log_text
from syncache.ios import log_line

C, S = "192.0.2.1:1049", "198.51.100.5:80"
LATEST = 1_795_910_400.0


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (f"new connection ({C} SYN -> {S})", "new"),
        (f"new connection ({C}) => ({S})", "new"),
        (f"({C} <- ACK+SYN {S})", "synack"),
        (f"1st half of connection is established ({C} ACK -> {S})", "client_proved"),
        (f"2nd half of connection established ({C} <- ACK+SYN {S})", "server_answered"),
        (f"SYNRCVD retransmit 2 ({C} <- ACK+SYN {S})", "synack_again"),
        (f"SYNSENT retransmit 1 ({C} SYN -> {S})", "syn_again"),
        (f"SYNSENT retransmitting too long ({C} <-> {S})", "given_up"),
        (f"SYNRCVD timing out ({C} <-> {S})", "timed_out"),
        (f"server packet passed in SYNRCVD ({C} <- {S})", "passed"),
        (f"client packet dropped in SYNSENT ({C} -> {S})", "early_dropped"),
        (f"connection dropped ({C} <-> {S}) reason=evicted_rate", "dropped"),
        (f"({C} <- RST {S})", "reset"),
        ("something else", "other"),
    ],
)
@pytest.mark.parametrize("head", ["INTERCEPT: ", "*Mar  1 00:00:09: INTERCEPT(*): "])
def test_each_step_is_counted_by_its_name(text, step, head):
    """With a header and without, ours and the original's."""
    steps = Steps()
    at, found, ends = steps.add(head + text)
    assert step == found
    assert head.index("INTERCEPT") == at
    assert step == "other" or ends == [C, S]
    assert steps.counts[step] == 1


def test_other_lines_are_no_steps():
    """The alert has a mnemonic, and a word is not a line."""
    steps = Steps()
    assert steps.add("%TCP-6-INTERCEPT: calming down, count (1/2) 1 min 3") is None
    assert steps.add("see INTERCEPT and INTERCEPTED: yes") is None
    assert steps.text() == []


def test_a_log_with_steps_names_what_became_of_connections():
    """As text and in JSON; the clients and servers of new ones are ranked."""
    book = LogBook(HeaderReader(LATEST))
    head = "Nov 28 12:00:00 r7 12: *Nov 28 12:00:00.123: "
    book.add(f"{head}INTERCEPT: new connection ({C} SYN -> {S})\n")
    book.add(f"{head}INTERCEPT: SYNRCVD timing out ({C} <-> {S})\n")
    lines = list(log_text.as_text(book, 5))
    assert "2 steps of intercept: 1 new connections, 1 timed out" in lines
    assert "  initiators: 192.0.2.1 (1)" in lines
    assert f"  responders: {S} (1)" in lines
    assert "  routers: r7 (2)" in lines
    assert {"new": 1, "timed_out": 1} == log_text.totals_json(book, 5)[
        "intercept_steps"
    ]


def test_every_line_that_the_engine_writes_is_a_step():
    """A connection that nobody completes, with debugging on."""
    engine = Intercept(acl=AccessList.parse("permit tcp any any"), seed=bytes(16))
    engine.sysctl["net.inet.tcp.intercept.debug"] = 1
    syn = Segment(src="192.0.2.1", dst="198.51.100.5", sport=1049, dport=80, flags=2)
    engine.receive(syn.packet(), Side.CLIENT, 1.0)
    for second in range(2, 60):
        engine.handle_timer(float(second))
    steps = Steps()
    while (event := engine.next_event()) is not None:
        line = log_line(event)
        assert line is None or steps.add(line) is not None
    assert steps.counts["new"] == 1
    assert steps.counts["synack_again"] > 0
    assert not steps.counts["other"]
