"""`--pcapng FILE`: packets with their verdicts as comments, for Wireshark.

A capture is recorded whole.  A live link is sampled: some packets of each ring, evenly,
up to a number a second and a size of the file, and a thread of its own writes them, so
that neither a flood nor a slow disk delays a packet.  What found no room is counted.
The packets of live links have their direction, and those that we send are among them;
they have a number a second of their own, so that a flood leaves them room.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, BinaryIO, cast

from .. import pcapng
from ..flow import Verdict
from ..links.replay import captured_at
from ..plural import plural
from ..ring import PACKET_MAX
from ..verdict import Reason
from . import Failure, one_line, sink, version
from .patience import patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..ring import Ring

A_SECOND = 500  # packets of a live link, of either direction
A_RING = 8
SNAP = 2048  # bytes of a packet of a live link
QUEUE_BYTES = 4 * 1024 * 1024
FILE_BYTES = 256 * 1024 * 1024  # of a live link
BATCH_BYTES = 64 * 1024
CLOSE_SECONDS = 2.0
RETRY_SECONDS = 1.0  # after a disk was full
IPV6_HEADER, TCP, TCP_FLAGS = 40, 6, 13
PROTOCOLS = {1: "ICMP", 58: "ICMPv6", 17: "UDP"}
FLAGS = ((2, "SYN"), (1, "FIN"), (4, "RST"), (16, "ACK"))
OUTSIDE, INSIDE, TAP = ("outside", "inside", "tap")
Picked = list[tuple[int, bytes, int]]  # index in the ring, bytes, size


def flow_name(number: int) -> str:
    """Return the name of a verdict of `intercept` and `inspect`."""
    return Verdict(number).name


def reason_name(number: int) -> str:
    """Return the name of a verdict of the half-open side."""
    return Reason(number).name


def spoken(name: str) -> str:
    """Return a verdict's name as a sentence: `dropped: bad ack (DROP_BAD_ACK)`."""
    kind, _, reason = name.partition("_")
    did = {
        "ACCEPT": "accepted",
        "CONSUMED": "consumed",
        "DROP": "dropped",
        "FORWARD": "forwarded",
        "PASS": "passed to the stack",
        "REPLY": "answered",
    }.get(kind, kind.lower())
    why = reason.lower().replace("_", " ")
    return f"{did}: {why} ({name})" if why else f"{did} ({name})"


def kind_of(packet: bytes) -> str:
    """Name a generated packet by its protocol and flags: `SYN-ACK`, `RST`, `ICMP`."""
    is_v4 = packet[:1] and packet[0] >> 4 == 4
    protocol, upper = (9, (packet[0] & 15) * 4) if is_v4 else (6, IPV6_HEADER)
    if len(packet) <= upper + TCP_FLAGS:
        return "packet"
    number = packet[protocol]
    if number != TCP:
        return PROTOCOLS.get(number, f"packet of protocol {number}")
    flags = packet[upper + TCP_FLAGS]
    names = [name for bit, name in FLAGS if flags & bit]
    return "-".join(names) or "segment without flags"


