"""The tunables of Inspection: `net.inet.inspect.*`.

Names are those of Cisco's `ip inspect` commands; what the original hard-codes or leaves
open is a tunable too.  `syncache.tunables` joins these tables with its own.  What a
rule says about one protocol goes before what stands here: `syncache.inspect_rule`.
"""

from __future__ import annotations

from .knob import BOOL, UINT16_MAX, Knob

# Timers of the original are signed 32-bit milliseconds: 2^31 - 1 of them in seconds,
# and in minutes.
SECONDS_MAX = 2_147_483
MINUTES_MAX = 35_791
NUMBER_MAX = 2**31 - 1
WORDS_MAX = 2**24  # sessions, hosts and the like; memory is what bounds them first

_I = "net.inet.inspect."

# fmt: off
# Cisco's commands, with the defaults of IOS up to 12.4.
_COMMANDS = (
    Knob(_I + "tcp.synwait_time", 30, (1, SECONDS_MAX),
        "how long a TCP session may stay half-open", unit="s",
        field="tcp_synwait_time_ms", scale=1000, engine="inspect"),
    Knob(_I + "tcp.finwait_time", 5, (1, SECONDS_MAX),
        "how long a TCP session is kept after both FINs", unit="s",
        field="tcp_finwait_time_ms", scale=1000, engine="inspect"),
    Knob(_I + "tcp.idle_time", 3600, (1, SECONDS_MAX),
        "how long a silent TCP session is kept", unit="s",
        field="tcp_idle_time_ms", scale=1000, engine="inspect"),
    Knob(_I + "udp.idle_time", 30, (1, SECONDS_MAX),
        "how long a silent UDP session is kept", unit="s",
        field="udp_idle_time_ms", scale=1000, engine="inspect"),
    Knob(_I + "dns_timeout", 5, (1, SECONDS_MAX),
        "how long a silent DNS session is kept, whatever other timeouts say", unit="s",
        field="dns_timeout_ms", scale=1000, engine="inspect"),
    Knob(_I + "icmp.idle_time", 10, (1, SECONDS_MAX),
        "how long a silent ICMP session is kept", unit="s",
        field="icmp_idle_time_ms", scale=1000, engine="inspect"),
    Knob(_I + "max_incomplete.low", 400, (0, NUMBER_MAX),
        "half-open TCP and UDP sessions below which aggressive mode may end",
        field="max_incomplete_low", zero_unlimited=True, engine="inspect"),
    Knob(_I + "max_incomplete.high", 500, (0, NUMBER_MAX),
        "half-open TCP and UDP sessions above which aggressive mode begins",
        field="max_incomplete_high", zero_unlimited=True, engine="inspect"),
    Knob(_I + "one_minute.low", 400, (0, NUMBER_MAX),
        "new sessions of the last minute below which aggressive mode may end",
        field="one_minute_low", zero_unlimited=True, engine="inspect"),
    Knob(_I + "one_minute.high", 500, (0, NUMBER_MAX),
        "new sessions of the last minute above which aggressive mode begins",
        field="one_minute_high", zero_unlimited=True, engine="inspect"),
    Knob(_I + "tcp.max_incomplete_host", 50, (0, NUMBER_MAX),
        "half-open TCP sessions to one destination",
        field="tcp_max_incomplete_host", zero_unlimited=True, engine="inspect"),
    Knob(_I + "tcp.block_time", 0, (0, MINUTES_MAX),
        "block of a destination above its limit; 0: block_action, or its oldest goes",
        unit="min", engine="inspect"),
    Knob(_I + "alert", 1, BOOL,
        "report thresholds crossed and hosts blocked",
        field="alert", engine="inspect"),
    Knob(_I + "audit_trail", 0, BOOL,
        "report every session's beginning and end",
        field="audit_trail", engine="inspect"),
    Knob(_I + "hashtable_size", 1024, (1024, 8192),
        "kept for configurations that set it; sessions_max sizes our table",
        engine="inspect"),
)

