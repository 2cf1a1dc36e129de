"""Tests of the adapter to PyTCP and pmd-pytcp, against one of paper with their seams.

The real ones are tried in tests/netns/test_pytcp.py.  What is held against the paper
one: which segments go where, what is asked of the session, what is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import importlib
import ipaddress
import sys
import threading
from dataclasses import dataclass, replace
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from syncache import Segment
from syncache.adapters import front
from syncache.options import Timestamps, WindowScale, encode
from syncache.segment import ACK, RST, SYN

OURS = {4: "198.51.100.7", 6: "2001:db8::7"}
PEER = {4: "192.0.2.1", 6: "2001:db8::1"}
Family = enum.Enum("Family", "INET4 INET6")


class Address:
    """Of either family, as net_addr has it."""

    def __init__(self, text="::"):
        self.value = ipaddress.ip_address(text)
        self.version = self.value.version

    @property
    def unspecified(self):
        return Address("::" if self.version == 6 else "0.0.0.0")

    def __bytes__(self):
        return self.value.packed

    def __eq__(self, other):
        return self.value == other.value

    def __hash__(self):
        return hash(self.value)


@dataclass(frozen=True, kw_only=True)
class SocketId:
    address_family: Any
    socket_type: Any
    local_address: Any
    local_port: int
    remote_address: Any
    remote_port: int


class TcpMetadata:
    """Which sockets a segment may belong to; the more special ones first."""

    @property
    def socket_id(self):
        return socket_id(
            self.ip__local_address,
            self.tcp__local_port,
            self.ip__remote_address,
            self.tcp__remote_port,
        )

    @property
    def listening_socket_ids(self):
        local, port = self.ip__local_address, self.tcp__local_port
        any_ = local.unspecified
        names = [socket_id(local, port, any_, 0), socket_id(any_, port, any_, 0)]
        if self.ip__ver == 4:
            names.append(socket_id(Address(), port, Address(), 0))
        return names


class PacketRx:
    def __init__(self, frame):
        self.frame = memoryview(frame)


def parser(rx):
    """Both Ip4Parser and Ip6Parser: sets the addresses, takes the header off."""
    segment = Segment.parse(rx.frame)
    src, dst = Address(segment.src), Address(segment.dst)
    rx.ip = SimpleNamespace(ver=src.version, src=src, dst=dst)
    rx.frame = memoryview(segment.tcp())
    rx.tcp = segment


def socket_id(local, port, foreign, fport, family=None):
    local, foreign = (
        end if isinstance(end, Address) else Address(end) for end in (local, foreign)
    )
    family = family or (Family.INET6 if local.version == 6 else Family.INET4)
    return SocketId(
        address_family=family,
        socket_type="stream",
        local_address=local,
        local_port=port,
        remote_address=foreign,
        remote_port=fport,
    )


def session():
    numbers = SimpleNamespace(nxt=0, max=0, iss=None)
    numbers.reset_to = lambda *, iss: setattr(numbers, "iss", iss)
    return SimpleNamespace(
        _lock__fsm=threading.RLock(),
        _socket=None,
        _snd_seq=numbers,
        _tx=SimpleNamespace(seq_mod=0),
        _win=SimpleNamespace(rcv_wsc=0),
    )


class Paper:
    """PyTCP's `stack`, as much of it as the adapter touches."""

    package = "pytcp"

    def __init__(self):
        self.sockets, self.seen, self.sent, self.room = {}, [], [], True
        self.__name__, self.routed = f"{self.package}.stack", True
        self.timer = SimpleNamespace(now_ms=1000)
        self.registry = {}
        self.face = self._interface(self.registry, 1500)
        self.interfaces = {1: self.face}

    def _interface(self, registry, mtu):
        by_version = {
            f"_ip{v}_proto_registry": SimpleNamespace(
                get=lambda _, v=v: registry.get(v, self.plain),
                register=lambda _, handler, v=v: registry.update({v: handler}),
            )
            for v in (4, 6)
        }
        return SimpleNamespace(
            send_ip4_packet=self.send,
            send_ip6_packet=self.send,
            _interface_mtu=mtu,
            **by_version,
        )

    def add_interface(self, mtu):
        self.interfaces[2] = self._interface({}, mtu)

    def egress_packet_handler(self, dst):
        if not self.routed:
            raise RuntimeError(f"no egress interface for {dst}")
        return self.face

    def send(self, **words):
        self.sent.append(words)

    def listen(self, local, *, v6only=True):
        any_ = str(Address(local).unspecified.value)
        listener = SimpleNamespace(_tcp_session=session(), _ipv6_v6only=v6only)
        listener._tcp_session._socket = listener
        self.sockets[socket_id(local, 80, any_, 0)] = listener
        return listener

    def plain(self, rx):
        """PyTCP's own handler: a SYN turns the listening session into the child's."""
        self.seen.append(rx.tcp)
        if rx.tcp.flags != SYN or not self.room:
            return
        for listener in list(self.sockets.values()):
            child = SimpleNamespace(_tcp_session=listener._tcp_session)
            child._tcp_session._socket = child
            listener._tcp_session = session()
            ends = rx.tcp.dst, rx.tcp.dport, rx.tcp.src, rx.tcp.sport
            self.sockets[socket_id(*ends)] = child
            return

    def receive(self, segment):
        rx = PacketRx(segment.packet())
        parser(rx)
        self.registry[rx.ip.ver](rx)


