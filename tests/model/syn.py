"""SYNs (departures 2, 4 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import cookie, option
from .answer import packed
from .siphash import siphash24
from .state import Endpoint, Entry, Verdict
from .table import MASK32, Table

if TYPE_CHECKING:
    from .cookie import Tuple4
    from .packet import Packet


class Syn(Table):
    """What a SYN leads to."""

    def add(self, packet: Packet, tup: Tuple4, endpoint: Endpoint) -> Verdict:
        """Answer a SYN, and remember it if there is room."""
        entry = None if self.cookies_only else self.find(tup)
        if entry is not None:
            return self._duplicate(packet, entry)
        fresh = self._fill(packet, tup, endpoint)
        self.pause.window.syns += 1
        if self.cookies_only or self.paused:
            return self._answer_only(fresh, "REPLY_SYN_COOKIE")
        if not self._make_room(fresh):
            if self.tune.syncookies and self.tune.overflow != "drop-new":
                return self._answer_only(fresh, "REPLY_SYN_COOKIE")
            return Verdict("DROP_CACHE_FULL")
        self._number(fresh)
        reply = self.write.syn_ack(fresh)
        self.count["sndacks"] += 1
        self.count["ecn_shs"] += bool(fresh.ecn)
        self.arm_after_syn_ack(fresh)
        self.buckets[self.bucket_of(tup)].append(fresh)
        self.count["sc_added"] += 1
        return Verdict("REPLY_SYN_ACK", reply)

    def _fill(self, packet: Packet, tup: Tuple4, endpoint: Endpoint) -> Entry:
        """What a SYN negotiates."""
        seen = option.read(packet.options, syn=True)
        tune = self.tune
        entry = Entry(tup, endpoint, packet.seq, self.now, mss=seen.mss or None)
        scale = endpoint.rcv_wscale
        entry.rcv_ws = tune.wscale if scale is None else scale
        if endpoint.options:
            if seen.ts is not None and tune.rfc1323 in (1, 3):
                entry.ts, entry.tsreflect = True, seen.ts[0]
            if tune.rfc1323 in (1, 2):
                entry.ws = seen.ws
            entry.sack = seen.sack and bool(tune.sack_enable)
        entry.ecn = self._ecn(packet)
        return entry

    def _ecn(self, packet: Packet) -> int:
        """Which ECN a SYN negotiates: none, classic, accurate (3.2)."""
        asked = set(packet.flags) & set("NWE")
        if not self.tune.ecn_enable or not asked:
            return 0
        if asked == {"W", "E"}:
            return 1
        if self.tune.ecn_enable >= 3:
            return 2 + (packet.tos & 3)
        return 1 if asked == {"N", "W", "E"} else 0

    def _options_of(self, entry: Entry) -> cookie.Options:
        return cookie.Options(entry.mss, entry.ws, entry.sack)

    def _setting(self, entry: Entry) -> cookie.Setting:
        return cookie.Setting(self.tune.cookie_layout, self.tune.secmod, entry.rcv_ws)

    def _number(self, entry: Entry) -> None:
        """Choose the ISS."""
        if not self.mints:
            mixed = siphash24(self.keys.iss, packed(entry.tup))
            entry.iss = (self.now * 250 + mixed) & MASK32
            return
        epoch = self.clock.epoch
        entry.iss = cookie.mint(
            self.keys.cookie[epoch],
            entry.tup,
            entry.irs,
            self._options_of(entry),
            epoch & 1,
            self._setting(entry),
        )
        self.count["sc_sendcookie"] += 1

    def _answer_only(self, entry: Entry, reason: str) -> Verdict:
        """Answer a SYN that is not stored; offer only what its cookie brings back."""
        if self.tune.cookie_layout == "mss":
            entry.ws, entry.sack = None, False
        self._number(entry)
        ecn = bool(self.tune.ecn_in_cookie)
        reply = self.write.syn_ack(entry, ecn=ecn)
        self.count["sndacks"] += 1
        self.count["ecn_shs"] += bool(entry.ecn and ecn)
        self.count["cookie_only_synacks"] += 1
        self.stamp(entry.endpoint)
        return Verdict(reason, reply)

    def _make_room(self, entry: Entry) -> bool:
        """Evict if the bucket or the cache is full (3.1 d and f)."""
        number = self.bucket_of(entry.tup)
        bucket = self.buckets[number]
        policy = self.tune.pause_policy
        total = sum(len(b) for b in self.buckets)
        full = len(bucket) >= self.tune.bucketlimit
        if total < self.tune.cachelimit and not full:
            return True
        exhausted = total >= self.tune.cachelimit and (policy == "bucket" or not full)
        if exhausted:
            self.count["sc_zonefail" if policy == "bucket" else "sc_cacheoverflow"] += 1
        if self.tune.overflow == "drop-new":
            self.count["sc_bucketoverflow"] += not exhausted
            return False
        if exhausted and not bucket:
            self.pause.window.unplaced += 1
            return False
        if policy == "bucket":
            if not self.tune.syncookies or not self.paused:
                self.count["sc_bucketoverflow"] += 1
            if self.tune.syncookies:
                self.pause.begin(self.now)
        elif not exhausted:
            self.count["sc_bucketoverflow"] += 1
        victim = bucket.pop(0)
        self.count["evicted"] += 1
        self.pause.window.victims += 1
        self.pause.window.young += self.now - victim.born < self.tune.pause_age_ms
        self.stamp(victim.endpoint)
        self.overflowed[number] = self.second
        return True

    def _duplicate(self, packet: Packet, entry: Entry) -> Verdict:
        """Answer a SYN whose tuple has an entry (departure 6)."""
        self.count["sc_dupsyn"] += 1
        limit = self.tune.dupsyn_limit
        other = packet.seq != entry.irs
        if limit and other and self.mints:
            fresh = self._fill(packet, entry.tup, entry.endpoint)
            return self._answer_only(fresh, "REPLY_OTHER_ISN")
        if limit and entry.dup_answers >= limit:
            return Verdict("DROP_DUPSYN_LIMIT")
        entry.dup_answers += 1
        if not (limit and other):
            self._renew(packet, entry)
        reply = self.write.syn_ack(entry)
        self.count["sndacks"] += 1
        self.count["ecn_shs"] += bool(entry.ecn)
        if not limit:
            entry.rxmits = 0
            self.arm_after_syn_ack(entry)
        return Verdict("REPLY_DUPSYN", reply)

    def unsent(self, tup: Tuple4, seq: int) -> None:
        """A SYN-ACK could not be sent: no entry, or none any more (3.1 e, 3.3)."""
        self.count["sc_dropped"] += 1
        entry = self.find(tup)
        if entry is None or entry.iss != seq:
            return
        if entry.rxmits == 1 and not entry.dup_answers:
            self.count["sc_added"] -= 1
        self.remove(entry)

    def _renew(self, packet: Packet, entry: Entry) -> None:
        """Take over what of a duplicate SYN is newer."""
        seen = option.read(packet.options, syn=True)
        if entry.ts and seen.ts is not None:
            entry.tsreflect = seen.ts[0]
        else:
            entry.ts = False
        if entry.ecn:
            entry.ecn = self._ecn(packet)
