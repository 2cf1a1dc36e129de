"""The registry of tunables: every name, type, default, unit, range and meaning, once.

Contents: `KNOBS`, the table that everything else is derived from (the configuration
handed to C, docs/tunables.md, the `sysctl` command), with the part of the half-open
side and of `Stack`.  Elsewhere: what a `Knob` is (`syncache.tunables.knob`); the
tunables of the middlebox modes and of the shield, which are `syncache.tunables.flow`
and `syncache.tunables.shield`; the values in force
and the rules for changing them, which are `syncache.sysctl`.

Names are FreeBSD's where FreeBSD has one; ours live under `net.inet.tcp.syncache.x.`.
"""

from __future__ import annotations

from .flow import FLOW, FLOW_NOT_ABOVE
from .knob import BOOL, UINT16_MAX, UINT32_MAX, UINT64_MAX, Knob
from .shield import SHIELD

DAY_MS = 86_400_000

# fmt: off
# The cache and its cookies, by FreeBSD's names.
_CACHE = (
    Knob("net.inet.tcp.syncookies", 1, BOOL,
        "answer with a SYN cookie what the cache cannot hold; every ISS is then one",
        field="syncookies"),
    Knob("net.inet.tcp.syncookies_only", 0, BOOL,
        "store no half-open connection at all", field="syncookies_only"),
    Knob("net.inet.tcp.syncache.hashsize", 512, (1, 2**22),
        "buckets of the cache", field="hashsize", settable="boot", power_of_two=True),
    Knob("net.inet.tcp.syncache.bucketlimit", 30, (1, 240),
        "entries in one bucket", field="bucketlimit", settable="boot"),
    Knob("net.inet.tcp.syncache.cachelimit", 15_360, (1, UINT32_MAX),
        "entries in all; unless set it is hashsize times bucketlimit",
        field="cachelimit", settable="boot"),
    Knob("net.inet.tcp.syncache.rexmtlimit", 3, (0, 12),
        "retransmissions of a SYN-ACK before its entry is removed", field="rexmtlimit"),
    Knob("net.inet.tcp.syncache.count", 0, (0, UINT32_MAX),
        "entries now", settable="never"),
    Knob("net.inet.tcp.syncache.see_other", 0, BOOL,
        "list the entries of other users too; kept for scripts, we have one user"),
    Knob("net.inet.tcp.syncache.rst_on_sock_fail", 0, BOOL,
        "answer with a RST a handshake for which the stack has no room",
        field="rst_on_sock_fail"),
)

# Neighbours in FreeBSD's tree that change what the half-open side does.
_HANDSHAKE = (
    Knob("net.inet.tcp.rexmit_initial", 1000, (1, 64_000),
        "first retransmission timeout and base of the back-off", unit="ms",
        field="rexmit_initial_ms"),
    Knob("net.inet.tcp.rexmit_slop", 200, (0, 64_000),
        "added to every retransmission timeout but the first", unit="ms",
        field="rexmit_slop_ms"),
    Knob("net.inet.tcp.rexmit_min", 30, (1, 64_000),
        "shortest retransmission timeout", unit="ms", field="rexmit_min_ms"),
    Knob("net.inet.tcp.rexmit_max", 64_000, (1, 64_000),
        "longest retransmission timeout", unit="ms", field="rexmit_max_ms"),
    Knob("net.inet.tcp.ecn.enable", 2, (0, 4),
        "ECN: 0 never, 1 and 2 if the peer asks, 3 and 4 accurate ECN as well",
        field="ecn_enable"),
    Knob("net.inet.tcp.ecn.maxretries", 1, (0, 12),
        "SYN-ACK retransmissions that still say ECN", field="ecn_maxretries"),
    Knob("net.inet.tcp.rfc1323", 1, (0, 3),
        "0 neither, 1 window scaling and timestamps, 2 scaling, 3 timestamps",
        field="rfc1323"),
    Knob("net.inet.tcp.sack.enable", 1, BOOL,
        "honour SACK-permitted", field="sack_enable"),
    Knob("net.inet.tcp.mssdflt", 536, (48, UINT16_MAX),
        "IPv4 MSS that is announced where no MTU is known", unit="bytes",
        field="mssdflt"),
    Knob("net.inet.tcp.v6mssdflt", 1220, (48, UINT16_MAX),
        "IPv6 MSS that is announced where no MTU is known", unit="bytes",
        field="v6mssdflt"),
    Knob("net.inet.tcp.minmss", 216, (48, UINT16_MAX),
        "smallest MSS that is announced or believed", unit="bytes", field="minmss"),
    Knob("kern.ipc.maxsockbuf", 2_097_152, (1, 2**30),
        "largest socket buffer; it decides our window scale", unit="bytes",
        field="maxsockbuf"),
    Knob("net.inet.tcp.tolerate_missing_ts", 1, BOOL,
        "accept a segment without timestamps although they were negotiated",
        field="tolerate_missing_ts"),
    Knob("net.inet.tcp.ts_offset_per_conn", 1, BOOL,
        "key the timestamp offset on the ports as well as on the addresses",
        field="ts_offset_per_conn"),
    Knob("net.inet.tcp.insecure_rst", 0, BOOL,
        "let any RST in the window reset, as before RFC 5961", field="insecure_rst"),
    Knob("net.inet.tcp.insecure_syn", 0, BOOL,
        "answer a SYN in the window with a RST, as before RFC 5961"),
    Knob("net.inet.tcp.ack_war_cnt", 5, (0, UINT16_MAX),
        "challenge ACKs per entry and time window; 0: unlimited", field="ack_war_cnt"),
    Knob("net.inet.tcp.ack_war_timewindow", 1000, (0, 30_000),
        "the time window of ack_war_cnt; 0: unlimited", unit="ms",
        field="ack_war_timewindow_ms"),
    Knob("net.inet.tcp.drop_synfin", 0, BOOL,
        "drop segments with both SYN and FIN", field="drop_synfin"),
    Knob("net.inet.tcp.blackhole", 0, (0, 3),
        "no RST for: 1 SYNs to closed ports, 2 anything there, 3 listeners too",
        field="blackhole"),
    Knob("net.inet.tcp.fastopen.server_enable", 0, BOOL,
        "TCP Fast Open for endpoints that ask for it", field="fastopen_server_enable"),
    Knob("net.inet.ip.path_mtu_discovery", 1, BOOL,
        "set DF on what we send", field="path_mtu_discovery"),
    Knob("net.inet.tcp.functions_inherit_listen_socket_stack", 1, BOOL,
        "a connection runs its listener's stack; there is only one here",
        settable="never"),
)

