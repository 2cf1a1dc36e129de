"""lwIP with our adapter and alone: the programs of tests/netns/lwip, compiled."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from namespace import ROOT

TREES = sorted(p for p in (ROOT / "build" / "lwip").glob("lwip-*") if p.is_dir())
NO_TREE = "lwIP's source: make check hosts"
HOST = Path(__file__).resolve().parent / "lwip"
CSRC = ROOT / "csrc"


def compile_all(out: Path, *words: str | Path) -> Path:
    """Run the compiler; show what it says if it refuses."""
    done = subprocess.run(
        [
            "gcc",
            "-std=gnu11",
            "-O2",
            "-DNDEBUG",
            "-DSYNCACHE_SMALL",
            *map(str, words),
            "-o",
            str(out),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=500,  # beside other work
    )
    assert done.returncode == 0, done.stderr
    return out


class Programs:
    """What stands on one tree of lwIP's; each part is compiled once.

    `options` is a folder with another lwipopts.h: for tests of what it does, not fast.
    """

    def __init__(self, tree: Path, folder: Path, options: Path | None = None) -> None:
        self.tree, self.folder = tree, folder
        self.done: dict[str, Path] = {}
        self.adapter = CSRC / "adapters/lwip/syncache_lwip.c"
        ports = tree / "port", tree / "contrib/ports/unix/port"
        self.port = next(path for path in ports if path.is_dir())
        places = [HOST, CSRC / "adapters/lwip", CSRC]
        places += [tree / "src/include", self.port / "include"]
        self.includes = [f"-I{path}" for path in places]
        self.words = [f"-I{options}", "-O0"] if options else []

    def once(self, name: str, *words: str | Path) -> Path:
        """Compile something, unless it is there."""
        if name not in self.done:
            out = self.folder / name
            self.done[name] = compile_all(
                out, "-w", *self.words, *self.includes, *words
            )
        return self.done[name]

    def stack(self, *, plain: bool) -> Path:
        """All of lwIP that is used, with us or without us, as one object."""
        source = self.tree / "src"
        files = [self.port / "sys_arch.c", source / "netif/ethernet.c"]
        for room in ("core", "core/ipv4", "core/ipv6", "api"):
            files += sorted((source / room).glob("*.c"))
        if plain:
            return self.once("plain.o", "-DPLAIN", "-r", *files)
        one = self.folder / "one"
        subprocess.run(["sh", CSRC / "amalgamate.sh", one], check=True, timeout=60)
        files += [self.adapter, one / "syncache.c"]
        return self.once("shielded.o", "-r", *files)

    def program(self, *main: str, plain: bool = False) -> Path:
        """One of the programs beside this file."""
        files = [HOST / f"{name}.c" for name in main]
        flags = ["-DPLAIN"] if plain else []
        name = f"{main[0]}{'-plain' if plain else ''}"
        return self.once(
            name, *flags, *files, self.stack(plain=plain), "-lpthread", "-lutil"
        )

    def cases(self) -> Path:
        """The program of cases without a device; it has lwIP's clock and heap."""
        main, stack = HOST / "adapter.c", self.stack(plain=False)
        return self.once("adapter", "-Wl,-z,muldefs", main, stack, "-lpthread")


def cost(program: Path, family: int, folder: Path) -> int:
    """Count the instructions that one more SYN takes, from the driver's pbuf on."""
    out, totals = folder / "callgrind", []
    for count in (500, 1500):
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        words += ["--collect-atstart=no", "--toggle-collect=take"]
        done = subprocess.run(
            [*words, program, str(family), str(count)],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        total = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
        totals.append((int(total[1]), int(done.stdout)))
    (first, answered), (second, more) = totals
    assert more - answered in (0, 1000)  # all of them or none
    return (second - first) // 1000
