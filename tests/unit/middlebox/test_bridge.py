"""Tests of `Bridge`: an engine between two wires in memory, by each kind of loop."""

from __future__ import annotations

import asyncio
import re
import threading

import pytest
from aio_world import OURS, PORT, Recorder, World, on_loop, quiet, until
from peer import Peer
from tidy import ROOT

from syncache import AccessList, Inspection, Intercept, Ring, Segment, Side, Sysctl
from syncache.acl import permit
from syncache.bridge import MOMENT_RINGS, MOMENT_SECONDS, Bridge, Relay
from syncache.flow_event import Kind
from syncache.links.impaired import Impaired
from syncache.links.link import LinkError
from syncache.links.memory import pair
from syncache.segment import ACK, SYN

PAGE = ROOT / "docs" / "api.md"
DEBUG = {"net.inet.tcp.intercept.debug": 1}
CLIENT, SERVER = "192.0.2.2", "198.51.100.7"


def engine(**options):
    acl = AccessList("web", [permit(dport=80)])
    return Intercept(Sysctl(DEBUG), acl=acl, seed=b"seed", **options)


def syn(dport=80, sport=40000):
    return Segment(
        src=CLIENT,
        dst=SERVER,
        sport=sport,
        dport=dport,
        seq=1000,
        flags=SYN,
        window=64240,
    )


def send(link, *segments):
    tx = Ring(max(len(segments), 1))
    for segment in segments:
        tx.push(segment.packet())
    assert len(segments) == link.send(tx)


def take(link):
    rx = Ring(64)
    link.receive(rx)
    return [Segment.parse(packet) for packet in rx]


class Ends:
    """The two far ends of a bridge."""

    def __init__(self, made=None, *, link=lambda link: link, **options):
        outside, self.client = pair()
        inside, self.server = pair()
        self.near = (outside, inside)
        self.bridge = Bridge(made or engine(), link(outside), inside, **options)

    @property
    def closed(self):
        """Whether the bridge has closed both of its links."""
        return [-1, -1] == [link.fileno() for link in self.near]


def test_alarms_are_reported_of_packets_of_either_side():
    """A flood is said once, by the bridge's own clock; nobody asked, nobody counts."""
    said, now = [], [0.0]
    ends = Ends(on_alarm=said.append, clock=lambda: now[0])
    turns = list(ends.bridge.sides.values())
    ends.bridge.turn([])
    now[0] = 2.0
    ends.bridge.turn([])  # the first look is the one to compare with
    for round_ in range(20):
        send(ends.client, *(syn(sport=1000 + 64 * round_ + n) for n in range(64)))
        ends.bridge.turn(turns)
        take(ends.client)
    now[0] = 3.0
    ends.bridge.turn([])
    (alarm,) = said
    assert f"SYN flood on {SERVER}:80: 1,280 SYNs in 1 s" in alarm.text
    assert Ends().bridge.lookout is None
    ends.bridge.close()


def test_offload_that_cannot_be_is_told_and_costs_nothing_else():
    """Wires in memory are no interfaces of a kernel."""
    ends = Ends(engine(offload=True))
    assert "two interfaces" in ends.bridge.offload_trouble
    send(ends.client, syn(443))
    ends.bridge.turn(list(ends.bridge.sides.values()))
    assert [syn(443).packet()] == [segment.packet() for segment in take(ends.server)]
    ends.bridge.close()
    assert "" == Ends().bridge.offload_trouble


def test_run_forwards_answers_and_closes():
    """What passes goes inside, what we answer goes outside; then both are closed."""
    events = []
    ends = Ends(on_event=lambda event: (events.append(event), ends.bridge.stop()))
    send(ends.client, syn(443), syn())
    ends.bridge.run()
    assert [syn(443).packet()] == [segment.packet() for segment in take(ends.server)]
    (answer,) = take(ends.client)
    assert SYN | ACK == answer.flags
    assert Kind.NEW is events[0].kind
    assert ends.closed


def test_run_ends_when_another_thread_says_stop():
    """A bridge without any packet notices too."""
    ends = Ends()
    thread = threading.Thread(target=ends.bridge.run)
    thread.start()
    ends.bridge.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert ends.closed


def test_run_sends_what_is_due():
    """A SYN-ACK that nobody acknowledges comes again by the clock alone."""
    now = [0.0]

    def clock():
        now[0] += 0.25
        return now[0]

    def count(event):
        kinds.append(event.kind)
        if kinds.count(Kind.REXMT_SYN_ACK) == 2:
            ends.bridge.stop()

    kinds = []
    ends = Ends(on_event=count, clock=clock)
    send(ends.client, syn())
    ends.bridge.run()
    assert len(take(ends.client)) >= 3


def test_events_stay_in_the_engine_when_nobody_is_told():
    """Who gives no `on_event` asks the engine."""
    made = engine()
    ends = Ends(made)
    send(ends.client, syn())
    ends.bridge.turn([Side.CLIENT])
    ends.bridge.close()
    assert Kind.NEW is made.next_event().kind