# What the TCP of `Stack` adds.  The half-open side does not look at these.
_STACK = (
    Knob("net.inet.tcp.recvspace", 65_536, (1, 2**30),
        "receive buffer that a connection starts with", unit="bytes"),
    Knob("net.inet.tcp.sendspace", 32_768, (1, 2**30),
        "send buffer that a connection starts with", unit="bytes"),
    Knob("net.inet.tcp.recvbuf_max", 2_097_152, (1, 2**30),
        "receive buffer that a connection may grow to", unit="bytes"),
    Knob("net.inet.tcp.sendbuf_max", 2_097_152, (1, 2**30),
        "send buffer that a connection may grow to", unit="bytes"),
    Knob("net.inet.tcp.msl", 30_000, (1, 600_000),
        "TIME-WAIT lasts twice this long", unit="ms"),
    Knob("net.inet.tcp.keepidle", 7_200_000, (1, DAY_MS),
        "silence before the first keepalive probe", unit="ms"),
    Knob("net.inet.tcp.keepintvl", 75_000, (1, DAY_MS),
        "time between keepalive probes", unit="ms"),
    Knob("net.inet.tcp.keepcnt", 8, (1, 255),
        "keepalive probes without answer that end a connection", unit="segments"),
    Knob("net.inet.tcp.always_keepalive", 0, BOOL,
        "probe idle connections"),
    Knob("net.inet.tcp.keepinit", 75_000, (1, DAY_MS),
        "longest time that an offered handshake may take to be established", unit="ms"),
    Knob("net.inet.tcp.finwait2_timeout", 60_000, (1, DAY_MS),
        "longest FIN-WAIT-2 of a connection that nobody reads any more", unit="ms"),
    Knob("net.inet.tcp.delayed_ack", 1, BOOL,
        "delay ACKs"),
    Knob("net.inet.tcp.delacktime", 40, (1, 500),
        "longest delay of an ACK", unit="ms"),
    Knob("net.inet.tcp.initcwnd_segments", 10, (1, 100),
        "initial congestion window", unit="segments"),
    Knob("net.inet.tcp.persmin", 5000, (1, 64_000),
        "shortest time between zero-window probes", unit="ms"),
    Knob("net.inet.tcp.persmax", 60_000, (1, 3_600_000),
        "longest time between zero-window probes", unit="ms"),
    Knob("kern.ipc.maxsockets", 65_536, (1, 2**24),
        "connections of a stack, TIME-WAIT included", unit="connections"),
    Knob("kern.ipc.somaxconn", 128, (1, UINT16_MAX),
        "upper bound of a listener's backlog", unit="connections"),
)

