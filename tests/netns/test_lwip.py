"""
lwIP behind our adapter, on a TUN device: csrc/adapters/lwip, tests/netns/lwip/host.c.

    +----------------- a network namespace -----------------+
    | kernel sockets   198.18.0.1 == tun0 == lwIP 198.18.0.2 |
    | spoofed SYNs     fd00:18::1            fd00:18::2      |
    +--------------------------------------------------------+

The source of lwIP is Debian's: every tree in build/lwip is built and tried.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from namespace import PATIENCE, PEERS, ROOT

TREES = sorted(p for p in (ROOT / "build" / "lwip").glob("lwip-*") if p.is_dir())
NO_TREE = "no lwIP source: sh tests/netns/lwip/source.sh build/lwip"
HOST = Path(__file__).resolve().parent / "lwip"
CSRC = ROOT / "csrc"
RAW, SOCKETS, NETCONN = 7, 8, 9
OURS = ("198.18.0.2", "fd00:18::2")
RATE = 20_000
SECONDS = 8

pytestmark = pytest.mark.skipif(not TREES, reason=NO_TREE)


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
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return out


class Programs:
    """What stands on one tree of lwIP's; each part is compiled once."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self.tree, self.folder = tree, folder
        self.done: dict[str, Path] = {}
        ports = tree / "port", tree / "contrib/ports/unix/port"
        self.port = next(path for path in ports if path.is_dir())
        places = [HOST, CSRC / "adapters/lwip", CSRC]
        places += [tree / "src/include", self.port / "include"]
        self.includes = [f"-I{path}" for path in places]

    def once(self, name: str, *words: str | Path) -> Path:
        """Compile something, unless it is there."""
        if name not in self.done:
            out = self.folder / name
            self.done[name] = compile_all(out, "-w", *self.includes, *words)
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
        files += [CSRC / "adapters/lwip/syncache_lwip.c", one / "syncache.c"]
        return self.once("shielded.o", "-r", *files)

    def program(self, *main: str, plain: bool = False) -> Path:
        """One of the programs beside this file."""
        files = [HOST / f"{name}.c" for name in main]
        flags = ["-DPLAIN"] if plain else []
        name = f"{main[0]}{'-plain' if plain else ''}"
        return self.once(
            name, *flags, *files, self.stack(plain=plain), "-lpthread", "-lutil"
        )


@pytest.fixture(scope="module", params=TREES, ids=lambda tree: tree.name)
def programs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Programs:
    """Those of a version of lwIP."""
    return Programs(request.param, tmp_path_factory.mktemp("lwip"))


@pytest.fixture
def shielded(programs: Programs) -> Path:
    """The host with our adapter."""
    return programs.program("host", "tun")


class Host:
    """A running host; `counters` are what it wrote at its end."""

    def __init__(self, namespace, program: Path, *words: str) -> None:
        device = "tap0" if "ethernet" in words else "tun0"
        namespace.link("add", device, "198.18.0.1/24", "fd00:18::1/64")
        self.process = namespace.start(program, *words, stdin=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n", self.end()

    def end(self) -> dict[str, int]:
        """End it; return its counters."""
        out, error = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, error
        pairs = (line.split(": ") for line in out.splitlines() if ": " in line)
        return {name.strip(): int(count) for name, count in pairs}


def visit(namespace, host: str, port: int, **changed) -> int:
    """How many of the clients got back what they sent."""
    spec = {"host": host, "port": port, "count": 10, "every": 0.1, "timeout": 20}
    return namespace.python("echo_clients", spec | changed)["served"]


def flood(namespace, folder: Path) -> subprocess.Popen[str]:
    """SYNs from nowhere for the raw API's port."""
    program = compile_all(folder / "spoof", PEERS / "spoof.c")
    return namespace.start(program, OURS[0], RAW, RATE, SECONDS)


def test_listeners_of_every_api_work_unchanged(namespace, shielded: Path) -> None:
    """Raw, sockets, netconn; both families; whole segments both ways."""
    host = Host(namespace, shielded)
    for port in (RAW, SOCKETS, NETCONN):
        for address in OURS:
            assert visit(namespace, address, port, every=0.01) == 10
    assert visit(namespace, OURS[0], RAW, count=2, words=1000) == 2
    counters = host.end()
    assert counters["ACCEPT_CACHE"] >= 62


def test_replies_find_their_way_on_ethernet(namespace, shielded: Path) -> None:
    """By ARP and ND; a link-local peer is one of its interface's."""
    host = Host(namespace, shielded, "ethernet")
    for address in (*OURS, "fe80::ff:fe00:2%tap0"):
        assert visit(namespace, address, RAW, every=0.01, words=500) == 10
    assert host.end()["ACCEPT_CACHE"] >= 30


def test_options_in_two_buffers_are_read(namespace, shielded: Path) -> None:
    """As a driver with small buffers gives them; the ACK's options too."""
    host = Host(namespace, shielded, "pieces")
    for address in OURS:
        assert visit(namespace, address, RAW, every=0.01, words=500) == 10
    assert host.end()["ACCEPT_CACHE"] >= 20


def test_full_backlog_is_offered_again(namespace, shielded: Path) -> None:
    """Six at once, a backlog of two, and nobody who accepts yet: all are served."""
    host = Host(namespace, shielded)
    assert visit(namespace, OURS[0], NETCONN, count=6, every=0) == 6
    assert host.end()["ACCEPT_CACHE"] > 6


def test_flood_costs_no_client(namespace, shielded: Path, tmp_path: Path) -> None:
    """20,000 spoofed SYNs a second; most come in by a cookie."""
    host = Host(namespace, shielded)
    attack = flood(namespace, tmp_path)
    served = [visit(namespace, address, RAW, count=30) for address in OURS]
    assert attack.poll() is None
    attack.communicate(timeout=PATIENCE)
    counters = host.end()
    assert served == [30, 30]
    assert counters["ACCEPT_COOKIE"] > 0
    assert counters["REPLY_SYN_COOKIE"] > 10_000


def test_flood_without_us_costs_most(
    namespace, programs: Programs, tmp_path: Path
) -> None:
    """The same flood at lwIP alone, so that the test above means something."""
    host = Host(namespace, programs.program("host", "tun", plain=True))
    attack = flood(namespace, tmp_path)
    served = visit(namespace, OURS[0], RAW, every=0.05, timeout=3)
    attack.communicate(timeout=PATIENCE)
    host.end()
    assert served < 5


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


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind")
@pytest.mark.parametrize("family", [4, 6])
def test_answered_syn_costs_below_five_that_lwip_drops(
    programs: Programs, tmp_path: Path, family: int
) -> None:
    """Reading the SYN and writing the answer, the machine's share, do not count."""
    plain, ours = (
        cost(programs.program("cost", plain=plain), family, tmp_path)
        for plain in (True, False)
    )
    assert 500 < plain < ours < 5 * plain
