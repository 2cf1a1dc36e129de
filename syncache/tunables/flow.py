"""The tunables of the middlebox modes: TCP Intercept, and those of `tunables_inspect`.

Names below `net.inet.tcp.intercept.` are those of Cisco's `ip tcp intercept` commands;
what the original hard-codes or leaves open is a tunable too.  `syncache.tunables` joins
these tables with its own.
"""

from __future__ import annotations

from .inspect import INSPECT, INSPECT_NOT_ABOVE
from .knob import BOOL, UINT16_MAX, Knob

# Timers of the original are signed 32-bit milliseconds: 2^31 - 1 of them in seconds.
SECONDS_MAX = 2_147_483
NUMBER_MAX = 2**31 - 1
NAME_MAX = 64
WORDS_MAX = 2**24  # sessions, hosts and the like; memory is what bounds them first

_I = "net.inet.tcp.intercept."


# fmt: off
# Cisco's commands, with Cisco's defaults.
_INTERCEPT_IOS = (
    Knob(_I + "list", "", (0, NAME_MAX),
        "access list of the protected connections; empty: the feature is off",
        engine="intercept"),
    Knob(_I + "mode", "intercept", ("intercept", "watch"),
        "answer in the server's place, or let pass and watch",
        field="mode", engine="intercept"),
    Knob(_I + "drop_mode", "oldest", ("oldest", "random", "heaviest"),
        "which incomplete connection a new one replaces in aggressive mode",
        field="drop_mode", engine="intercept"),
    Knob(_I + "watch_timeout", 30, (1, SECONDS_MAX),
        "time that a watched connection has to become established", unit="s",
        field="watch_timeout_ms", scale=1000, engine="intercept"),
    Knob(_I + "finrst_timeout", 5, (1, SECONDS_MAX),
        "how long a connection is kept after a RST or both FINs", unit="s",
        field="finrst_timeout_ms", scale=1000, engine="intercept"),
    Knob(_I + "connection_timeout", 86_400, (1, SECONDS_MAX),
        "how long a silent established connection is kept", unit="s",
        field="connection_timeout_ms", scale=1000, engine="intercept"),
    Knob(_I + "max_incomplete.low", 900, (1, NUMBER_MAX),
        "incomplete connections below which aggressive mode may end",
        field="max_incomplete_low", engine="intercept"),
    Knob(_I + "max_incomplete.high", 1100, (1, NUMBER_MAX),
        "incomplete connections above which aggressive mode begins",
        field="max_incomplete_high", engine="intercept"),
    Knob(_I + "one_minute.low", 900, (1, NUMBER_MAX),
        "requests of the last minute below which aggressive mode may end",
        field="one_minute_low", engine="intercept"),
    Knob(_I + "one_minute.high", 1100, (1, NUMBER_MAX),
        "requests of the last minute above which aggressive mode begins",
        field="one_minute_high", engine="intercept"),
)

