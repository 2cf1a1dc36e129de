"""`--fleet CONF`: the keys of a command come from a group of machines.

The agent of the fleet is a thread: it talks with Valkey and writes the keyring file;
`KeyWatch` takes the keys from there, as it does from any file.  What is left for the
owner of the engine is what only he may do: give keys to it, write lines to the log,
and read its counters once a second, for others to see.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..fleet import FleetError, conf
from ..fleet.bloom import packed_of
from ..fleet.member import Member
from ..fleet.record import Record
from ..fleet.store import Store
from ..fleet.talkers import Talkers
from ..keyring import KeyringError
from ..succession import check
from . import Failure
from .adoption import Adoption
from .keys import (
    BUFFER,
    GROUP_WSCALE,
    Engine,
    KeySource,
    KeyWatch,
    wall_offset,
)
from .patience import attended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .._core.redeemed import Shared
    from ..attempts import Counted
    from ..conn import Conn
    from ..keyring import DerivedKeyring
    from ..sysctl import Sysctl

REPORT_SECONDS = 1.0
START_SECONDS = 2.5  # for the first question, while nothing is forwarded yet
NAME_MAX = 56  # of a member's name, before the number of a shard
_X = "net.inet.tcp.syncache.x."
# A middlebox makes no other cookies.
LAYOUT: dict[str, int | str] = {f"{_X}cookie_layout": "wide", f"{_X}secmod": 0}
WINDOW_MAX = 65535
BUFFER_MIN = (WINDOW_MAX << (GROUP_WSCALE - 1)) + 1
BUFFER_MAX = WINDOW_MAX << GROUP_WSCALE


class FleetSource(KeySource):
    """The keyring of a member, and the group that it is of.

    Args:
        path: The configuration; None: the environment.

    Raises:
        Failure: there are no keys of the group, here or in Valkey; or something cannot
            be used.
    """

    def __init__(self, path: Path | None) -> None:
        try:
            named = path or "a file of the environment"
            self.conf = attended(named, lambda: conf.read(path))
            self.member = self._caught_up()
        except FleetError as error:
            raise Failure(str(error)) from None
        if self.member.document is None:
            raise Failure(
                f"{self.conf.keyring}: this machine has no keys of the group "
                f"{self.conf.group}: syncache fleet join {path or ''}".rstrip()
            )
        super().__init__(self.conf.keyring, self.conf.key)

    def _caught_up(self) -> Member:
        """Ask once for the newest keys: others may have changed while we were away.

        Without Valkey, or a name server, the keys on the disk are used, after some
        seconds at most; whoever is asked then may answer for himself.
        """
        member = Member(self.conf, Store(self.conf), silent=True)

        def ask() -> None:
            with contextlib.suppress(FleetError):
                member.turn()

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(START_SECONDS)
        if asking.is_alive():
            return Member(self.conf, Store(self.conf))
        member.silent = False
        return member

    def first(self) -> DerivedKeyring:
        """Return the keys to begin with: the file's, or the document's if it has none.

        A file that was lost, cut off or left behind is written again; where that
        cannot be done, the keys in memory are as good.

        Raises:
            Failure: it is another group's.
        """
        keys = self.member.following().keyring(wall_offset())
        try:
            here = super().first()
        except Failure:
            here = None
        if here is not None:
            if here.group != keys.group:
                raise Failure(f"{self.path} is a keyring of the group {here.group}")
            with contextlib.suppress(KeyringError):
                check(keys, here)
                return here
        self.member.restore()
        return keys

    @property
    def settings(self) -> list[str]:
        """Tunables that every member has alike."""
        document = self.member.following()
        return [
            *super().settings,
            f"{_X}clock_skew_ms=0",  # so that any lifetime may come before the skew
            f"{_X}cookie_lifetime={document.lifetime}",
            f"{_X}clock_skew_ms={document.engine_skew_ms}",
            *(f"{name}={value}" for name, value in LAYOUT.items()),
        ]

    def check(self, sysctl: Sysctl) -> None:
        """Make sure that values which members must share are the same.

        Raises:
            Failure: a file or an option has.
        """
        document = self.member.following()
        for name, value in (
            (f"{_X}cookie_lifetime", document.lifetime),
            (f"{_X}clock_skew_ms", document.engine_skew_ms),
            *LAYOUT.items(),
        ):
            if sysctl[name] != value:
                raise Failure(
                    f"{name} is {value} in the group {document.group}, and here "
                    f"{sysctl[name]}: cookies would not be redeemed"
                )
        if not BUFFER_MIN <= int(sysctl[BUFFER]) <= BUFFER_MAX:
            raise Failure(
                f"{BUFFER} is {BUFFER_MIN} to {BUFFER_MAX} in a group, and here "
                f"{sysctl[BUFFER]}: cookies of another window scale would not be "
                "redeemed"
            )

    def of_shard(self, index: int) -> KeySource:
        """Make each process a member of its own, on one keyring."""
        name = f"{self.conf.name[:NAME_MAX]}.{index}"
        self.conf = replace(self.conf, name=name)
        self.member = Member(self.conf, Store(self.conf))
        return self

    def watch(self, wake: Callable[[], object] = lambda: None) -> KeyWatch:
        """Begin to watch the file, and the group."""
        return FleetWatch(self, wake)


class FleetWatch(KeyWatch):
    """Watches the keyring, and runs the agent that writes it.

    Args:
        source: The member.
        wake: Called by a thread when there is something to take.
    """

    def __init__(
        self, source: FleetSource, wake: Callable[[], object] = lambda: None
    ) -> None:
        self._member = source.member
        self._meter = Meter()
        self._report_due = 0.0
        self._refused = 0
        self._unwritten = -1  # the version whose keys were taken from memory
        self._shared: Shared | None = None  # a middlebox engine's redeemed handshakes
        self._adoption = Adoption(source.member)
        self._counted: Callable[[], Counted | None] = lambda: None
        self._block: Callable[[Sequence[str]], object] | None = None
        super().__init__(source, wake)
        self._member.after = self._after
        self._member.start()

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        member = self._member
        return (
            super().waiting
            or bool(member.lines)
            or self._has_filters
            or time.monotonic() >= self._report_due
        )

    def take(self, engine: Engine, write: Callable[[str], object]) -> None:
        """Give an engine its keys, write lines, read counters."""
        super().take(engine, write)
        if self.ended:
            return
        member = self._member
        while member.lines:
            write(member.lines.popleft())
        self._share(engine)
        now = time.monotonic()
        if now >= self._report_due:
            self._report_due = now + REPORT_SECONDS
            member.report(self._meter.read(engine, now, self._counted))
            self._adoption.turn(engine, write, now, self._block)
            self._tell_replays(write)
            member.look_after(now)

    def _look_at_file(self) -> bool:
        """Take the keys of the file; those in memory while it cannot be written."""
        told = super()._look_at_file()
        document = self._member.document
        if not self._member.unwritten or document is None:
            return told
        if document.version == self._unwritten:
            return told
        self._unwritten = document.version
        keys = document.keyring(self._source.wall.offset)
        with contextlib.suppress(KeyringError):  # those in force are newer
            check(self._source.keys, keys)
            self._ready = keys
            return True
        return told

    @property
    def refuses(self) -> bool:
        """Whether our wall clock is wrong, or in doubt."""
        return self._member.refuses or super().refuses

    @property
    def skew(self) -> float:
        """By how many seconds clocks of the group may differ."""
        return self._member.following().skew_ms / 1000

    def others_agree(self) -> bool | None:
        """Whether the others' records agree with our wall clock."""
        return self._member.doubt.agree

    def doubted(self, step: float | None) -> None:
        """Have the member raise an alarm, or say that it is over."""
        self._member.doubted(step)

    @property
    def _has_filters(self) -> bool:
        """Whether others have told of handshakes that the engine does not know of."""
        redeemed = self._member.redeemed
        return (
            self._shared is not None and redeemed is not None and bool(redeemed.arrived)
        )

    def _share(self, engine: Any) -> None:
        """Bring handshakes that were redeemed from an engine to the others, and back.

        Those of `serve`, whose engine has no part in it, are noted by `admit`.
        """
        redeemed, make = self._member.redeemed, getattr(engine, "redeemed", None)
        if redeemed is None or make is None:
            return
        shared: Shared = self._shared or make(redeemed.key)
        self._shared = shared
        for digest in shared.fresh():
            redeemed.note(digest)
        redeemed.refused = shared.refused
        now = time.monotonic()
        while redeemed.arrived:
            shared.hear(redeemed.arrived.popleft(), now, redeemed.lives)

    def _tell_replays(self, write: Callable[[str], object]) -> None:
        """Log how many handshakes were refused in the last second."""
        redeemed = self._member.redeemed
        if redeemed is not None and redeemed.refused > self._refused:
            count = redeemed.refused - self._refused
            self._refused = redeemed.refused
            group = self._member.conf.group
            write(f"fleet {group}: {count} ACKs refused that another has redeemed\n")

    def beside(
        self,
        counted: Callable[[], Counted | None],
        block: Callable[[Sequence[str]], object] | None,
    ) -> None:
        """Publish who sends SYNs to whom, and have networks blocked."""
        self._counted, self._block = counted, block

    def admit(self, conn: Conn) -> bool:
        """Note a handshake; False: another member has redeemed it before."""
        redeemed = self._member.redeemed
        if redeemed is None:
            return True
        return redeemed.admit(packed_of(conn), by_cookie=conn.via == "cookie")

    def close(self) -> None:
        """End both threads."""
        self._member.close()
        super().close()

    def _after(self) -> None:
        """After each round of the agent: its thread reads and unseals the file."""
        self.look()
        if self.waiting:
            self._wake()


