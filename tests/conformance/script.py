"""What a conformance script says, whatever language it was written in.

Numbers are the script's: sequence numbers relative to the first SYN of each side, times
relative to the script's start.  The player turns them into real ones.  None means "any"
in what is expected, and a default in what is injected.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..model.option import Option

UNREACHABLE = {  # RFC 792 and RFC 4443: type and code by packetdrill's words
    "net_unreachable": ((3, 0), (1, 0)),
    "host_unreachable": ((3, 1), (1, 3)),
    "protocol_unreachable": ((3, 2), (4, 1)),
    "port_unreachable": ((3, 3), (1, 4)),
    "frag_needed": ((3, 4), (2, 0)),
    "admin_prohibited": ((3, 13), (1, 1)),
    "ttl_exceeded": ((11, 0), (3, 0)),
}


@dataclass(frozen=True)
class Shape:
    """A TCP segment as a script writes it."""

    flags: str | None
    seq: int | None = 0
    ack: int | None = None
    win: int | None = None
    opts: tuple[Option, ...] | None = None
    exact: bool = False  # options are compared byte for byte, not as a set
    len: int | None = 0
    peer: int = 0
    src: str | None = None
    dst: str | None = None
    sport: int | None = None
    dport: int | None = None
    ip_ecn: int | None = None
    ip_tos: int | str | None = None
    ip_ttl: int | str | None = None
    bad_csum: bool = False
    doff: int | None = None
    urg: int = 0
    raw_ackfield: int | None = None
    own_iss: bool = False
    any_order: bool = False  # of options; padding does not count either
    absolute: bool = False  # seq is that of the wire


@dataclass(frozen=True)
class Inject:
    """The peer sends a segment; `fault` makes our answer to it impossible to send."""

    at: float
    shape: Shape
    fault: str | None = None


@dataclass(frozen=True)
class Expect:
    """We send a segment between `at` and `until`; if floating, later times shift."""

    at: float
    until: float
    shape: Shape
    floating: bool = False


@dataclass(frozen=True)
class Icmp:
    """A router reports an error about a segment of ours with this sequence number."""

    at: float
    kind: str
    seq: int
    mtu: int = 0


@dataclass(frozen=True)
class Call:
    """The application makes a call; `result` is what it must return, None: anything."""

    at: float
    name: str
    args: tuple[object, ...] = ()
    result: object = None


@dataclass(frozen=True)
class Tune:
    """A tunable is set."""

    at: float
    name: str
    value: int | str


Step = Inject | Expect | Icmp | Call | Tune


@dataclass(frozen=True)
class Script:
    """One script: a setting, steps in order, and what holds at the end."""

    name: str
    steps: tuple[Step, ...]
    family: int = 4
    listening: bool = True  # the player makes the listener; False: the script may
    backlog: int = 128
    tunables: dict[str, int | str] = field(default_factory=dict)
    listener: dict[str, object] = field(default_factory=dict)
    irs: int = 1_000_000
    local: str | None = None
    end: float = 0.0  # keep watching until then
    expect: dict[str, object] = field(default_factory=dict)
    exact_order: tuple[str, ...] = ()
    unlisted_syn_acks: bool = False  # SYN-ACKs go without saying
    says_nothing: bool = False  # and so do all other answers
    notices: tuple[str, ...] = ()
    topic: str = ""
    clock_starts: tuple[float, ...] = (1000.0,)
