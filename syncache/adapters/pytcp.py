"""PyTCP 3.0.9 or pmd-pytcp 0.3.8 behind a SYN cache: `install(stack)` protects it.

PyTCP can only be given SYNs, so that of a completed handshake is rebuilt, and the
connection made of it begins with the numbers that the peer knows: docs/hosts.md.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from typing import Any

from .. import Conn, Kind, Segment, Syncache, Sysctl


def install(stack: Any, sysctl: Sysctl | None = None) -> Adapter:
    """Stand in front of the listeners of every interface; the preset is `host`.

    pmd-pytcp lives in an event loop: call this in it, after `init()`.
    """
    if sysctl is None:
        (sysctl := Sysctl()).preset("host")
    return Adapter(stack, sysctl)


class Adapter:
    """The engine in control; it has the counters and the tunables."""

    def __init__(self, stack: Any, sysctl: Sysctl) -> None:
        # PyTCP looks up its own tuples, and its timestamps have no offsets.
        self.engine = Syncache(sysctl, established_max=0, ts_per_tuple=False)
        self._stack, self._lock, self._ports = stack, threading.Lock(), set[int]()
        package = stack.__name__.partition(".")[0]
        pmd = package.startswith("pmd_")
        loop = asyncio.get_running_loop() if pmd else None
        self._address = import_module(package.replace("pytcp", "net_addr"))
        self._proto = import_module(package.replace("pytcp", "net_proto"))
        name = f"{package}.socket" if loop else f"{package}.runtime.socket"
        self._socket = import_module(name)
        self._id = import_module(f"{name}.socket_id").SocketId
        tcp = self._proto.IpProto.TCP
        for face in stack.interfaces.values():
            for registry in (face._ip4_proto_registry, face._ip6_proto_registry):
                plain = registry.get(tcp)
                registry.register(tcp, partial(self._receive, face, plain))
        if loop:
            self._pump(loop)
        else:
            threading.Thread(target=self._pump, daemon=True).start()

    def _now(self) -> float:
        return float(self._stack.timer.now_ms / 1000)

    def _find(self, *ends: Any) -> Any:
        """Return the socket of a local and a foreign address and port, or None."""
        names = ("local_address", "local_port", "remote_address", "remote_port")
        family = self._socket.AddressFamily
        return self._stack.sockets.get(
            self._id(
                address_family=family.INET6 if ends[0].version == 6 else family.INET4,
                socket_type=self._socket.SocketType.STREAM,
                **dict(zip(names, ends, strict=True)),
            )
        )

    def _listener(self, ip: Any, port: int) -> Any:
        for local in (ip.dst, ip.dst.unspecified):
            if found := self._find(local, port, ip.src.unspecified, 0):
                return found
        v6 = self._address.Ip6Address()
        found = self._find(v6, port, v6, 0)
        return found if found and ip.ver == 4 and not found._ipv6_v6only else None

    def _receive(self, face: Any, plain: Any, rx: Any) -> None:
        """Take a TCP segment; `plain` is PyTCP's own handler."""
        ip, tcp = rx.ip, rx.frame
        fport, port = (int.from_bytes(tcp[i : i + 2], "big") for i in (0, 2))
        listener = self._listener(ip, port)
        if listener is None or self._find(ip.dst, port, ip.src, fport):
            plain(rx)
            return
        with self._lock:
            if port not in self._ports:
                self._ports.add(port)
                self.engine.listen(port, rcv_wscale=7)
            src, dst = bytes(ip.src), bytes(ip.dst)
            verdict = self.engine.segment(src, dst, tcp, self._now())
        if verdict.reply is not None:
            self._send(verdict.reply, face)
        made = verdict.conn is not None and self._replay(plain, listener, verdict.conn)
        if verdict.conn is not None:
            with self._lock:
                self.engine.accepted(verdict.conn, ok=made)
        if made or verdict.kind is Kind.PASS:
            plain(rx)

    def _replay(self, plain: Any, listener: Any, conn: Conn) -> bool:
        """Have PyTCP make the connection; False: it has no room."""
        session, rx = listener._tcp_session, self._proto.PacketRx(conn.syn_packet())
        (self._proto.Ip6Parser if ":" in conn.faddr else self._proto.Ip4Parser)(rx)
        with getattr(session, "_lock__fsm", nullcontext()):
            plain(rx)  # the session that listened becomes the connection's
            if session._socket is listener:  # the accept queue is full
                return False
            numbers, following = session._snd_seq, (conn.iss + 1) & 0xFFFFFFFF
            numbers.reset_to(iss=conn.iss)
            numbers.nxt = numbers.max = session._tx.seq_mod = following
            session._win.rcv_wsc = conn.rcv_wscale or 0
        return True

    def _send(self, reply: Segment, face: Any = None) -> None:
        """Send by an interface; None: by the one that leads there, if one does."""
        v = 6 if ":" in reply.dst else 4
        address = self._address.Ip6Address if v == 6 else self._address.Ip4Address
        src, dst = address(reply.src), address(reply.dst)
        ends = {f"ip{v}__local_address": src, f"ip{v}__remote_address": dst}
        proto = {"ip6__next" if v == 6 else "ip4__proto": self._proto.IpProto.TCP}
        try:
            face = face or self._stack.egress_packet_handler(dst)
        except RuntimeError:  # no route, as to many a spoofed source
            return
        send = getattr(face, f"send_ip{v}_packet")
        send(**ends, **proto, **{f"ip{v}__payload": reply.tcp()})

    def _pump(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Send the packets that are due, for ever: by the loop, else in this thread."""
        while True:
            with self._lock:
                due, after = self.engine.poll(self._now()), self.engine.next_deadline()
            for packet in due:
                self._send(Segment.of_packet(packet))
            wait = 0.25 if after is None else after - self._now()
            wait = min(max(wait, 0.01), 0.25)
            if loop:
                loop.call_later(wait, self._pump, loop)
                return
            time.sleep(wait)
