"""Tests of the engine for a stack with its own connections, over one of paper."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from syncache import Segment, Syncache, Sysctl
from syncache.adapters import front
from syncache.adapters.front import Front
from syncache.options import FastOpen, Timestamps, encode
from syncache.segment import ACK, RST, SYN

OURS = {4: "198.51.100.7", 6: "2001:db8::7"}
PEER = {4: "192.0.2.1", 6: "2001:db8::1"}


class Paper:
    """A host that notes what it is asked."""

    def __init__(self):
        self.clock, self.room = 5.0, True
        self.sent, self.made = [], []

    def now(self):
        return self.clock

    def send(self, reply, by):
        self.sent.append((reply, by))

    def connect(self, conn, by):
        self.made.append((conn, by))
        return self.room


def give(shield, family, flags, seq, ack=0, dport=80, by="somebody"):
    segment = Segment(
        src=PEER[family],
        dst=OURS[family],
        sport=40000,
        dport=dport,
        seq=seq,
        ack=ack,
        flags=flags,
        window=65535,
    )
    src, dst = (ipaddress.ip_address(end).packed for end in (segment.src, segment.dst))
    return shield.segment(src, dst, segment.tcp(), by)


def test_handshake_is_answered_offered_and_reported(family):
    """The host goes on with the ACK alone, and is told whose segment it was."""
    host = Paper()
    shield = Front(host, endpoint={"rcv_wscale": 3})
    assert not give(shield, family, SYN, 1000)
    ((reply, by),) = host.sent
    assert "somebody" == by
    assert give(shield, family, ACK, 1001, reply.seq + 1)
    ((conn, by),) = host.made
    assert (reply.seq, "somebody") == (conn.iss, by)
    assert 1 == shield.engine.stats.accepts


def test_host_without_room_is_asked_again(family):
    """Nothing is sent, and the next ACK makes the connection."""
    host = Paper()
    shield = Front(host)
    give(shield, family, SYN, 1000)
    iss = host.sent[0][0].seq
    host.room = False
    assert not give(shield, family, ACK, 1001, iss + 1)
    assert (1, 1) == (len(host.sent), shield.engine.stats.listendrop)
    host.room = True
    assert give(shield, family, ACK, 1001, iss + 1)


def test_fastopen_is_answered_once_the_host_has_the_data(family):
    """Without room for it the data of the SYN is not acknowledged."""
    (tunables := Sysctl()).preset("host")
    tunables["net.inet.tcp.fastopen.server_enable"] = 1
    host = Paper()
    shield = Front(host, tunables, endpoint={"fastopen": 4})

    def give_fastopen(cookie):
        syn = Segment(
            src=PEER[family],
            dst=OURS[family],
            sport=40000,
            dport=80,
            seq=1000,
            flags=SYN,
            options_bytes=encode((FastOpen(cookie),)),
            payload=b"hello",
        )
        ends = (ipaddress.ip_address(end).packed for end in (syn.src, syn.dst))
        host.clock += 0.001
        return shield.segment(*ends, syn.tcp())

    assert not give_fastopen(b"")
    ((asked, _),) = host.sent
    (cookie,) = (one.cookie for one in asked.options if isinstance(one, FastOpen))
    give(shield, family, RST, 1001)
    host.room = False
    assert not give_fastopen(cookie)
    assert (1, 1) == (len(host.made), len(host.sent))
    host.room = True
    assert not give_fastopen(cookie)
    assert (2, 2) == (len(host.made), len(host.sent))
    assert 1006 == host.sent[1][0].ack


def test_stray_segment_is_the_hosts(family):
    """Neither a SYN nor an answer to one of ours."""
    host = Paper()
    shield = Front(host)
    assert give(shield, family, ACK, 1001, 77)
    assert ([], []) == (host.sent, host.made)


def test_segment_to_port_zero_or_cut_short_raises_nothing():
    """No port is listened on for it."""
    host = Paper()
    shield = Front(host)
    give(shield, 4, SYN, 1000, dport=0)
    for size in range(4):
        shield.segment(b"\xc0\0\2\1", b"\xc6\x33\x64\7", bytes(size))
    assert [] == host.made


def test_due_syn_acks_are_sent_by_run():
    """`by` is None, and the time until the next call is bounded."""
    host = Paper()
    shield = Front(host)
    assert 0.25 == shield.run()
    give(shield, 4, SYN, 1000)
    host.clock += 0.9
    assert 0.01 <= shield.run() < 0.25
    host.clock += 0.3
    assert 0.25 == shield.run()
    assert [None] == [by for _, by in host.sent[1:]]
    assert host.sent[0][0].seq == host.sent[1][0].seq


def test_preset_is_for_a_slow_host_unless_one_is_given():
    """50 repeated SYN-ACKs a second."""
    name = "net.inet.tcp.syncache.x.rexmit_rate"
    assert 50 == Front(Paper()).engine.sysctl[name]
    assert 0 == Front(Paper(), Sysctl()).engine.sysctl[name]


def test_timer_runs_in_a_thread_that_ends_with_the_program(monkeypatch):
    """It sleeps as long as run() says."""
    waits, threads = [], []

    def sleep(wait):
        waits.append(wait)
        1 / (3 - len(waits))

    def thread(**words):
        threads.append(words)
        return SimpleNamespace(start=lambda: None)

    monkeypatch.setattr(front.time, "sleep", sleep)
    monkeypatch.setattr(front.threading, "Thread", thread)
    Front(Paper()).start()
    (words,) = threads
    assert words["daemon"]
    with pytest.raises(ZeroDivisionError):
        words["target"]()
    assert [0.25] * 3 == waits


@pytest.mark.parametrize("told", [False, True])
def test_timer_runs_in_a_loop(monkeypatch, told):
    """That which runs here, unless told; no thread is made."""
    monkeypatch.setattr(front, "WAIT_MAX", 0.01)
    host = Paper()

    async def handshake():
        sent = asyncio.Event()
        shield = Front(host)
        shield.start(*[asyncio.get_running_loop()] * told)
        give(shield, 4, SYN, 1000)
        host.send = lambda *words: (host.sent.append(words), sent.set())
        host.clock += 3
        await asyncio.wait_for(sent.wait(), 20)

    threads = threading.active_count()
    asyncio.run(handshake())
    assert (2, threads) == (len(host.sent), threading.active_count())


@pytest.mark.parametrize("when", ["now", "in connect", "in send"])
def test_closed_front_leaves_all_to_the_host(when):
    """Its memory is given back, at any time, once; nothing is raised."""
    host = Paper()
    shield = Front(host)
    if when == "now":
        shield.close()
    elif when == "in connect":
        give(shield, 4, SYN, 1000)
        iss = host.sent[0][0].seq
        host.connect = lambda *_: shield.close()
        assert not give(shield, 4, ACK, 1001, iss + 1)
    else:
        host.send = lambda *_: shield.close() or Path("/none").stat()
        assert not give(shield, 4, SYN, 1000)
    shield.close()
    assert give(shield, 4, SYN, 2000)
    assert front.WAIT_MAX == shield.run()
    with pytest.raises(RuntimeError, match="closed"):
        shield.engine.poll(9.0)


def test_timers_end_with_the_front(monkeypatch):
    """The thread's and the loop's."""
    monkeypatch.setattr(front, "WAIT_MAX", 0.01)
    shield, before, calls = Front(Paper()), set(threading.enumerate()), []
    loop = SimpleNamespace(call_later=lambda *words: calls.append(words))
    shield.start()
    shield.start(loop)
    (thread,) = set(threading.enumerate()) - before
    shield.close()
    thread.join(20)
    assert not thread.is_alive()
    ((_, again, *words),) = calls
    again(*words)
    assert 1 == len(calls)


def test_ports_beyond_the_engines_room_are_the_hosts_alone(family):
    """And so is one that the application listens on itself; nothing is raised."""
    host = Paper()
    (tunables := Sysctl()).preset("embedded")
    shield = Front(host, tunables)
    shield.engine.listen(81)
    given = [give(shield, family, SYN, 1000, dport=port) for port in range(80, 140)]
    room = tunables["net.inet.tcp.syncache.x.endpoint_max"]
    assert [False] * room + [True] * (60 - room) == given
    assert room == len(host.sent)
    assert give(shield, family, SYN, 2000, dport=139)


@pytest.mark.parametrize("told", [{}, {"ts_per_tuple": True}, {"ts_per_tuple": False}])
def test_timestamps_have_an_offset_unless_the_hosts_have_none(family, told):
    """Without one they are the host's clock, in milliseconds."""
    host = Paper()
    shield = Front(host, **told)
    syn = Segment(
        src=PEER[family],
        dst=OURS[family],
        sport=40000,
        dport=80,
        flags=SYN,
        options_bytes=encode((Timestamps(7, 0),)),
    )
    ends = (ipaddress.ip_address(end).packed for end in (syn.src, syn.dst))
    assert not shield.segment(*ends, syn.tcp())
    ((reply, _),) = host.sent
    assert told.get("ts_per_tuple", True) == (reply.timestamps.tsval != 5000)


