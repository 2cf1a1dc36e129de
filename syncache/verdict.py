"""The verdict on a packet: `Verdict`, its `Kind` and its `Reason`."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from .named import NamedNumber

if TYPE_CHECKING:
    from .conn import Conn
    from .segment import Segment


class Kind(Enum):
    """The action that the stack has to take."""

    PASS = "pass"  # noqa: S105 - it is the stack's
    ACCEPT = "accept"  # it completes a handshake; its payload is the stack's
    REPLY = "reply"  # send the reply
    DROP = "drop"  # nothing


class Reason(NamedNumber):
    """Why; each has a counter of its own in `Stats.verdicts`.

    The names and numbers are those of `enum syncache_verdict` of the C header.
    """

    # enum syncache_verdict, by docs/generate.py: begin
    PASS_NOT_TCP = 0  # neither TCP nor an ICMP error
    PASS_ICMP = 1  # an ICMP error that quotes no half-open tuple
    PASS_NOT_OURS = 2  # to an address that no endpoint listens on
    PASS_NO_ENDPOINT = 3  # established_max is 0, so the stack answers unknown segments
    PASS_KNOWN = 4  # tuple of an established connection; result.handle is the stack's
    PASS_OFFERED = 5  # tuple of a handshake that was offered and is not yet accepted
    ACCEPT_CACHE = 6  # from an entry
    ACCEPT_COOKIE = 7  # from a cookie
    # by a TFO cookie: SYN-RECEIVED, the reply is the SYN-ACK (RFC 7413)
    ACCEPT_FASTOPEN = 8
    REPLY_SYN_ACK = 9  # a new entry's first SYN-ACK
    REPLY_SYN_COOKIE = 10  # nothing was stored
    REPLY_DUPSYN = 11  # an entry's SYN-ACK again
    # SYN with another ISN than its entry's: stateless cookie of that ISN
    REPLY_OTHER_ISN = 12
    REPLY_CHALLENGE_ACK = 13  # RFC 5961 3.2, 4.2 and RFC 9293 3.10.7.4
    REPLY_RST = 14  # RFC 9293 3.10.7.1, 3.10.7.2
    DROP_TRUNCATED = 15  # shorter than its headers say
    DROP_IP_HEADER = 16  # version, header length, total length, extension headers
    DROP_IP_CHECKSUM = 17  # of the IPv4 header
    DROP_FRAGMENT = 18  # reassembly is the stack's; none is needed for a SYN
    DROP_SOURCE_ROUTE = 19  # LSRR, SSRR, IPv6 routing header with segments left
    DROP_TCP_HEADER = 20  # data offset below 5 or beyond the packet
    DROP_CHECKSUM = 21  # TCP or ICMP checksum
    DROP_LAND = 22  # source and destination address and port are the same
    # source unspecified, multicast, broadcast or loopback of a wrong kind
    DROP_SOURCE = 23
    DROP_DESTINATION = 24  # destination multicast or broadcast
    DROP_NO_SYN = 25  # to a listener: null, FIN only, URG only
    DROP_SYN_ACK = 26  # to a listener
    DROP_SYN_FIN = 27  # drop_synfin
    DROP_DUPSYN_LIMIT = 28  # x.dupsyn_limit
    DROP_CACHE_FULL = 29  # no room and no cookies, or x.overflow is drop-new
    DROP_MD5 = 30  # RFC 2385: missing, unexpected or wrong signature
    DROP_PAWS = 31  # RFC 7323 5.3
    DROP_MISSING_TS = 32  # tolerate_missing_ts is 0
    # gate open, no valid cookie: what its sender repeats may carry one
    DROP_COOKIE_DATA = 33
    DROP_RST = 34  # a valid RST removed the entry
    DROP_RST_NO_ENTRY = 35  # a RST for a tuple without entry
    DROP_RST_OUTSIDE = 36  # out of the window
    # ack_war_cnt challenge ACKs left within ack_war_timewindow
    DROP_CHALLENGE_LIMIT = 37
    DROP_ICMP = 38  # an ICMP error for a half-open tuple, taken note of or ignored
    DROP_BLACKHOLE = 39  # blackhole suppressed a RST
    DROP_KNOWN_FULL = 40  # the table of known tuples is full: nothing can be offered
    DROP_NO_KEY = 41  # it takes a cookie to answer this SYN, and the engine has no key
    # it changes nothing on its connection, and enough of its kind have passed
    DROP_KNOWN_LIMIT = 42
    # it deserves a RST, and its source prefix has had x.rst_limit in this second
    DROP_RST_LIMIT = 43
    # enum syncache_verdict: end

    @property
    def kind(self) -> Kind:
        """The kind of verdict that it explains."""
        return KINDS[self]


# By Reason: names begin with the kind's.
KINDS: tuple[Kind, ...] = tuple(Kind[reason.name.split("_")[0]] for reason in Reason)
REASONS: tuple[Reason, ...] = tuple(Reason)


class Verdict(NamedTuple):
    """The verdict on one packet.

    `reply` goes with REPLY, and with ACCEPT of TCP Fast Open; `conn` with ACCEPT;
    `handle` is the stack's own, from accepted() or opened(); 0 for other tuples.
    """

    kind: Kind
    reason: Reason
    reply: Segment | None = None
    conn: Conn | None = None
    handle: int = 0


# Most packets of a flood lead to nothing more: one object for each reason.
PLAIN: tuple[Verdict, ...] = tuple(Verdict(r.kind, r) for r in Reason)
