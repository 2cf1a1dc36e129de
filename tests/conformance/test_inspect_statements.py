"""Statements P01 to P14 of the specification: sessions, timers, thresholds."""

from __future__ import annotations

import pytest

from syncache.inspect_rule import Rule
from tests.conformance.inspect_world import (
    ACK,
    C_ISN,
    CLIENT,
    FIN,
    RST,
    S_ISN,
    SERVER,
    World,
    address,
    icmp,
)

ON = "%FW-4-ALERT_ON: getting aggressive, count ({}/500) current 1-min rate: {}"
OFF = "%FW-4-ALERT_OFF: calming down, count ({}/400) current 1-min rate: {}"
FAR = 100_000


def exists(world):
    """Whether there is any session."""
    return bool(world.engine.sessions())


def test_P01_three_segments_establish(family):
    """SYN and SYN-ACK are half-open, the ACK establishes."""
    world = World(family)
    connection = world.connection()
    connection.syn()
    assert (0, 1, 0) == world.counts
    connection.syn_ack()
    assert (0, 1, 0) == world.counts
    assert connection.ack()
    assert (1, 0, 0) == world.counts


@pytest.mark.parametrize("numbers", [{"ack": S_ISN}, {"seq": C_ISN}, {"ack": 7}])
def test_P01_only_a_valid_ack_establishes(numbers):
    """A spoofed ACK passes and changes nothing."""
    world = World()
    connection = world.connection()
    connection.syn()
    connection.syn_ack()
    assert connection.ack(**numbers)
    assert (0, 1, 0) == world.counts


@pytest.mark.parametrize(
    ("tunables", "end"), [({}, 30.0), ({"tcp__synwait_time": 20}, 20.0)]
)
def test_P02_half_open_ends_after_synwait_whatever_repeats(tunables, end):
    """A SYN at 10 does not move the deadline."""
    world = World(**tunables)
    connection = world.connection()
    connection.syn()
    world.to(10.0)
    connection.syn()
    world.to(end - 0.001)
    assert 1 == world.half
    world.to(end)
    assert (0, 0, 0) == world.counts
    assert not exists(world)


def test_P03_both_fins_end_it_after_finwait(family):
    """FINs both ways at 50: gone at 55."""
    world = World(family)
    connection = world.connection()
    connection.complete()
    world.to(50.0)
    connection.packet(0, FIN | ACK)
    assert (1, 0, 0) == world.counts
    connection.packet(1, FIN | ACK)
    assert (0, 0, 1) == world.counts
    world.to(54.999)
    assert (0, 0, 1) == world.counts
    world.to(55.0)
    assert not exists(world)


@pytest.mark.parametrize(
    ("tunables", "idle"), [({}, 3600.0), ({"tcp__idle_time": 60}, 60.0)]
)
def test_P04_established_and_silent_ends_when_idle(tunables, idle):
    """The time runs from the last packet."""
    world = World(**tunables)
    connection = world.connection()
    connection.complete()
    world.to(20.0)
    connection.packet(1, ACK, payload=b"x")
    world.to(20.0 + idle - 0.001)
    assert (1, 0, 0) == world.counts
    world.to(20.0 + idle)
    assert not exists(world)


def test_P05_udp_is_half_open_until_the_first_reply(family):
    """A second datagram the same way does not help."""
    world = World(family)
    world.udp(5000)
    assert (0, 1, 0) == world.counts
    world.udp(5000)
    assert (0, 1, 0) == world.counts
    assert world.udp(5000, back=True)
    assert (1, 0, 0) == world.counts


@pytest.mark.parametrize(
    ("rules", "udp_end"), [(None, 35.0), ([Rule("udp", timeout=15)], 20.0)]
)
def test_P06_udp_and_dns_end_by_their_own_idle_times(rules, udp_end):
    """Last packets at 5: UDP goes at 35 or as its rule says, DNS always at 10."""
    world = World(rules=rules)
    for time in (0.0, 5.0):
        world.to(time)
        world.udp(5000)
        world.udp(5001, dport=53)
    world.to(9.999)
    assert 2 == world.half
    world.to(10.0)
    assert [9000] == [s.server.port for s in world.engine.sessions()]
    world.to(udp_end - 0.001)
    assert exists(world)
    world.to(udp_end)
    assert not exists(world)


def test_P07_icmp_lets_back_only_what_was_asked_for(family):
    """The reply of the target; errors of anybody; 10 s after the last."""
    world = World(family)
    client, server = world.client, world.server
    other = address(family, 2, 9)
    assert world.give(icmp(client, server, 8), CLIENT)
    assert not world.give(icmp(other, client, 0), SERVER)
    assert world.give(icmp(other, client, 11), SERVER)
    world.to(0.1)
    assert world.give(icmp(server, client, 0), SERVER)
    world.to(10.099)
    assert exists(world)
    world.to(10.1)
    assert not exists(world)


