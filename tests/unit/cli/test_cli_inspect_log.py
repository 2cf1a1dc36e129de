"""syncache/cli/inspect_log.py: which events become lines."""

from __future__ import annotations

import pytest

from syncache import Inspection, Segment, Sysctl
from syncache.cli.inspect_log import Log
from syncache.cli.report_traffic import Traffic
from syncache.flow import Side
from syncache.inspect_rule import Rule
from syncache.lookout import Lookout

_I = "net.inet.inspect."


def syn(port, dst="198.51.100.5"):
    return Segment(src="192.0.2.1", dst=dst, sport=port, dport=80, flags=2).packet()


def test_a_log_is_folded_and_stamped():
    """A hundred host alerts are two lines."""
    limits = {_I + "tcp.max_incomplete_host": 1, _I + "host_alert_again": 1}
    engine, lines = Inspection(Sysctl(limits), seed=bytes(16)), []
    log = Log(engine, zero=1_700_000_000, write=lines.append)
    log.lookout = Lookout(engine)
    for number in range(100):
        for port in (1, 2):
            engine.receive(syn(port, f"198.51.100.{number}"), Side.CLIENT, 5.0)
        log.tell(5.0)
    assert 6.0 == log.next_deadline()  # when the rest is one line
    log.close()
    assert 2 == len(lines)
    alerts = log.lookout.snapshot(6.0)["alarms"]  # for `top`
    assert ["host_tcp_alert_on"] * 2 == [alert["kind"] for alert in alerts]
    assert lines[0].startswith("2023-11-14T22:13:25.000Z %FW-4-HOST_TCP_ALERT_ON: ")
    assert lines[1].endswith(" folded=99\n")


@pytest.mark.parametrize(
    ("rules", "audit", "lines"),
    [
        ((Rule("tcp"),), 0, 0),
        ((Rule("tcp"),), 1, 1),
        ((Rule("tcp", audit_trail=True),), 0, 1),
    ],
)
def test_sessions_of_a_report_are_lines_only_where_they_were_before(
    rules, audit, lines
):
    """All of them are counted."""
    engine = Inspection(Sysctl({_I + "audit_trail": audit}), rules=rules)
    told = []
    log = Log(engine, write=told.append)
    log.traffic = Traffic.beside(engine)
    engine.receive(syn(1000), Side.TAP, 5.0)
    assert 1 == log.tell(5.0)
    log.close()
    assert lines == len(told)
    assert [("198.51.100.5:80", 1)] == log.traffic.most_targets()