class Meter:
    """Makes rates of an engine's counters, and a state of the rates."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._at = 0.0
        self._talkers = Talkers()

    def read(
        self,
        engine: Any,
        now: float,
        syns: Callable[[], Counted | None] = lambda: None,
    ) -> Record:
        """Return the figures of an engine that the group may know.

        Args:
            engine: Whose.
            now: Of the monotonic clock.
            syns: Returns the SYNs of the last second.
        """
        counted, state = counters(engine)
        passed = now - self._at
        rates = {
            name: (count - self._before[name]) / passed
            for name, count in counted.items()
            if name in self._before and passed > 0
        }
        self._before, self._at = counted, now
        if state == "calm" and rates.get("cookie"):
            state = "cookies"
        self._talkers.see(syns() if rates.get("syn") else None)
        return Record(
            name="self",
            time=0.0,
            state=state,
            rates=rates,
            sources=self._talkers.sources,
            targets=self._talkers.targets,
        )


def counters(engine: Any) -> tuple[dict[str, int], str]:
    """Return the counters of SYNs, cookies and drops, and the state."""
    stats = engine.stats
    if callable(stats):  # a middlebox engine
        found: Mapping[str, int] = stats()
        drops = sum(
            count for name, count in found.items() if name.startswith("verdict_drop")
        )
        counted = {
            "syn": found["requests"],
            "cookie": found["cookies_sent"],
            "redeemed": found["cookies_redeemed"],
            "drop": drops,
        }
        return counted, "aggressive" if found["aggressive"] else "calm"
    found = stats.as_dict()
    counted = {
        "syn": max(found["sc_added"], found["sc_sendcookie"]),
        # Of those nothing is stored of, or not for long.
        "cookie": max(found["sc_sendcookie"] - found["sc_added"], 0)
        + found["sc_bucketoverflow"]
        + found["sc_cacheoverflow"],
        "redeemed": found["sc_recvcookie"],
        "drop": found["sc_dropped"],
    }
    return counted, "paused" if engine.paused else "calm"
