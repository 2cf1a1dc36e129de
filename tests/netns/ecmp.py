"""
A fleet behind ECMP: handshakes while machines come, go and die, and keys change.

Every client of the kernel's TCP connects, sends 16 bytes and has to get them back.  All
the while the hash is cut anew ten times a second, by turns of a resilient and an
ordinary next-hop group with other weights, so that SYN and ACK part; members leave,
join and are killed with their packets still routed to them; keys rotate; Valkey is
killed and comes back empty; wall clocks differ by all of the allowed skew; and SYNs
that nobody stands behind flood.  `ecmp.py --count 100000 --rotations 20` is the long
run of docs/fleet.md; with `--outage 600` Valkey is away for ten minutes on end, comes
back empty, is filled by the members, and is then restored from its oldest copy.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import namespace
from anycast import ANYCAST, LIFETIME, MEMBERS, PORT, World
from handshakes import compile_client
from namespace import PEERS, ROOT
from warm import begin

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 64
SHORT_LIFETIME = 8  # of the long run, so that twenty keys come into force
LEAD = "5"  # longer than Valkey is away, and its members are patient
TICK_SECONDS = 0.1
LONG_SECONDS_MAX = 900
DRAINED, DRAIN_SECONDS = 20, 3.0  # a member leaves so long after its packets have left
SECONDS_MAX = 400  # a test that hangs ends at 600
SETUP_SECONDS_MAX = 600  # of a busy machine; a namespace that nobody closes ends then
OUTAGE_TICK = 40  # when a long outage begins
HEAL_SECONDS = 100  # for the alarms to be over
WAVE = 25  # connections of a family, once a second, while the outage outlives the rest
KEYS = "syncache:web:keys"
FLOOD_EVERY = 0.001  # seconds between two SYNs from nowhere


class Outage:
    """Valkey is away for a time, then empty, then as an old backup has it."""

    def __init__(self, world: World, seconds: float) -> None:
        self.world = world
        self.seconds = seconds
        self.backup = world.valkey.client().get(KEYS)
        self.steps = self._act() if seconds else iter(())
        self.going_on = False
        self.over = not seconds

    def turn(self) -> None:
        """Go on if it is time."""
        self.over = next(self.steps, self.over)

    def _act(self) -> Iterator[bool]:
        world, valkey = self.world, self.world.valkey
        self.going_on = True
        valkey.close()
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            known = [world.alarms[number] for number in [*world.running]]
            world.counts["away at all"] |= all("away" in alarms for alarms in known)
            yield False
        valkey.start()
        world.counts["wiped"] += 1
        yield from self._healed()
        before = world.counts["lower raised"]
        valkey.client().set(KEYS, self.backup)
        world.counts["restored"] += 1
        while world.counts["lower raised"] == before:
            yield False
        yield from self._healed()
        self.going_on = False
        yield True

    def _healed(self) -> Iterator[bool]:
        """Wait until the members have put their document back, and nobody complains."""
        end = time.monotonic() + HEAL_SECONDS
        while self.backup_there() or self.world.alarmed():
            assert time.monotonic() < end, self.world.alarms
            yield False

    def backup_there(self) -> bool:
        return self.world.valkey.client().get(KEYS) in {None, self.backup}


class Play:
    """What happens to the fleet while clients connect, in turns of a tick."""

    def __init__(self, world: World, rotations: int, seed: int, outage: float) -> None:
        self.world = world
        self.outage = Outage(world, outage)
        self.random = random.Random(seed)
        self.rotations = rotations
        self.tick = self.steps = 0
        self.rotation_due = 0.0
        self.rotator: subprocess.Popen[str] | None = None
        self.away: int | None = None
        self.drained = 0.0
        self.starting = threading.Thread()
        self.valkey_down = False

    def cut(self, members: set[int]) -> None:
        kind = "resilient" if self.tick % 4 == 0 else "ordinary"
        weights = {number: self.random.randint(1, 4) for number in MEMBERS}
        self.world.route(members, kind, weights)

    def turn(self) -> None:
        """Do what this tick has."""
        world, phase = self.world, self.tick % 60
        members = set(world.running)
        self.steps += 1
        if phase in (10, 36) and len(members) < len(MEMBERS):
            self.cut(members)  # until all are there again
            self.keys()
            return
        if phase == DRAINED and time.monotonic() < self.drained:
            self.keys()  # however late this machine is
            return
        if phase == 10:  # one leaves, after the router knows
            self.away = self.random.choice(MEMBERS)
            self.cut(members - {self.away})
            self.drained = time.monotonic() + DRAIN_SECONDS
        elif phase == DRAINED:
            world.leave(self.away)
        elif phase in (24, 44):
            self.starting = threading.Thread(target=world.start, args=(self.away,))
            self.starting.start()
        elif phase == 36:  # one dies, and the router learns of it four ticks later
            self.away = self.random.choice(MEMBERS)
            world.kill(self.away)
        elif not 10 < phase < DRAINED and not 36 <= phase < 40:
            self.cut(members)
        self.keys()
        if self.tick > OUTAGE_TICK:
            self.outage.turn()
        if self.valkey_down or (phase == 26 and not self.outage.going_on):
            self.toggle_valkey(down=phase < 34)
        self.tick += 1

    @property
    def over(self) -> bool:
        """Whether everything has happened at least once."""
        keys = self.rotations <= 0 and self.rotator is None
        return self.tick > 60 and keys and self.outage.over

    def keys(self) -> None:
        """Rotate, one after the other, while Valkey is there."""
        rotator = self.rotator
        if rotator is not None and rotator.poll() is not None:
            done = rotator.returncode == 0
            self.world.counts["rotations"] += done
            self.rotations -= done  # one that Valkey's death has spoiled comes again
            self.rotator = rotator = None
        due = time.monotonic() >= self.rotation_due
        due = due and not self.valkey_down and not self.outage.going_on
        if rotator is None and due and self.rotations > 0:
            # One an epoch, so that each of the keys makes cookies.
            self.rotation_due = time.monotonic() + self.world.lifetime
            conf = self.world.conf(1)
            words = ["rotate", str(conf), "--no-wait", "--lead", LEAD]
            command = [sys.executable, "-m", "syncache.cli", "fleet", *words]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self.rotator = begin(command, cwd=ROOT, **quiet)

    def toggle_valkey(self, *, down: bool) -> None:
        """Kill it; a second later it is there again, empty."""
        if down and not self.valkey_down:
            self.world.valkey.close()
            self.world.counts["valkey killed"] += 1
        elif self.valkey_down and not down:
            self.world.valkey.start()
        self.valkey_down = down


def flood(world: World, seconds: float):
    """SYNs from sources that do not exist; ends by itself."""
    count = int(seconds / FLOOD_EVERY)
    spec = {"kind": "syn", "target": ANYCAST[4], "count": count}
    spec |= {"every": FLOOD_EVERY, "port": PORT}
    words = [sys.executable, PEERS / "spoofer.py", json.dumps(spec)]
    return world.client.start(*words)


class Crowd:
    """Clients of the kernel's TCP, half of each family."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.program = compile_client(world.folder)
        self.running: list[tuple[int, subprocess.Popen[str]]] = []
        self.refused: Counter[str] = Counter()
        self.wave_due = 0.0

    def begin(self, share: int, at_once: int) -> None:
        """Start so many connections of each family."""
        words = str(PORT), str(share), str(at_once)
        for family, address in ANYCAST.items():
            process = self.world.client.start(self.program, address, *words)
            self.running.append((family, process))
        self.wave_due = time.monotonic() + 1.0

    def busy(self, *, more: bool) -> bool:
        """Whether some are at work; with `more`, a few a second always are."""
        for one in [*self.running]:
            if one[1].poll() is not None:
                self.running.remove(one)
                self._read(*one)
        if more and not self.running and time.monotonic() >= self.wave_due:
            self.begin(WAVE, WAVE)
        return bool(self.running)

    def _read(self, family: int, process: subprocess.Popen[str]) -> None:
        said = json.loads(process.stdout.read())
        refused = said.pop("refused").items()
        self.refused.update({f"IPv{family}: {why}": count for why, count in refused})
        for name in ("done", "orphaned", "slow"):
            self.world.counts[name] += said[name]


