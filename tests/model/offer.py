"""Completed handshakes, from the offer to the stack's answer (departures 5 and 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .state import Conn, Entry, Known, Verdict
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cookie import Tuple4
    from .packet import Packet


class Offer(Table):
    """Who was offered, accepted, refused."""

    def offer(self, conn: Conn, entry: Entry | None = None) -> Verdict:
        """Offer a handshake to the stack."""
        if self.known_max:
            if len(self.known) >= self.known_max and conn.tup not in self.known:
                return Verdict("DROP_KNOWN_FULL")
            self.known[conn.tup] = Known("offered", conn, self.now)
        if entry is not None:
            if self.tune.offer_timeout:
                entry.offered = True
            else:
                self.remove(entry)
        self.count["sc_recvcookie"] += conn.via == "cookie"
        reason = "ACCEPT_CACHE" if entry is not None else "ACCEPT_COOKIE"
        return Verdict(reason, conn=conn)

    def accepted(self, conn: Conn, handle: int, *, ok: bool) -> None:
        """The stack made the connection, or had no room; late is better than never."""
        known = self.known.get(conn.tup)
        entry = self._entry_of(conn)
        if ok:
            self.count["accepts"] += 1
            self.count["sc_completed"] += conn.via == "cache"
            other = self.find(conn.tup)
            if known is not None and entry is None and other is not None:
                other.offered = False  # another handshake than this one, which is late
            if known is not None or len(self.known) < self.known_max:
                self.known[conn.tup] = Known("established", conn, handle=handle)
            if self.tune.replay_entries:
                self.redeemed.add((conn.tup, conn.irs, conn.iss))
            if entry is not None:
                self.remove(entry)
        elif known is not None and known.state == "offered":
            same = (known.conn.irs, known.conn.iss) == (conn.irs, conn.iss)
            if same:
                self._refuse_offer(known, entry)

    def _entry_of(self, conn: Conn) -> Entry | None:
        """The entry of an offered handshake, if it is still there."""
        entry = self.find(conn.tup)
        same = entry is not None and (entry.irs, entry.iss) == (conn.irs, conn.iss)
        return entry if same else None

    def _refuse_offer(self, known: Known, entry: Entry | None) -> None:
        self.count["listendrop"] += 1
        kept = bool(self.tune.offer_timeout) and not self.tune.rst_on_sock_fail
        if self.tune.rst_on_sock_fail:
            known.state = "rst owed"
        else:
            del self.known[known.conn.tup]
        if not kept:
            self.count["sc_aborted"] += 1
        if entry is not None:
            if kept:
                entry.offered, entry.validated = False, True
            else:
                self.remove(entry)

    def closed(self, tup: Tuple4) -> None:
        """The stack forgets a connection."""
        self.known.pop(tup, None)

    def expire_offers(self) -> None:
        """Take back the offers that nobody answered."""
        timeout = self.tune.offer_timeout * 1000
        for known in list(self.known.values()):
            late = timeout and self.now - known.since >= timeout
            if known.state == "offered" and late:
                self.count["offer_timeout"] += 1
                self._refuse_offer(known, self._entry_of(known.conn))

    def owed_one(self, packet: Packet, known: Known) -> Verdict | None:
        """A RST is owed: the tuple's next ACK draws it, a SYN or RST cancels it."""
        kind = set("RSA") & set(packet.flags)
        if "R" not in kind and kind not in ({"S"}, {"A"}):
            return None
        tup = known.conn.tup
        del self.known[tup]
        if "R" in kind:
            return Verdict("DROP_RST")
        if kind == {"S"}:
            return None
        self.count["rst_sent"] += 1
        seq = known.conn.iss + 1
        reply = self.write.bare_reset(tup, self.listener(tup), seq=seq)
        return Verdict("REPLY_RST", reply)

    def owed(self) -> Iterator[bytes]:
        """Send the RSTs that refused offers are owed."""
        for tup, known in list(self.known.items()):
            if known.state == "rst owed":
                del self.known[tup]
                self.count["rst_sent"] += 1
                yield self.write.bare_reset(
                    tup, self.listener(tup), seq=known.conn.iss + 1
                )
