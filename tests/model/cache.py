"""The SYN cache: what a listener does with SYNs, ACKs, RSTs, ICMP errors and time.

Takes packets as values; sound headers are assumed (what is refused before any event is
tested by other means).  TCP Fast Open and RFC 2385 are not modelled.  Sections of the
specification stand at the methods.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .ack import Ack
from .state import Entry, Verdict
from .syn import Syn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cookie import Tuple4
    from .packet import Packet


class Cache(Syn, Ack):
    """The model of one engine."""

    def packet(self, packet: Packet, now: int) -> Verdict:
        """Take one segment."""
        self.advance(now)
        self.count["rcvtotal"] += 1
        verdict = self._classify(packet)
        self.count["verdict " + verdict.reason] += 1
        if verdict.reply is not None:
            self.count["sndtotal"] += 1
        return verdict

    def _classify(self, packet: Packet) -> Verdict:
        tup = (packet.src, packet.sport, packet.dst, packet.dport)
        known = self.known.get(tup)
        if known is not None and known.state == "rst owed":
            verdict = self.owed_one(packet, known)
            if verdict is not None:
                return verdict
        elif known is not None:
            if known.state == "offered":
                return Verdict("PASS_OFFERED")
            return Verdict("PASS_KNOWN", handle=known.handle)
        endpoint = self.listener(tup)
        flags = set(packet.flags)
        if endpoint is None:
            return self._closed_port(packet)
        if flags & set("RAS") == {"A"}:
            return self.expand(packet, tup, endpoint)
        if "R" in flags:
            return self.chkrst(packet, tup)
        if "S" not in flags:
            self.count["badsyn"] += 1
            return Verdict("DROP_NO_SYN")
        if "A" in flags:
            self.count["badsyn"] += 1
            return Verdict("DROP_SYN_ACK")
        if "F" in flags and self.tune.drop_synfin:
            self.count["badsyn"] += 1
            return Verdict("DROP_SYN_FIN")
        return self.add(packet, tup, endpoint)

    def _closed_port(self, packet: Packet) -> Verdict:
        if "R" in packet.flags:
            return Verdict("DROP_RST_NO_ENTRY")
        level = self.tune.blackhole
        if level >= 2 or (level == 1 and set("SA") & set(packet.flags) == {"S"}):
            return Verdict("DROP_BLACKHOLE")
        if self.known_max == 0:
            return Verdict("PASS_NO_ENDPOINT")
        self.count["rst_sent"] += 1
        return Verdict("REPLY_RST", self.write.reset(packet, None))

    # ICMP

    def unreach(self, tup: Tuple4, seq: int, now: int) -> Verdict:
        """Take an ICMP error that quotes a segment of ours."""
        self.advance(now)
        stacks = tup in self.known or self.cookies_only
        entry = None if stacks else self.find(tup)
        verdict = Verdict("PASS_ICMP" if entry is None else "DROP_ICMP")
        self.count["verdict " + verdict.reason] += 1
        if entry is None or seq != entry.iss:
            return verdict
        if not entry.unreach or entry.rxmits < 4:
            entry.unreach = True
        else:
            self.remove(entry)
            self.count["sc_unreach"] += 1
        return verdict

    # Time passing

    def poll(self, now: int) -> list[bytes]:
        """Do what is due; return what is sent."""
        self.advance(now)
        self.expire_offers()
        out = list(self.owed())
        for number in range(self.tune.hashsize):
            out += self._poll_bucket(number)
        self.count["sndtotal"] += len(out)
        return out

    def _poll_bucket(self, number: int) -> Iterator[bytes]:
        bucket = self.buckets[number]
        due = [e for e in bucket if e.deadline <= self.now]
        if due and self.paused and self.tune.pause_policy == "bucket":
            self.count["purged"] += len(bucket)
            for entry in bucket:
                self.stamp(entry.endpoint)
            bucket.clear()
            return
        for entry in due:
            yield from self._retransmit(entry)

    def _retransmit(self, entry: Entry) -> Iterator[bytes]:
        if entry.offered:
            self.arm(entry, self.tune.rexmit_initial)
            return
        if entry.rxmits > self.tune.ecn_maxretries:
            entry.ecn = 0
        if entry.rxmits > self.tune.rexmtlimit:
            self.remove(entry)
            self.count["sc_stale"] += 1
            if entry.validated:
                self.count["rst_sent"] += 1
                yield self.write.bare_reset(
                    entry.tup, self.listener(entry.tup), seq=entry.iss + 1
                )
            return
        reply = self.write.syn_ack(entry)
        self.arm_after_syn_ack(entry)
        self.count["sc_retransmitted"] += 1
        self.count["sndacks"] += 1
        self.count["ecn_shs"] += bool(entry.ecn)
        yield reply

    def next_due(self) -> int | None:
        """The earliest deadline of an entry."""
        return min((e.deadline for e in self.entries()), default=None)

    def snapshot(self) -> list[Entry]:
        """A copy of all entries."""
        return [replace(e) for e in self.entries()]
