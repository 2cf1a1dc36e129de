"""`Member`: the agent of one machine, in a thread of its own.

It watches the group's document, writes the keyring file that the engines of this
machine read, publishes a record, and judges clocks.  It never touches an engine: what
others are to know is in attributes that any thread may read, and in a bounded list of
lines for the log.

What becomes of the keys does not depend on Valkey: the file stays, and so do the keys
in force.  A document is taken if it was sealed with the group's key and has a higher
version than any before; the version is kept beside the keyring, over restarts.  Who
has a higher version than Valkey puts it back, so that a wiped server heals.
"""

from __future__ import annotations

import collections
import contextlib
import math
import threading
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ..keyring import derive
from ..textfile import read_bytes
from . import FleetError, bloom, clocks, local
from .alarms import Alarms
from .bloom import Redeemed
from .document import KIND, Document, check
from .record import Record, kind_of
from .seal import SealError, version_of
from .store import Store, StoreError
from .talkers import to_block
from .twin import Life
from .unseal import KeyFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conf import Conf
    from .seal import Sealer
    from .store import News

ROUND_SECONDS = 1.0
ROUND_SECONDS_MIN = 0.1  # however often a liar wakes us
STALL_SECONDS = 10.0  # an answer that comes byte by byte is none
IDLE_SECONDS = 5.0  # between looks at others' records when nothing happens
AWAY_SECONDS_MAX = 2.0  # between tries while Valkey is away
SAMPLE_IDLE = 4
SAMPLE_FLOOD = 6
SIGHTS_MAX = 64
LINES_MAX = 100


def wall_clock() -> float:
    """Return seconds since 1970."""
    return datetime.now(timezone.utc).timestamp()


