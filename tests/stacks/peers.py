"""The peers: how each is started as a client, as a server, and what it is known for."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

from .peer import HERE, PORT, SOURCE, Peer
from .slirp import LibSlirp
from .userspace import GVisor, LwIp, Smoltcp

IPV4 = "net.ipv4."
SCANS = 3
PYTCP = HERE.parents[1] / "build" / "pytcp"
SERVER_MAC = "02:00:00:00:00:02"


@dataclass(frozen=True)
class Linux(Peer):
    """The kernel's own TCP with some settings."""

    settings: dict[str, str] = field(default_factory=dict)
    serves: bool = True
    script: str = ""  # what else prepares its namespace

    def version(self) -> str:
        """Return the kernel's release without what a distribution adds."""
        return platform.release().partition("-")[0]

    def prepare(self, world) -> None:
        """Set its sysctls."""
        for name, value in self.settings.items():
            world.set(name, value)
        if self.script:
            world.peer.run(sys.executable, HERE / self.script)

    def connect(self, world, address: str) -> str:
        """Send 20,000 bytes and get them back."""
        words = (address, PORT, json.dumps(self.options))
        times = 2 if self.options.get("fastopen") else 1  # a cookie first
        for _ in range(times):
            said = world.run(sys.executable, HERE / "exchange.py", *words)
            if said != "ok":
                break
        return said


@dataclass(frozen=True)
class Tool(Peer):
    """A scanner: port 80 has to be found open."""

    program: str = ""
    words: tuple[str, ...] = ()
    open: str = ""

    def version(self) -> str:
        """Ask the program for it."""
        path = shutil.which(self.program) or shutil.which(f"/usr/sbin/{self.program}")
        if path is None:
            return ""
        done = subprocess.run([path, "--version"], capture_output=True, check=False)
        found = re.search(rb"\d+\.[\w.]*\w", done.stdout + done.stderr)
        return found[0].decode() if found else "?"

    def connect(self, world, address: str) -> str:
        """Scan, and again: on a busy machine a scanner may begin to listen too late."""
        six = ("-6",) if ":" in address and self.program == "nmap" else ()
        words = [word.format(mac=SERVER_MAC) for word in self.words]
        for _ in range(SCANS):
            said = world.run(self.program, *six, *words, address)
            if re.search(self.open, said):
                return "ok"
        return "not found open"


@dataclass(frozen=True)
class Automaton(Peer):
    """Scapy's TCP automaton."""

    def version(self) -> str:
        """Return scapy's."""
        return version_of("scapy")

    def connect(self, world, address: str) -> str:
        """Send five bytes and get them back."""
        words = (HERE / "automaton.py", address, SOURCE, "l0")
        return world.run(sys.executable, *words).splitlines()[-1]


@dataclass(frozen=True)
class PyTcp(Peer):
    """pmd-pytcp on a TUN device, behind the client's kernel as a router."""

    def version(self) -> str:
        """Ask the installed package."""
        try:
            return version_of("pmd-pytcp")
        except PackageNotFoundError:
            return ""

    def connect(self, world, address: str) -> str:
        """Send 20,000 bytes and get them back."""
        words = (HERE / "pytcp_client.py", address, SOURCE)
        return world.run(sys.executable, *words).splitlines()[-1]


@dataclass(frozen=True)
class PyTcp3(Peer):
    """PyTCP 3 with the Python that it needs, as PyTcp."""

    def version(self) -> str:
        """Ask the package beside its Python."""
        found = PYTCP.glob("site/pytcp-*.dist-info")
        name = next((path.name for path in found), "")
        return name.removeprefix("pytcp-").removesuffix(".dist-info")

    def connect(self, world, address: str) -> str:
        """Send 20,000 bytes and get them back."""
        words = (HERE / "pytcp3_client.py", address, SOURCE)
        said = world.run(PYTCP / "python", *words).strip()
        return "ok" if said.endswith("ok") else said.splitlines()[-1]


NO_TIMESTAMPS = (
    "as a server that gives them up while Intercept remembers them it is asked twice, "
    "and its first client gets them from us: docs/intercept.md"
)