def test_events_of_the_last_turn_are_told_at_the_end():
    """What was stopped in the middle of a turn is told before the links close."""
    events = []
    ends = Ends(on_event=events.append)
    send(ends.client, syn())
    ends.bridge.take(Side.CLIENT)
    assert [] == events
    with ends.bridge:
        ends.bridge.stop()
        ends.bridge.run()
    assert Kind.NEW is events[0].kind
    assert ends.closed


class Poller:
    """Descriptors that are ready, in order; then none, or the last for ever."""

    def __init__(self, *ready, for_ever=False):
        self.ready, self.for_ever, self.waits = list(ready), for_ever, []

    def poll(self, wait_ms):
        self.waits.append(wait_ms)
        if self.for_ever and len(self.ready) == 1:
            return self.ready[0]
        return self.ready.pop(0) if self.ready else []


def waiting(ends):
    """Have a SYN that passes wait outside; return names of the descriptors."""
    ends.bridge.turn(())  # the first work of an engine
    send(ends.client, syn(443))
    sides = dict(zip((3, 4), ends.bridge.sides.values(), strict=True))
    assert [Side.CLIENT, Side.SERVER] == list(sides.values())
    return sides


def test_packet_that_comes_within_a_moment_is_taken_before_the_rest_of_a_turn():
    """The answer to a forwarded one does not wait for timers and log lines."""
    ends = Ends(clock=lambda: 1.0)
    sides = waiting(ends)
    send(ends.server, syn(443, 5))
    poller = Poller([(3, 1)], [(4, 1)])
    ends.bridge.take_waiting(poller, sides)
    assert 200 >= poller.waits[0] > 1
    assert [1, 1] == poller.waits[1:]
    assert 1 == len(take(ends.server)) == len(take(ends.client))
    ends.bridge.close()


def test_descriptor_of_no_link_ends_the_wait():
    """A control socket is answered in this turn."""
    ends = Ends()
    poller = Poller([(9, 1), (3, 1)], [(4, 1)])
    assert {9} == ends.bridge.take_waiting(poller, waiting(ends))
    assert 1 == len(poller.waits)
    assert 1 == len(take(ends.server))
    ends.bridge.close()


def test_stream_of_packets_holds_up_the_rest_of_a_turn_for_a_moment_only():
    """By the number of rings, and by the clock."""
    ends = Ends(clock=lambda: 1.0)
    poller = Poller([(3, 1), (4, 1)], for_ever=True)
    ends.bridge.take_waiting(poller, waiting(ends))
    assert MOMENT_RINGS // 2 == len(poller.waits)
    now = [0.0]

    def clock():
        now[0] += MOMENT_SECONDS / 2
        return now[0]

    late, poller = Ends(clock=clock), Poller([(3, 1)], for_ever=True)
    late.bridge.take_waiting(poller, waiting(late))
    assert len(poller.waits) < 4
    ends.bridge.close()
    late.bridge.close()


def test_what_is_urgent_does_not_wait_for_another_packet():
    """Work of this turn that is left to do."""

    class Busy(Bridge):
        def wait(self):
            return 0.0

    outside, client = pair()
    inside, server = pair()
    with Busy(engine(), outside, inside) as bridge:
        send(client, syn(443))
        poller = Poller([(3, 1)], [(4, 1)])
        bridge.take_waiting(poller, {3: Side.CLIENT, 4: Side.SERVER})
        assert [0] == poller.waits
        assert 1 == len(take(server))


def work(bridge, way):
    """Run a bridge by one of its two loops, for a bounded time."""
    if way == "run":
        bridge.run()
    else:
        asyncio.run(asyncio.wait_for(bridge.serve(), 20))


class Broken:
    """A wire whose device has gone."""

    def __init__(self, link):
        self.mtu, self.send = link.mtu, link.send
        self.fileno, self.close = link.fileno, link.close

    def receive(self, rx):
        raise LinkError("the device is gone")


@pytest.mark.parametrize("way", ["run", "serve"])
def test_device_that_is_gone_ends_the_bridge(way):
    """The error is raised where the loop was started, with both links closed."""
    ends = Ends(link=Broken)
    send(ends.client, syn())
    with pytest.raises(LinkError, match="the device is gone"):
        work(ends.bridge, way)
    assert ends.closed


@pytest.mark.parametrize("way", ["run", "serve"])
def test_error_of_on_event_ends_the_bridge(way):
    """A fault of the caller is not swallowed, and closes what was open."""

    def fail(event):
        raise KeyError(event.kind.name)

    ends = Ends(on_event=fail)
    send(ends.client, syn())
    with pytest.raises(KeyError, match="NEW"):
        work(ends.bridge, way)
    assert ends.closed