# What Cisco hard-codes or leaves open.
_INTERCEPT_OURS = (
    Knob(_I + "rexmt_initial_ms", 1000, (1, 60_000),
        "first retransmission timeout of either half, doubled each time", unit="ms",
        field="rexmt_initial_ms", engine="intercept"),
    Knob(_I + "rexmt_limit", 4, (0, 12),
        "retransmissions in either half before it is given up",
        field="rexmt_limit", engine="intercept"),
    Knob(_I + "aggressive_divisor", 2, (1, 100),
        "what aggressive mode divides the first timeout and watch_timeout by",
        field="aggressive_divisor", engine="intercept"),
    Knob(_I + "rate_method", "sliding", ("sliding", "fixed", "ewma"),
        "how the one-minute rate is counted",
        field="rate_method", engine="intercept"),
    Knob(_I + "evict_rst", "auto", ("none", "auto", "always"),
        "RST for an evicted connection; auto: to whom it can be of use",
        field="evict_rst", engine="intercept"),
    Knob(_I + "watch_reset", "server", ("server", "both", "none"),
        "whom the expiry of a watched connection resets",
        field="watch_reset", engine="intercept"),
    Knob(_I + "reset_client_on_giveup", "validated", ("never", "validated", "always"),
        "RST to a client whose handshake is given up",
        field="reset_client_on_giveup", engine="intercept"),
    Knob(_I + "options", "learn", ("cisco", "learn", "client"),
        "options offered to clients: MSS only, the server's last, the client's own",
        field="options", engine="intercept"),
    Knob(_I + "synack", "cache", ("cache", "cookie", "auto"),
        "answer SYNs with an entry, with a cookie, or with a cookie while aggressive",
        field="synack", engine="intercept"),
    Knob(_I + "synack_window", 1460, (0, UINT16_MAX),
        "window of our SYN-ACK, a segment at most, which is kept; 0: nothing is kept",
        unit="bytes", field="synack_window", engine="intercept"),
    Knob(_I + "wait_for_data", 0, BOOL,
        "open the server's side with the client's first data; needs synack_window",
        field="wait_for_data", engine="intercept"),
    Knob(_I + "synack_mss", 536, (48, UINT16_MAX),
        "MSS told to clients of a server not yet heard; IPv6: less 20, 1220 at least",
        unit="bytes", field="synack_mss", engine="intercept"),
    Knob(_I + "unknown", "drop", ("drop", "forward"),
        "a segment to a protected server that belongs to no known connection",
        field="unknown", engine="intercept"),
    Knob(_I + "learn_time", 60, (0, SECONDS_MAX),
        "how long after the start unknown connections are adopted", unit="s",
        field="learn_time_ms", scale=1000, engine="intercept"),
    Knob(_I + "learn_limit", 1000, (0, NUMBER_MAX),
        "packets a second of clients' unknown connections that pass meanwhile; 0: all",
        field="learn_limit", engine="intercept"),
    Knob(_I + "silent_max", 1024, (0, NUMBER_MAX),
        "connections of a /24 or /48 without a word of the client; 0: all",
        field="silent_max", engine="intercept"),
    Knob(_I + "bad_ack_rst", 0, BOOL,
        "answer an ACK that completes nothing with a RST, as RFC 9293 would",
        field="bad_ack_rst", engine="intercept"),
    Knob(_I + "calm_check_interval", 1, (1, 3600),
        "how often the end of aggressive mode is looked for", unit="s",
        field="calm_check_interval_ms", scale=1000, engine="intercept"),
    Knob(_I + "debug", 0, BOOL,
        "report every step of every handshake",
        field="debug", engine="intercept"),
    Knob(_I + "offload", 1, BOOL,
        "with --offload: the kernel carries connections; 0 takes them all back",
        engine="intercept"),
    Knob(_I + "sessions_max", 262_144, (1, WORDS_MAX),
        "connections in all, half-open ones included",
        field="sessions_max", settable="boot", engine="intercept"),
    Knob(_I + "hosts_max", 4096, (1, WORDS_MAX),
        "destinations whose half-open connections are counted apart",
        field="hosts_max", settable="boot", engine="intercept"),
    Knob(_I + "profiles_max", 1024, (0, UINT16_MAX),
        "servers (address and port) whose options are remembered",
        field="profiles_max", settable="boot", engine="intercept"),
    Knob(_I + "headers_max", 4096, (1, UINT16_MAX),
        "link headers (pairs of MAC addresses) that are remembered",
        field="headers_max", settable="boot", engine="intercept"),
    Knob(_I + "journal_max", 16_384, (1, WORDS_MAX),
        "events kept until they are taken",
        field="journal_max", settable="boot", engine="intercept"),
    Knob(_I + "rules_max", 1024, (1, UINT16_MAX),
        "rules of an access list",
        field="rules_max", settable="boot", engine="intercept"),
)
# fmt: on

FLOW: tuple[Knob, ...] = (*_INTERCEPT_IOS, *_INTERCEPT_OURS, *INSPECT)

# As `syncache.tunables.NOT_ABOVE`: a pair changes in one transaction, and low may equal
# high, which leaves no hysteresis.
FLOW_NOT_ABOVE: tuple[tuple[str, int, str, int], ...] = (
    (_I + "max_incomplete.low", 1, _I + "max_incomplete.high", 1),
    (_I + "one_minute.low", 1, _I + "one_minute.high", 1),
    *INSPECT_NOT_ABOVE,
)
