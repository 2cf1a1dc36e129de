"""Statements P15 to P32 of the specification: hosts, messages, configuration."""

from __future__ import annotations

import numpy as np
import pytest
import traffic

from syncache import Ring, Sysctl
from syncache.alerts import AlertOff, AlertOn, HostAlert, parse
from syncache.inspect_rule import Rule
from syncache.inspection import Inspection
from syncache.links.replay import CaptureReader
from tests.conformance.inspect_world import ACK, FIN, PSH, RST, SYN, World, address

FAR = 100_000
# Thresholds out of the way, for statements about hosts.
CALM = {"max_incomplete__high": FAR, "one_minute__high": FAR}


def host_world(family=4, **tunables):
    """N = 50, and nothing else limits."""
    return World(family, tcp__max_incomplete_host=50, **CALM, **tunables)


def to_server(world, number=0):
    """Ports of the half-open sessions to a server, oldest first."""
    host = address(world.family, 2, number)
    sessions = [s for s in world.engine.sessions() if s.server.address == host]
    return [s.client.port for s in sorted(sessions, key=lambda s: s.client.port)]


def test_P15_above_the_host_limit_its_oldest_goes(family):
    """50 to S are silent; the 51st alerts once and costs S's oldest only."""
    world = host_world(family)
    world.half_open(10, server=1)
    connections = world.half_open(50)
    assert [] == world.said
    connections += world.half_open(1)
    line = "%FW-4-HOST_TCP_ALERT_ON: Max tcp half-open connections (50) exceeded "
    assert [f"{line}for host {world.server}."] == world.lines
    assert [c.sport for c in connections[1:]] == to_server(world)
    assert 10 == len(to_server(world, 1))
    world.half_open(5)
    assert 1 == len(world.said)
    assert 50 == len(to_server(world))


def blocked(family=4, **tunables):
    """S blocked for two minutes from 0 on, by its 51st attempt."""
    world = host_world(family, **({"tcp__block_time": 2} | tunables))
    world.half_open(50)
    last = world.connection()
    assert not last.syn() or tunables
    return world


def test_P16_a_block_clears_refuses_and_ends_by_itself(family):
    """Two minutes to the millisecond."""
    world = blocked(family)
    host = world.server
    assert [] == to_server(world)
    assert [
        (
            "%FW-4-HOST_TCP_ALERT_ON: Max tcp half-open connections (50) exceeded for "
            f"host {host}."
        ),
        (
            f"%FW-4-BLOCK_HOST: Blocking new TCP connections to host {host} for "
            "2 minutes (half-open count 50 exceeded)"
        ),
    ] == world.lines
    for time in (0.001, 60.0, 119.999):
        world.to(time)
        assert not world.connection().syn()
        assert not world.engine.sessions()
    assert 2 == len(world.said)
    world.to(120.0)
    unblocked = f"%FW-4-UNBLOCK_HOST: New TCP connections to host {host} no longer "
    assert [f"{unblocked}blocked"] == world.lines[2:]
    assert 120.0 == world.said[-1].time
    world.to(120.1)
    assert world.connection().syn()
    assert 1 == world.half


def test_P16_deleted_sessions_are_reset_at_both_ends():
    """A hundred RSTs for fifty sessions."""
    world = blocked()
    assert 100 == sum(bool(s.flags & RST) for _, s in world.made)


def test_P17_a_block_leaves_everything_else_alone():
    """Data of established sessions, UDP to S, SYNs to others."""
    world = host_world(tcp__block_time=2)
    established = world.connection()
    established.complete()
    world.half_open(51)
    world.to(1.0)
    assert not world.connection().syn()
    assert established.packet(0, ACK | PSH, payload=b"request")
    assert established.packet(1, ACK | PSH, payload=b"answer")
    assert world.udp(5000)
    assert world.connection(server=1).syn()


def test_P18_refused_syns_do_not_prolong_a_block():
    """A SYN each second; it ends all the same."""
    world = blocked()
    for second in range(1, 120):
        world.to(float(second))
        world.connection().syn()
    world.to(120.0)
    assert world.connection().syn()


@pytest.mark.parametrize(
    ("servers", "ports", "alerts"), [(51, (80,), 0), (1, (80, 443), 1)]
)
def test_P19_the_limit_is_of_a_destination_address(servers, ports, alerts):
    """Not of a source, and not of a port."""
    world = host_world()
    for number in range(51):
        server, dport = number % servers, ports[number % len(ports)]
        world.connection(0, server, dport=dport).syn()
    assert alerts == len(world.said)


def test_P20_udp_does_not_count_for_the_host_limit():
    """100 one-way datagrams and 50 SYNs to S."""
    world = host_world()
    for port in range(100):
        world.udp(5000 + port)
    world.half_open(50)
    assert [] == world.said
    assert 150 == world.half


