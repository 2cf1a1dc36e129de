"""PyTCP 3.0.9 behind a SYN cache: `install(stack)` protects each of its listeners.

PyTCP can only be given SYNs, so that of a completed handshake is rebuilt, and the
connection made of it begins with the numbers that the peer knows: docs/hosts.md.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

from net_addr import Ip4Address, Ip6Address
from net_proto import Ip4Parser, Ip6Parser, IpProto, PacketRx
from pytcp.runtime.socket import AddressFamily, SocketType
from pytcp.runtime.socket.socket_id import SocketId

from .. import Conn, Kind, Segment, Syncache, Sysctl


def install(stack: Any, sysctl: Sysctl | None = None) -> Adapter:
    """Stand in front of the listeners of every interface; the preset is `host`."""
    if sysctl is None:
        (sysctl := Sysctl()).preset("host")
    return Adapter(stack, sysctl)


class Adapter:
    """The engine in control; it has the counters and the tunables."""

    def __init__(self, stack: Any, sysctl: Sysctl) -> None:
        # PyTCP looks up its own tuples, and its timestamps have no offsets.
        self.engine = Syncache(sysctl, established_max=0, ts_per_tuple=False)
        self._stack, self._lock, self._ports = stack, threading.Lock(), set[int]()
        for face in stack.interfaces.values():
            for registry in (face._ip4_proto_registry, face._ip6_proto_registry):
                plain = registry.get(IpProto.TCP)
                registry.register(IpProto.TCP, partial(self._receive, plain))
        threading.Thread(target=self._pump, daemon=True).start()

    def _now(self) -> float:
        return float(self._stack.timer.now_ms / 1000)

    def _find(self, *ends: Any) -> Any:
        """Return the socket of a local and a foreign address and port, or None."""
        v6 = ends[0].version == 6
        family = AddressFamily.INET6 if v6 else AddressFamily.INET4
        names = ("local_address", "local_port", "remote_address", "remote_port")
        named = dict(zip(names, ends, strict=True))
        kind = SocketType.STREAM
        return self._stack.sockets.get(
            SocketId(address_family=family, socket_type=kind, **named)
        )

    def _listener(self, ip: Any, port: int) -> Any:
        for local in (ip.dst, ip.dst.unspecified):
            if found := self._find(local, port, ip.src.unspecified, 0):
                return found
        found = self._find(Ip6Address(), port, Ip6Address(), 0)
        return found if found and ip.ver == 4 and not found.ipv6_v6only else None

    def _receive(self, plain: Any, rx: Any) -> None:
        """Take a TCP segment; `plain` is PyTCP's own handler."""
        ip, tcp, now = rx.ip, rx.frame, self._now()
        fport, port = (int.from_bytes(tcp[i : i + 2], "big") for i in (0, 2))
        listener = self._listener(ip, port)
        if listener is None or self._find(ip.dst, port, ip.src, fport):
            plain(rx)
            return
        with self._lock:
            if port not in self._ports:
                self._ports.add(port)
                self.engine.listen(port, rcv_wscale=7)
            verdict = self.engine.segment(bytes(ip.src), bytes(ip.dst), tcp, now)
        if verdict.reply is not None:
            self._send(verdict.reply)
        made = verdict.conn is not None and _replay(plain, listener, verdict.conn)
        if verdict.conn is not None:
            with self._lock:
                self.engine.accepted(verdict.conn, ok=made)
        if made or verdict.kind is Kind.PASS:
            plain(rx)

    def _send(self, reply: Segment) -> None:
        v, address = (6, Ip6Address) if ":" in reply.dst else (4, Ip4Address)
        src, dst = address(reply.src), address(reply.dst)
        ends = {f"ip{v}__local_address": src, f"ip{v}__remote_address": dst}
        proto = {"ip6__next" if v == 6 else "ip4__proto": IpProto.TCP}
        send = getattr(self._stack.egress_packet_handler(dst), f"send_ip{v}_packet")
        send(**ends, **proto, **{f"ip{v}__payload": reply.tcp()})

    def _pump(self) -> None:
        while True:
            with self._lock:
                due, after = self.engine.poll(self._now()), self.engine.next_deadline()
            for packet in due:
                self._send(Segment.of_packet(packet))
            wait = 0.25 if after is None else after - self._now()
            time.sleep(min(max(wait, 0.01), 0.25))


def _replay(plain: Any, listener: Any, conn: Conn) -> bool:
    """Have PyTCP make the connection, of the session that listens; False: no room."""
    session, rx = listener._tcp_session, PacketRx(conn.syn_packet())
    (Ip6Parser if ":" in conn.faddr else Ip4Parser)(rx)
    with session._lock__fsm:
        plain(rx)
        if session._socket is listener:  # the accept queue is full
            return False
        numbers, following = session._snd_seq, (conn.iss + 1) & 0xFFFFFFFF
        numbers.reset_to(iss=conn.iss)
        numbers.nxt = numbers.max = session._tx.seq_mod = following
        session._win.rcv_wsc = conn.rcv_wscale or 0
    return True