class Member:
    """One machine of a group.

    Args:
        conf: Of this machine.
        store: The words with Valkey.
        wall: The wall clock; another one for tests.
        silent: It publishes no record: an operator's command, beside the agent.
        keeps: It writes the keyring, and puts its document back; else it only looks.

    Raises:
        FleetError: the key file cannot be used.
    """

    def __init__(
        self,
        conf: Conf,
        store: Store,
        wall: Callable[[], float] = wall_clock,
        *,
        silent: bool = False,
        keeps: bool = True,
    ) -> None:
        self.conf = conf
        self._store = store
        self._wall = wall
        self.silent = silent
        self._keeps = keeps
        self.key_file = KeyFile(conf, self._tell, keeps=keeps)
        self.document: Document | None = None
        self._message = b""
        self.unwritten = False  # the document is in memory alone
        self._alarms = Alarms(self._tell)
        self.refuses = False
        self.doubt = clocks.Doubt()  # whether a wall clock that was set is right
        self.attacked = 0  # other members under attack, if they are enough to believe
        self.blocks: tuple[str, ...] = ()  # networks that attack as many of them
        self.redeemed: Redeemed | None = None  # with bloom = yes
        self._heard = "-"
        self.offset = 0.0
        self.lines: collections.deque[str] = collections.deque(maxlen=LINES_MAX)
        self.seen: dict[str, Record] = {}
        self._sights: dict[str, clocks.Sight] = {}
        self._ahead: dict[str, float] = {}
        self._report: Record | None = None
        self._record_due = self._clock_due = self._heal_due = 0.0
        self._write_due = 0.0
        self._failures = 0
        self._life = Life()
        self._begun = time.monotonic()  # the last round
        self.after: Callable[[], object] = lambda: None  # called after each round
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.load()

    # The local copy.

    def load(self) -> None:
        """Take up the previous document, if there is one."""
        try:
            message = read_bytes(self.conf.sealed)
        except FileNotFoundError:
            return
        except OSError as error:
            self.alarm("disk", f"{self.conf.sealed}: {error.strerror}")
            return
        try:
            self.document = self.key_file.open(message)
        except FleetError as error:
            self.alarm("disk", f"{self.conf.sealed}: {error}")
            return
        self._message = message

    def _keep(self, message: bytes, document: Document) -> None:
        """Hold a document in memory, and write it and the keyring."""
        self.document, self._message = document, message
        self.unwritten = self._keeps
        self._write()

    def _write(self) -> None:
        """Write both, if they are not on the disk; a failure is tried again."""
        if self.document is None or not self.unwritten:
            return
        secret = self.key_file.secret
        text = self.document.keyring().text(passphrase=secret)
        try:
            local.write(self.conf, self._message, self.document.version, text)
        except OSError as error:
            # The keys are in force all the same: engines take them from memory.
            self._write_due = time.monotonic() + IDLE_SECONDS
            self.alarm("disk", f"{error.filename}: {error.strerror}; keys in memory")
            return
        self.unwritten = False
        self._clear("disk")

    def _mend(self) -> None:
        """Write again a file that was not written, or is not there any more."""
        if self.document is None or time.monotonic() < self._write_due:
            return
        if self._keeps and not local.are_there(self.conf):
            self.unwritten = True
        self._write()

    def restore(self) -> None:
        """Write the keyring again, from the document."""
        self.unwritten = self._keeps
        self._write()

    # What the operator's commands do.

    @property
    def sealer(self) -> Sealer:
        """Seals and opens with the key in force."""
        return self.key_file.sealer

    def following(self) -> Document:
        """Return the document that the next version is made from.

        Raises:
            FleetError: there is none.
        """
        if self.document is None:
            raise FleetError(f"there is no group {self.conf.group}")
        return self.document

    def publish(self, document: Document, secret: bytes | None = None) -> bool:
        """Put the next version in place; False if another one came first.

        Args:
            document: The next version.
            secret: Of the key file that takes over with it; None: the same.
        """
        sealer = self.sealer
        if secret is not None:
            # Whoever is stopped in between finds it, as any other member does.
            self.key_file.announce(secret)
            sealer = self.key_file.sealer_of(secret)
        message = sealer.seal(KIND, document.encode(), document.version)
        if not self._store.publish(message, document.version):
            return False
        if secret is not None:
            self.key_file.change(secret)
        self._keep(message, document)
        return True

    # One round.

    def turn(self) -> None:
        """Do one round: publish, look, take the news."""
        now = time.monotonic()
        flood = self._report is not None and self._report.state != "calm"
        record_due = now >= self._record_due or flood or self.doubt.step is not None
        clock_due = now >= self._clock_due
        mine = None
        if not self.silent:
            record = self._record()
            body = self.sealer.seal(record.kind, record.encode())
            mine = record.name, body
            self._life.begin(record.time)
        before = self._wall()
        sample = (SAMPLE_FLOOD if flood else SAMPLE_IDLE) if record_due else 0
        news = self._store.look(mine=mine, sample=sample, clock=clock_due)
        after = self._wall()
        self._clear("away")
        self._clear("agent")
        if news.refusal:
            self.alarm("refused", f"{news.refusal}; keys are read all the same")
        else:
            self._clear("refused")
        self._alarms.again()
        if record_due:
            self._record_due = now + IDLE_SECONDS
        if news.clock is not None:
            self._clock_due = now + IDLE_SECONDS
            self.offset = news.clock - (before + after) / 2
        self._see(news)
        self._look_for_twin(news)
        self._believe()
        self._judge()
        self._follow(news.header)
        self._mend()
        if self.conf.bloom and not self.silent:
            self._exchange()

    def _exchange(self) -> None:
        """Give others the handshakes of the last second, and take theirs."""
        if self.document is None:
            return
        if self.redeemed is None:
            key = derive(self.document.ts_key, "syncache redeemed")
            self.redeemed = Redeemed(key, 2.0 * self.document.lifetime)
        body, mine = self.redeemed.take(), None
        if body:
            sealed = self.sealer.seal(bloom.kind_of(self.conf.name), body)
            mine = self.conf.name, sealed
        found, self._heard = self._store.exchange(mine, self._heard)
        for name, sealed in found:
            if name != self.conf.name and name not in self.document.revoked:
                with contextlib.suppress(FleetError):  # of a previous key, or nobody's
                    self.redeemed.hear(self.sealer.open(bloom.kind_of(name), sealed)[1])

    def _record(self) -> Record:
        """Return the record to publish now."""
        document = self.document
        report = self._report
        return Record(
            name=self.conf.name,
            time=self._wall(),
            life=self._life.number,
            version=0 if document is None else document.version,
            key=0 if document is None else document.masters[-1].number,
            offset=self.offset,
            refuses=self.refuses or self.doubt.step is not None,
            ahead=dict(self._ahead),
            alarms=tuple(self.alarms),
            state="calm" if report is None else report.state,
            rates={} if report is None else report.rates,
            sources=() if report is None else report.sources,
            targets=() if report is None else report.targets,
        )

    def _follow(self, header: bytes) -> None:
        """Take a newer document; put ours back where there is an older one."""
        mine = -1 if self.document is None else self.document.version
        try:
            version = version_of(KIND, header) if header else -1
        except SealError:
            self.alarm("foreign", "what Valkey holds is not a group's document")
            return
        self._clear("foreign")
        if version > mine:
            self._take()
        elif version < mine:
            what = f"version {version}" if header else "nothing"
            self.alarm("lower", f"Valkey holds {what}, and {mine} is known: put back")
            if self._keeps and time.monotonic() >= self._heal_due:
                self._heal_due = time.monotonic() + IDLE_SECONDS
                self._store.publish(self._message, mine)
        else:
            for name in ("lower", "sealed", "document"):
                self._clear(name)

    def _take(self) -> None:
        """Fetch a newer document and keep it, or raise an alarm."""
        message = self._store.document()
        if message is None:
            return
        try:
            sealer = self.sealer
            document = self.key_file.open(message)
            if sealer is not self.sealer:
                self._sights.clear()
            if self.document is not None:
                check(self.document, document)
            self._keep(message, document)
        except SealError as error:
            self.alarm("sealed", f"the new document: {error}; see the key file")
            return
        except FleetError as error:
            self.alarm("document", f"{error}; it is ignored")
            return
        for name in ("sealed", "document", "lower"):
            self._clear(name)
        newest = document.masters[-1]
        self._tell(f"version {document.version}, newest key {newest.number}")
        if self.conf.name in document.revoked:
            self.alarm("revoked", "this member is revoked: syncache fleet join")
        else:
            self._clear("revoked")
        self._record_due = 0.0  # who rotates waits for it

    # Others.

    def _see(self, news: News) -> None:
        """Read the records of others."""
        revoked = () if self.document is None else self.document.revoked
        for name, sealed in news.records.items():
            if name == self.conf.name or name in revoked:
                continue
            try:
                _, body = self.sealer.open(kind_of(name), sealed)
                record = Record.decode(name, body)
            except FleetError:
                continue  # of a previous key file, or nobody's
            self._note(record)

    def _look_for_twin(self, news: News) -> None:
        """Raise an alarm if another process publishes under our name, now."""
        if news.own is None:
            return
        twin = self._life.is_twin(self.conf.name, news.own, self.sealer)
        if twin:
            self.alarm("name", f"another member is called {self.conf.name} too")
        elif twin is not None:
            self._clear("name")

    def _note(self, record: Record) -> None:
        old = self._sights.get(record.name)
        if old is not None and old.told >= record.time:
            return  # the same again, or an old one: it says nothing new
        now = self._wall()
        sight = clocks.Sight(
            name=record.name, told=record.time, seen=now, ahead=record.ahead
        )
        self._sights[record.name] = sight
        if self.document is not None:
            self.doubt.hear(sight, self.document.skew_ms / 1000)
        self.seen[record.name] = record
        if len(self._sights) > SIGHTS_MAX:
            oldest = min(self._sights.values(), key=lambda sight: sight.seen).name
            del self._sights[oldest]
            self.seen.pop(oldest, None)

    def _believe(self) -> None:
        """Count the others that are under attack; one alone may be sick."""
        now = self._wall()
        fresh = [
            self.seen[name]
            for name, sight in self._sights.items()
            if abs(now - sight.seen) <= clocks.FRESH_SECONDS
        ]
        enough = min(2, len(fresh))
        hit = [record for record in fresh if record.state != "calm"]
        self.attacked = len(hit) if len(hit) >= enough else 0
        self.blocks = to_block((record.sources for record in hit), enough)

    def _judge(self) -> None:
        """Judge clocks: ours, and whom we say to be ahead."""
        if self.document is None:
            return
        skew = self.document.skew_ms / 1000
        now = self._wall()
        sights = list(self._sights.values())
        fresh = [s for s in sights if abs(now - s.seen) <= clocks.FRESH_SECONDS]
        self._ahead = {s.name: s.told for s in fresh if clocks.is_ahead(s, skew)}
        wrong = clocks.is_wrong(
            self.conf.name, now, sights, skew, valkey_offset=self.offset
        )
        if wrong:
            self.alarm(
                "clock",
                f"our clock differs from the others' by more than {skew:g} s: no "
                "cookies of the group are made until it is right",
            )
        else:
            self._clear("clock")
        if wrong != self.refuses:
            self.refuses = wrong
            self._record_due = 0.0

    def doubted(self, step: float | None) -> None:
        """Raise an alarm: the wall clock was set by so much; None: that is over."""
        # What was seen by the previous clock is no evidence about the one of now.
        for name, sight in [*self._sights.items()]:
            self._sights[name] = replace(sight, seen=-math.inf, ahead={})
        self.doubt.begin(step)
        self._record_due = self._clock_due = 0.0
        if step is None:
            self._clear("step")
            return
        self.alarm(
            "step",
            f"our wall clock was set by {step:+.1f} s: no cookies of the group "
            "are made until it is back, or others agree",
        )

    def look_after(self, now: float) -> None:
        """Raise an alarm if a round does not end; the owner calls it now and then."""
        if now > self._begun + STALL_SECONDS and "away" not in self.alarms:
            self.alarm("away", "Valkey answers too slowly; the keys in force stay")

    # What others see of us.

    def report(self, record: Record) -> None:
        """Publish its rates and state from now on; the rest of it is ours."""
        self._report = record

    def _tell(self, text: str) -> None:
        self.lines.append(f"fleet {self.conf.group}: {text}\n")

    @property
    def alarms(self) -> dict[str, str]:
        """The faults, by name."""
        return self._alarms.active

    def alarm(self, name: str, text: str) -> None:
        """Raise an alarm; a line is logged when it is another one."""
        self._alarms.set(name, text)

    def _clear(self, name: str) -> None:
        self._alarms.clear(name)

    # The thread.

    def start(self) -> None:
        """Begin to watch, in a thread."""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and no more than a moment later; who leaves is not lost."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(ROUND_SECONDS + 1.0)
            if not self._thread.is_alive() and "away" not in self.alarms:
                with contextlib.suppress(FleetError):
                    self._store.forget(self.conf.name)
        self._store.close()

    def _work(self) -> None:
        while not self._end.is_set():
            self.attempt()

    def _told(self) -> None:
        """Let the owner know; a fault of his does not end the thread."""
        try:
            self.after()
        except Exception as error:  # noqa: BLE001 - as below
            self.alarm("agent", f"{type(error).__name__}: {error}")

    def attempt(self) -> None:
        """Do one round and wait for the next; whatever fails is an alarm."""
        self._begun = time.monotonic()
        try:
            self.turn()
            self._failures = 0
            self._told()
            if not self._end.is_set():
                self._store.wait(ROUND_SECONDS)
            self._end.wait(self._begun + ROUND_SECONDS_MIN - time.monotonic())
        except StoreError as error:
            self._failures += 1
            self.alarm("away", f"{error}; the keys in force stay")
            self._told()
            self._end.wait(min(2.0**self._failures / 8, AWAY_SECONDS_MAX))
        except Exception as error:  # noqa: BLE001 - the agent outlives what it meets
            self._failures += 1
            self.alarm("agent", f"{type(error).__name__}: {error}")
            self._end.wait(AWAY_SECONDS_MAX)