def test_endpoint_that_cannot_be_is_refused_at_once():
    """Before the first packet."""
    with pytest.raises(ValueError, match="rcv_wscale is 0 to 14, not 15"):
        Front(Paper(), endpoint={"rcv_wscale": 15})
    with pytest.raises(TypeError, match="scale"):
        Front(Paper(), endpoint={"scale": 1})


def test_host_that_raises_in_the_thread_is_reported_and_asked_again(monkeypatch):
    """A fault of its own does not end the timer."""
    host, reports, waits = Paper(), [], []
    shield = Front(host)
    give(shield, 4, SYN, 1000)

    def refuse(reply, by):
        raise ValueError("link down")

    def sleep(wait):
        waits.append(wait)
        host.clock += 3
        host.send = lambda *words: host.sent.append(words)
        1 / (3 - len(waits))

    host.send = refuse
    host.clock += 3
    monkeypatch.setattr(threading, "excepthook", reports.append)
    monkeypatch.setattr(front.time, "sleep", sleep)
    with pytest.raises(ZeroDivisionError):
        shield._run()
    assert ["link down"] == [str(report.exc_value) for report in reports]
    assert 2 == len(host.sent)


def test_host_that_raises_in_a_loop_is_reported_and_asked_again(monkeypatch):
    """By the loop's own handler of exceptions."""
    monkeypatch.setattr(front, "WAIT_MAX", 0.01)
    host, reports = Paper(), []

    async def handshake():
        sent, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, report: reports.append(report))
        shield = Front(host)
        give(shield, 4, SYN, 1000)

        def refuse(reply, by):
            host.send = lambda *words: sent.set()
            host.clock += 3
            raise ValueError("link down")

        host.send = refuse
        host.clock += 3
        shield.start(loop)
        await asyncio.wait_for(sent.wait(), 20)

    asyncio.run(handshake())
    assert ["link down"] == [str(report["exception"]) for report in reports]


