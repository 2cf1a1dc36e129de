"""What the kernel carries outlives a process that is killed: `OffloadPins`.

The programs are gone with the process, the maps stay under their names in a BPF file
system, with the numbers of the last packet.  The next process brings the connections of
its state file up to them: `caught_up`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .. import flow_state
from .._core import bpf as _core_bpf
from .._core.offload import CONFIG, catch_up
from .bpf_object import layout_of
from .shield_attach import Pins

if TYPE_CHECKING:
    from pathlib import Path

ZERO = bytes(4)


class OffloadPins(Pins):
    """Names of the maps of an offload.

    Raises:
        LinkError: The folder is in no BPF file system, or not ours to write.
    """

    KEPT = ("config_map", "carried4", "carried6")

    def drop_all(self) -> None:
        """Remove the names, and with them what nobody holds open."""
        for name in self.KEPT:
            (self.folder / name).unlink(missing_ok=True)


def caught_up(folder: Path, data: bytes) -> bytes:
    """Return a state with the numbers of maps that a killed process left behind.

    Raises:
        LinkError: As of `OffloadPins`.
    """
    maps = OffloadPins(folder).maps(layout_of("offload"))
    try:
        told = None
        if len(maps) == len(OffloadPins.KEPT):
            told = _core_bpf.lookup(maps["config_map"], ZERO, CONFIG.size)
        if told is None:
            return data
        splices, _ = catch_up(maps, told, flow_state.unpack(data))
        return flow_state.pack(splices)
    except flow_state.StateError:
        return data  # who takes it up says what is wrong
    finally:
        for fd in maps.values():
            os.close(fd)