PEERS: tuple[Peer, ...] = (
    Linux("Linux", "the reference of every other row"),
    Linux(
        "Linux, ECN",
        "through Intercept the SYN's wish is refused: docs/intercept.md",
        settings={f"{IPV4}tcp_ecn": "1"},
    ),
    Linux(
        "Linux, no timestamps",
        NO_TIMESTAMPS,
        settings={f"{IPV4}tcp_timestamps": "0"},
    ),
    Linux("Linux, no SACK", settings={f"{IPV4}tcp_sack": "0"}),
    Linux(
        "Linux, no window scaling",
        "its window is at most 65,535",
        settings={f"{IPV4}tcp_window_scaling": "0"},
    ),
    Linux(
        "Linux, MSS alone",
        "as small embedded stacks: a cookie has nothing to carry",
        settings={
            f"{IPV4}tcp_timestamps": "0",
            f"{IPV4}tcp_sack": "0",
            f"{IPV4}tcp_window_scaling": "0",
        },
    ),
    Linux(
        "Linux, MSS 88",
        "the smallest that it accepts; an advertised one is never below it",
        options={"mss": 88},
    ),
    Linux("Linux, MSS 536", options={"mss": 536}),
    Linux(
        "Linux, MTU 65,535",
        "MSS 65,495: a segment is as large as an IP packet can be; AF_XDP takes 3,818",
        mtu=65535,
        ways=("cache", "cookie", "intercept", "server", "watch", "inspect"),
    ),
    Linux(
        "Linux, MPTCP",
        "falls back to TCP where its option is not answered",
        options={"mptcp": True},
    ),
    Linux(
        "Linux, TCP Fast Open",
        "data goes with the SYN once it has a cookie",
        settings={f"{IPV4}tcp_fastopen": "3"},
        options={"fastopen": True, "size": 1000},
    ),
    Linux(
        "Linux, 200 at once",
        "2,000 bytes and an end at once, all in the same millisecond",
        options={"count": 200, "size": 2000},
    ),
    *(
        Linux(
            f"Linux, {count:,} at once",
            "the same; a kernel's listener resets some of them",
            options={"count": count, "size": 2000},
            ways=("cache", "cookie", "xdp"),
        )
        for count in (1000, 1500)
    ),
    Linux(
        "Linux, signed (MD5)",
        "SYNs with a signature pass the boxes untouched; `serve` has no keys",
        options={"md5": "a secret"},
        ways=("intercept", "watch", "inspect"),
    ),
    Linux(
        "Linux, timestamps of microseconds",
        "a feature of its route (RFC 7323 has the clock of the peer opaque)",
        script="usec.py",
    ),
    Tool(
        "nmap -sS",
        "its half-open scan resets what it found",
        program="nmap",
        words=("-sS", "-n", "-Pn", "-p", "80", "--max-retries", "2"),
        open=r"80/tcp open",
    ),
    Tool(
        "masscan",
        "no options, window 1,024; with `--retries` it repeats at its full rate",
        (4,),
        program="masscan",
        words=(
            *("-p", "80", "--rate", "100", "--wait", "4", "--retries", "2"),
            *("--router-mac", "{mac}"),
            *("--source-ip", SOURCE, "-e", "l0"),
        ),
        open=r"open port 80",
    ),
    Tool(
        "hping3 -S",
        "no options at all, window 512",
        (4,),
        program="hping3",
        words=("-S", "-p", "80", "-c", "2", "-i", "u200000", "-n"),
        open=r"flags=SA",
    ),
    Automaton("scapy TCP_client", "no options, window 8,192, one segment a time", (4,)),
    Tool(
        "zmap",
        "one SYN with the MSS alone, no state: it resets what answers",
        (4,),
        program="zmap",
        words=(
            *("-p", "80", "-i", "l0", "-G", "{mac}", "-S", SOURCE, "-b", "/dev/null"),
            *("-q", "-v", "0", "-c", "2"),
        ),
        open=r"198\.18\.0\.2",
    ),
    PyTcp("pmd-pytcp", "`pip install pmd-pytcp`: PyTCP for older Pythons", (4,)),
    PyTcp3("PyTCP 3", "`make check hosts` fetches it, with a Python 3.14", (4,)),
    LwIp(
        "lwIP 2.1",
        "`sh tests/netns/lwip/source.sh build/lwip` fetches its source",
        release="2.1",
    ),
    LwIp("lwIP 2.2", "likewise, from Debian 13", release="2.2"),
    Smoltcp(
        "smoltcp",
        "`pip install --no-deps mitmproxy_rs`; it listens only",
        ways=("server",),
    ),
    LibSlirp("libslirp", "of slirp4netns; it speaks for a kernel's sockets"),
    GVisor("gVisor", "its netstack alone, from golang-gvisor-gvisor-dev"),
)
