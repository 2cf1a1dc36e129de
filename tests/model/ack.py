"""ACKs and RSTs (departures 3, 6 to 8 and 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import cookie, option
from .offer import Offer
from .state import Conn, Endpoint, Entry, Verdict
from .table import MASK32, signed

if TYPE_CHECKING:
    from .cookie import Tuple4
    from .packet import Packet


class Ack(Offer):
    """What the answer to a SYN-ACK leads to."""

    def expand(self, packet: Packet, tup: Tuple4, endpoint: Endpoint) -> Verdict:
        """Complete a handshake, from an entry or from a cookie."""
        entry = None if self.cookies_only else self.find(tup)
        if entry is None:
            return self._expand_cookie(packet, tup, endpoint)
        seen = option.read(packet.options, syn=False)
        old = seen.ts is not None and signed(seen.ts[0] - entry.tsreflect) < 0
        outdated = None
        if entry.ts and old:
            outdated = Verdict("DROP_PAWS")
        if entry.ts and seen.ts is None and not self.tune.tolerate_missing_ts:
            outdated = Verdict("DROP_MISSING_TS")
        window = min(entry.endpoint.rcv_window, 65535)
        in_window = 0 < signed(packet.seq - entry.irs) <= window
        exact = packet.ack == (entry.iss + 1) & MASK32
        if not (in_window and exact):
            tried = self._over_entry(packet, tup, endpoint)
            if isinstance(tried, Conn):
                verdict = self.offer(tried)
                if verdict.conn is not None:
                    self.remove(entry)
                    self.count["cookie_over_entry"] += 1
                return verdict
            if outdated is not None:
                return outdated
            if not in_window:
                return self.challenge(entry)
            if tried != "off" and self._waits_for_data(packet, tried):
                return Verdict("DROP_COOKIE_DATA")
            return self.refuse(packet, endpoint)
        if outdated is not None:
            return outdated
        return self.offer(self._conn_of(entry, packet, "cache"), entry)

    def _over_entry(
        self, packet: Packet, tup: Tuple4, endpoint: Endpoint
    ) -> Conn | str:
        """Try as a cookie an ACK that fails against its entry (departure 6)."""
        on = self.tune.dupsyn_limit and self.tune.syncookies
        if not on or not self.gate_open(tup, endpoint):
            return "off"
        result = self._redeem(packet, tup, endpoint)
        if not isinstance(result, Conn):
            self.count["sc_failcookie"] += result != "replayed"
        return result

    def _waits_for_data(self, packet: Packet, why: str) -> bool:
        """What its peer sent before may come again, with a cookie (departure 12)."""
        if why == "replayed" or self.tune.failcookie_rst:
            return False
        return why == "bad mac" or bool(packet.payload or "F" in packet.flags)

    def gate_open(self, tup: Tuple4, endpoint: Endpoint) -> bool:
        """May a cookie of this endpoint be tried (departure 3)."""
        if self.tune.cookie_gate == "always":
            return True
        if self.tune.cookie_gate == "bucket":
            at = self.overflowed.get(self.bucket_of(tup))
            return at is not None and at >= self.second - self.tune.cookie_lifetime
        stamped = endpoint.stamped
        return stamped is not None and self.now - stamped <= 2 * self.lifetime

    def _expand_cookie(
        self, packet: Packet, tup: Tuple4, endpoint: Endpoint
    ) -> Verdict:
        if not self.cookies_only and (
            not self.tune.syncookies or not self.gate_open(tup, endpoint)
        ):
            self.count["sc_spurcookie"] += 1
            return self.refuse(packet, endpoint)
        result = self._redeem(packet, tup, endpoint)
        if isinstance(result, Conn):
            return self.offer(result)
        self.count["sc_failcookie"] += result != "replayed"
        if self._waits_for_data(packet, result):
            return Verdict("DROP_COOKIE_DATA")
        return self.refuse(packet, endpoint)

    def _redeem(self, packet: Packet, tup: Tuple4, endpoint: Endpoint) -> Conn | str:
        """Return the connection that a cookie stands for, or why it does not."""
        iss, irs = (packet.ack - 1) & MASK32, (packet.seq - 1) & MASK32
        scale = endpoint.rcv_wscale
        rcv_ws = self.tune.wscale if scale is None else scale
        setting = cookie.Setting(self.tune.cookie_layout, self.tune.secmod, rcv_ws)
        keys = self.clock.candidates(cookie.parity_of(iss))
        if not keys:
            self.count["cookie_no_key"] += 1
            return "no key"
        found = [cookie.check(key, tup, irs, iss, setting) for key in keys]
        options = next((o for o in found if o is not None), None)
        if options is None:
            self.count["cookie_bad_mac"] += 1
            return "bad mac"
        if not self._fresh(packet, tup, endpoint):
            self.count["ts_refused"] += 1
            return "timestamp"
        if (tup, irs, iss) in self.redeemed:
            self.count["replayed"] += 1
            return "replayed"
        entry = Entry(tup, endpoint, irs, self.now, iss=iss, rcv_ws=rcv_ws)
        entry.mss, entry.ws, entry.sack = options.mss, options.ws, options.sack
        return self._conn_of(entry, packet, "cookie")

    def _fresh(self, packet: Packet, tup: Tuple4, endpoint: Endpoint) -> bool:
        """Does TSecr say that the SYN-ACK was recent (departure 8)."""
        if self.tune.cookie_ts == "off" or not self._ts_allowed(endpoint):
            return True
        ts = option.read(packet.options, syn=False).ts
        if ts is None:
            return self.tune.cookie_ts != "require"
        age = signed(self.write.tsval(tup) - ts[1])
        return -self.tune.clock_skew_ms <= age <= 2 * self.lifetime

    def _ts_allowed(self, endpoint: Endpoint) -> bool:
        return self.tune.rfc1323 in (1, 3) and endpoint.options

    def _conn_of(self, entry: Entry, packet: Packet, via: str) -> Conn:
        seen = option.read(packet.options, syn=False)
        on = entry.ts
        recent = entry.tsreflect
        if via == "cookie":
            on = seen.ts is not None and self._ts_allowed(entry.endpoint)
            plain = self.tune.ecn_in_cookie or not self.tune.ecn_enable
            ecn = "none" if plain else "echo"
        else:
            ecn = ("none", "classic")[entry.ecn] if entry.ecn < 2 else "accurate"
        # RFC 7323 4.3: only a segment that leaves no hole behind it updates it.
        if on and seen.ts is not None and packet.seq == (entry.irs + 1) & MASK32:
            recent = seen.ts[0]
        scaled = entry.ws is not None
        v6 = ":" in entry.tup[0]
        return Conn(
            tup=entry.tup,
            iss=entry.iss,
            irs=entry.irs,
            mss=self.write.usable_mss(entry.endpoint, entry.mss, v6=v6),
            snd_wscale=entry.ws,
            rcv_wscale=entry.rcv_ws if scaled else None,
            rcv_window=min(entry.endpoint.rcv_window, 65535),
            peer_window=packet.window << (entry.ws or 0),
            sack_permitted=entry.sack,
            ts_recent=recent if on else None,
            ts_offset=self.write.ts_offset(entry.tup) if on else 0,
            ecn=ecn,
            via=via,
            rxmits=entry.rxmits,
        )

    def chkrst(self, packet: Packet, tup: Tuple4) -> Verdict:
        """Let an exact RST remove the entry, challenge one in the window."""
        if self.cookies_only:
            return Verdict("DROP_RST_NO_ENTRY")
        entry = self.find(tup)
        if entry is None:
            self.count["badrst"] += 1
            return Verdict("DROP_RST_NO_ENTRY")
        window = min(entry.endpoint.rcv_window, 65535)
        offset = signed(packet.seq - entry.irs - 1)
        if not (0 <= offset < window or (window == 0 and offset == 0)):
            self.count["badrst"] += 1
            return Verdict("DROP_RST_OUTSIDE")
        if offset == 0 or self.tune.insecure_rst:
            self.remove(entry)
            self.count["sc_reset"] += 1
            return Verdict("DROP_RST")
        self.count["badrst"] += 1
        return self.challenge(entry)

    def challenge(self, entry: Entry) -> Verdict:
        """Send a challenge ACK, a few per entry and time window (RFC 5961 7)."""
        limit, window = self.tune.ack_war_cnt, self.tune.ack_war_timewindow
        if limit and window:
            if not entry.challenges or self.now - entry.challenge_start >= window:
                entry.challenges, entry.challenge_start = 0, self.now
            if entry.challenges >= limit:
                return Verdict("DROP_CHALLENGE_LIMIT")
            entry.challenges += 1
        self.count["challenge_acks"] += 1
        self.count["sndacks"] += 1
        return Verdict("REPLY_CHALLENGE_ACK", self.write.challenge(entry))