class Loop:
    """An event loop of paper: what is called later is called by hand."""

    def __init__(self):
        self.later = []

    def call_later(self, wait, function, *words):
        assert 0.01 <= wait <= 0.25
        self.later.append(lambda: function(*words))


def get_loop(module, name):
    """As asyncio does: PyTCP is not in one."""
    if name == "pytcp":
        raise RuntimeError("no running event loop")
    return module.loop


@pytest.fixture(params=["pytcp", "pmd_pytcp"])
def adapter(monkeypatch, request):
    """The module over the paper stack: without its thread, and with a paper loop."""
    name = request.param
    threaded = name == "pytcp"
    monkeypatch.setattr(Paper, "package", name)
    address = ModuleType(name.replace("pytcp", "net_addr"))
    address.Ip4Address = address.Ip6Address = Address
    proto = ModuleType(name.replace("pytcp", "net_proto"))
    proto.Ip4Parser = proto.Ip6Parser = parser
    proto.PacketRx = PacketRx
    proto.IpProto = SimpleNamespace(TCP=6)
    sockets = f"{name}.runtime.socket" if threaded else f"{name}.socket"
    metadata = ModuleType(f"{sockets}.tcp__metadata")
    metadata.TcpMetadata = TcpMetadata
    for module in (address, proto, metadata):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for package in (name, f"{name}.runtime", sockets):
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
    module = importlib.import_module("syncache.adapters.pytcp")
    idle = SimpleNamespace(start=lambda: None)
    monkeypatch.setattr(front.threading, "Thread", lambda **_: idle)
    module.loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: get_loop(module, name))
    yield module
    assert threaded == (module.loop.later == [])
    sys.modules.pop("syncache.adapters.pytcp", None)


def syn(family, sport=40000):
    return Segment(
        src=PEER[family],
        dst=OURS[family],
        sport=sport,
        dport=80,
        seq=1000,
        flags=SYN,
        window=65535,
    )


def reply_of(stack, family):
    """The last TCP segment sent, as the peer sees it."""
    words = stack.sent[-1]
    assert Address(PEER[family]) == words[f"ip{family}__remote_address"]
    assert Address(OURS[family]) == words[f"ip{family}__local_address"]
    assert 6 == words["ip6__next" if family == 6 else "ip4__proto"]
    tcp = words[f"ip{family}__payload"]
    return tcp, int.from_bytes(tcp[4:8], "big")


def test_handshake_makes_a_connection_with_the_iss_that_the_peer_knows(adapter, family):
    """PyTCP sees a SYN and the ACK once the peer has proved its address."""
    stack = Paper()
    made = adapter.install(stack)
    listener = stack.listen(OURS[family])
    child = listener._tcp_session
    stack.receive(syn(family))
    assert [] == stack.seen
    _, iss = reply_of(stack, family)
    ack = Segment(
        src=PEER[family],
        dst=OURS[family],
        sport=40000,
        dport=80,
        seq=1001,
        ack=(iss + 1) & 0xFFFFFFFF,
        flags=ACK,
        window=65535,
    )
    stack.receive(ack)
    assert [SYN, ACK] == [segment.flags for segment in stack.seen]
    assert 1000 == stack.seen[0].seq
    assert iss == child._snd_seq.iss
    following = (iss + 1) & 0xFFFFFFFF
    assert following == child._snd_seq.nxt == child._snd_seq.max == child._tx.seq_mod
    assert 1 == made.engine.stats.accepts
    stack.receive(ack)  # it is a socket's now
    assert 3 == len(stack.seen)


@pytest.mark.parametrize("scaled", [False, True])
def test_options_are_those_that_pytcp_has(adapter, family, scaled):
    """Its timestamps are its clock, its scale 7; none where the peer has none."""
    stack = Paper()
    adapter.install(stack)
    child = stack.listen(OURS[family])._tcp_session
    child._win.rcv_wsc = 5
    options = (Timestamps(7, 0), WindowScale(2)) if scaled else (Timestamps(7, 0),)
    stack.receive(replace(syn(family), options_bytes=encode(options)))
    tcp, iss = reply_of(stack, family)
    size = (tcp[12] >> 4) * 4
    answer = replace(
        syn(family).reply(SYN | ACK, seq=iss), options_bytes=bytes(tcp[20:size])
    )
    assert (1000, 7) == answer.timestamps
    assert (7 if scaled else None) == answer.wscale
    stamp = [Timestamps(8, 1000)]
    stack.receive(answer.reply(ACK, seq=1001, window=9, options=stamp))
    assert (7 if scaled else 0) == child._win.rcv_wsc


