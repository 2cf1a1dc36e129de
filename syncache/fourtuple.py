"""The four-tuple that names a connection, seen from us: foreign is the peer."""

from __future__ import annotations

from typing import NamedTuple

from . import address
from ._core.mirror import layout

_TUPLE = layout("syncache_tuple", "faddr laddr fport lport family")
TUPLE_BYTES = _TUPLE.size


class FourTuple(NamedTuple):
    """Peer's address and port, our address and port; addresses as text or packed."""

    foreign: str | bytes
    fport: int
    local: str | bytes
    lport: int

    def to_c(self) -> bytes:
        """Return the C form; ValueError or TypeError if a member is not legal."""
        family, faddr, laddr = address.pair(self.foreign, self.local)
        fport, lport = address.port(self.fport), address.port(self.lport)
        return _TUPLE.pack(faddr, laddr, fport, lport, family)


def ends(packed: bytes) -> tuple[int, bytes, bytes]:
    """Return family, foreign and local address of the C form."""
    faddr, laddr, _, _, family = _TUPLE.unpack(packed)
    return family, faddr, laddr
