"""What of packetdrill's public suites is answered otherwise here, and why.

Two tables: why a script cannot be played, by the importer's words, and why one that was
played differs, by the player's.  docs/packetdrill.md is made from them; suite.py uses
them to name the reason of each script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DIFFERENCES: dict[str, str] = {}  # of case files: name and reason


@dataclass(frozen=True)
class Reason:
    """A kind of difference: what tells it, what it is, and why it stays."""

    pattern: str
    what: str
    why: str


UNPLAYABLE = (
    Reason(
        r"opens a connection itself",
        "connect()",
        "The library answers; it opens no connections.",
    ),
    Reason(
        r"is not TCP|a socket that is not TCP",
        "UDP, UDP-Lite, SCTP",
        "Other protocols.",
    ),
    Reason(
        r"encapsulated packet",
        "packets inside GRE, MPLS, UDP, PSP",
        "A link takes the packet out before a stack sees it.",
    ),
    Reason(
        r"of MPTCP",
        "MPTCP's options",
        "A peer that offers MPTCP is served as one of plain TCP; the rest is another "
        "protocol.",
    ),
    Reason(
        r"waits for several sockets",
        "poll(), select(), epoll",
        "A `Stack` has events in their place (`next_event`).",
    ),
    Reason(
        r"sends a file|has files or faults",
        "sendfile(), splice(), pipes, error queues, fault injection",
        "Calls of a kernel.",
    ),
)
PLAYED = (
    Reason(
        r"ip_ecn 0, not [12]",
        "ECT on our data, SYN-ACKs or ACKs",
        "Congestion marks are echoed to the peer; our own segments ask for none, as "
        "RFC 3168 6.1.2 permits.",
    ),
    Reason(
        r"flags [AEFP]+, not [AEFP]*W$",
        "CWR behind a loss or an ECE",
        "What we send asks for no marks, so that no ECE is about it, and CWR would "
        "answer nothing.",
    ),
    Reason(
        r"flags AE?N?W?, not A$",
        "the ACE counter in TIME-WAIT",
        "It is told there as before; FreeBSD has forgotten it and says 0.",
    ),
    Reason(
        r"opts \[\], not .*\('md5'",
        "a signed RST from a port without a listener",
        "Keys are a listener's, so where none is there is none to sign with.",
    ),
    Reason(
        r"flags AE?N?P?S?W?, not .*[ENW]",
        "the ACE counter behind a marked SYN",
        "RFC 9768 3.2.2 leaves a CE mark on the SYN itself out of the count.",
    ),
    Reason(
        r"no AccECN option",
        "the AccECN option",
        "It is read over; the counters in the flags are there without it.",
    ),
    Reason(
        r"opts .*not .*\('raw', 'fe..f989",
        "Fast Open's experimental option",
        "Only the option with a number of its own is read (RFC 7413).",
    ),
    Reason(
        r"more blocks",
        "how many SACK blocks an ACK has",
        "As many as there is room for; AccECN's option takes none of it.",
    ),
    Reason(
        r"flags SA, not [AENSW]+$",
        "ECN behind a repeated SYN that does not ask for it",
        "It takes the first one's wish back, as in FreeBSD.",
    ),
    Reason(
        r"unexpected SA .* ack 1 |ack 1, not \d+$",
        "data of a SYN, by a Fast Open cookie that is written in the script",
        "The cookie is that of another key: ours are made with SipHash of a key of "
        "their own, and a SYN with a wrong one is answered as any other.",
    ),
    Reason(
        r"flags A?F, not AR|flags FA, not AR",
        "close() with data that nobody has read",
        "`close` is RFC 9293's: data may still be read; `abort` sends the RST.",
    ),
    Reason(
        r"unexpected A seq \d+ ack \d+ len 0",
        "an ACK for a segment that other systems drop in silence",
        "RFC 9293 3.10.7.4 answers it: an ACK beyond SND.NXT, a segment outside the "
        "window (limited, RFC 5961).",
    ),
    Reason(
        r"ack \d+, not \d+$|less of a block",
        "a segment that reaches beyond the window",
        "The part inside is taken (RFC 9293 3.10.7.4); Linux takes all or nothing.",
    ),
    Reason(
        r"(tos|ttl|ip_ecn) \d+, not \d+",
        "class and TTL that are changed on a connection",
        "They are its listener's for its whole life.",
    ),
    Reason(
        r"opts .*\('sack', \d+, \d+\).*, not \[\]",
        "no D-SACK for a repeated segment with a FIN",
        "RFC 2883 reports every duplicate.",
    ),
    Reason(
        r"nothing sent, expected (?!AS)|\(push\)|len \d+, not \d+"
        r"|unexpected A|unexpected PA seq \d+ ack \d+ len [1-9]",
        "how much is sent at once, with a push or not, and which lost segment first",
        "The congestion window grows by two segments for an ACK (RFC 3465), and a "
        "loss is mended by RFC 6675; CUBIC, PRR and RACK are not there, and Nagle's "
        "rule alone holds a small segment back (no TCP_CORK).",
    ),
    Reason(
        r"sent at [\d.]+ ms|nothing sent, expected AS",
        "when something is sent again, or an ACK is held back",
        "Time-outs are RFC 6298's, at least `rexmit_min`; an ACK waits "
        "`delacktime` at most.",
    ),
    Reason(
        r"win \d+, not \d+",
        "the window behind data that was read",
        "Receive buffers grow by a rule of their own: they double when a whole window "
        "came and was read.",
    ),
    Reason(
        r"option \('(ws|mss)'",
        "window scale and MSS of another buffer or MTU",
        "Those of the script's system; `recvspace`, `maxsockbuf` and the MTU say ours.",
    ),
    Reason(
        r"\w+\(\) = |cannot be made",
        "the result of a call",
        "The calls of a kernel's sockets that a `Stack` has in another form.",
    ),
)


def reason_for(text: str, reasons: tuple[Reason, ...]) -> Reason | None:
    """Return the first reason that a complaint fits."""
    return next((r for r in reasons if re.search(r.pattern, text)), None)