@pytest.mark.parametrize("mtu", [1280, 9000])
def test_mss_is_that_of_the_smallest_mtu(adapter, family, mtu):
    """Whichever interface the SYN comes by."""
    stack = Paper()
    stack.add_interface(mtu)
    adapter.install(stack)
    stack.listen(OURS[family])
    stack.receive(syn(family))
    tcp, _ = reply_of(stack, family)
    options = bytes(tcp[20 : (tcp[12] >> 4) * 4])
    headers = 60 if family == 6 else 40
    assert min(mtu, 1500) - headers == replace(syn(family), options_bytes=options).mss


def test_second_adapter_of_a_stack_is_refused_until_the_first_is_closed(
    adapter, family
):
    """Behind one that answers, the second would never see a handshake."""
    stack = Paper()
    first = adapter.install(stack)
    stack.listen(OURS[family])
    with pytest.raises(RuntimeError, match=r"close\(\)"):
        adapter.install(stack)
    stack.receive(syn(family))
    assert 1 == first.engine.stats.sc_added
    first.close()
    second = adapter.install(stack)
    stack.receive(syn(family))
    assert 1 == second.engine.stats.sc_added


def test_full_accept_queue_leaves_the_handshake_open(adapter, family):
    """PyTCP drops the SYN; the peer's next ACK is offered again."""
    stack = Paper()
    made = adapter.install(stack)
    stack.listen(OURS[family])
    stack.receive(syn(family))
    _, iss = reply_of(stack, family)
    ack = Segment(
        src=PEER[family],
        dst=OURS[family],
        sport=40000,
        dport=80,
        seq=1001,
        ack=(iss + 1) & 0xFFFFFFFF,
        flags=ACK,
        window=65535,
    )
    stack.room = False
    stack.receive(ack)
    assert [SYN] == [segment.flags for segment in stack.seen]
    assert (0, 1) == (made.engine.stats.accepts, made.engine.stats.listendrop)
    stack.room = True
    stack.receive(ack)
    assert 1 == made.engine.stats.accepts


def test_ports_without_a_listener_are_pytcps_own(adapter, family):
    """So it answers them as it does without the adapter."""
    stack = Paper()
    adapter.install(stack)
    stack.receive(syn(family))
    assert [SYN] == [segment.flags for segment in stack.seen]
    assert [] == stack.sent


def test_stray_segment_to_a_listener_is_pytcps_own(adapter):
    """A segment of no connection and no handshake: PyTCP sends the RST."""
    stack = Paper()
    adapter.install(stack)
    stack.listen("0.0.0.0")
    stray = Segment(
        src=PEER[4], dst=OURS[4], sport=5, dport=80, seq=5, ack=77, flags=ACK
    )
    stack.receive(stray)
    assert [ACK] == [segment.flags for segment in stack.seen]


@pytest.mark.parametrize("v6only", [False, True])
def test_listener_of_both_families_is_protected_for_ipv4(adapter, v6only):
    """One that is for IPv6 alone is not asked for IPv4."""
    stack = Paper()
    adapter.install(stack)
    stack.listen("::", v6only=v6only)
    stack.receive(syn(4))
    assert v6only == (len(stack.seen) == 1)
    assert v6only == (stack.sent == [])


def test_reset_of_a_handshake_reaches_nobody(adapter):
    """It ends the entry and is no business of PyTCP's."""
    stack = Paper()
    made = adapter.install(stack)
    stack.listen(OURS[4])
    stack.receive(syn(4))
    stack.receive(
        Segment(src=PEER[4], dst=OURS[4], sport=40000, dport=80, seq=1001, flags=RST)
    )
    assert [] == stack.seen
    assert 1 == made.engine.stats.sc_reset


def test_reply_leaves_by_the_interface_of_its_syn(adapter, family):
    """A spoofed source may have no route; it must not end PyTCP's reception."""
    stack = Paper()
    stack.routed = False
    adapter.install(stack)
    stack.listen(OURS[family])
    for sport in range(40000, 40010):
        stack.receive(syn(family, sport))
    assert 10 == len(stack.sent)


def test_repeated_syn_ack_without_a_route_is_lost(adapter, family, monkeypatch):
    """It is asked for a route, and another one is sent."""
    stack = Paper()
    monkeypatch.setattr(front.time, "sleep", lambda wait: 1 / 0)
    made = adapter.install(stack)
    stack.listen(OURS[family])
    stack.receive(syn(family))
    for routed in (False, True):
        stack.routed = routed
        stack.timer.now_ms += 4000
        with contextlib.suppress(ZeroDivisionError):  # its thread would sleep
            made.start(adapter.loop) if adapter.loop.later else made._run()
        assert routed == (len(stack.sent) > 1)


def test_timer_goes_on_in_the_loop(adapter):
    """pmd-pytcp has one thread: no other may send."""
    stack = Paper()
    adapter.install(stack)
    for _ in range(3):
        later = adapter.loop.later
        adapter.loop.later = []
        for call in later:
            call()
        assert len(later) == len(adapter.loop.later)
    stack.listen(OURS[4])
    stack.receive(syn(4))
    stack.timer.now_ms += 4000
    for call in adapter.loop.later[:]:
        call()
        assert 2 == len(stack.sent)
