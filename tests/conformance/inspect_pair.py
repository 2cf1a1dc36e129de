"""The engine and its model side by side: each step goes to both, then both are asked.

Steps are calls with small numbers, so that a random generator of any kind can choose
them: which client, which port, which server.
"""

from __future__ import annotations

from syncache.alerts import AlertOn
from tests.conformance.inspect_world import (
    ACK,
    CLIENT,
    FIN,
    RST,
    SERVER,
    World,
    address,
    icmp,
    udp,
)
from tests.model.inspection import ESTABLISHED, Inspection, Settings

CLIENTS, PORTS, SERVERS = 3, 4, 2


class Pair:
    """A world and a model with the same settings."""

    def __init__(self, settings, family=4):
        self.family = family
        self.model = Inspection(settings)
        self.world = World(
            family,
            tcp__synwait_time=settings.synwait // 1000,
            tcp__finwait_time=settings.finwait // 1000,
            tcp__idle_time=settings.tcp_idle // 1000,
            udp__idle_time=settings.udp_idle // 1000,
            dns_timeout=settings.dns_timeout // 1000,
            icmp__idle_time=settings.icmp_idle // 1000,
            max_incomplete__low=settings.count_low,
            max_incomplete__high=settings.count_high,
            one_minute__low=settings.rate_low,
            one_minute__high=settings.rate_high,
            tcp__max_incomplete_host=settings.host,
            tcp__block_time_s=settings.block // 1000,
            udp_halfopen_max_age=settings.udp_halfopen_max_age // 1000,
            count_icmp=int(settings.count_icmp),
            aggressive_evict="per-new" if settings.evicts else "nobody",
        )
        self.connections = {}

    def pass_time(self, ms):
        self.model.to(self.model.now + ms)
        self.world.to(self.model.now / 1000)

    def tcp(self, step, client, port, server):
        """One segment of a connection, if it makes sense now."""
        key = ("tcp", client, port, server)
        known = self.model.sessions.get(key)
        if step == "syn":
            if known is None:
                self.connections[key] = self.world.connection(
                    client, server, sport=100 + port
                )
            if known is None or known.state != "closing":
                # A SYN behind a FIN has the next number: another connection's.
                self.model.syn(key, self.connections[key].sent[0])
                self.connections[key].syn()
            return
        if known is None:
            return
        connection = self.connections[key]
        if step == "syn_ack" and known.state != "closing":
            self.model.syn_ack(key, *connection.sent)
            connection.syn_ack()
        elif step == "ack":
            self.model.ack(key)
            connection.ack()
        elif step in {"fin0", "fin1"} and known.state == ESTABLISHED:
            side = int(step[-1])
            if side not in known.fins:
                self.model.fin(key, side)
                connection.packet(side, FIN | ACK)
        elif step == "rst" and known.state == ESTABLISHED:
            self.model.rst(key)
            connection.packet(0, RST)

    def datagram(self, step, client, port, server, *, dns=False):
        """A datagram of either end."""
        key = ("dns" if dns else "udp", client, port, server)
        ends = address(self.family, 1, client), address(self.family, 2, server)
        dport = 53 if dns else 9
        if step == "request":
            self.model.request(key)
            self.world.give(udp(ends[0], 100 + port, ends[1], dport), CLIENT)
        elif key in self.model.sessions:
            self.model.answer(key)
            self.world.give(udp(ends[1], dport, ends[0], 100 + port), SERVER)

    def ping(self, step, client, port, server):
        """An echo or its reply."""
        key = ("icmp", client, port, server)
        ends = address(self.family, 1, client), address(self.family, 2, server)
        if step == "request":
            self.model.request(key)
            self.world.give(icmp(*ends, 8, 1 + port), CLIENT)
        elif key in self.model.sessions:
            self.model.answer(key)
            self.world.give(icmp(*ends[::-1], 0, 1 + port), SERVER)

    def check(self):
        """Both tell the same."""
        model, world = self.model, self.world
        world.collect()
        s = world.engine.statistics(world.now)
        assert model.counts() == [s.established, s.half_open, s.terminating]
        highest = [s.established_max, s.half_open_max, s.terminating_max]
        assert model.highest == highest
        assert (model.rate(), model.rate_max) == (s.one_minute, s.one_minute_max)
        assert model.created == s.sessions_created
        assert model.last_half_open == s.last_half_open
        assert model.aggressive == s.aggressive
        assert len(model.blocked) == s.hosts_blocked
        said = [
            ("on", m.half_open, m.high, m.rate)
            if isinstance(m, AlertOn)
            else ("off", m.half_open, m.low, m.rate)
            for m in world.modes()
        ]
        assert model.modes == said


def settings_of(rng):
    """Settings so small that everything happens."""
    low, rate_low = rng.randint(1, 8), rng.randint(1, 40)
    return Settings(
        synwait=rng.choice([3000, 30_000]),
        finwait=rng.choice([1000, 5000]),
        tcp_idle=rng.choice([20_000, 3_600_000]),
        udp_idle=rng.choice([4000, 30_000]),
        count_low=low,
        count_high=low + rng.randint(0, 6),
        rate_low=rate_low,
        rate_high=rate_low + rng.randint(0, 60),
        host=rng.choice([0, 2, 4]),
        block=rng.choice([0, 5000]),
        udp_halfopen_max_age=rng.choice([0, 7000]),
        count_icmp=rng.random() < 0.3,
        evicts=rng.random() < 0.7,
    )


TCP_STEPS = ("syn", "syn", "syn_ack", "ack", "fin0", "fin1", "rst")


def random_step(pair, rng):
    """Take one step of a random kind."""
    place = rng.randrange(CLIENTS), rng.randrange(PORTS), rng.randrange(SERVERS)
    kind = rng.random()
    if kind < 0.55:
        pair.tcp(rng.choice(TCP_STEPS), *place)
    elif kind < 0.75:
        step = rng.choice(("request", "answer"))
        pair.datagram(step, *place, dns=rng.random() < 0.3)
    elif kind < 0.8:
        pair.ping(rng.choice(("request", "answer")), *place)
    else:
        pair.pass_time(rng.choice([1, 40, 700, 1000, 2500, 15_000]))
