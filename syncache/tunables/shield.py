"""The tunables of the shield, the programs in the kernel (`syncache.links.shield`).

`syncache.tunables` joins this table with its own.
"""

from __future__ import annotations

from .knob import BOOL, Knob

_S = "net.inet.tcp.syncache.x.shield."
MODE, QLEN, HOLD, VERIFY = _S + "mode", _S + "qlen", _S + "hold_ms", _S + "verify"

# fmt: off
SHIELD: tuple[Knob, ...] = (
    Knob(MODE, "auto", ("auto", "always", "watch"),
        "answer SYNs of flooded listeners, all SYNs, or count what would be answered",
        engine="shield"),
    Knob(QLEN, 256, (1, 2**20),
        "half-open connections of a listener that are a flood; 3/4 of its backlog is",
        engine="shield"),
    Knob(HOLD, 1000, (1, 3_600_000),
        "how long a listener counts as flooded", unit="ms", engine="shield"),
    Knob(VERIFY, 1, BOOL,
        "verify checksums of SYNs before they are answered", engine="shield"),
)
# fmt: on
