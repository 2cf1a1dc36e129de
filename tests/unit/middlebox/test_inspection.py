"""`Inspection`: tunables, rules, events and captures as Python sees them."""

from __future__ import annotations

import struct

import pytest

from syncache import Ring, Segment, Sysctl
from syncache.alerts import (
    AlertOff,
    AlertOn,
    BlockHost,
    HostAlert,
    SessionStart,
    SessionStop,
)
from syncache.flow import Side
from syncache.flow_event import FlowEvent, Kind, Place
from syncache.inspect_rule import Rule, RuleSet
from syncache.inspection import Inspection
from syncache.ios import inspect as ios_inspect
from syncache.ios.config import read
from syncache.links import capture
from syncache.links.replay import CaptureReader
from syncache.segment import ACK, SYN

_I = "net.inet.inspect."
SEED = bytes(16)


def syn(port=40000):
    return Segment(
        src="192.0.2.10", dst="198.51.100.5", sport=port, dport=80, seq=1000, flags=2
    ).packet()


def test_a_packet_passes_and_leaves_a_session():
    """Received from one side, to be sent to the other."""
    engine = Inspection(seed=SEED)
    engine.receive(syn(), Side.CLIENT, 1.0)
    assert [(Side.SERVER, syn())] == engine.packets_to_send(1.0)
    (session,) = engine.sessions()
    assert Place("192.0.2.10", 40000) == session.client
    assert 31.0 == engine.next_deadline()
    engine.handle_timer(31.0)
    assert [] == engine.sessions()


def test_a_tap_forwards_nothing():
    """Both directions come on one ring; what is deleted is reset only if asked."""
    engine = Inspection(Sysctl({_I + "tcp.max_incomplete_host": 1}), seed=SEED)
    for port in (1, 2, 3):
        engine.receive(syn(port), Side.TAP, 1.0)
    assert [] == engine.packets_to_send(1.0)
    assert 1 == engine.statistics().half_open
    engine.sysctl[_I + "tap_reset"] = 1
    engine.receive(syn(4), Side.TAP, 1.0)
    assert [Side.CLIENT, Side.SERVER] == sorted(
        side for side, _ in engine.packets_to_send(1.0)
    )


def test_detect_only_reports_and_touches_nothing():
    """A block is told of, and no SYN is refused."""
    limits = {"tcp.max_incomplete_host": 1, "tcp.block_time": 1, "detect_only": 1}
    engine = Inspection(
        Sysctl({_I + name: value for name, value in limits.items()}), seed=SEED
    )
    for port in range(1, 5):
        engine.receive(syn(port), Side.CLIENT, 1.0)
        assert [(Side.SERVER, syn(port))] == engine.packets_to_send(1.0)
    said = []
    while (message := engine.next_message()) is not None:
        said.append(type(message))
    assert BlockHost in said


def test_a_tunable_acts_at_once():
    """The next packet sees it."""
    engine = Inspection(seed=SEED)
    engine.sysctl[_I + "tcp.synwait_time"] = 7
    engine.receive(syn(), Side.CLIENT, 1.0)
    assert 8.0 == engine.next_deadline()


def test_rules_may_change_and_stay_as_they_were_if_refused():
    """Without a TCP rule a SYN leaves no session."""
    engine = Inspection(rules=[Rule("udp")], seed=SEED)
    engine.receive(syn(), Side.CLIENT, 1.0)
    assert [] == engine.sessions()
    engine.rules = [Rule("tcp")]
    engine.receive(syn(), Side.CLIENT, 1.0)
    assert 1 == len(engine.sessions())
    with pytest.raises(ValueError, match="two rules"):
        engine.rules = [Rule("tcp"), Rule("tcp")]
    assert ["tcp"] == [rule.protocol for rule in engine.rules]


