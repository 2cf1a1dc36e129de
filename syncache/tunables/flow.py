"""The tunables of the middlebox modes: TCP Intercept, and those of `tunables.inspect`.

Names below `net.inet.tcp.intercept.` are those of Cisco's `ip tcp intercept` commands;
what the original hard-codes or leaves open is a tunable too.  Most have a row in
csrc/flow/flow_tunables.h; here are those that C does not see.  `syncache.tunables`
joins these tables with its own.
"""

from __future__ import annotations

from .inspect import INSPECT, INSPECT_NOT_ABOVE
from .knob import BOOL, Knob
from .rows import knobs, not_above

NAME_MAX = 64

_I = "net.inet.tcp.intercept."


# fmt: off
_INTERCEPT = (
    Knob(_I + "list", "", (0, NAME_MAX),
        "access list of the protected connections; empty: the feature is off",
        engine="intercept"),
    *knobs("intercept"),
    Knob(_I + "offload", 1, BOOL,
        "with --offload: the kernel carries connections; 0 takes them all back",
        engine="intercept"),
)
# fmt: on

FLOW: tuple[Knob, ...] = (*_INTERCEPT, *INSPECT)

# As `syncache.tunables.NOT_ABOVE`: a pair changes in one transaction, and low may equal
# high, which leaves no hysteresis.
FLOW_NOT_ABOVE = (*not_above("intercept"), *INSPECT_NOT_ABOVE)