@pytest.mark.parametrize("error", [OSError, RuntimeError, BlockingIOError])
def test_reply_that_cannot_be_sent_leaves_no_entry_and_raises_nothing(family, error):
    """A spoofed source may have no route; the host's reception goes on."""
    host = Paper()
    shield, send = Front(host), host.send

    def refuse(reply, by):
        raise error("no route")

    host.send = refuse
    assert not give(shield, family, SYN, 1000)
    assert (1, 0) == (shield.unsent, shield.engine.stats.sc_added)
    host.send = send
    assert not give(shield, family, SYN, 1000)
    assert (1, 1) == (shield.unsent, len(host.sent))


def test_due_syn_ack_that_cannot_be_sent_costs_no_other():
    """It stays, and is due again."""
    host = Paper()
    shield, refused = Front(host), []
    for port in range(80, 84):
        give(shield, 4, SYN, 1000, dport=port)
    host.sent.clear()

    def send(reply, by):
        if reply.sport in (80, 82):
            refused.append(reply.sport)
            raise OSError("no route")
        host.sent.append((reply, by))

    host.send = send
    for _ in range(2):
        host.clock += 3
        shield.run()
    assert [80, 80, 82, 82] == sorted(refused)
    assert (4, 4) == (shield.unsent, len(host.sent))


