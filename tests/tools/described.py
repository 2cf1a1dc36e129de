"""One packet through a burst of an engine that knows its tuple: what the stack gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncache import FourTuple, Ring, Syncache
from syncache.ring import Checksum
from syncache.tcp.arrival import Arrival, arrivals

if TYPE_CHECKING:
    from collections.abc import Iterable

HANDLE = 77


def described(
    packet: bytes,
    known: Iterable[FourTuple],
    checksum: Checksum = Checksum.VERIFY,
) -> Arrival | None:
    """Return the arrival of a packet of a known tuple; None: it is dropped."""
    engine = Syncache(seed=bytes(16), established_max=4)
    for ends in known:
        engine.listen(9, ends.local)
        assert engine.opened(ends, HANDLE)
    rx, tx = Ring(2, 2048), Ring(2, 2048)
    rx.push(b"in front")
    rx.push(packet, checksum=checksum)
    engine.burst(rx, tx, 1.0)
    found = list(arrivals(rx))
    assert [a.slot for a in found] == rx.passed
    assert [a.reason for a in found] == [rx.verdict(a.slot) for a in found]
    return found[-1] if found and found[-1].slot == 1 else None
