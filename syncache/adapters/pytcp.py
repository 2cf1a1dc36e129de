"""PyTCP 3.0.9 or pmd-pytcp 0.3.8 behind a SYN cache: docs/hosts.md says how."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from .front import Conn, Front, Segment, Sysctl, alone, parts, ports


class Adapter(Front):
    """In front of the listeners of every interface; the MSS is of the least MTU."""

    def __init__(self, stack: Any, sysctl: Sysctl | None = None) -> None:
        super().__init__(self, sysctl, endpoint={"rcv_wscale": 7}, ts_per_tuple=False)
        self._endpoint["mtu"] = min(f._interface_mtu for f in stack.interfaces.values())
        self._stack, package = stack, stack.__name__.partition(".")[0]
        self._net = import_module(package.replace("pytcp", "net_addr"))
        self._proto = import_module(package.replace("pytcp", "net_proto"))
        sockets = f"{package}.{'' if 'pmd' in package else 'runtime.'}socket"
        self._ids = import_module(f"{sockets}.tcp__metadata").TcpMetadata
        tcp = self._tcp = self._proto.IpProto.TCP
        for face in stack.interfaces.values():
            for at in face._ip4_proto_registry, face._ip6_proto_registry:
                at.register(tcp, partial(self._receive, face, alone(at.get(tcp))))
        self.start()

    def now(self) -> float:
        """Return the time of PyTCP's timestamps."""
        return float(self._stack.timer.now_ms / 1000)

    def _receive(self, face: Any, plain: Any, rx: Any) -> None:
        """Take a TCP segment; `plain` is PyTCP's handler, which knows connections."""
        ip, ids, find = rx.ip, self._ids, self._stack.sockets.get
        ends = SimpleNamespace(ip__ver=ip.ver, ip__local_address=ip.dst)
        ends.ip__remote_address = ip.src
        ends.tcp__remote_port, ends.tcp__local_port = ports(rx.frame)
        connected = find(ids.socket_id.fget(ends))
        for name in () if connected else ids.listening_socket_ids.fget(ends):
            same = name.local_address.version == ip.dst.version
            if (found := find(name)) and (same or not found._ipv6_v6only):
                by = face, plain, found
                if not self.segment(bytes(ip.src), bytes(ip.dst), rx.frame, by):
                    return
                break
        plain(rx)

    def connect(self, conn: Conn, by: Any) -> bool:
        """Give PyTCP the SYN: the session that listens becomes the connection's."""
        _, plain, listener = by
        session, rx = listener._tcp_session, self._proto.PacketRx(conn.syn_packet())
        (numbers := session._snd_seq).reset_to(iss=conn.iss)
        numbers.nxt = numbers.max = session._tx.seq_mod = conn.snd_nxt
        getattr(self._proto, f"Ip{conn.family}Parser")(rx)
        plain(rx)
        session._win.rcv_wsc = conn.rcv_wscale or 0
        return session._socket is not listener  # it is, if the accept queue is full

    def send(self, reply: Segment, by: Any) -> None:
        """Send by the interface of the SYN; if None, by the one that leads there."""
        *ends, tcp = parts(reply)
        v, proto = ("ip6", "next") if len(ends[0]) == 16 else ("ip4", "proto")
        src, dst = map(getattr(self._net, f"I{v[1:]}Address"), ends)
        words = {f"{v}__local_address": src, f"{v}__remote_address": dst}
        words |= {f"{v}__{proto}": self._tcp, f"{v}__payload": tcp}
        face = by[0] if by else self._stack.egress_packet_handler(dst)
        getattr(face, f"send_{v}_packet")(**words)


install = Adapter