def test_a_session_never_falls_under_the_rule_of_another_protocol():
    """Applications may come in another order; the port stays."""
    rules = [Rule("tcp", timeout=3), Rule("ssh"), Rule("http", timeout=100)]
    engine = Inspection(Sysctl(), rules=rules, seed=SEED)
    ends = {"src": "192.0.2.10", "dst": "198.51.100.5", "sport": 40000, "dport": 22}
    back = {"src": "198.51.100.5", "dst": "192.0.2.10", "sport": 22, "dport": 40000}
    for side, segment in (
        (Side.CLIENT, Segment(**ends, seq=1, flags=2)),
        (Side.SERVER, Segment(**back, seq=1, ack=2, flags=18)),
    ):
        engine.receive(segment.packet(), side, 1.0)
    engine.rules = [Rule("tcp"), Rule("http", timeout=3), Rule("ssh", timeout=50)]
    engine.receive(Segment(**ends, seq=2, ack=2, flags=16).packet(), Side.CLIENT, 1.0)
    engine.handle_timer(50.0)
    assert 1 == len(engine.sessions())


def test_rules_stay_when_the_engine_is_busy():
    """The call that failed has changed nothing."""
    engine = Inspection(seed=SEED)
    before = engine.rules
    with engine._core, pytest.raises(RuntimeError, match="in use"):
        engine.rules = [Rule("udp")]
    assert before is engine.rules


def test_configure_takes_all_or_nothing():
    """Tunables, rules and interfaces."""
    engine = Inspection(seed=SEED)
    lines = ["ip inspect name a udp timeout 9", "ip inspect dns-timeout 3"]
    engine.configure([*lines, "interface e0", " ip inspect a in"])
    assert (3, "a", ["e0"]) == (
        engine.sysctl[_I + "dns_timeout"],
        engine.rules.name,
        [interface.name for interface in engine.interfaces],
    )
    before = engine.configuration()
    with pytest.raises(ValueError, match="may not exceed"):
        engine.configure(
            ["ip inspect name b tcp", "ip inspect one-minute low 501 high 500"]
        )
    assert before == engine.configuration()


def test_an_engine_that_cannot_be_is_refused():
    """C has the last word on what tunables can be together."""
    sysctl = Sysctl({_I + "sessions_max": 16})
    engine = Inspection(sysctl, seed=SEED)
    with pytest.raises(ValueError, match="belongs to another engine"):
        Inspection(sysctl, seed=SEED)
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.statistics()


def test_refused_tunables_leave_sysctl_as_it_was(monkeypatch):
    """A value that only C refuses."""
    engine = Inspection(seed=SEED)
    monkeypatch.setattr(type(engine._core), "set_tunables", lambda *_: False)
    with pytest.raises(ValueError, match=r"tunables of net\.inet\.inspect"):
        engine.sysctl[_I + "alert"] = 0
    assert 1 == engine.sysctl[_I + "alert"]


def test_statistics_tell_the_highest_and_the_last():
    """Three half-open at once, then none."""
    engine = Inspection(seed=SEED)
    assert engine.statistics().last_created is None
    for port in (1, 2, 3):
        engine.receive(syn(port), Side.CLIENT, float(port))
    engine.handle_timer(100.0)
    s = engine.statistics(100.0)
    assert (0, 3, 3.0, 3, 0, 3) == (
        s.half_open,
        s.half_open_max,
        s.last_created,
        s.last_half_open,
        s.one_minute,
        s.one_minute_max,
    )
    assert (False, None) == (s.aggressive, s.aggressive_since)


def test_aggressive_tells_since_when():
    """And is over when it is over."""
    pair = {_I + "max_incomplete.low": 1, _I + "max_incomplete.high": 1}
    engine = Inspection(Sysctl(pair), seed=SEED)
    for port in (1, 2):
        engine.receive(syn(port), Side.CLIENT, float(port))
    assert (True, 2.0) == (
        engine.statistics(3.0).aggressive,
        engine.statistics(3.0).aggressive_since,
    )


@pytest.mark.parametrize("first", [0, 1])
def test_on_and_off_alternate_whenever_alerts_are_switched(first):
    """Silenced after ON, or told to speak before OFF: a pair stays a pair."""
    pair = {_I + "one_minute.low": 1, _I + "one_minute.high": 1, _I + "alert": first}
    engine = Inspection(Sysctl(pair), seed=SEED)
    said = []
    for now in (1.0, 101.0, 201.0):
        for port in (1, 2):
            engine.receive(syn(port), Side.CLIENT, now)
        engine.sysctl[_I + "alert"] = 1 - engine.sysctl[_I + "alert"]
        engine.handle_timer(now + 61)
        while (message := engine.next_message()) is not None:
            said.append(type(message))
    assert said == [AlertOn, AlertOff] * (1 + first)