@pytest.mark.parametrize("alert", [0, 1])
def test_P21_without_alerts_the_same_happens_in_silence(alert):
    """Thresholds and blocks act, nothing is said."""
    world = World(alert=alert, tcp__max_incomplete_host=50, tcp__block_time=1)
    world.half_open(50)
    world.connection().syn()
    for number in range(1, 12):
        world.half_open(50, server=number)
    world.to(61.0)
    stats = world.engine.stats(world.now)
    assert (1, 1) == (stats["blocks"], stats["aggressive_count"])
    assert bool(alert) == bool(world.said)


def test_P21_a_rule_may_silence_its_own_protocol():
    """`alert off` of one application; the rest goes on to report."""
    rules = [Rule("tcp"), Rule("http", alert=False)]
    world = World(rules=rules, tcp__max_incomplete_host=5, **CALM)
    world.half_open(6)
    assert [] == world.said
    world.half_open(6, server=1, dport=443)
    assert [HostAlert] == [type(m) for m in world.said]


def test_P22_the_audit_trail_tells_beginning_and_end():
    """22 bytes one way, 208 the other."""
    world = World(audit_trail=1)
    connection = world.connection(sport=40000)
    connection.complete()
    connection.packet(0, ACK | PSH, payload=bytes(22))
    connection.packet(1, ACK | PSH, payload=bytes(208))
    connection.packet(0, ACK | FIN)
    connection.packet(1, ACK | FIN)
    world.to(20.0)
    ends = "(192.0.2.10:40000)", "(198.51.100.5:80)"
    assert [
        (
            f"%FW-6-SESS_AUDIT_TRAIL_START: Start tcp session: initiator {ends[0]} "
            f"-- responder {ends[1]}"
        ),
        (
            f"%FW-6-SESS_AUDIT_TRAIL: Stop tcp session: initiator {ends[0]} "
            f"sent 22 bytes -- responder {ends[1]} sent 208 bytes"
        ),
    ] == world.lines
    silent = World()
    silent.connection().complete()
    silent.to(4000.0)
    assert [] == silent.lines


@pytest.mark.parametrize(
    ("tunables", "seconds", "words"),
    [
        ({"tcp__block_time": 90}, 5400, "90 minutes"),
        ({"tcp__block_time_s": 90}, 90, "90 seconds"),
        ({"tcp__block_time": 7, "tcp__block_time_s": 60}, 60, "1 minutes"),
    ],
)
def test_P23_block_time_is_in_minutes_and_block_time_s_in_seconds(
    tunables, seconds, words
):
    """The latter, if set, is the one that holds."""
    world = host_world(**tunables)
    world.half_open(51)
    assert f"for {words} (" in world.lines[1]
    world.to(seconds - 0.001)
    assert not world.connection().syn()
    world.to(float(seconds))
    assert world.connection().syn()


@pytest.mark.parametrize("value", [35792, -1])
def test_P23_other_block_times_are_refused(value):
    """35791 minutes are what a signed 32-bit timer can hold."""
    sysctl = Sysctl()
    with pytest.raises(ValueError, match="0 to 35791"):
        sysctl["net.inet.inspect.tcp.block_time"] = value


def test_P24_unlimited_is_never_aggressive(tmp_path):
    """A million half-open sessions; config() says unlimited."""
    million = 1_000_000
    packets = traffic.Packets(np.random.default_rng(1))
    sources, at = 0x0A000000 + np.arange(million), np.zeros(million)
    packets.add(at, sources, traffic.SYN_VICTIM, 6, sport=9, dport=80, flags=SYN)
    traffic.write(tmp_path / "syns.pcap", packets)
    sysctl = Sysctl({"net.inet.inspect.sessions_max": million})
    sysctl.preset("cbac-modern")
    engine = Inspection(sysctl, seed=bytes(16))
    reader, rx = CaptureReader(tmp_path / "syns.pcap"), Ring(256, 256)
    while reader.receive(rx):
        engine.replay(rx)
        rx.clear()
    reader.close()
    assert million == engine.statistics().half_open
    assert engine.next_message() is None
    config = engine.config()
    assert "thresholds are [unlimited : unlimited]" in config
    assert "connections per host is unlimited. Block-time 0 minute." in config


def test_P25_the_parser_tells_count_threshold_and_rate_apart():
    """501 is the rate of one line, 271 that of the other, neither a count."""
    on = parse(
        "%FW-4-ALERT_ON: getting aggressive, count (83/500) current 1-min rate: 501"
    )
    off = parse("%FW-4-ALERT_OFF: calming down, count (0/400) current 1-min rate: 271")
    assert isinstance(on, AlertOn)
    assert isinstance(off, AlertOff)
    assert (83, 500, 501) == (on.half_open, on.high, on.rate)
    assert (0, 400, 271) == (off.half_open, off.low, off.rate)


