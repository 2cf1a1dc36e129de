"""Tables of a middlebox engine for a few connections.

Of the usual size they take tens of milliseconds to clear, for each engine of a test.
"""

from __future__ import annotations

BOXES = ("net.inet.tcp.intercept", "net.inet.inspect")
TABLES = ("sessions", "hosts", "profiles", "headers", "journal")
SMALL = {f"{box}.{table}_max": 64 for box in BOXES for table in TABLES}