def test_events_that_say_nothing_are_passed_over():
    """Steps of debugging have no line in the original."""
    values = {"debug": 1, "audit_trail": 1, "tcp.max_incomplete_host": 1}
    sysctl = Sysctl()
    sysctl.preset("cbac-classic")
    sysctl.update({_I + name: value for name, value in values.items()})
    engine = Inspection(sysctl, seed=SEED)
    for port in (1, 2):
        engine.receive(syn(port), Side.CLIENT, 1.0)
    said = []
    while (message := engine.next_message()) is not None:
        said.append(type(message))
    # Between the alert and the end there was an event of the eviction.
    assert [SessionStart, HostAlert, SessionStop, SessionStart] == said
    assert engine.message(FlowEvent(time=1.0, kind=Kind.EVICTED)) is None


def capture_of(tmp_path, packets):
    path = tmp_path / "a.pcap"
    data = b"".join(capture.record(time, packet) for time, packet in packets)
    path.write_bytes(capture.header(101, 65535) + data)
    return CaptureReader(path)


def test_a_capture_is_replayed_at_its_own_clock(tmp_path):
    """Timers act between its packets, at their own times."""
    sysctl = Sysctl({_I + "audit_trail": 1})
    engine, rx = Inspection(sysctl, seed=SEED), Ring(8, 256)
    reader = capture_of(tmp_path, [(10.0, syn(1)), (50.0, syn(2))])
    reader.receive(rx)
    reader.close()
    assert 1 == engine.replay(rx, until=50.0)
    assert 1 == rx.next
    assert [10.0, 40.0] == [engine.next_message().time for _ in range(2)]
    assert 1 == engine.replay(rx)
    assert 1 == engine.statistics().half_open


def test_a_replay_up_to_a_time_does_what_is_due_by_then(tmp_path):
    """The second packet waits, the first one's session has ended."""
    engine, rx = Inspection(seed=SEED), Ring(8, 256)
    reader = capture_of(tmp_path, [(10.0, syn(1)), (50.0, syn(2))])
    reader.receive(rx)
    reader.close()
    engine.replay(rx, until=39.0)
    assert 1 == engine.statistics().half_open
    engine.replay(rx, until=40.0)
    assert 0 == engine.statistics().half_open


def test_a_sample_names_the_heaviest_host():
    """TCP only; nobody at first."""
    engine = Inspection(seed=SEED)
    assert ("", 0) == (engine.sample(1.0).host, engine.sample(1.0).host_count)
    for port in (1, 2):
        engine.receive(syn(port), Side.CLIENT, 2.0)
    sample = engine.sample(2.5)
    assert ("198.51.100.5", 2, 2, 2) == (
        sample.host,
        sample.host_count,
        sample.incomplete,
        sample.one_minute,
    )


def test_handshake_ages_count_completions():
    """One of 40 ms."""
    engine = Inspection(seed=SEED)
    engine.receive(syn(), Side.CLIENT, 1.0)
    ends = {"src": "198.51.100.5", "dst": "192.0.2.10", "sport": 80, "dport": 40000}
    answer = Segment(**ends, seq=2000, ack=1001, flags=0x12)
    engine.receive(answer.packet(), Side.SERVER, 1.039)
    ack = answer.reply(0x10)
    engine.receive(ack.packet(), Side.CLIENT, 1.040)
    ages = engine.handshake_ages()
    assert 1 == sum(ages)
    assert 1 == ages[4 * 4 + 1]  # from 5 << 3 on


def test_severity_of_a_block_is_a_tunable():
    """The guides disagree, so it is the operator's."""
    engine = Inspection(Sysctl({_I + "block_severity": 2}), seed=SEED)
    event = FlowEvent(time=1.0, kind=Kind.BLOCK, server=Place("::1", 0), number=60_000)
    assert str(engine.message(event)).startswith("%FW-2-BLOCK_HOST: ")


