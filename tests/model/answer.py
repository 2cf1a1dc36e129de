"""The packets that a half-open connection is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import option
from .packet import Packet
from .siphash import fold, siphash24

if TYPE_CHECKING:
    from .cookie import Tuple4
    from .state import Endpoint, Entry, Tunables

ACCURATE = {0: "W", 1: "EW", 2: "N", 3: "WN"}  # RFC 9768 3.1.1, by the SYN's IP-ECN


def packed(tup: Tuple4, *, ports: bool = True) -> bytes:
    """Return a tuple's bytes: addresses, then ports."""
    from .packet import address_bytes

    faddr, fport, laddr, lport = tup
    out = address_bytes(faddr) + address_bytes(laddr)
    if ports:
        out += fport.to_bytes(2, "big") + lport.to_bytes(2, "big")
    return out


@dataclass
class Writer:
    """Writes replies; knows the timestamp key and the clock."""

    tune: Tunables
    ts_key: bytes
    now: int = 0

    def ts_offset(self, tup: Tuple4) -> int:
        """The offset of a tuple's timestamps."""
        data = packed(tup, ports=bool(self.tune.ts_offset_per_conn))
        return fold(siphash24(self.ts_key, data))

    def tsval(self, tup: Tuple4) -> int:
        """Our TSval for a tuple, now: one tick a millisecond."""
        return (self.now + self.ts_offset(tup)) & 0xFFFFFFFF

    def mss(self, endpoint: Endpoint, *, v6: bool) -> int:
        """The MSS that we announce."""
        if endpoint.mtu:
            mss = max(endpoint.mtu - (60 if v6 else 40), 1)
        else:
            mss = self.tune.v6mssdflt if v6 else self.tune.mssdflt
        if endpoint.mss_max:
            mss = min(mss, endpoint.mss_max)
        return mss

    def usable_mss(self, endpoint: Endpoint, offered: int | None, *, v6: bool) -> int:
        """The MSS that a peer which offered this one may be sent."""
        default = self.tune.v6mssdflt if v6 else self.tune.mssdflt
        mss = max(offered, self.tune.minmss) if offered else default
        if not endpoint.mtu:
            return min(mss, endpoint.mss_max or mss)
        return min(mss, self.mss(endpoint, v6=v6))

    def syn_ack(self, entry: Entry, *, ecn: bool = True) -> bytes:
        """Write the SYN-ACK of an entry."""
        options: list[option.Option] = []
        if entry.endpoint.options:
            v6 = ":" in entry.tup[0]
            options.append(("mss", self.mss(entry.endpoint, v6=v6)))
            if entry.ws is not None:
                options.append(("ws", entry.rcv_ws))
            if entry.sack:
                options.append(("sack_ok",))
            if entry.ts:
                options.append(("ts", self.tsval(entry.tup), entry.tsreflect))
        flags = "SA"
        if ecn and entry.ecn:
            flags += "E" if entry.ecn == 1 else ACCURATE[entry.ecn - 2]
        return self._reply(entry, flags, entry.iss, option.syn_ack(options))

    def challenge(self, entry: Entry) -> bytes:
        """Write a challenge ACK (RFC 5961 3.2)."""
        options = b""
        if entry.ts:
            ts = ("ts", self.tsval(entry.tup), entry.tsreflect)
            options = option.encode([("nop",), ("nop",), ts])
        return self._reply(entry, "A", entry.iss + 1, options)

    def _df(self, *, v6: bool) -> bool:
        return bool(self.tune.path_mtu_discovery) and not v6

    def _reply(self, entry: Entry, flags: str, seq: int, options: bytes) -> bytes:
        """Write a segment; an ICMP error about one switches DF off."""
        faddr, fport, laddr, lport = entry.tup
        v6 = ":" in faddr
        return Packet(
            laddr,
            faddr,
            lport,
            fport,
            flags=flags,
            seq=seq & 0xFFFFFFFF,
            ack=(entry.irs + 1) & 0xFFFFFFFF,
            window=min(entry.endpoint.rcv_window, 65535),
            options=options,
            ttl=entry.endpoint.hop_limit,
            tos=entry.endpoint.tos & ~3,
            flow_label=entry.iss & 0xFFFFF if v6 else 0,
            df=self._df(v6=v6) and not entry.unreach,
        ).encode()

    def reset(self, packet: Packet, endpoint: Endpoint | None) -> bytes:
        """Answer a segment that belongs to nothing (RFC 9293 3.10.7.1)."""
        if "A" in packet.flags:
            flags, seq, ack = "R", packet.ack, 0
        else:
            flags, seq, ack = "RA", 0, packet.seq + packet.length
        tup = (packet.src, packet.sport, packet.dst, packet.dport)
        return self.bare_reset(tup, endpoint, flags=flags, seq=seq, ack=ack)

    def bare_reset(
        self,
        tup: Tuple4,
        endpoint: Endpoint | None,
        *,
        flags: str = "R",
        seq: int,
        ack: int = 0,
    ) -> bytes:
        """Write a RST to a tuple."""
        faddr, fport, laddr, lport = tup
        return Packet(
            laddr,
            faddr,
            lport,
            fport,
            flags=flags,
            seq=seq & 0xFFFFFFFF,
            ack=ack & 0xFFFFFFFF,
            ttl=endpoint.hop_limit if endpoint else 64,
            tos=endpoint.tos & ~3 if endpoint else 0,
            df=self._df(v6=":" in faddr),
        ).encode()