# Ours: where the default departs from FreeBSD (presets/freebsd.conf goes back).
_OURS = (
    Knob("net.inet.tcp.syncache.x.pause_policy", "age", ("age", "bucket", "none"),
        "when to stop inserting: victims too young, FreeBSD's full bucket, never",
        field="pause_policy"),
    Knob("net.inet.tcp.syncache.x.pause_age_ms", 1000, (1, 60_000),
        "age below which a victim counts as young", unit="ms", field="pause_age_ms"),
    Knob("net.inet.tcp.syncache.x.cookie_gate", "endpoint",
        ("endpoint", "always", "bucket"),
        "whose recent overflow lets a cookie in; always: other machines' too",
        field="cookie_gate"),
    Knob("net.inet.tcp.syncache.x.ecn_in_cookie", 0, BOOL,
        "offer ECN in a SYN-ACK without entry", field="ecn_in_cookie"),
    Knob("net.inet.tcp.syncache.x.offer_timeout", 5, (0, 60),
        "how long an offer may go unanswered; 0: the offer ends the entry", unit="s",
        field="offer_timeout_ms", scale=1000),
    Knob("net.inet.tcp.syncache.x.rexmit_rate", 0, (0, UINT32_MAX),
        "SYN-ACKs sent again per second at most; 0: no bound", unit="segments",
        field="rexmit_rate"),
    Knob("net.inet.tcp.syncache.x.dupsyn_limit", 8, (0, 255),
        "answers to duplicate SYNs per entry; 0: no limit, budget refilled",
        field="dupsyn_limit"),
    Knob("net.inet.tcp.syncache.x.replay_entries", 65_536, (0, 2**28),
        "completed handshakes that are remembered; 0: none", field="replay_entries",
        settable="boot"),
    Knob("net.inet.tcp.syncache.x.cookie_ts", "check",
        ("check", "auto", "require", "off"),
        "what the TSecr of a cookie's ACK must show", field="cookie_ts"),
    Knob("net.inet.tcp.syncache.x.clock_skew_ms", 1000, (0, 1_800_000),
        "by how much clocks of machines with common keys may differ", unit="ms",
        field="clock_skew_ms"),
    Knob("net.inet.tcp.syncache.x.cookie_lifetime", 32, (1, 3600),
        "key period: a cookie lives this long to twice as long", unit="s",
        field="cookie_lifetime_ms", scale=1000),
    Knob("net.inet.tcp.syncache.x.cookie_layout", "wide", ("wide", "freebsd", "mss"),
        "what a cookie keeps, and what its MAC covers", field="cookie_layout"),
    Knob("net.inet.tcp.syncache.x.strict", 1, BOOL,
        "refuse a wrong hashsize; 0: fall back to 512 and warn"),
    Knob("net.inet.tcp.syncache.x.failcookie_rst", 0, BOOL,
        "answer with a RST what may have overtaken its cookie", field="failcookie_rst"),
    Knob("net.inet.tcp.syncache.x.overflow", "evict", ("evict", "drop-new"),
        "what a full cache does with a new SYN", field="overflow"),
    Knob("net.inet.tcp.syncache.x.secmod", 0, (0, UINT64_MAX),
        "last field of the cookie's MAC input", field="secmod"),
    Knob("net.inet.tcp.syncache.x.endpoint_max", 1024, (1, UINT16_MAX),
        "listening endpoints", field="endpoint_max", settable="boot"),
    Knob("net.inet.tcp.syncache.x.address_max", 256, (0, UINT16_MAX),
        "local addresses beside those of endpoints", field="address_max",
        settable="boot"),
    Knob("net.inet.tcp.syncache.x.md5_max", 64, (0, UINT16_MAX),
        "RFC 2385 keys of all endpoints", field="md5_max", settable="boot"),
)
# fmt: on

KNOBS: dict[str, Knob] = {
    knob.name: knob for knob in (*_CACHE, *_HANDSHAKE, *_STACK, *_OURS, *SHIELD, *FLOW)
}

# (a, m, b, n): m times a may not exceed n times b.
NOT_ABOVE: tuple[tuple[str, int, str, int], ...] = (
    ("net.inet.tcp.rexmit_min", 1, "net.inet.tcp.rexmit_max", 1),
    ("net.inet.tcp.persmin", 1, "net.inet.tcp.persmax", 1),
    ("net.inet.tcp.minmss", 1, "net.inet.tcp.mssdflt", 1),
    ("net.inet.tcp.minmss", 1, "net.inet.tcp.v6mssdflt", 1),
    # Within the skew of either edge of a key period a neighbour's key is tried too:
    # the two spans must not meet.
    (
        "net.inet.tcp.syncache.x.clock_skew_ms",
        2,
        "net.inet.tcp.syncache.x.cookie_lifetime",
        1000,
    ),
    *FLOW_NOT_ABOVE,
)