def test_on_and_off_carry_their_thresholds():
    """ON shows the count's high, its cause the one that fired."""
    engine = Inspection(seed=SEED)
    event = FlowEvent(
        time=1.0,
        kind=Kind.AGGRESSIVE,
        reason=2,
        incomplete=3,
        limit=500,
        number=600,
        rate=601,
    )
    message = engine.message(event)
    assert isinstance(message, AlertOn)
    assert (3, 500, 601) == (message.half_open, message.high, message.rate)
    assert ("rate", 600, 601) == (
        message.cause.reason,
        message.cause.limit,
        message.cause.value,
    )


def test_session_ends_by_the_name_that_it_began_with():
    """Rules that change meanwhile name new sessions, and no old one."""
    sysctl = Sysctl({_I + "audit_trail": 1})
    engine = Inspection(sysctl, rules=[Rule("tcp"), Rule("http")], seed=SEED)
    engine.receive(syn(1), Side.CLIENT, 1.0)
    engine.receive(syn(2), Side.CLIENT, 1.0)
    engine.rules = [Rule("tcp")]
    engine.rules = [Rule("tcp"), Rule("telnet")]
    engine.receive(syn(3), Side.CLIENT, 2.0)
    engine.handle_timer(50.0)
    said = []
    while (message := engine.next_message()) is not None:
        if isinstance(message, (SessionStart, SessionStop)):
            said.append((type(message), message.initiator[-2:], message.protocol))
    assert [
        (SessionStart, ":1", "http"),
        (SessionStart, ":2", "http"),
        (SessionStart, ":3", "tcp"),
    ] == said[:3]
    assert {(":1", "http"), (":2", "http"), (":3", "tcp")} == {
        (who, name) for kind, who, name in said[3:] if kind is SessionStop
    }


@pytest.mark.parametrize("way", ["receive", "burst"])
@pytest.mark.parametrize(
    ("outside", "inside"),
    [("192.0.2.10", "198.51.100.5"), ("2001:db8::10", "2001:db8:1::5")],
)
def test_rules_hold_for_the_side_that_a_session_begins_on(way, outside, inside):
    """http from outside, everything of TCP from inside."""
    rules = RuleSet.directed(
        RuleSet("FROMOUT", (Rule("http"),)), RuleSet("FROMIN", (Rule("tcp"),))
    )
    engine = Inspection(seed=SEED, rules=rules)

    def begins(side, dport):
        ends = (outside, inside) if side is Side.CLIENT else (inside, outside)
        packet = Segment(
            src=ends[0], dst=ends[1], sport=4000 + dport, dport=dport, seq=1, flags=2
        ).packet()
        before = len(engine.sessions())
        if way == "receive":
            engine.receive(packet, side, 1.0)
        else:
            rx, client, server = Ring(), Ring(), Ring()
            rx.push(packet)
            engine.burst(rx, side, client, server, 1.0)
        return len(engine.sessions()) - before

    assert (1, 0) == (begins(Side.CLIENT, 80), begins(Side.CLIENT, 22))
    assert (1, 1) == (begins(Side.SERVER, 81), begins(Side.SERVER, 23))


def test_names_choose_rules_by_side():
    """`OUTSIDE,INSIDE` where the configuration does not say what is outside."""
    config = read(
        [
            "ip inspect name A tcp",
            "ip inspect name B udp",
            "interface e0",
            " ip inspect A in",
            "interface e1",
            " ip inspect B in",
        ]
    )
    rules = ios_inspect.chosen(config, "B,A")
    assert rules is not None
    assert ["B", "A"] == [one.name for one in rules.sides()]
    for wrong in ("A,B,A", "A,C"):
        with pytest.raises(ValueError, match=r"two names|no ip inspect name C"):
            ios_inspect.chosen(config, wrong)


@pytest.mark.parametrize(
    "outside",
    ["ip nat outside", "ip address dhcp", "ip address negotiated", "crypto map VPN"],
)
def test_interface_that_leads_outside_is_recognised(outside):
    """By address translation, a provider's address or a tunnel."""
    config = read(
        [
            "ip inspect name A tcp",
            "ip inspect name B udp",
            "interface e0",
            f" {outside}",
            " ip inspect A in",
            " ip inspect B out",
            "interface e1",
        ]
    )
    rules = ios_inspect.chosen(config)
    assert rules is not None
    assert ["A", "B"] == [one.name for one in rules.sides()]
    assert [] == config.notes


