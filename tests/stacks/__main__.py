"""Try every peer in every way, and write the page: `python -m tests.stacks`.

    l0 ============ s0                   served by us
    l0 === m0 box m1 === s0              through us, to a kernel's server

Needs root.  Peers that are not installed are named as absent.  Exits with 1 if one
that is here was not served.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tests" / "netns"))

from namespace import LIFETIME_SECONDS, Namespace, Wire  # noqa: E402 - a folder of programs

from .page import WAYS, page  # noqa: E402
from .peer import (  # noqa: E402
    KERNELS,
    PORT,
    SLIRP_CLIENT,
    SLIRP_SERVED,
    SOURCES,
    Peer,
)
from .peers import PEERS, Tool  # noqa: E402

DIRECT = ("cache", "cookie", "xdp", "silent", "kernel")
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
SECONDS = 30
SILENT_SECONDS = 8
WORLD_SECONDS = LIFETIME_SECONDS / 2
FASTOPEN = "net.inet.tcp.fastopen.server_enable=1"
COOKIES = ("--sysctl", "net.inet.tcp.syncookies_only=1")
SYSCTL = {"cookie": COOKIES, "xdp": COOKIES}
BOX = {
    "intercept": ("intercept", "--list"),
    "server": ("intercept", "--list"),
    "watch": ("intercept", "--mode", "watch", "--list"),
    "inspect": ("inspect",),
}


class World:
    """Client, perhaps a box, server; the peer is the client, or the server."""

    def __init__(self, way: str, acl: str, mtu: int) -> None:
        self.way = way
        self._mtu = mtu
        self._before: list[tuple[str, str]] = []
        self.client, self.server = Namespace(), Namespace()
        for where in (self.client, self.server):
            where.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        self.ends = [(self.client, "l0"), (self.server, "s0")]
        self.middle: Namespace | None = None
        if way in DIRECT:
            self.client.join("l0", self.server, "s0", *Wire.CLIENT)
            self.server.link("up", "s0", *Wire.SERVER)
            self._set_up()
            self._begin_direct()
        else:
            self.middle = Namespace()
            self.client.join("l0", self.middle, "m0", *Wire.CLIENT)
            self.server.join("s0", self.middle, "m1", *Wire.SERVER)
            for name in ("m0", "m1"):
                self.middle.link("up", name)
            self.ends += [(self.middle, "m0"), (self.middle, "m1")]
            self._set_up()
            self._begin_box(acl)
        self._introduce()
        wait_for_addresses(self.client)

    def _introduce(self) -> None:
        """Let the other end find a peer with an address of its own."""
        words = (self.client, "l0", MACS[1])
        if self.way != "server":
            words = (self.server, "s0", MACS[0])
        where, name, mac = words
        for source in SOURCES:
            where.run("ip", "neigh", "replace", source, "lladdr", mac, "dev", name)

    def _set_up(self) -> None:
        for (where, name), mac in zip(self.ends[:2], MACS, strict=True):
            where.link("mac", name, mac)
        for where, name in self.ends:
            where.run("ip", "link", "set", name, "mtu", str(self._mtu))
        own = ((self.client, SLIRP_CLIENT, "l0"), (self.server, SLIRP_SERVED, "s0"))
        for where, address, name in own:
            where.run("ip", "address", "add", f"{address}/24", "dev", name)

    def _begin_direct(self) -> None:
        if self.way == "kernel":
            return
        if self.way == "silent":
            words = (HERE / "silent.py", "s0", *Wire.OURS)
            self.start(self.server, sys.executable, *words)
            return
        link = "--xdp" if self.way == "xdp" else "--packet"
        if self.way == "xdp":  # whose frames a veth has with GRO alone
            self.server.run("ethtool", "-K", "s0", "gro", "on")
        words = ("-m", "syncache", "serve", "--echo", link, "s0", "--port", PORT)
        for address in (*Wire.OURS, SLIRP_SERVED):
            words += ("--address", address)
        words += (*SYSCTL.get(self.way, ()), "--sysctl", FASTOPEN)
        self.start(self.server, sys.executable, *words)

    def _begin_box(self, acl: str) -> None:
        words = BOX[self.way]
        words += (acl,) if words[-1] == "--list" else ()
        words = ("-m", "syncache", *words, "--outside", "m0", "--inside", "m1")
        self.start(self.middle, sys.executable, *words)

    def begin_server(self, options: dict[str, object]) -> subprocess.Popen[str]:
        """Start the kernel's echo server."""
        words = (HERE / "echo.py", PORT, json.dumps(options))
        return self.start(self.server, sys.executable, *words)

    def start(self, where: Namespace, *words: object) -> subprocess.Popen[str]:
        """Start a program that says when it is ready."""
        process = where.start(*words, stdin=subprocess.PIPE)
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        return process

    @property
    def peer(self) -> Namespace:
        """The namespace of the peer."""
        return self.server if self.way == "server" else self.client

    def set(self, name: str, value: str) -> None:
        """Set a sysctl of the peer, until `restore`."""
        self._before.append((name, self.peer.run("sysctl", "-n", name).strip()))
        self.peer.run("sysctl", "-qw", f"{name}={value}")

    def restore(self) -> None:
        """Give the peer's namespace its settings back."""
        while self._before:
            name, value = self._before.pop()
            self.peer.run("sysctl", "-qw", f"{name}={value}")

    def run(self, *words: object, seconds: float = SECONDS) -> str:
        """Run a client; return its output, errors included.

        What it said before it hung counts: masscan ends when another packet comes.
        """
        process = self.client.start(*words, stderr=subprocess.STDOUT)
        try:
            return process.communicate(timeout=seconds)[0].strip() or "nothing said"
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate(timeout=SECONDS)[0].strip()
            return f"{said}\nhung for {seconds} s".strip()

    def close(self) -> None:
        """End everything."""
        for where in {where for where, _ in self.ends}:
            where.close()


