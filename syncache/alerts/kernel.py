"""Floods that kernels of hosts and other makers' firewalls report, in a line of a log.

    TCP: request_sock_TCP: Possible SYN flooding on port [::]:443. Sending cookies.
    sonewconn: pcb 0xf... (192.0.2.1:80 (proto 6)): Listen queue overflow: 193 already
      in queue awaiting acceptance (34 occurrences)
    TCP: [192.0.2.9]:1024 to [192.0.2.1]:80 tcpflags 0x10<ACK>; syncache_expand: ...
    %ASA-6-201010: Embryonic connection limit exceeded 100/100 for input packet from ...

Contents: one table of forms, Linux's of all ages, FreeBSD's, and those of Cisco's ASA,
FTD, PIX and FWSM: messages 201003, 201010, 201012 (embryonic limits) and 733100 for
SYN attacks.  Elsewhere: what
becomes of them (`log`), and lines with a mnemonic (`parser`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

LINUX, FREEBSD = "Linux", "FreeBSD"
COOKIES, DROPPED = "cookies", "dropped"  # what Linux does about it
ACCEPT_QUEUE, BAD_COOKIE = "queue", "cookie"
ASA = "ASA"  # and its kin
EMBRYONIC, BY_CLIENT, SYN_ATTACK = "embryonic", "client", "rate"
FIREWALLS = {ASA}
MINUTE = 60
LOOKED_AT = 1000  # characters of a line; of the names in it there are far fewer
_PORT = r"(?:\[[0-9A-Fa-f:.]{2,45}\]:|[0-9.]{7,15}:)?\d{1,5}"
_FLOOD = (
    r"(?<!\w)(?:TCP: )?(?:request_sock_\w{1,40}: )?[Pp]ossible SYN flooding on port "
    rf"(?P<target>{_PORT})\. "
)
_OF_ASA = r"%(?:ASA|FTD|PIX|FWSM)-(?:[a-z]\w{1,20}-)?[0-7]-"
_LIMIT = r"[Ee]mbryonic (?:connection )?limit exceeded (?:curr num )?"
_LIMIT += r"(?P<half_open>\d{1,9})\s?/(?P<limit>\d{1,9}) for (?:\w{1,10} packet from )?"
# Old ones have the address outside, the global one in parentheses and the one inside.
_LIMIT += r"(?P<source>[0-9A-Fa-f.:]{2,45})/\d{1,5} (?:to )?(?:\([^()\s]{1,64}\s?\) )?"
_LIMIT += r"(?P<host>[0-9A-Fa-f.:]{2,45})\s?(?:\([^()\s]{1,64}\))?/(?P<port>\d{1,5})"
# A word that only such lines have, and what has to be around it.  Sockets of another
# protocol than TCP have queues too.
_FORMS = (
    (" flooding on ", LINUX, COOKIES, re.compile(_FLOOD + "Sending cookies")),
    (" flooding on ", LINUX, DROPPED, re.compile(_FLOOD + "Dropping request")),
    (
        "isten queue overflow: ",
        FREEBSD,
        ACCEPT_QUEUE,
        re.compile(
            r"\b\w{1,40}: (?P<pcb>pcb (?:0x)?[0-9a-f]{1,16})"
            rf"(?: \((?P<target>{_PORT}) \(proto 6\)\))?: "
            r"Listen queue overflow: \d{1,10} already in queue awaiting acceptance"
            r"(?: \((?P<number>\d{1,10}) occurrences?\))?"
        ),
    ),
    (
        "mbryonic ",
        ASA,
        EMBRYONIC,
        re.compile(rf"{_OF_ASA}2010(?:03|10):? {_LIMIT}"),
    ),
    (
        "mbryonic ",
        ASA,
        BY_CLIENT,
        re.compile(rf"{_OF_ASA}201012:? Per-client {_LIMIT}"),
    ),
    (
        "-733100: ",
        ASA,
        SYN_ATTACK,
        re.compile(
            _OF_ASA + r"733100: \[ ?SYN att(?:a)?ck ?\] (?:drop )?rate-\d exceeded\. "
            r"Current burst rate is \d{1,9} per second, "
            r"max configured rate is \d{1,9}; "
            r"Current average rate is (?P<rate>\d{1,9}) per second"
        ),
    ),
    (
        "SYNCOOKIE authentication",
        FREEBSD,
        BAD_COOKIE,
        re.compile(
            rf"TCP: {_PORT} to (?P<target>{_PORT})(?: tcpflags [^;]{{1,60}})?; "
            r"\w{1,40}: Segment failed SYNCOOKIE authentication"
        ),
    ),
)
_WORDS = tuple({form[0] for form in _FORMS})
_SAYS = {
    COOKIES: "possible SYN flooding on {}: cookies are sent",
    DROPPED: "possible SYN flooding on {}: requests are dropped",
    ACCEPT_QUEUE: "the accept queue of {} is full",
    BAD_COOKIE: "an ACK to {} has no valid SYN cookie",
    EMBRYONIC: "too many half-open connections to {}",
    BY_CLIENT: "too many half-open connections of one client to {}",
    SYN_ATTACK: "too many half-open connections through {}",
}


class Sign(NamedTuple):
    """A sign of a flood: whose, what is done or wrong, where, and how many times.

    `target` is a port, an address and a port or, where an old FreeBSD says no more,
    the socket's `pcb`; where a firewall names none, the firewall itself.  `half_open`,
    its `limit`, the `rate` a minute and `source` are "" or 0 where a line has none.
    """

    system: str
    reason: str
    target: str
    number: int = 1
    half_open: int = 0
    limit: int = 0
    rate: int = 0
    source: str = ""

    @property
    def mnemonic(self) -> str:
        """The sign's name, as of other messages."""
        return f"KERNEL_{self.reason.upper()}"

    def __str__(self) -> str:
        return f"{self.system}: {_SAYS[self.reason].format(self.target)}"


def may_be_sign(line: str) -> bool:
    """Tell quickly whether a line is worth a look."""
    return any(word in line for word in _WORDS)


def sign_of(line: str) -> tuple[int, Sign] | None:
    """Return where a sign begins in a line, and the sign; None: there is none."""
    for word, system, reason, pattern in _FORMS:
        if word not in line:
            continue
        found = pattern.search(line, 0, LOOKED_AT)
        if found is not None:
            said = found.groupdict()
            if system in FIREWALLS:
                return found.start(), _of_firewall(system, reason, said)
            number = int(said.get("number") or 1)
            target = said["target"] or said["pcb"]
            return found.start(), Sign(system, reason, target, number)
    return None


def _of_firewall(system: str, reason: str, said: dict[str, str]) -> Sign:
    host, port = said.get("host", ""), said.get("port", "")
    if ":" in host:
        host = f"[{host}]"
    return Sign(
        system=system,
        reason=reason,
        target=f"{host}:{port}" if host else "the firewall",
        half_open=int(said.get("half_open", 0)),
        limit=int(said.get("limit", 0)),
        rate=int(said.get("rate", 0)) * MINUTE,
        source=said.get("source", ""),
    )
