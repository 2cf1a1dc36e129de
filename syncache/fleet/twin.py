"""`Life`: of a member, from its start to its end; two of one name differ by it.

Machines that were cloned have one host name, and two commands of a machine have one
configuration: each would overwrite the other's record, and `rotate` wait for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..entropy import entropy
from . import FleetError
from .record import Record, kind_of

if TYPE_CHECKING:
    from .seal import Sealer


class Life:
    """One life of one member."""

    def __init__(self) -> None:
        self.number = int.from_bytes(entropy(4), "big")
        self._begun = 0.0  # the wall time of its first record

    def begin(self, wall: float) -> None:
        """Note when its first record is sealed."""
        self._begun = self._begun or wall

    def is_twin(self, name: str, sealed: bytes, sealer: Sealer) -> bool | None:
        """Whether a record under our name is another's; None: it says nothing.

        One that was sealed before we began may be ours, of a previous life.
        """
        try:
            record = Record.decode(name, sealer.open(kind_of(name), sealed)[1])
        except FleetError:
            return None  # of a previous key file, or a lie
        return record.life != self.number and record.time > self._begun
