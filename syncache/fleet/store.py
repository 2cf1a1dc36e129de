"""`Store`: the words that are spoken with Valkey; bounded in time and in size.

    syncache:GROUP:keys      the sealed document
    syncache:GROUP:news      a stream that wakes those who wait for a new one
    syncache:GROUP:members   a hash of sealed records by member
    syncache:GROUP:seen      a stream of sealed filters of redeemed handshakes, opt-in

A message that is missed costs nothing: whoever was woken, or was not, asks for the
version that there is.  Every call ends within seconds, and every failure is a
`StoreError` of one line.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._core.redeemed import FILTER_BYTES_MAX
from . import FleetError
from .answer import Allowance, gauged
from .record import BYTES_MAX
from .refusal import told
from .seal import HEADER_BYTES_MAX, MESSAGE_BYTES_MAX
from .url import Url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conf import Conf

ANSWER_SECONDS = 2.0
RECORD_BYTES_MAX = BYTES_MAX + 256  # sealed
MEMBERS_MAX = 20_000
ALL_BYTES_MAX = MEMBERS_MAX * (RECORD_BYTES_MAX + 128)  # of all records
ALL_SECONDS = 30.0
FILTER_MAX = FILTER_BYTES_MAX + 256  # sealed
FILTERS_KEPT = 512
FILTERS_READ = 16  # in one round trip

# Puts a document in place unless the one there has the same version or a higher one.
PUBLISH = """
local old = redis.call('GETRANGE', KEYS[1], 0, 127)
local version = tonumber(string.match(old, '^syncache%-fleet 1 keys (%d+)\\n') or '-1')
if version >= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '16', '*', 'version', ARGV[2])
return 1
"""


class StoreError(FleetError):
    """Valkey is away, or refused a request."""


@dataclass(frozen=True, slots=True)
class News:
    """The result of one round trip.

    Attributes:
        header: The beginning of the document; empty: there is none.
        records: Sealed records of members, a few at random.
        clock: Valkey's clock, in seconds since 1970; None if it was not asked.
        own: What was there under our name; None if nothing was, or it was not asked.
        refusal: Why our record was not taken, or others' not given; "": they were.
    """

    header: bytes
    records: dict[str, bytes]
    clock: float | None
    own: bytes | None = None
    refusal: str = ""


class Store:
    """One member's connections to Valkey; made anew after each failure.

    Args:
        conf: Where it is.
    """

    def __init__(self, conf: Conf) -> None:
        try:
            import valkey
        except ImportError:
            raise FleetError(
                "valkey is missing: pip install 'tcp-syncache[fleet]'"
            ) from None
        url = Url.read(conf.valkey)
        self._where = url.shown
        self._answered = False
        self._error: type[Exception] = valkey.ValkeyError
        self._refusal: type[Exception] = valkey.ResponseError
        self._unheard = ""  # why news do not wake us
        prefix = f"syncache:{conf.group}:"
        self._keys, self._news = prefix + "keys", prefix + "news"
        self._members, self._seen = prefix + "members", prefix + "seen"
        kinds: dict[str, type[Any]] = {
            "tcp": valkey.Connection,
            "tls": valkey.SSLConnection,
            "unix": valkey.UnixDomainSocketConnection,
        }
        self._allowance = Allowance()
        pool = valkey.ConnectionPool(
            connection_class=gauged(kinds[url.kind], self._allowance),
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            **url.settings,
        )
        # Its hints are partly missing and partly of its asynchronous twin.
        self._valkey: Any = valkey.Valkey(connection_pool=pool)

    def look(self, *, mine: tuple[str, bytes] | None, sample: int, clock: bool) -> News:
        """Publish our record, and read the group's state, in one round trip.

        Args:
            mine: Our name and sealed record; None: nothing is published.
            sample: How many records to read.
            clock: Whether to ask for the time, and for what was under our name.
        """
        with self._failing():
            pipe = self._valkey.pipeline(transaction=False)
            twin = clock and mine is not None
            if mine is not None:
                if twin:
                    pipe.hget(self._members, mine[0])
                pipe.hset(self._members, *mine)
            pipe.getrange(self._keys, 0, HEADER_BYTES_MAX - 1)
            if sample:
                pipe.execute_command("HRANDFIELD", self._members, sample, "WITHVALUES")
            if clock:
                pipe.time()
            # A replica, or a server without memory, gives the document all the same;
            # the client's own error would have the whole request in it.
            answers = pipe.execute(raise_on_error=False)
            own = answers.pop(0) if twin else None
            clocks = answers.pop() if clock else None
            told_records = answers.pop() if sample else []
            header = answers.pop()
            if isinstance(header, Exception):
                raise header
            refused = [
                told(one)
                for one in (*answers, own, clocks, told_records)
                if isinstance(one, Exception)
            ]
            refused += [self._unheard] if self._unheard else []
            return News(
                _bytes(header),
                {} if _is_no(told_records) else _records(told_records),
                None
                if clocks is None or _is_no(clocks)
                else int(clocks[0]) + int(clocks[1]) / 1e6,
                None if own is None or _is_no(own) else _bytes(own),
                f"Valkey at {self._where}: {refused[0]}" if refused else "",
            )

    def document(self) -> bytes | None:
        """Return the sealed document; None if there is none."""
        with self._failing():
            found = _bytes(self._valkey.getrange(self._keys, 0, MESSAGE_BYTES_MAX))
            return found or None

    def publish(self, message: bytes, version: int) -> bool:
        """Put a document in place; False if one is there that is not older."""
        with self._failing():
            script = self._valkey.register_script(PUBLISH)
            names = [self._keys, self._news]
            done = script(keys=names, args=[message, version])
            return int(done) == 1

    def records(self) -> dict[str, bytes]:
        """Return the sealed records of all members."""
        with self._failing():
            count = min(int(self._valkey.hlen(self._members)), MEMBERS_MAX)
            if not count:
                return {}
            before = self._allowance.most, self._allowance.seconds
            self._allowance.most, self._allowance.seconds = ALL_BYTES_MAX, ALL_SECONDS
            try:
                found = self._valkey.execute_command(
                    "HRANDFIELD", self._members, count, "WITHVALUES"
                )
            finally:
                self._allowance.most, self._allowance.seconds = before
            return _records(found)

    def exchange(
        self, mine: tuple[str, bytes] | None, after: str
    ) -> tuple[list[tuple[str, bytes]], str]:
        """Give our filter of handshakes away, and read the next ones of others.

        Args:
            mine: Our name and sealed filter; None: there is nothing new.
            after: The place of the last one that was read; "-": from the beginning.

        Returns:
            Names and sealed filters, and the place of the last.
        """
        with self._failing():
            pipe = self._valkey.pipeline(transaction=False)
            if mine is not None:
                fields = dict(zip(("n", "m"), mine, strict=True))
                pipe.xadd(self._seen, fields, maxlen=FILTERS_KEPT, approximate=False)
            begin = after if after == "-" else f"({after}"
            pipe.xrange(self._seen, begin, "+", FILTERS_READ)
            found, answer = [], pipe.execute(raise_on_error=False)[-1]
            if isinstance(answer, Exception):
                raise answer
            for place, fields in answer:
                after = _bytes(place).decode("ascii", errors="replace")
                name, sealed = _bytes(fields[b"n"]), _bytes(fields[b"m"])
                if len(sealed) <= FILTER_MAX:
                    found.append((name.decode("utf-8", errors="replace"), sealed))
            return found, after

    def forget(self, *names: str) -> None:
        """Delete members' records."""
        if names:
            with self._failing():
                self._valkey.hdel(self._members, *names)

    def wait(self, seconds: float) -> None:
        """Wait for a new document, and no longer than some seconds.

        Where the server refuses that, for so long; the next look says so.
        """
        limit = max(min(seconds, 1.0), 0.001)
        self._unheard = ""
        with self._failing():
            try:
                self._valkey.xread({self._news: "$"}, block=int(limit * 1000))
            except self._refusal as error:
                self._unheard = told(error)
                time.sleep(limit)

    def close(self) -> None:
        """Close the connections."""
        with contextlib.suppress(self._error, OSError):
            self._valkey.connection_pool.disconnect()

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Make one kind of error of all that can go wrong, lies included."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a lie makes of a client
            with contextlib.suppress(self._error, OSError):
                self._valkey.connection_pool.disconnect()
            text = told(error, answered=self._answered)
            raise StoreError(f"Valkey at {self._where}: {text}") from None
        self._answered = True


def _is_no(value: object) -> bool:
    return isinstance(value, Exception)


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"an answer of type {type(value).__name__}")
    return value


def _records(value: object) -> dict[str, bytes]:
    """Read names and values in turn; values too large for a record are left out."""
    if not isinstance(value, list):
        raise TypeError(f"an answer of type {type(value).__name__}")
    if value and isinstance(value[0], list):  # the protocol's version 3 has pairs
        value = [item for pair in value for item in pair]
    pairs = zip(map(_bytes, value[::2]), map(_bytes, value[1::2]), strict=True)
    return {
        name.decode("utf-8", errors="replace"): sealed
        for name, sealed in pairs
        if len(sealed) <= RECORD_BYTES_MAX
    }