class Writer:
    """Writes blocks to a file, at once or from a bounded queue by a thread.

    The file of a capture begins with the first block, so that one that cannot be read
    empties none.  A live link's file is cut back to its last whole block when the disk
    is full, and goes on when there is room again.

    Args:
        path: The file; it is emptied when it begins.
        live: Queue the blocks.
        head: The blocks that a file begins with.

    Raises:
        Failure: the file cannot be written, or another process writes it.
    """

    def __init__(self, path: Path, *, live: bool, head: bytes = b"") -> None:
        self._path = path
        self._live = live
        self._head = head
        self._file: BinaryIO | None = None
        self._descriptor = -1
        self._queue: collections.deque[bytes] = collections.deque()
        # Each number is written by one thread only.
        self._queued = self._taken = 0
        self._refused = self.failed = 0
        self._size = 0
        self.trouble = ""  # the last one
        self._is_over = False
        self._wake = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        if not live:
            return
        try:
            self._open_first()
        except BlockingIOError:
            raise Failure(f"--pcapng {path}: another process writes it") from None
        except OSError as error:
            raise Failure(f"--pcapng {path}: {error.strerror}") from None
        self._thread.start()

    @property
    def lost(self) -> int:
        """Blocks that are not in the file: no room, or an error."""
        return self._refused + self.failed

    def write(self, block: bytes) -> bool:
        """Write or queue a block; False, and it is counted, if there is no room."""
        if not self._live:
            try:
                self.begin().write(block)
            except OSError as error:
                self.trouble = error.strerror or str(error)
                self.failed += 1
            return True
        waiting = self._queued - self._taken
        if (
            self._is_over
            or waiting + len(block) > QUEUE_BYTES
            or self._queued > FILE_BYTES
        ):
            self._refused += 1
            return False
        self._queued += len(block)
        self._queue.append(block)
        self._wake.set()
        return True

    def close(self) -> None:
        """Write the queue, or give up after a moment."""
        if self._live:
            self._end.set()
            self._wake.set()
            self._thread.join(CLOSE_SECONDS)
            if self._thread.is_alive():
                self.trouble = self.trouble or "the file is too slow"
                self.failed += len(self._queue)
            elif self._descriptor >= 0:
                os.close(self._descriptor)
            return
        try:
            self.begin().close()
        except OSError as error:
            self.trouble = self.trouble or (error.strerror or str(error))

    @property
    def is_untouched(self) -> bool:
        """Is the file of a capture still as it was?"""
        return not self._live and self._file is None

    def begin(self) -> BinaryIO:
        """Open the file of a capture, with its head, if it is not open yet.

        Raises:
            Failure: it cannot be written.
        """
        if self._file is None:
            try:
                self._file = self._path.open("wb")
            except OSError as error:
                why = error.strerror or str(error)
                raise Failure(f"--pcapng {self._path}: {why}") from None
            self._file.write(self._head)
        return self._file

    def _open_first(self) -> None:
        try:
            path = self._path
            self._descriptor = patiently(lambda: sink.open_fresh(path), os.close)
        except OSError as error:
            if error.errno not in sink.PASSING:
                raise
            self._fail(error)

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                blocks = []
                size = 0
                while self._queue and size < BATCH_BYTES:
                    blocks.append(self._queue.popleft())
                    size += len(blocks[-1])
                self._taken += size
                self._put(blocks)
            if self._end.is_set():
                if not self._size and not self._is_over:
                    self._put([])
                return

    def _put(self, blocks: list[bytes]) -> None:
        """Write some blocks, behind the head in an empty file; or none of them."""
        if self._is_over:
            self.failed += len(blocks)
            return
        try:
            if self._descriptor < 0:
                self._descriptor = sink.open_fresh(self._path)
            data = b"".join([b"" if self._size else self._head, *blocks])
            _, error = sink.write_all(self._descriptor, memoryview(data))
            if error is None:
                self._size += len(data)
                return
            failure = error
            # Half a block would spoil all that follow.
            if sink.is_regular(self._descriptor) and error.errno in sink.PASSING:
                os.ftruncate(self._descriptor, self._size)
                os.lseek(self._descriptor, self._size, os.SEEK_SET)
            else:
                self._is_over = True
        except OSError as error:
            failure = error
        self.failed += len(blocks)
        self._fail(failure)
        self._end.wait(RETRY_SECONDS)

    def _fail(self, error: OSError) -> None:
        """Warn of a trouble that is not the last one."""
        why = error.strerror or str(error)
        if why != self.trouble:
            logging.getLogger("syncache").warning(
                "%s: %s; packets are not recorded", self._path, why
            )
        self.trouble = why


class Allowance:
    """So many packets a second."""

    def __init__(self) -> None:
        self._left = float(A_SECOND)
        self._last = time.monotonic()

    def take(self, number: int) -> int:
        """Return how many packets may be recorded now, of a number."""
        now = time.monotonic()
        self._left = min(self._left + (now - self._last) * A_SECOND, float(A_SECOND))
        self._last = now
        taken = min(number, int(self._left))
        self._left -= taken
        return taken


