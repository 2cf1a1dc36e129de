"""libslirp as a client and as a server: that of slirp4netns.

    a namespace for slirp4netns          the peer's namespace of the world
      a kernel's sockets  == libslirp ==  tap -- bridge -- l0 or s0

Its TCP speaks for the sockets of the first: a connection to a port that it forwards
makes it a client, one to its own address makes it the server in front of an echo.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import Self

from .peer import HERE, PORT, SLIRP, SLIRP_SERVED, Peer

NETWORK = "198.18.7.0/24"
TAP, BRIDGE = "slirp0", "slirpbr0"
FORWARDED = 8080
PROGRAM = "slirp4netns"


def forward(path: Path) -> None:
    """Ask slirp4netns to connect us to the server by a port of its side."""
    arguments = {
        "proto": "tcp",
        "host_addr": "127.0.0.1",
        "host_port": FORWARDED,
        "guest_addr": SLIRP_SERVED,
        "guest_port": PORT,
    }
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        asked = {"execute": "add_hostfwd", "arguments": arguments}
        sock.sendall(json.dumps(asked).encode())
        sock.shutdown(socket.SHUT_WR)
        answer = sock.recv(4096)
        assert b"return" in answer, answer


class Stack:
    """A running slirp4netns, bridged to an interface of a namespace."""

    def __init__(self, where, interface: str) -> None:
        # Not at the head: __main__ lays the path to it.
        from namespace import Namespace

        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "api"
        self._where, self._interface = where, interface
        self.host = Namespace()
        self.host.run("ip", "link", "set", "lo", "up")
        ready, told = os.pipe()
        words = (PROGRAM, f"--ready-fd={told}", f"--api-socket={self.path}")
        words += (f"--cidr={NETWORK}", where.pid, TAP)
        self.host.start(*words, pass_fds=(told,), stderr=subprocess.DEVNULL)
        os.close(told)
        assert os.read(ready, 1), "slirp4netns did not start"
        os.close(ready)
        where.run("ip", "link", "add", BRIDGE, "type", "bridge")
        for name in (TAP, interface):
            where.run("ip", "link", "set", name, "master", BRIDGE)
        for name in (TAP, BRIDGE):
            where.run("ip", "link", "set", name, "up")

    def close(self) -> None:
        """Give the interface back."""
        self.host.close()
        self._where.run("ip", "link", "set", self._interface, "nomaster")
        self._where.run("ip", "link", "del", BRIDGE)
        self._folder.cleanup()

    # As the process of any other server.

    kill = close

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """It was killed."""


@dataclass(frozen=True)
class LibSlirp(Peer):
    """The user network of QEMU and of containers without root."""

    families: tuple[int, ...] = (4,)
    serves: bool = True

    def version(self) -> str:
        """Ask slirp4netns; "" if it is not here."""
        if shutil.which(PROGRAM) is None:
            return ""
        done = subprocess.run([PROGRAM, "--version"], capture_output=True, check=False)
        found = re.search(rb"libslirp: ([\d.]+)", done.stdout)
        return found[1].decode() if found else "?"

    def connect(self, world, address: str) -> str:
        """Send 20,000 bytes through a port that it forwards to the server."""
        del address
        stack = Stack(world.client, "l0")
        try:
            forward(stack.path)
            words = (HERE / "exchange.py", "127.0.0.1", FORWARDED, "{}")
            process = stack.host.start(sys.executable, *words)
            return process.communicate(timeout=30)[0].strip() or "nothing said"
        finally:
            stack.close()

    def begin_server(self, world) -> list[Stack]:
        """Start it in front of an echo."""
        stack = Stack(world.server, "s0")
        process = stack.host.start(sys.executable, HERE / "echo.py", PORT, "{}")
        assert process.stdout.readline(), "no echo"
        return [stack]

    def servers(self) -> tuple[str, ...]:
        """Its own address."""
        return (SLIRP,)
