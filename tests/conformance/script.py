"""What a conformance script says, whatever language it was written in.

Numbers are the script's: sequence numbers relative to the first SYN of each side, times
relative to the script's start.  The player turns them into real ones.  None means "any"
in what is expected, and a default in what is injected.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..model.option import Option

EARLY_S = 0.0005
Kind = tuple[int, int]
# RFC 792 and RFC 4443: type and code, in IPv4 and in IPv6, by packetdrill's words.
UNREACHABLE: dict[str, tuple[Kind | None, Kind | None]] = {
    "net_unreachable": ((3, 0), (1, 0)),
    "host_unreachable": ((3, 1), (1, 3)),
    "protocol_unreachable": ((3, 2), (4, 1)),
    "port_unreachable": ((3, 3), (1, 4)),
    "frag_needed": ((3, 4), (2, 0)),
    "source_route_failed": ((3, 5), None),
    "net_unknown": ((3, 6), None),
    "host_unknown": ((3, 7), None),
    "source_host_isolated": ((3, 8), None),
    "net_prohibited": ((3, 9), None),
    "host_prohibited": ((3, 10), None),
    "net_unreachable_for_tos": ((3, 11), None),
    "host_unreachable_for_tos": ((3, 12), None),
    "admin_prohibited": ((3, 13), (1, 1)),
    "precedence_violation": ((3, 14), None),
    "precedence_cutoff": ((3, 15), None),
    "beyond_scope": (None, (1, 2)),
    "ttl_exceeded": ((11, 0), (3, 0)),
    "frag_reass_exceeded": ((11, 1), (3, 1)),
    "parameter_problem": ((12, 0), (4, 0)),
    "redirect": ((5, 0), None),
    "source_quench": ((4, 0), None),
}


class ScriptError(ValueError):
    """A line that an importer does not understand."""


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
    ip_label: int | None = None
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
    """We send a segment between `at` and `until`; if floating, later times shift.

    `early` is how long before `at` it may be sent.
    """

    at: float
    until: float
    shape: Shape
    floating: bool = False
    early: float = EARLY_S


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
    open_end: bool = False  # and so does what is sent behind the last step
    notices: tuple[str, ...] = ()
    topic: str = ""
    md5_secret: str = "conformance"
    mtu: int = 1500
    clock_starts: tuple[float, ...] = (1000.0,)