def play(
    folder: Path,
    count: int,
    rotations: int,
    *,
    seed: int = 1,
    seconds_max: int = SECONDS_MAX,
    lifetime: int = LIFETIME,
    outage: float = 0.0,
) -> dict:
    """Make at least so many handshakes; return what was counted."""
    namespace.LIFETIME_SECONDS = seconds_max + SETUP_SECONDS_MAX
    world = World(folder, lifetime)
    try:
        for number in MEMBERS:
            world.start(number)
        scene = Play(world, rotations, seed, outage)
        scene.cut(set(world.running))
        crowd = Crowd(world)
        crowd.begin(count // 2, AT_ONCE // 2)
        noise = flood(world, seconds_max)
        began = time.monotonic()
        while crowd.busy(more=not scene.outage.over) or not scene.over:
            due = began + scene.steps * TICK_SECONDS - time.monotonic()
            time.sleep(max(due, 0))
            scene.turn()
            assert time.monotonic() - began < seconds_max, dict(world.counts)
        noise.kill()
        if scene.starting.ident is not None:
            scene.starting.join()
        for number in list(world.running):
            if world.running[number].poll() is not None:
                world.counts["crashed"] += 1
                print("".join(world.lines[-40:]), file=sys.stderr)
                continue
            world.count(number)
        seconds = round(time.monotonic() - began, 1)
        return {**world.counts, "refused": dict(crowd.refused), "seconds": seconds}
    finally:
        world.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rotations", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--outage",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="Valkey is away for so long, then empty, then an old backup",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        said = play(
            Path(folder),
            options.count,
            options.rotations,
            seed=options.seed,
            seconds_max=LONG_SECONDS_MAX + int(options.outage),
            lifetime=SHORT_LIFETIME,
            outage=options.outage,
        )
    print(json.dumps(said, indent=1))
    return int(bool(said["refused"]) or said["orphaned"] > AT_ONCE * said["killed"])


if __name__ == "__main__":
    sys.exit(main())