def test_adopt_replaces_tunables_and_rules_and_sessions_go_on():
    """Whole or not at all: what is fixed at the start leaves everything as it was."""
    engine = Inspection(seed=SEED)
    engine.receive(syn(), Side.CLIENT, 1.0)
    before = engine.rules
    sysctl = Sysctl({_I + "sessions_max": 1024, _I + "tcp.synwait_time": 5})
    with pytest.raises(PermissionError, match="sessions_max can be set only before"):
        engine.adopt(sysctl, [Rule("udp")])
    assert (before, 30) == (engine.rules, engine.sysctl[_I + "tcp.synwait_time"])
    engine.adopt(Sysctl({_I + "tcp.synwait_time": 5}), [Rule("udp")])
    assert ["udp"] == [rule.protocol for rule in engine.rules]
    assert 5 == engine.sysctl[_I + "tcp.synwait_time"]
    assert 1 == len(engine.sessions())


def test_defaults_delete_nobody_and_challenge_who_comes_above_the_limit():
    """600 SYNs to one server from outside: 50 pass, the others get a cookie each."""
    engine = Inspection(seed=SEED)
    passed = answers = 0
    for port in range(1000, 1600):
        engine.receive(syn(port), Side.CLIENT, 1.0)
        for side, packet in engine.packets_to_send(1.0):
            if side is Side.SERVER:
                passed += 1
            else:
                answers += Segment.parse(packet).flags == SYN | ACK
    assert (50, 550) == (passed, answers)
    assert 50 == len(engine.sessions())
    assert 0 == engine.stats()["ended_evicted_rate"]
    said = []
    while (message := engine.next_message()) is not None:
        said.append(type(message))
    assert [HostAlert, AlertOn] == said


def test_client_that_answers_the_challenge_reaches_the_server():
    """Although the server's limit is exceeded; a wrong number does not."""
    engine = Inspection(seed=SEED)
    for port in range(1000, 1050):
        engine.receive(syn(port), Side.CLIENT, 1.0)
    engine.packets_to_send(1.0)
    engine.receive(syn(2000), Side.CLIENT, 1.0)
    ((_, packet),) = engine.packets_to_send(1.0)
    answer = Segment.parse(packet)
    fields = {
        "src": "192.0.2.10",
        "dst": "198.51.100.5",
        "sport": 2000,
        "dport": 80,
        "seq": 1001,
        "flags": ACK,
        "window": 60_000,
    }
    good = Segment(ack=(answer.seq + 1) % 2**32, **fields)
    engine.receive(good.packet(), Side.CLIENT, 1.01)
    ((side, packet),) = engine.packets_to_send(1.01)
    assert (Side.SERVER, SYN) == (side, Segment.parse(packet).flags)


@pytest.mark.parametrize("full", ["udp", "tcp"])
def test_session_that_a_full_table_forgets_is_not_reset(full):
    """Its packets go on to pass, so nobody notices."""
    sysctl = Sysctl({_I + "sessions_max": 8, _I + "tcp.max_incomplete_host": 0})
    engine = Inspection(sysctl, seed=SEED)
    for port in range(1000, 1020):
        packet = syn(port)
        if full == "udp":
            packet = udp(port)
        engine.receive(packet, Side.CLIENT, 1.0)
        assert [(Side.SERVER, packet)] == engine.packets_to_send(1.0)
    engine.receive(syn(3000), Side.CLIENT, 1.0)
    assert [(Side.SERVER, syn(3000))] == engine.packets_to_send(1.0)
    assert 13 == engine.stats()["ended_evicted_full"]


def udp(port):
    """A datagram without a checksum."""
    ends = struct.pack(">HHHH", port, 9000, 12, 0)
    header = struct.pack(">BBHHHBBH", 0x45, 0, 32, 0, 0, 64, 17, 0)
    addresses = bytes([192, 0, 2, 10, 198, 51, 100, 5])
    half = sum(struct.unpack(">10H", header + addresses))
    half = (half & 0xFFFF) + (half >> 16)
    total = ~((half & 0xFFFF) + (half >> 16)) & 0xFFFF
    return header[:10] + struct.pack(">H", total) + addresses + ends + b"food"