def test_syn_proxy_of_the_documentation_runs_and_ends(monkeypatch, capsys):
    """It has at most 20 lines, answers, logs, and ends in order on Ctrl-C."""
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", PAGE.read_text())
    (source,) = [block for block in blocks if "import Bridge" in block]
    assert source.count("\n") <= 20
    outside, client = pair()
    inside, _ = pair()

    class Interface:
        def __init__(self, name, *, forward):
            assert forward
            self.link = {"out0": outside, "in0": inside}[name]
            self.fileno, self.close = self.link.fileno, self.link.close

        def receive(self, rx):
            return self.link.receive(rx)

        def send(self, tx):
            self.link.send(tx)
            raise KeyboardInterrupt

        def forward(self, rx):
            return 0

    monkeypatch.setattr("syncache.links.packet.Packet", Interface)
    monkeypatch.setattr("sys.argv", ["proxy", "out0", "in0"])
    send(client, syn())
    with pytest.raises(KeyboardInterrupt):
        exec(source, {"__name__": "__main__"})
    assert SYN | ACK == take(client)[0].flags
    assert "new connection (192.0.2.2:40000" in capsys.readouterr().out
    assert [-1, -1] == [outside.fileno(), inside.fileno()]


def test_one_link_is_a_tap():
    """Both directions come on it, and nothing is sent or forwarded."""
    near, far = pair()
    made = Inspection(seed=b"seed")
    bridge = Bridge(made, near)
    assert [Side.CLIENT] == list(bridge.sides.values())
    send(far, syn(), syn().reply(SYN | ACK, seq=7))
    bridge.turn(bridge.sides.values())
    (session,) = made.sessions()
    assert 40000 == session.client.port
    assert [] == take(far)
    bridge.close()
    assert -1 == near.fileno()


def test_link_with_a_timer_of_its_own_is_asked_in_time():
    """Packets that a link holds back come without its descriptor."""
    now = [0.0]
    ends = Ends(
        link=lambda link: Impaired(link, delay=1.0, clock=lambda: now[0]),
        clock=lambda: now[0],
    )
    send(ends.client, syn(443))
    ends.bridge.turn([Side.CLIENT])
    assert [] == take(ends.server)
    now[0] = 0.9
    assert ends.bridge.wait() <= 0.1 + 1e-9
    ends.bridge.turn([])
    assert [] == take(ends.server)
    now[0] = 1.0
    assert 0.0 == ends.bridge.wait()
    ends.bridge.turn([])
    assert [syn(443).packet()] == [segment.packet() for segment in take(ends.server)]
    ends.bridge.close()


def test_links_are_checked_once_a_second():
    """The first time a second after the start: a link that opened is there."""
    now, checks = [100.0], []

    def link(end):
        end.check = lambda: checks.append(now[0])
        return end

    ends = Ends(link=link, clock=lambda: now[0])
    for at in (100.0, 100.9, 101.0, 101.1, 101.9, 102.0, 102.5):
        now[0] = at
        ends.bridge.turn([])
    assert [101.0, 102.0] == sorted(set(checks))
    ends.bridge.close()


def test_links_of_two_kinds_are_refused():
    """One that forwards frames as they are cannot have the other's packets."""

    class Frames(Broken):
        def forward(self, rx):
            return 0

    near, far = pair()
    with pytest.raises(ValueError, match="both links forward frames"):
        Bridge(engine(), Frames(near), far)
    Bridge(engine(), Frames(near), Frames(far)).close()
    near, far = pair()
    Bridge(engine(), Relay(near), far).close()


@on_loop
async def test_serve_protects_a_host_that_knows_nothing_of_it():
    """Client, bridge, and a server of asyncio behind it: data in both directions."""
    bridges = []

    def between(near):
        outside, host_link = pair()
        bridges.append(Bridge(engine(), near, outside))
        return host_link

    async with World(link=between) as world:
        task = asyncio.ensure_future(bridges[0].serve())
        await world.host.create_server(Recorder, PORT, OURS)
        client = await world.connect()
        await until(lambda: Recorder.made)
        client.write(b"x" * 5000)
        await until(lambda: len(Recorder.made[0].data) == 5000)
        Recorder.made[0].transport.write(b"y" * 5000)
        await until(lambda: len(client.received) == 5000)
        (session,) = bridges[0].engine.connections()
        assert "ESTAB" == str(session.state)
        bridges[0].stop()
        await task
        assert [] == world.problems


@on_loop
async def test_recipe_of_the_documentation_shields_a_stack_in_one_process():
    """docs/hosts.md: two links in memory, and a client that is served through them."""
    page = (ROOT / "docs" / "hosts.md").read_text()
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", page)
    (source,) = [block for block in blocks if "import Bridge" in block]
    scope = {}
    exec(source, scope)
    outside, client = pair()
    task = asyncio.ensure_future(scope["shielded"](outside))
    peer = Peer()
    peer.connect(0.0)

    def turn():
        peer.pump(0.0)
        if peer.outbox:
            send(client, *map(Segment.parse, peer.outbox))
            peer.outbox.clear()
        for segment in take(client):
            peer.receive(segment.packet(), 0.0)
        return bytes(peer.received) == b"hello"

    await until(turn)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_loop
async def test_serve_that_is_cancelled_closes():
    """Nothing of it is left in the loop."""
    ends = Ends()
    task = asyncio.ensure_future(ends.bridge.serve())
    await quiet()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ends.closed
    await quiet()
