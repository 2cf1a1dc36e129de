"""Feed an engine bad packets without end, under sanitizers.

    python tests/tools/bad_input.py --count 10000000 --seed 1 [--what intercept]

Builds the core with AddressSanitizer and UndefinedBehaviorSanitizer, puts it into a
temporary folder and starts itself again there, so that every packet goes by Python's
own door.
Each packet goes by `packet()` into one engine and by `burst()` into its twin: nothing
may raise, no sanitizer may find anything, and verdicts, replies, connections, handles
and counters must be equal, bit for bit.  One batch in 16 also goes into a `Stack`.

Without a count it takes 100,000 packets.  A failure prints the seed, which repeats it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from array import array
from collections import Counter
from pathlib import Path

import sanitized

ROOT = Path(__file__).resolve().parents[2]
ROUND = 4096  # packets between two sets of fresh templates
BATCH = 64


def build(folder: Path) -> None:
    """Put the package with sanitizers into a folder."""
    shutil.copytree(
        ROOT / "syncache",
        folder / "syncache",
        ignore=shutil.ignore_patterns("*.so", "__pycache__", "build"),
    )
    shutil.copy(extension(), folder / "syncache")


def extension() -> Path:
    """Link the extension with the archive that the C units share."""
    program, door = ROOT / "csrc" / "build_ffi.py", ROOT / "csrc" / "python" / "door.h"
    text = sys.version.encode() + program.read_bytes() + door.read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    made = sanitized.folder() / f"python-{digest[:16]}" / "_ffi.abi3.so"
    made.parent.mkdir(exist_ok=True)
    if not made.exists():
        with tempfile.TemporaryDirectory() as name:
            source = Path(name, "_ffi.c")
            made_by = runpy.run_path(str(program))
            made_by["ffibuilder"].emit_c_code(str(source))
            include = [f"-I{sysconfig.get_paths()['include']}", f"-I{ROOT / 'csrc'}"]
            include += [f"-DPy_LIMITED_API={made_by['LIMITED_API']}"]
            words = [sanitized.compiler(), *sanitized.FLAGS, "-O0", "-w", "-shared"]
            words += include
            failed = sanitized.make(made, *words, source, sanitized.archive(), "-o")
            if failed is not None:
                raise SystemExit(failed.stdout)
    return made


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which Python bears an instrumented extension."""
    libraries = [
        subprocess.run(
            [sanitized.compiler(), f"-print-file-name={name}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    return os.environ | {
        "LD_PRELOAD": ":".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",  # every object is a block of its own
        "PYTHONPATH": str(folder),
    }


class World:
    """One configuration: an engine, its twin, and a stack."""

    def __init__(self, preset: str | None, established_max: int, seed: int) -> None:
        from bad_packets import OURS, Source

        from syncache import Ring, Stack

        self.name = f"{preset or 'default'}, established_max {established_max}"
        self.random = random.Random(f"{seed} {self.name}")
        self.source = Source(self.random)
        self.now = 1000.0
        secret = seed.to_bytes(16, "big")
        arguments = {"seed": secret, "established_max": established_max}
        self.single = self._engine(preset, arguments)
        self.twin = self._engine(preset, arguments)
        self.stack = Stack(OURS, self._sysctl(preset), seed=secret)
        self.listener = self.stack.listen(80, backlog=4)
        self.stack_rx, self.stack_tx = Ring(BATCH), Ring(BATCH)
        self.rx = Ring(BATCH, 512)
        self.txs = [Ring(slots, 128) for slots in (1, 7, BATCH)]
        self.templates: list[bytes] = []
        self.reasons: Counter[str] = Counter()

    @staticmethod
    def _sysctl(preset):
        from syncache import Sysctl

        # Small, so that every limit is reached.
        sysctl = Sysctl({"net.inet.tcp.syncache.hashsize": 8})
        sysctl["net.inet.tcp.syncache.bucketlimit"] = 4
        sysctl["net.inet.tcp.fastopen.server_enable"] = 1
        if preset is not None:
            sysctl.preset(preset)
        return sysctl

    def _engine(self, preset, arguments):
        from bad_packets import FAST, MD5_KEYS, SIGNED, WEB

        from syncache import Syncache

        engine = Syncache(self._sysctl(preset), **arguments)
        engine.listen(WEB)
        engine.listen(SIGNED, md5_keys=MD5_KEYS)
        engine.listen(FAST, fastopen=3)
        return engine

    def run(self, packets: int) -> None:
        """Take a round of packets."""
        self._learn()
        for number in range(0, packets, BATCH):
            spoil, pick = self.source.mutate, self.source.pick
            batch = [spoil(pick(self.templates)) for _ in range(BATCH)]
            self._step(batch)
            if number % (16 * BATCH) == 0:
                self._feed_stack(batch)
            self.now += pick((0, 0, 0, 0.001, 0.02, 0.3, 1.1, -5))
        self._compare_ends()
        self.now += pick((0, 3.5, 40, 5000))

    def _learn(self) -> None:
        """Make templates of good packets, from what the engine answers now."""
        clients = self.source.clients(128)
        packets = [segment.packet() for segment in clients]
        replies = self._step(packets)
        answers = [said for reply in replies for said in self.source.answers(reply)]
        self.templates = packets[:64] + answers

    def _step(self, batch: list[bytes]) -> list:
        """Give a batch to both; compare everything; answer the offers alike."""
        verdicts = []
        for packet in batch:
            # An array is a block of exactly the packet's size.
            door = array("B", packet) if self.random.random() < 0.25 else packet
            verdicts.append(self.single.packet(door, self.now))
        replies = [v.reply for v in verdicts if v.reply is not None]
        conns = []
        for start in range(0, len(batch), BATCH):
            end = start + BATCH
            conns += self._burst(batch[start:end], verdicts[start:end])
        self._poll()
        self._answer(conns)
        for verdict in verdicts:
            self.reasons[verdict.reason.name] += 1
        return replies

    def _burst(self, batch, verdicts) -> list:
        """Give a batch to the twin and compare; return the offers of both."""
        rx, tx = self.rx, self.source.pick(self.txs)
        rx.clear()
        for packet in batch:
            rx.push(packet)
        sent, passed = [], []
        while rx.next < len(rx):
            before = rx.next
            consumed = self.twin.burst(rx, tx, self.now)
            assert consumed == rx.next - before
            assert consumed or len(tx), "neither consumed nor full"
            sent += [bytes(tx[i]) for i in range(len(tx))]
            passed += rx.passed
            tx.clear()
        assert sent == [v.reply.packet() for v in verdicts if v.reply is not None]
        conns = []
        for index, one in enumerate(verdicts):
            assert one.reason == rx.verdict(index), (index, one, rx.verdict(index))
            assert one.handle == rx.handle(index) or one.reason.name != "PASS_KNOWN"
            if one.conn is not None:
                conns.append((one.conn, rx.conn(index)))
                assert _plain(one.conn) == _plain(conns[-1][1])
        kinds = ("pass", "accept")
        assert passed == [i for i, v in enumerate(verdicts) if v.kind.value in kinds]
        return conns

    def _poll(self) -> None:
        """Let both send what is due; they must say the same."""
        said = []
        for engine in (self.single, self.twin):
            tx, sent = self.txs[-1], []
            while engine.poll(self.now, tx):
                sent += [bytes(tx[i]) for i in range(len(tx))]
                tx.clear()
            said.append((sent, engine.next_deadline()))
        assert said[0] == said[1]

    def _answer(self, conns) -> None:
        for pair in conns:
            how = self.random.randrange(4)
            for engine, conn in zip((self.single, self.twin), pair, strict=True):
                if how:
                    engine.accepted(conn, conn.fport, ok=how > 1)
                if how == 3:
                    engine.closed(conn)

    def _feed_stack(self, batch: list[bytes]) -> None:
        """Give a batch to a whole stack: here the promise is that nothing raises."""
        stack, rx, tx = self.stack, self.stack_rx, self.stack_tx
        rx.clear()
        for packet in batch:
            rx.push(packet)
        while rx.next < len(rx):
            stack.burst(rx, tx, self.now)
            tx.clear()
        stack.receive(batch[0], self.now)
        while connection := self.listener.accept():
            connection.write(b"x" * 100)
            connection.close()
        while stack.next_event() is not None:
            pass
        stack.handle_timer(self.now)
        stack.packets_to_send(self.now)

    def _compare_ends(self) -> None:
        single, twin = self.single, self.twin
        assert single.stats == twin.stats
        assert single.half_open() == twin.half_open()
        assert single.paused == twin.paused


def _plain(conn):
    """Return a Conn's fields; its endpoint by number."""
    names = [name for name in conn.__slots__ if name != "endpoint"]
    return [*(getattr(conn, name) for name in names), conn.endpoint.number]


def drive(count: int, seed: int, what: str) -> None:
    """Take the packets, round by round, through every configuration."""
    if what == "intercept":
        import bad_intercept

        worlds = bad_intercept.worlds(seed)
    else:
        worlds = [World(p, n, seed) for p in (None, "freebsd") for n in (64, 0)]
    began = time.monotonic()
    done = 0
    while done < count:
        worlds[done // ROUND % len(worlds)].run(ROUND)
        done += ROUND
        if done % (256 * ROUND) == 0:
            rate = done / (time.monotonic() - began)
            print(f"{done} packets, {rate:.0f} a second", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    reasons: Counter[str] = sum((w.reasons for w in worlds), Counter())
    for name, number in sorted(reasons.items()):
        print(f"{number:10d} {name}")
    print(f"{done} packets, {done / seconds:.0f} a second, no finding")


def main() -> int:
    """Build, then run as a child in an environment that has the sanitizers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="packets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--what", choices=("engine", "intercept"), default="engine")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        drive(chosen.count, chosen.seed, chosen.what)
        return 0
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        print("bad_input: this Python has no stable ABI to build for", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        words = [sys.executable, str(Path(__file__).resolve()), "--child"]
        words += ["--count", str(chosen.count), "--seed", str(chosen.seed)]
        words += ["--what", chosen.what]
        done = subprocess.run(words, env=environment(folder), check=False)
    if done.returncode:
        print(f"bad_input: failed; --seed {chosen.seed} repeats it", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
