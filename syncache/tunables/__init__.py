"""The registry of tunables: every name, type, default, unit, range and meaning, once.

Contents: `KNOBS`, the table that everything else is derived from (the configuration
handed to C, docs/tunables.md, the `sysctl` command), with the rows of `Stack` and of
the half-open side where C does not see them.  Elsewhere: the rows of those that C does
see (csrc/syncache_tunables.h, read by `syncache.tunables.rows`); what a `Knob` is
(`syncache.tunables.knob`); the tunables of the middlebox modes and of the shield, which
are `syncache.tunables.flow` and `syncache.tunables.shield`; the values in force and the
rules for changing them, which are `syncache.sysctl`.

Names are FreeBSD's where FreeBSD has one; ours live under `net.inet.tcp.syncache.x.`.
"""

from __future__ import annotations

from .flow import FLOW, FLOW_NOT_ABOVE
from .knob import BOOL, UINT16_MAX, UINT32_MAX, Knob
from .rows import knobs, not_above
from .shield import SHIELD

DAY_MS = 86_400_000

# fmt: off
# Of the half-open side, by FreeBSD's names: what C does not see.
_HALF_OPEN = (
    Knob("net.inet.tcp.syncache.count", 0, (0, UINT32_MAX),
        "entries now", settable="never"),
    Knob("net.inet.tcp.syncache.see_other", 0, BOOL,
        "list the entries of other users too; kept for scripts, we have one user"),
    Knob("net.inet.tcp.syncache.x.strict", 1, BOOL,
        "refuse a wrong hashsize; 0: fall back to 512 and warn"),
    Knob("net.inet.tcp.insecure_syn", 0, BOOL,
        "answer a SYN in the window with a RST, as before RFC 5961"),
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
    Knob("net.inet.tcp.syncache.x.silent_max", 1024, (0, 2**24),
        "connections of a /24 or /48 without a word of the peer; 0: all",
        unit="connections"),
)
# fmt: on

# Ours are below `net.inet.tcp.syncache.x.`; presets/freebsd.conf goes back to FreeBSD's
# behaviour where a default departs from it.
KNOBS: dict[str, Knob] = {
    knob.name: knob
    for knob in (*knobs("syncache"), *_HALF_OPEN, *_STACK, *SHIELD, *FLOW)
}

# (a, m, b, n): m times a may not exceed n times b.
NOT_ABOVE: tuple[tuple[str, int, str, int], ...] = (
    *not_above("syncache"),
    ("net.inet.tcp.persmin", 1, "net.inet.tcp.persmax", 1),
    *FLOW_NOT_ABOVE,
)
