"""The tunables of Inspection: `net.inet.inspect.*`.

Names are those of Cisco's `ip inspect` commands; what the original hard-codes or leaves
open is a tunable too.  Most have a row in csrc/flow/flow_tunables.h; here are those
that C does not see.  `syncache.tunables` joins these tables with its own.  What a rule
says about one protocol goes before what stands here: `syncache.inspect_rule`.
"""

from __future__ import annotations

from .knob import Knob
from .rows import knobs, not_above

# Timers of the original are signed 32-bit milliseconds: 2^31 - 1 of them in minutes.
MINUTES_MAX = 35_791

_I = "net.inet.inspect."

# fmt: off
INSPECT: tuple[Knob, ...] = (
    *knobs("inspect"),
    Knob(_I + "tcp.block_time", 0, (0, MINUTES_MAX),
        "block of a destination above its limit; 0: block_action, or its oldest goes",
        unit="min", engine="inspect"),
    Knob(_I + "block_severity", 4, (0, 7),
        "syslog severity of the message that a block begins", engine="inspect"),
    Knob(_I + "hashtable_size", 1024, (1024, 8192),
        "kept for configurations that set it; sessions_max sizes our table",
        engine="inspect"),
)
# fmt: on

INSPECT_NOT_ABOVE = not_above("inspect")