@pytest.mark.parametrize(("count_icmp", "counted"), [(0, 0), (1, 600)])
def test_P08_icmp_counts_only_if_told_to(count_icmp, counted):
    """A flood of requests within a minute."""
    world = World(count_icmp=count_icmp, max_incomplete__high=FAR, one_minute__high=FAR)
    for ident in range(10_000 if not count_icmp else 600):
        world.give(icmp(world.client, world.server, 8, ident), CLIENT)
    assert counted == world.half
    assert counted == world.engine.statistics(world.now).one_minute


@pytest.mark.parametrize("last", ["tcp", "udp"])
def test_P09_tcp_and_udp_count_together(last):
    """300 and 200 half-open are calm, one more of either is not."""
    world = World(one_minute__high=FAR)
    world.half_open(300)
    for port in range(200):
        world.udp(5000 + port)
    assert [] == world.said
    if last == "tcp":
        world.half_open(1)
    else:
        world.udp(6000)
    assert [ON.format(501, 501)] == world.lines
    cause = world.said[0].cause
    assert ("incomplete", 500, 501) == (cause.reason, cause.limit, cause.value)
    assert (200 if last == "tcp" else 201) == cause.udp


def bursts(world):
    """501 attempts of which none stays half-open: the last is its own cause."""
    for number in range(501):
        world.to(number * 0.1)
        world.connection(number % 100).complete()


def test_P10_the_rate_alone_is_enough():
    """501 attempts that complete: one ON, with the count of that moment."""
    world = World()
    bursts(world)
    assert [ON.format(0, 501)] == world.lines
    assert "rate" == world.said[0].cause.reason


def test_P11_calm_comes_when_the_sliding_rate_is_below_low():
    """One OFF, at the first rate below 400."""
    world = World()
    bursts(world)
    world.to(200.0)
    on, off = world.said
    assert off.original().startswith("%FW-4-ALERT_OFF: calming down, count (0/400)")
    assert off.rate <= 399
    assert off.rate > 380  # in steps of a second, ten attempts each
    assert on.time + 10 < off.time < on.time + 60


def test_P12_calm_needs_both_below_low():
    """400 half-open are not below 400; 399 are, with the rate."""
    world = World(one_minute__high=FAR, one_minute__low=FAR, tcp__synwait_time=300)
    connections = world.half_open(501)
    assert 1 == len(world.said)
    world.to(90.0)
    for connection in connections[1:]:
        if world.half == 400:
            break
        connection.syn_ack()
        connection.ack()
    world.to(100.0)
    assert 400 == world.half
    assert 1 == len(world.said)
    for connection in connections[::-1][:1]:
        connection.syn_ack()
        connection.ack()
    world.to(102.0)
    assert [OFF.format(399, 0)] == world.lines[1:]


def aggressive(**tunables):
    """A world that is aggressive because of 3 half-open sessions of 2."""
    limits = {"max_incomplete__low": 1, "max_incomplete__high": 2}
    return World(one_minute__high=FAR, **limits, **tunables)


def test_P13_a_new_attempt_costs_the_oldest_and_resets_both_ends(family):
    """To S seq c+1; to C, who saw no SYN-ACK, ack c+1."""
    world = World(family, max_incomplete__low=1, max_incomplete__high=2)
    oldest, *_ = world.half_open(3)
    assert 1 == len(world.modes())
    world.made.clear()
    world.to(1.0)
    world.half_open(1)
    resets = {side: segment for side, segment in world.made if segment.flags & RST}
    assert {CLIENT, SERVER} == set(resets)
    assert {oldest.sport} == {
        resets[SERVER].sport,
        resets[CLIENT].dport,
    }
    assert C_ISN + 1 == resets[SERVER].seq
    assert (RST | ACK, C_ISN + 1) == (resets[CLIENT].flags, resets[CLIENT].ack)
    assert 3 == world.half


def test_P13_the_reset_to_c_continues_what_the_server_said():
    """After a SYN-ACK: RST|ACK seq s+1 ack c+1."""
    world = aggressive()
    oldest = world.connection()
    oldest.syn()
    oldest.syn_ack()
    world.half_open(2)
    world.made.clear()
    world.half_open(1)
    (reset,) = [s for side, s in world.made if side == CLIENT and s.flags & RST]
    assert (S_ISN + 1, C_ISN + 1) == (reset.seq, reset.ack)


def test_P13_an_evicted_udp_session_vanishes_silently():
    """The oldest may be UDP, and gets no packet."""
    world = aggressive()
    world.udp(5000)
    world.half_open(2)
    world.half_open(1)
    assert [] == [s for _, s in world.made if s.flags & RST]
    assert {6} == {session.protocol for session in world.engine.sessions()}


def test_P14_sweep_deletes_down_to_below_low():
    """On entering, oldest first, at once."""
    world = World(
        aggressive_evict="sweep",
        one_minute__high=FAR,
        max_incomplete__low=10,
        max_incomplete__high=20,
    )
    connections = world.half_open(21)
    assert 9 == world.half
    left = {session.client.port for session in world.engine.sessions()}
    assert {connection.sport for connection in connections[-9:]} == left
