"""PyTCP 3.0.9 or pmd-pytcp 0.3.8 behind a SYN cache: `install(stack)` protects it.

PyTCP can only be given SYNs, so that of a completed handshake is rebuilt, and the
connection made of it begins with the numbers that the peer knows: docs/hosts.md.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .front import Front

if TYPE_CHECKING:
    from .. import Conn, Segment, Sysctl


def install(stack: Any, sysctl: Sysctl | None = None) -> Adapter:
    """Stand in front of the listeners of every interface; the preset is `host`.

    pmd-pytcp lives in an event loop: call this in it, after `init()`.
    """
    return Adapter(stack, sysctl)


class Adapter(Front):
    """The engine in control; it has the counters and the tunables."""

    def __init__(self, stack: Any, sysctl: Sysctl | None) -> None:
        super().__init__(self, sysctl, endpoint={"rcv_wscale": 7}, ts_per_tuple=False)
        package, self._stack = stack.__name__.partition(".")[0], stack
        pmd = package.startswith("pmd_")
        self._address = import_module(package.replace("pytcp", "net_addr"))
        self._proto = import_module(package.replace("pytcp", "net_proto"))
        sockets = f"{package}.{'' if pmd else 'runtime.'}socket.tcp__metadata"
        self._ids = import_module(sockets).TcpMetadata
        self._tcp = self._proto.IpProto.TCP
        for face in stack.interfaces.values():
            for registry in (face._ip4_proto_registry, face._ip6_proto_registry):
                plain = registry.get(self._tcp)
                registry.register(self._tcp, partial(self._receive, face, plain))
        self.start(asyncio.get_running_loop() if pmd else None)

    def now(self) -> float:
        """Return the time of PyTCP's timestamps."""
        return float(self._stack.timer.now_ms / 1000)

    def _listener(self, ip: Any, tcp: bytes) -> Any:
        """Return the listening socket of a segment that belongs to no other one."""
        ends = SimpleNamespace(ip__ver=ip.ver)
        ends.ip__local_address, ends.ip__remote_address = ip.dst, ip.src
        ends.tcp__remote_port = int.from_bytes(tcp[:2], "big")
        ends.tcp__local_port = int.from_bytes(tcp[2:4], "big")
        sockets = self._stack.sockets
        if sockets.get(self._ids.socket_id.fget(ends)):
            return None
        for name in self._ids.listening_socket_ids.fget(ends):
            same = name.local_address.version == ip.dst.version
            if (found := sockets.get(name)) and (same or not found._ipv6_v6only):
                return found
        return None

    def _receive(self, face: Any, plain: Any, rx: Any) -> None:
        """Take a TCP segment; `plain` is PyTCP's own handler."""
        ip, tcp, listener = rx.ip, rx.frame, self._listener(rx.ip, rx.frame)
        by, src, dst = (face, plain, listener), bytes(ip.src), bytes(ip.dst)
        if not listener or self.segment(src, dst, tcp, by):
            plain(rx)

    def connect(self, conn: Conn, by: Any) -> bool:
        """Give PyTCP the SYN: the session that listened becomes the connection's."""
        _, plain, listener = by
        session, rx = listener._tcp_session, self._proto.PacketRx(conn.syn_packet())
        (self._proto.Ip6Parser if ":" in conn.faddr else self._proto.Ip4Parser)(rx)
        with getattr(session, "_lock__fsm", nullcontext()):
            plain(rx)
            if session._socket is listener:  # the accept queue is full
                return False
            numbers, following = session._snd_seq, (conn.iss + 1) & 0xFFFFFFFF
            numbers.reset_to(iss=conn.iss)
            numbers.nxt = numbers.max = session._tx.seq_mod = following
            session._win.rcv_wsc = conn.rcv_wscale or 0
        return True

    def send(self, reply: Segment, by: Any) -> None:
        """Send by the interface of the SYN; if None, by the one that leads there."""
        v, proto = ("ip6", "next") if ":" in reply.dst else ("ip4", "proto")
        address = getattr(self._address, f"{v.title()}Address")
        src, dst = address(reply.src), address(reply.dst)
        words = {f"{v}__local_address": src, f"{v}__remote_address": dst}
        words |= {f"{v}__{proto}": self._tcp, f"{v}__payload": reply.tcp()}
        with suppress(RuntimeError):  # no route, as to many a spoofed source
            face = by[0] if by else self._stack.egress_packet_handler(dst)
            getattr(face, f"send_{v}_packet")(**words)