EXAMPLE = """\
ip inspect tcp synwait-time 20
ip inspect tcp idle-time 60
ip inspect udp idle-time 20
ip inspect max-incomplete high 400
ip inspect max-incomplete low 300
ip inspect one-minute high 600
ip inspect one-minute low 500
ip inspect tcp max-incomplete host 300 block-time 0
"""


def test_P26_the_example_loads_whole_and_prints_back():
    """Its pairs are legal only together: low before high would cross."""
    engine = Inspection(seed=bytes(16))
    engine.configure(EXAMPLE.splitlines())
    config = engine.config()
    for line in (
        "one-minute (sampling period) thresholds are [500 : 600] connections",
        "max-incomplete sessions thresholds are [300 : 400]",
        "max-incomplete tcp connections per host is 300. Block-time 0 minute.",
        "tcp synwait-time is 20 sec -- tcp finwait-time is 5 sec",
        "tcp idle-time is 60 sec -- udp idle-time is 20 sec",
        "dns-timeout is 5 sec",
    ):
        assert f"{line}\n" in config
    again = Inspection(seed=bytes(16))
    again.configure(engine.configuration().splitlines())
    assert config == again.config()


def test_P26_a_wrong_line_changes_nothing():
    """The example with one line that is not legal."""
    engine = Inspection(seed=bytes(16))
    before = engine.config()
    with pytest.raises(ValueError, match=r"line 9: .*tcp\.idle_time"):
        engine.configure([*EXAMPLE.splitlines(), "ip inspect tcp idle-time 0"])
    assert before == engine.config()


def test_P28_block_action_cookie_admits_who_answers():
    """SYNs of a block get a cookie; only a valid ACK makes a session."""
    world = host_world(tcp__block_time=2, block_action="cookie")
    world.half_open(50)
    world.made.clear()
    world.to(1.0)
    connections = world.half_open(20)
    world.made.clear()
    connections = world.half_open(20)
    answers = [s for _, s in world.made if s.flags & SYN]
    assert 20 == len(answers)
    assert not world.engine.sessions()
    for answer in answers[:3]:
        connection = next(c for c in connections if c.sport == answer.dport)
        connection.packet(0, ACK, ack=answer.seq + 1)
    connections[5].packet(0, ACK, ack=12345)
    assert 3 == len(world.engine.sessions())


def test_P29_heaviest_takes_from_who_holds_most():
    """480 to A and 20 to B: the next 400 victims are A's."""
    world = World(drop_mode="heaviest", one_minute__high=FAR)
    world.half_open(480)
    world.half_open(20, server=1)
    world.half_open(1)
    assert 1 == len(world.modes())
    for number in range(400):
        world.half_open(1, server=2 + number % 100)
    assert 20 == len(to_server(world, 1))
    assert 81 == len(to_server(world))


def test_P29_heaviest_leaves_who_holds_less_than_a_quarter():
    """An attack spread wide does not steer evictions to the one honest server."""
    world = World(drop_mode="heaviest", one_minute__high=FAR)
    world.half_open(20)
    for number in range(1, 97):
        world.half_open(5, server=number)
    world.half_open(1, server=99)
    before = len(to_server(world))
    for number in range(16):
        world.half_open(1, server=100 + number)
    assert before - 16 == len(to_server(world))  # they were the oldest


def test_P30_on_and_off_alternate(seed):
    """Floods and pauses: ON minus OFF is always 0 or 1."""
    world = World(max_incomplete__low=5, max_incomplete__high=10)
    for number in range(6):
        world.half_open(30 + number)
        world.to(world.now + 45 + 20 * number)
    modes = [type(m) for m in world.modes()]
    assert [AlertOn, AlertOff] * (len(modes) // 2) == modes[: len(modes) // 2 * 2]
    assert len(modes) >= 6


@pytest.mark.parametrize(("age", "counted"), [(0, 1), (60, 0)])
def test_P31_a_one_way_stream_counts_as_long_as_it_is_told_to(age, counted):
    """A datagram every 10 s for an hour; from a minute on it may be forgiven."""
    world = World(udp_halfopen_max_age=age)
    for time in range(0, 60, 10):
        world.to(float(time))
        world.udp(5000)
    world.to(59.999)
    assert 1 == world.half
    for time in range(60, 3600, 10):
        world.to(float(time))
        assert counted == world.half
        world.udp(5000)
    assert 1 == len(world.engine.sessions())


@pytest.mark.parametrize("gap", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("answered", [0, 2, 5])
def test_P32_by_default_the_rate_fires_first(gap, answered):
    """With SYNs alone the printed rate is never below the printed count."""
    world = World()
    for number in range(900):
        world.to(number * gap)
        connection = world.connection(number % 100)
        connection.syn()
        if answered and number % answered == 0:
            connection.syn_ack()
            connection.ack()
    begins = [m for m in world.said if isinstance(m, AlertOn)]
    assert begins
    assert all(m.rate >= m.half_open for m in begins)