def wait_for_addresses(where: Namespace) -> None:
    """Wait until duplicate address detection is over."""
    for _ in range(50):
        if "tentative" not in where.run("ip", "-6", "address"):
            return
        time.sleep(0.1)


class Worlds:
    """One world for each way and MTU."""

    def __init__(self, acl: str) -> None:
        self._acl = acl
        self._made: dict[tuple[str, int], tuple[World, float]] = {}

    def get(self, way: str, mtu: int) -> World:
        """Return the world; make it if it is new."""
        made, at = self._made.get((way, mtu), (None, 0.0))
        if made is not None and time.monotonic() < at + WORLD_SECONDS:
            return made
        if made is not None:
            made.close()
        self._made[way, mtu] = World(way, self._acl, mtu), time.monotonic()
        return self._made[way, mtu][0]

    def close(self) -> None:
        """End all of them."""
        for world, _ in self._made.values():
            world.close()


def tried(peer: Peer, way: str, worlds: Worlds) -> tuple[str, dict]:
    """Try a peer in one way; return its result, and its SYN."""
    world = worlds.get(way, peer.mtu)
    peer.prepare(world)
    servers, addresses = [], KERNELS
    if way == "server":
        servers, addresses = peer.begin_server(world), peer.servers()
    elif way not in DIRECT:
        signed = {name: key for name, key in peer.options.items() if name == "md5"}
        servers = [world.begin_server({"fastopen": True, **signed})]
    client = PEERS[0] if way == "server" else peer
    last = SILENT_SECONDS if way == "silent" else 2 * SECONDS
    words = (HERE / "first_syn.py", "l0", last)
    sniffer = world.start(world.client, sys.executable, *words)
    addresses = [a for a in addresses if (6 if ":" in a else 4) in peer.families]
    said = [client.connect(world, a) for a in addresses[: 1 if way == "silent" else 2]]
    if way == "silent":
        sniffer.wait(2 * SILENT_SECONDS)
    syn = json.loads(sniffer.communicate(timeout=SECONDS)[0])
    for server in servers:
        with server:
            server.kill()
    world.restore()
    return "; ".join(sorted(set(said) - {"ok"})) or "ok", syn


def record(peer: Peer, worlds: Worlds, timed: set[str]) -> dict:
    """Return all there is to say of a peer."""
    found = {"name": peer.name, "version": peer.version(), "note": peer.note}
    found |= {"results": {}, "syn": {}, "again": []}
    if not found["version"]:
        return found
    for way in WAYS:
        if not peer.goes(way):
            continue
        result, syn = tried(peer, way, worlds)
        found["results"][way] = result
        if way == "cache":
            found["syn"] = {k: syn[k] for k in ("options", "window") if k in syn}
        print(f"{peer.name}: {way}: {result}", flush=True)
    kind = peer.program if isinstance(peer, Tool) else type(peer).__name__
    if kind not in timed and set(found["results"]) - {"server"}:
        timed.add(kind)
        found["again"] = tried(peer, "silent", worlds)[1].get("again", [])
    return found


def main() -> int:
    """Run all, or renew the rows that a word names, or that have it in their name."""
    words, names = sys.argv[1:], {peer.name for peer in PEERS}
    chosen = [
        p
        for p in PEERS
        if not words
        or p.name in words
        or any(w in p.name for w in words if w not in names)
    ]
    timed: set[str] = set()
    with tempfile.NamedTemporaryFile("w", suffix=".acl") as acl:
        acl.write("permit tcp any any\npermit tcp ::/0 ::/0\n")
        acl.flush()
        worlds = Worlds(acl.name)
        try:
            records = [record(peer, worlds, timed) for peer in chosen]
        finally:
            worlds.close()
    path = ROOT / "docs" / "peers.json"
    rows = {
        r["name"]: r for r in (json.loads(path.read_text())["peers"] if words else ())
    }
    for found in records:  # its times may be those of another row this time
        before = rows.get(found["name"], found)
        rows[found["name"]] = found | {"again": found["again"] or before["again"]}
    date = datetime.now(timezone.utc).date().isoformat()
    document = {"date": date, "peers": [rows[p.name] for p in PEERS if p.name in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")
    (ROOT / "docs" / "peers.md").write_text(page(document))
    bad = [r["name"] for r in records if set(r["results"].values()) - {"ok"}]
    print(f"{len(records)} peers, not served in some way: {', '.join(bad) or 'none'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