# What Cisco hard-codes or leaves open, and what goes beyond it.  What deletes sessions
# or refuses clients does an attacker's work, so the defaults report, and answer with
# cookies where there are too many; the preset cbac-classic is the original.
_OURS = (
    Knob(_I + "tcp.silent_max", 1024, (0, NUMBER_MAX),
        "TCP sessions of a /24 or /48 whose clients said nothing; the oldest goes",
        field="tcp_silent_max", zero_unlimited=True, engine="inspect"),
    Knob(_I + "tcp.stray_limit", 1000, (0, NUMBER_MAX),
        "TCP packets a second and side of no session that pass unless both ends speak",
        field="tcp_stray_limit", zero_unlimited=True, engine="inspect"),
    Knob(_I + "tcp.block_time_s", 0, (0, SECONDS_MAX),
        "as tcp.block_time, in seconds; unless 0 it is used instead", unit="s",
        engine="inspect"),
    Knob(_I + "block_action", "cookie", ("drop", "cookie", "intercept", "evict"),
        "what new connections to a destination above its limit meet; evict: no block",
        field="block_action", engine="inspect"),
    Knob(_I + "block_clears", 0, BOOL,
        "a block begins with deleting the destination's half-open sessions",
        field="block_clears", engine="inspect"),
    Knob(_I + "aggressive_evict", "nobody", ("per-new", "sweep", "nobody"),
        "delete one half-open session per new one, at once down to the low mark, none",
        field="aggressive_evict", engine="inspect"),
    Knob(_I + "drop_mode", "oldest", ("oldest", "random", "heaviest"),
        "which half-open session goes; heaviest: of whom holds most, from 25 % on",
        field="drop_mode", engine="inspect"),
    Knob(_I + "udp_halfopen_max_age", 0, (0, SECONDS_MAX),
        "how long a one-way UDP session counts as half-open; 0: as long as it lives",
        unit="s", field="udp_halfopen_max_age_ms", scale=1000, engine="inspect"),
    Knob(_I + "count_icmp", 0, BOOL,
        "ICMP sessions count in the thresholds too",
        field="count_icmp", engine="inspect"),
    Knob(_I + "rate_method", "sliding", ("sliding", "fixed", "ewma"),
        "how the one-minute rate is counted",
        field="rate_method", engine="inspect"),
    Knob(_I + "calm_check_interval", 1, (1, 3600),
        "how often the end of aggressive mode is looked for", unit="s",
        field="calm_check_interval_ms", scale=1000, engine="inspect"),
    Knob(_I + "min_active", 0, (0, SECONDS_MAX),
        "aggressive mode lasts at least this long", unit="s",
        field="min_active_ms", scale=1000, engine="inspect"),
    Knob(_I + "host_alert_again", 60, (1, SECONDS_MAX),
        "how soon a destination that stays above its limit is reported again",
        unit="s", field="host_alert_again_ms", scale=1000, engine="inspect"),
    Knob(_I + "detect_only", 0, BOOL,
        "judge and report everything, touch nothing",
        field="detect_only", engine="inspect"),
    Knob(_I + "tap_reset", 0, BOOL,
        "beside the traffic: send the resets that deletions ask for",
        field="tap_reset", engine="inspect"),
    Knob(_I + "block_severity", 4, (0, 7),
        "syslog severity of the message that a block begins", engine="inspect"),
    Knob(_I + "rexmt_initial_ms", 1000, (1, 60_000),
        "block_action cookie and intercept: first retransmission timeout", unit="ms",
        field="rexmt_initial_ms", engine="inspect"),
    Knob(_I + "rexmt_limit", 4, (0, 12),
        "block_action cookie and intercept: retransmissions before giving up",
        field="rexmt_limit", engine="inspect"),
    Knob(_I + "synack_mss", 536, (48, UINT16_MAX),
        "block_action cookie and intercept: MSS where the server's is not known",
        unit="bytes", field="synack_mss", engine="inspect"),
    Knob(_I + "options", "learn", ("cisco", "learn", "client"),
        "block_action cookie and intercept: options offered to clients",
        field="options", engine="inspect"),
    Knob(_I + "debug", 0, BOOL,
        "report every step of every challenge", field="debug", engine="inspect"),
    Knob(_I + "sessions_max", 262_144, (1, WORDS_MAX),
        "sessions in all, half-open ones included",
        field="sessions_max", settable="boot", engine="inspect"),
    Knob(_I + "hosts_max", 65_536, (1, WORDS_MAX),
        "destinations whose half-open sessions are counted apart",
        field="hosts_max", settable="boot", engine="inspect"),
    Knob(_I + "profiles_max", 1024, (0, UINT16_MAX),
        "servers (address and port) whose options are remembered",
        field="profiles_max", settable="boot", engine="inspect"),
    Knob(_I + "headers_max", 4096, (1, UINT16_MAX),
        "link headers (pairs of stations) that are remembered for resets",
        field="headers_max", settable="boot", engine="inspect"),
    Knob(_I + "journal_max", 16_384, (1, WORDS_MAX),
        "messages kept until they are fetched",
        field="journal_max", settable="boot", engine="inspect"),
)
# fmt: on

INSPECT: tuple[Knob, ...] = (*_COMMANDS, *_OURS)

# As `syncache.tunables.NOT_ABOVE`.
INSPECT_NOT_ABOVE: tuple[tuple[str, int, str, int], ...] = (
    (_I + "max_incomplete.low", 1, _I + "max_incomplete.high", 1),
    (_I + "one_minute.low", 1, _I + "one_minute.high", 1),
)