@pytest.mark.parametrize("threads", [4])
def test_threads_take_turns(threads):
    """No call overlaps another one in the engine, which would raise."""
    host = Paper()
    shield = Front(host)
    faults = []

    def flood():
        try:
            for seq in range(300):
                give(shield, 4, SYN, seq)
                shield.run()
        except RuntimeError as error:
            faults.append(error)

    crowd = [threading.Thread(target=flood) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(60)
    assert [] == faults


class Replaying(Paper):
    """A host that gets the SYN by the way that all segments take."""

    def connect(self, conn, by):
        syn = Segment.parse(conn.syn_packet())
        ends = (ipaddress.ip_address(end).packed for end in (syn.src, syn.dst))
        self.passed = self.front.segment(*ends, syn.tcp(), by)
        return super().connect(conn, by)


def test_syn_that_connect_gives_is_the_hosts(family):
    """It is not answered a second time, and the engine's counters do not see it."""
    host = Replaying()
    host.front = Front(host)
    give(host.front, family, SYN, 1000)
    assert give(host.front, family, ACK, 1001, host.sent[0][0].seq + 1)
    assert (True, 1) == (host.passed, len(host.sent))
    assert 2 == host.front.engine.stats.rcvtotal
    assert not give(host.front, family, SYN, 5000)


def test_host_that_raises_in_connect_has_not_made_it(family):
    """The handshake is offered again."""
    host = Paper()
    shield = Front(host)
    give(shield, family, SYN, 1000)
    iss = host.sent[0][0].seq
    connect, host.connect = host.connect, lambda conn, by: 1 / 0
    with pytest.raises(ZeroDivisionError):
        give(shield, family, ACK, 1001, iss + 1)
    assert 1 == shield.engine.stats.listendrop
    host.connect = connect
    assert give(shield, family, ACK, 1001, iss + 1)


def test_connections_are_made_one_at_a_time():
    """Threads of several interfaces may share the session that listens."""
    host, inside, most = Paper(), [], []

    def connect(conn, by):
        inside.append(conn)
        most.append(len(inside))
        threading.Event().wait(0.005)
        inside.remove(conn)
        return True

    host.connect = connect
    shield = Front(host)
    for port in range(4):
        give(shield, 4, SYN, port, dport=80 + port)
    replies = [reply for reply, _ in host.sent]

    def finish(reply):
        give(shield, 4, ACK, reply.ack, (reply.seq + 1) & 0xFFFFFFFF, reply.sport)

    crowd = [threading.Thread(target=finish, args=(reply,)) for reply in replies]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(60)
    assert [1, 1, 1, 1] == most


@pytest.mark.parametrize(
    ("tcp", "found"),
    [
        (b"", (0, 0)),
        (b"\x01", (1, 0)),
        (b"\1\2\3", (258, 3)),
        (b"\1\2\3\4\5", (258, 772)),
    ],
)
def test_ports_of_a_segment_that_may_be_cut_short(tcp, found):
    """Any buffer will do."""
    assert found == front.ports(tcp) == front.ports(memoryview(bytearray(tcp)))


@pytest.mark.parametrize("family", [4, 6])
def test_parts_of_a_reply_are_its_fields(family):
    """As they lie in the packet, with options and without."""
    engine = Syncache()
    engine.listen(80)
    src, dst = PEER[family], OURS[family]
    for options in (b"", b"\2\4\5\xb4\4\2\1\1"):
        syn = Segment(
            src=src, dst=dst, sport=1, dport=80, flags=2, options_bytes=options
        )
        reply = engine.packet(syn.packet(), 1.0).reply
        source, target, tcp = front.parts(reply)
        packed = [ipaddress.ip_address(end).packed for end in (reply.src, reply.dst)]
        assert [*packed, reply.tcp()] == [source, target, tcp]
    engine.close()


def test_fields_of_a_connection_are_those_that_the_guide_names(family):
    """docs/hosts.md, for C and for Python."""
    host, root = Paper(), Path(__file__).parents[3]
    shield = Front(host)
    give(shield, family, SYN, 1000)
    give(shield, family, ACK, 1001, host.sent[0][0].seq + 1)
    guide = (root / "docs/hosts.md").read_text()
    table = guide.partition("| in C | in Python |")[2].partition("\n\n")[0]
    header = (root / "csrc/syncache.h").read_text()
    struct = header.partition("\nstruct syncache_conn {")[2].partition("};")[0]
    rows = [row.split("|")[2:4] for row in table.splitlines()[2:]]
    assert len(rows) > 8
    for in_c, in_python in rows:
        for name in re.findall(r"`([a-z_0-9]+)", in_c):
            assert re.search(rf"\b{name}\b", struct), name
        for name in re.findall(r"`([a-z_0-9]+)", in_python):
            assert hasattr(host.made[0][0], name), name
