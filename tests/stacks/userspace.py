"""Peers that are stacks of user space: how each is built, started, and reached.

Each lives on a TUN device of its namespace, whose kernel routes to it (routed.py).
What is built lies in build/stacks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

from .peer import HERE, PORT, SOURCES, Peer

ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "stacks"
LWIP = ROOT / "build" / "lwip"
HOST = ROOT / "tests" / "netns" / "lwip"
GOCODE = Path("/usr/share/gocode")
GVISOR = "golang-gvisor-gvisor-dev"
SECONDS = 600


def built(name: str, *words: object, **environment: str) -> Path | None:
    """Run a compiler that makes build/stacks/NAME; None if it cannot."""
    BUILD.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | environment,
    )
    (BUILD / f"{name}.log").write_text(done.stdout + done.stderr)
    return BUILD / name if done.returncode == 0 else None


@dataclass(frozen=True)
class Routed(Peer):
    """A program that gets a TUN device, its own address and what to do."""

    serves: bool = True

    def program(self) -> Path | None:
        """Build it; None if its parts are not here."""
        raise NotImplementedError

    def _words(self, address: str, *words: object) -> tuple[object, ...]:
        own = SOURCES[":" in address]
        return (sys.executable, HERE / "routed.py", own, BUILD / self.stem, *words)

    @property
    def stem(self) -> str:
        """The name of the program's file."""
        raise NotImplementedError

    def connect(self, world, address: str) -> str:
        """Send 20,000 bytes and get them back."""
        words = self._words(address, "client", address, PORT)
        return world.run(*words).splitlines()[-1]

    def begin_server(self, world) -> list[subprocess.Popen[str]]:
        """Start one for each family."""
        return [
            world.start(world.server, *self._words(address, "server", PORT))
            for address in self.servers()
        ]

    def servers(self) -> tuple[str, ...]:
        """Its own addresses."""
        return SOURCES


@dataclass(frozen=True)
class GVisor(Routed):
    """gVisor's netstack, from Debian's source of it."""

    stem = "gvisor"

    def version(self) -> str:
        """Ask the package system; "" if it or a compiler is missing."""
        if not (GOCODE / "src" / "gvisor.dev").is_dir() or self.program() is None:
            return ""
        words = ("dpkg-query", "--show", "--showformat=${Version}", GVISOR)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stdout.partition("-")[0] or "?"

    def program(self) -> Path | None:
        """Compile gvisor.go."""
        if shutil.which("go") is None:
            return None
        words = ("go", "build", "-o", BUILD / self.stem, HERE / "gvisor.go")
        places = {"GOPATH": str(GOCODE), "GOCACHE": str(BUILD / "go")}
        return built(self.stem, *words, GO111MODULE="off", **places)


@dataclass(frozen=True)
class LwIp(Routed):
    """A version of lwIP, from Debian's source of it."""

    release: str = ""

    @property
    def stem(self) -> str:
        """One for each version."""
        return f"lwip-{self.release}"

    def _tree(self) -> Path | None:
        found = sorted(LWIP.glob(f"lwip-{self.release}.*"))
        return found[0] if found else None

    def version(self) -> str:
        """That of the source; "" if there is none, or no compiler."""
        tree = self._tree()
        if tree is None or self.program() is None:
            return ""
        return tree.name.partition("-")[2]

    def program(self) -> Path | None:
        """Compile lwip_peer.c and all of lwIP that it uses."""
        tree = self._tree()
        if tree is None or shutil.which("gcc") is None:
            return None
        ports = tree / "port", tree / "contrib/ports/unix/port"
        port = next(path for path in ports if path.is_dir())
        source = tree / "src"
        files = [port / "sys_arch.c", source / "netif/ethernet.c"]
        for room in ("core", "core/ipv4", "core/ipv6", "api"):
            files += sorted((source / room).glob("*.c"))
        includes = [
            f"-I{path}" for path in (HOST, source / "include", port / "include")
        ]
        words = ("gcc", "-O2", "-w", "-DPLAIN", *includes, HERE / "lwip_peer.c")
        more = (*files, "-o", BUILD / self.stem, "-lpthread", "-lutil")
        return built(self.stem, *words, *more)


@dataclass(frozen=True)
class Smoltcp(Routed):
    """The smoltcp inside mitmproxy_rs: a server alone."""

    def version(self) -> str:
        """Ask the installed package."""
        try:
            return f"in mitmproxy_rs {version_of('mitmproxy_rs')}"
        except PackageNotFoundError:
            return ""

    def begin_server(self, world) -> list[subprocess.Popen[str]]:
        """Start one for both families."""
        words = (sys.executable, HERE / "smoltcp_server.py", *SOURCES)
        return [world.start(world.server, *words)]
