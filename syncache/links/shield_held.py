"""One attached program of a shield, and what others have done to its place since.

Anybody with the right can take a program off an interface (`bpftool link detach`), or
put another one before it in tc that lets nobody see a packet after itself.  A shield
of which one half is off, or is not asked, would answer SYNs and redeem no cookie.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._core import bpf as _core_bpf
from .bpf import ATTACH_TCX_INGRESS

if TYPE_CHECKING:
    from collections.abc import Collection

    from .rtnetlink import InterfaceInfo

FDINFO = Path("/proc/self/fdinfo")
OURS = "shield_"  # another shield's on the same device is no stranger


@dataclass(slots=True)
class Held:
    """A program on an interface, by the descriptor of its link."""

    kind: str  # one of KINDS, or tc
    program: int
    info: InterfaceInfo
    mode: str  # of XDP; empty: in tc
    fd: int  # -1: it could not be put back

    @property
    def what(self) -> str:
        """Where it hangs, for people."""
        return "xdp" if self.mode else "tc"

    def is_off(self) -> bool:
        """Return whether it was taken off: its link has no interface any more."""
        return self.fd < 0 or interface_of(self.fd) == 0

    @property
    def number(self) -> int:
        """The kernel's number of the program."""
        return _core_bpf.bpf_info(self.program).id

    def before(self, ours: Collection[int]) -> list[int]:
        """List the numbers of others' programs that see a packet first.

        Args:
            ours: Numbers of this shield's programs, which it may not be able to name.
        """
        if self.mode:
            return []
        order = _core_bpf.bpf_query(self.info.index, ATTACH_TCX_INGRESS)
        ahead = order[: order.index(self.number)] if self.number in order else []
        others = [each for each in ahead if each not in ours]
        return [each for each in others if not name_of(each).startswith(OURS)]


def interface_of(link: int) -> int:
    """Return the number of the interface that a link is of; 0: it has none (more)."""
    for line in (FDINFO / str(link)).read_text("ascii").splitlines():
        if line.startswith("ifindex:"):
            return int(line.split()[1])
    return 0


def name_of(number: int) -> str:
    """Name a loaded program; empty: one needs a capability for that."""
    try:
        fd = _core_bpf.bpf_program(number)
    except OSError:
        return ""
    try:
        return _core_bpf.bpf_info(fd).name
    finally:
        os.close(fd)