class Recorder:
    """An `Observer` that records packets and their verdicts.

    Args:
        writer: of the blocks.
        names: of the verdicts, by number.
        interfaces: names of the sides, in the order of enum flow_side.
        live: sample, and the time of a packet is the engine's; else all are taken at
            their own times.
        zero: the wall clock when the engine's time was 0, in seconds since 1970.
    """

    def __init__(
        self,
        writer: Writer,
        names: Callable[[int], str],
        interfaces: Sequence[str],
        *,
        live: bool,
        zero: float = 0.0,
    ) -> None:
        self.zero = zero
        self.recorded = self.passed_over = 0
        self._writer = writer
        self._names = names
        self._live = live
        self._received, self._made = Allowance(), Allowance()
        self._names_of_sides = list(interfaces)

    def before(self, rx: Ring) -> int | Picked:
        """Copy the packets that are to be recorded, before they are rewritten.

        Those of a capture are not: for them the place of the first one is enough.
        """
        begin, end = rx.next, len(rx)
        if not self._live:
            return begin
        places = self._sample(self._received, begin, end)
        return [(i, bytes(rx[i][:SNAP]), len(rx[i])) for i in places]

    def after(self, rx: Ring, seen: object, side: int, now: float | None) -> None:
        """Record them with their verdicts."""
        if isinstance(seen, int):
            places = range(seen, rx.next)
            picked = ((i, bytes(rx[i]), len(rx[i])) for i in places)
        else:
            # What was not consumed comes again in the next burst.
            all_of_it = cast("Picked", seen)
            picked = (one for one in all_of_it if one[0] < rx.next)
        for index, data, size in picked:
            moment = captured_at(rx, index) if now is None else now
            comment = f"{spoken(self._names(rx.verdict_number(index)))}, "
            comment += f"from {self._names_of_sides[side]}"
            # A tap sees both directions, and so does a capture.
            is_known = self._live and self._names_of_sides[side] != TAP
            direction = pcapng.INBOUND if is_known else 0
            cut = data[:PACKET_MAX]
            block = pcapng.packet(
                side, moment + self.zero, cut, comment, size, direction=direction
            )
            self.recorded += self._writer.write(block)

    def sent(self, tx: Ring, begin: int, side: int, now: float) -> None:
        """Record packets of our own."""
        for i in self._sample(self._made, begin, len(tx)):
            data = bytes(tx[i][:SNAP])
            comment = f"sent: {kind_of(data)}, to {self._names_of_sides[side]}"
            block = pcapng.packet(
                side,
                now + self.zero,
                data,
                comment,
                len(tx[i]),
                direction=pcapng.OUTBOUND,
            )
            self.recorded += self._writer.write(block)

    def _sample(self, allowance: Allowance, begin: int, end: int) -> list[int]:
        """Choose places evenly: a ring's first packets are no better than its last."""
        count = allowance.take(min(end - begin, A_RING))
        self.passed_over += end - begin - count
        return [begin + (end - begin) * k // count for k in range(count)]

    def report(self) -> str:
        """Return the totals of the recording, in a sentence."""
        written = self.recorded - self._writer.failed
        text = f"{written} {plural(written, 'packet')} recorded"
        if self.passed_over:
            text += f", {self.passed_over} passed over by sampling"
        if self._writer.lost:
            text += f", {self._writer.lost} lost: the file was full or too slow"
        if self._writer.trouble:
            text += f"; {self._writer.trouble}"
        return text


def shard_file(path: Path | None, index: int) -> Path | None:
    """Return the file of a shard, each having its own, once it can be written to.

    Raises:
        Failure: it cannot.
    """
    if path is None:
        return None
    own = path.with_name(f"{path.name}.{index}")
    try:
        own.open("wb").close()
    except OSError as error:
        raise Failure(f"--pcapng {own}: {error.strerror}") from None
    return own


@contextlib.contextmanager
def recording(
    path: Path | None,
    names: Callable[[int], str],
    interfaces: Sequence[str] = (OUTSIDE, INSIDE, TAP),
    *,
    live: bool = True,
) -> Iterator[Recorder | None]:
    """Record until the end; None: no file was asked for.

    If a capture is refused before its first packet, the file stays as it was.

    Raises:
        Failure: the file of a capture could not be written to its end.
    """
    if path is None:
        yield None
        return
    named = [pcapng.interface(name) for name in interfaces]
    head = b"".join([pcapng.section(f"syncache {version()}"), *named])
    writer = Writer(path, live=live, head=head)
    zero = datetime.now(timezone.utc).timestamp() - time.monotonic() if live else 0.0
    recorder = Recorder(writer, names, interfaces, live=live, zero=zero)
    is_whole = False
    try:
        yield recorder
        is_whole = True
    finally:
        if is_whole or not writer.is_untouched:
            writer.close()
            if is_whole and not live and writer.trouble:
                why = f"{writer.trouble}; the recording is not whole"
                raise Failure(one_line(f"--pcapng {path}: {why}"))
            sink.say(one_line(f"{path}: {recorder.report()}"))
