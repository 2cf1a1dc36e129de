"""What every peer of `make peers` has: its name, its ways, how it is started."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PORT = 80
# Of the peers that bring their own address, IPv4 and IPv6.
SOURCES = ("198.18.0.9", "fd00:18::9")
SOURCE = SOURCES[0]
# Of the server where a kernel is it.
KERNELS = ("198.18.0.2", "fd00:18::2")
# libslirp has its own, in a network where it has the second address; who is served by
# us there, and who asks it.
SLIRP, SLIRP_SERVED, SLIRP_CLIENT = "198.18.7.2", "198.18.7.100", "198.18.7.101"


@dataclass(frozen=True)
class Peer:
    """One that may connect, or be connected to.

    Attributes:
        name: In the first column.
        note: The oddity to know.
        families: IP versions that it speaks.
        serves: It can be the server behind a middlebox.
        mtu: Of every interface.
        options: Of the kernel's programs, exchange.py and echo.py.
        ways: Those that it is tried in; none: all.
    """

    name: str
    note: str = ""
    families: tuple[int, ...] = (4, 6)
    serves: bool = False
    mtu: int = 1500
    options: dict[str, object] = field(default_factory=dict)
    ways: tuple[str, ...] = ()

    def goes(self, way: str) -> bool:
        """Whether it is tried in this way."""
        return way in self.ways or (not self.ways and (self.serves or way != "server"))

    def version(self) -> str:
        """Return its version; "" if it is not here."""
        raise NotImplementedError

    def prepare(self, world) -> None:
        """Make its settings in its namespace."""

    def connect(self, world, address: str) -> str:
        """Exchange something with a server; return ok, or what was wrong."""
        raise NotImplementedError

    def begin_server(self, world) -> list[subprocess.Popen[str]]:
        """Start it as the server."""
        return [world.begin_server(self.options)]

    def servers(self) -> tuple[str, ...]:
        """Its addresses as the server."""
        return KERNELS
