"""What a fleet's group begins with, in the tests of all that read and write it."""

from __future__ import annotations

from syncache.fleet.document import Document
from syncache.keyring import Master

FIRST = Document(
    version=1,
    group="web",
    lifetime=32,
    skew_ms=1000,
    ts_key=bytes(16),
    masters=(Master(1, 0, bytes(range(32))),),
)
