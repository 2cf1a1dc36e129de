"""Completed handshakes, from the offer to the stack's answer: DESIGN 5.5 and 5.7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .state import Conn, Entry, Known, Verdict
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cookie import Tuple4


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
        reason = "ACCEPT_CACHE" if entry is not None else "ACCEPT_COOKIE"
        return Verdict(reason, conn=conn)

    def accepted(self, conn: Conn, handle: int, *, ok: bool) -> None:
        """The stack made the connection, or had no room for it."""
        known = self.known.get(conn.tup)
        if known is None or known.state != "offered":
            return
        entry = self.find(conn.tup)
        if entry is not None and not entry.offered:
            entry = None
        if ok:
            self.count["accepts"] += 1
            self.count["sc_completed"] += conn.via == "cache"
            known.state, known.handle = "established", handle
            if self.tune.replay_entries:
                self.redeemed.add((conn.tup, conn.irs, conn.iss))
            if entry is not None:
                self.remove(entry)
            return
        self.count["listendrop"] += 1
        self._refuse_offer(known, entry)

    def _refuse_offer(self, known: Known, entry: Entry | None) -> None:
        if self.tune.rst_on_sock_fail:
            known.state = "rst owed"
        else:
            del self.known[known.conn.tup]
        kept = entry is not None and not self.tune.rst_on_sock_fail
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
                entry = self.find(known.conn.tup)
                self._refuse_offer(known, entry if entry and entry.offered else None)

    def owed(self) -> Iterator[bytes]:
        """Send the RSTs that refused offers are owed."""
        for tup, known in list(self.known.items()):
            if known.state == "rst owed":
                del self.known[tup]
                self.count["rst_sent"] += 1
                yield self.write.bare_reset(
                    tup, self.listener(tup), seq=known.conn.iss + 1
                )
