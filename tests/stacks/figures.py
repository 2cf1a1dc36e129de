"""What peers notice of us, beside the kernel in the same run: `make figures`.

    ping       a byte there and back through `intercept`, and through a bridge
    ready      a connection whose client has data ready, likewise
    loss       300 kB echoed over a bad path, by `serve` and by a kernel's listener
    crowd      1,000 and 1,500 clients at once, by cookies alone, or by a kernel
    flood      clients beside a flood on one connection, likewise (netns/storms.py)

Needs root.  A name on the command line measures that alone.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from .__main__ import HERE, ROOT, Wire, World
from .peers import PORT

RUNS = {"ping": 1500, "ready": 30, "loss": 20}
OFFLOADS = ("tx", "off", "tso", "off", "gso", "off", "gro", "off")


class Bridged(World):
    """A bridge in the place of a box, or of frames that are lost."""

    def _begin_box(self, acl: str) -> None:
        if self.way == "bridge":
            self.middle.run("ip", "link", "add", "b0", "type", "bridge")
            for name in ("m0", "m1"):
                self.middle.run("ip", "link", "set", name, "master", "b0")
            self.middle.run("ip", "link", "set", "b0", "up")
            return
        if self.way in ("lossy", "lossy-serve"):
            for where, name in self.ends:
                where.run("ethtool", "-K", name, *OFFLOADS)
            self.start(self.middle, sys.executable, HERE / "lossy.py", "m0", "m1", 1)
            if self.way == "lossy-serve":
                self._begin_direct()
            return
        super()._begin_box(acl)


def times(world: World, kind: str, address: str) -> list[float]:
    """The milliseconds of each turn; an empty list if it failed."""
    size = 300_000 if kind == "loss" else 0
    spec = {"kind": "bulk" if size else kind, "count": RUNS[kind], "size": size}
    words = (sys.executable, HERE / "turns.py", address, PORT, json.dumps(spec))
    said = world.run(*words, seconds=300)
    if not said.startswith("["):
        print(said.splitlines()[-1])
        return []
    return [1000 * seconds for seconds in json.loads(said)]


def compare(kind: str, ours: str, theirs: str, acl: str) -> None:
    """Print a line of one kind for each family: ours, the other, their ratio."""
    worlds = {way: Bridged(way, acl, 1500) for way in (theirs, ours)}
    try:
        for way, world in worlds.items():
            if way != "lossy-serve":
                world.begin_server({"fastopen": True} if kind == "ready" else {})
        for address in Wire.OURS:
            found = {way: times(worlds[way], kind, address) for way in worlds}
            report(kind, address, found[ours], found[theirs])
    finally:
        for world in worlds.values():
            world.close()


def report(kind: str, address: str, ours: list[float], theirs: list[float]) -> None:
    """One line: of a bad path the slowest run, of the others the median."""
    if not ours or not theirs:
        return
    what, pick = ("slowest", max) if kind == "loss" else ("median", statistics.median)
    mine, other = pick(ours), pick(theirs)
    family = 6 if ":" in address else 4
    print(
        f"{kind:6} IPv{family}  {what} {mine:9.3f} ms, kernel {other:9.3f} ms, "
        f"{mine - other:+.3f} ms, {mine / other:.2f} times",
        flush=True,
    )


def crowd(acl: str) -> None:
    """Print how many of many clients at once were not served."""
    for way in ("kernel", "cookie", "xdp"):
        world = World(way, acl, 1500)
        if way == "kernel":
            world.begin_server({})
        try:
            for count in (1000, 1500):
                for address in Wire.OURS:
                    spec = json.dumps({"count": count, "size": 2000})
                    words = (HERE / "exchange.py", address, PORT, spec)
                    said = world.run(sys.executable, *words)
                    family = 6 if ":" in address else 4
                    print(f"crowd  IPv{family}  {way:7} {count}: {said}", flush=True)
        finally:
            world.close()


def flood() -> None:
    """Print the table of one kind of flood, the kernel first."""
    words = ("--engines", "kernel,serve-packet,serve-xdp", "--kinds", "established")
    storms = ROOT / "tests" / "netns" / "storms.py"
    subprocess.run([sys.executable, storms, *words], check=True, cwd=ROOT)


def main() -> None:
    """Measure all, or what is named."""
    names = sys.argv[1:] or ["ping", "ready", "loss", "crowd", "flood"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.acl"
        path.write_text("permit tcp any any\npermit tcp ::/0 ::/0\n")
        acl = str(path)
        for name in names:
            if name in ("ping", "ready"):
                compare(name, "intercept", "bridge", acl)
            elif name == "loss":
                compare(name, "lossy-serve", "lossy", acl)
            elif name == "crowd":
                crowd(acl)
            else:
                flood()


if __name__ == "__main__":
    main()
