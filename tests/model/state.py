"""What the model remembers: tunables, endpoints, entries, connections, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .cookie import Tuple4

PREFIXES = (
    "net.inet.tcp.syncache.x.",
    "net.inet.tcp.syncache.",
    "net.inet.tcp.",
    "net.inet.ip.",
    "kern.ipc.",
)


@dataclass
class Tunables:
    """The tunables that the cache looks at, by the last words of their names."""

    syncookies: int = 1
    syncookies_only: int = 0
    hashsize: int = 512
    bucketlimit: int = 30
    cachelimit: int = 15360
    rexmtlimit: int = 3
    rst_on_sock_fail: int = 0
    rexmit_initial: int = 1000
    rexmit_slop: int = 200
    rexmit_min: int = 30
    rexmit_max: int = 64000
    ecn_enable: int = 2
    ecn_maxretries: int = 1
    rfc1323: int = 1
    sack_enable: int = 1
    mssdflt: int = 536
    v6mssdflt: int = 1220
    minmss: int = 216
    maxsockbuf: int = 2097152
    tolerate_missing_ts: int = 1
    ts_offset_per_conn: int = 1
    insecure_rst: int = 0
    ack_war_cnt: int = 5
    ack_war_timewindow: int = 1000
    drop_synfin: int = 0
    blackhole: int = 0
    path_mtu_discovery: int = 1
    pause_policy: str = "age"
    pause_age_ms: int = 1000
    cookie_gate: str = "endpoint"
    ecn_in_cookie: int = 0
    offer_timeout: int = 5
    dupsyn_limit: int = 8
    replay_entries: int = 65536
    cookie_ts: str = "check"
    clock_skew_ms: int = 1000
    cookie_lifetime: int = 32
    cookie_layout: str = "wide"
    failcookie_rst: int = 0
    overflow: str = "evict"
    secmod: int = 0

    def take(self, values: Mapping[str, Any]) -> None:
        """Take over what a sysctl mapping says, as far as it is known here."""
        known = {f.name for f in fields(self)}
        for name, value in values.items():
            short = next((name[len(p) :] for p in PREFIXES if name.startswith(p)), name)
            if short.replace(".", "_") in known:
                setattr(self, short.replace(".", "_"), value)

    @property
    def capacity(self) -> int:
        """Entries that fit."""
        return min(self.cachelimit, self.hashsize * self.bucketlimit)

    @property
    def wscale(self) -> int:
        """Our window scale: the smallest that covers maxsockbuf."""
        return next(s for s in range(15) if s == 14 or 65535 << s >= self.maxsockbuf)


@dataclass
class Endpoint:
    """Who listens, and how its replies look."""

    port: int
    address: str | None = None
    mtu: int = 1500
    mss_max: int = 0
    rcv_window: int = 65535
    rcv_wscale: int | None = None
    options: bool = True
    hop_limit: int = 64
    tos: int = 0
    open: bool = True
    stamped: int | None = None  # when the recency gate was last stamped


@dataclass
class Entry:
    """One half-open connection."""

    tup: Tuple4
    endpoint: Endpoint
    irs: int
    born: int
    iss: int = 0
    mss: int | None = None
    ws: int | None = None
    rcv_ws: int = 0
    ts: bool = False
    tsreflect: int = 0
    sack: bool = False
    ecn: int = 0  # 0 none, 1 classic, 2 + the SYN's IP-ECN field: accurate
    unreach: bool = False
    rxmits: int = 0
    deadline: int = 0
    dup_answers: int = 0
    challenges: int = 0
    challenge_start: int = 0
    offered: bool = False
    validated: bool = False


@dataclass
class Known:
    """An established connection, an offered handshake, or a RST that is owed."""

    state: str
    conn: Conn
    since: int = 0
    handle: int = 0


@dataclass(frozen=True)
class Conn:
    """A completed handshake, as the stack is told."""

    tup: Tuple4
    iss: int
    irs: int
    mss: int
    snd_wscale: int | None
    rcv_wscale: int | None
    rcv_window: int
    peer_window: int
    sack_permitted: bool
    ts_recent: int | None
    ts_offset: int
    ecn: str
    via: str
    rxmits: int = 0


@dataclass(frozen=True)
class Verdict:
    """What one packet led to."""

    reason: str
    reply: bytes | None = None
    conn: Conn | None = None
    handle: int = 0


@dataclass
class Keys:
    """Keys that the model is told, since only the engine draws them."""

    bucket: bytes = bytes(16)
    iss: bytes = bytes(16)
    ts: bytes = bytes(16)
    cookie: dict[int, bytes] = field(default_factory=dict)
