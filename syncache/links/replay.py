"""Capture files at the speed of C: whole buffers become packets in rings.

Contents: the file, and what its damage means in words.  Elsewhere: the formats
(csrc/link/capture.c) and the writing of captures (`pcap`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .._core.capture import (
    CONTRADICTION,
    FILTER,
    FULL,
    MORE,
    NO_CAPTURE,
    STEP,
    TOO_LONG,
    Capture,
    Doubles,
    time_of,
)
from ..ring import PACKET_MAX, SLOT_MAX, Ring
from .compressed import Opened
from .filter import compiled
from .foreign import advice
from .link import LinkError
from .passed import Passed, total

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOTS = 64  # of the ring of an iteration
BUFFER_BYTES = 4 * 1024 * 1024


class DamagedError(LinkError):
    """The file is a capture up to here; the packets before came first."""


class CaptureReader:
    """A link that reads a pcap or pcapng file and sends nothing.

    Every packet's slot has the time of its capture, for `Inspection.replay`.  Iterating
    gives (time, packet) instead.

    Args:
        path: A file, which may be compressed (`compressed`); `-` is standard input.
        tunnels: Give the packets in tunnels in place of those that carry them.
        dedup: Leave out packets that were recorded before, by another interface or a
            mirror of both directions, up to 20 ms apart.
        expression: A filter as tcpdump takes it; frames that it refuses do not count.
        among: Look for doubles among the packets of all captures that are given it.

    Raises:
        LinkError: It cannot be read, holds no capture, or the filter is wrong.
    """

    mtu = PACKET_MAX
    gso_max = 0

    def __init__(
        self,
        path: str | Path,
        *,
        tunnels: bool = False,
        dedup: bool = False,
        expression: str | None = None,
        among: Doubles | None = None,
    ) -> None:
        self.path = Path(path)
        self._expression = expression
        self._capture = Capture(
            tunnels=tunnels,
            dedup=dedup,
            filtering=expression is not None,
            among=among,
        )
        self._buffer = bytearray(BUFFER_BYTES)
        self._from = self._to = 0  # bytes of the buffer not yet parsed
        self._ended = False
        self.shift = 0.0  # times in slots minus captured times, by the last call
        self._error: LinkError | None = None
        try:
            self._file = Opened(path)
        except LinkError:
            raise
        except OSError as error:
            raise self._unreadable(error) from None
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    @property
    def packets(self) -> int:
        """Records read so far."""
        return self._capture.packets

    @property
    def skipped(self) -> int:
        """Of them, those that were not put into a ring: not IP, or not whole."""
        return self.counts()["skipped"]

    @property
    def passed(self) -> list[Passed]:
        """Records not looked at so far, by kind and number, the commonest first."""
        found = [Passed(*row) for row in self._capture.passed()]
        if rest := self.counts()["passed_rest"]:
            found.append(Passed("rest", 0, rest))
        return total([found])

    @property
    def entered(self) -> dict[str, int]:
        """How many tunnels of each kind were looked into."""
        return self._capture.entered()

    @property
    def position(self) -> int:
        """Bytes read of the file, compressed if it is; 0 where that is not known."""
        return self._file.position()

    def counts(self) -> dict[str, int]:
        """Return the numbers of struct link_capture (csrc/link/capture.h)."""
        return self._capture.counts()

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        rx = Ring(SLOTS, SLOT_MAX)
        while self.receive(rx):
            for i in range(len(rx)):
                yield captured_at(rx, i), bytes(rx[i])
            rx.clear()

    def fileno(self) -> int:
        """Descriptor of the file."""
        return self._file.raw.fileno()

    def receive(self, rx: Ring) -> int:
        """Append packets until the file ends, time steps back or `rx` is full.

        Returns how many; 0 at the end of the file alone.

        Raises:
            DamagedError: The file ends within a record, or contradicts itself; the
                packets before come first.
        """
        before = len(rx)
        while rx.free > 0 and self._error is None:
            if len(rx) == before:
                self.shift = self.counts()["shift_ms"] / 1000
            status = self._parse(rx)
            if status == FULL or (status == STEP and len(rx) > before):
                break
            if status == MORE and self._ended:
                self._error = self._end()
                break
            if status == MORE:
                self._fill()
            elif status == FILTER:
                self._error = self._compile()
            elif status != STEP:
                self._error = self._failure(status)
        count = len(rx) - before
        if count == 0 and self._error is not None:
            raise self._error
        return count

    def send(self, tx: Ring) -> int:
        """Forget the packets of `tx`."""
        count = len(tx) - tx.next
        tx.advance(count)
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _begin(self) -> None:
        """Read as much as says which kind of file it is."""
        status = MORE
        while status == MORE:
            if self._ended:
                raise self._error or self._failure(NO_CAPTURE)
            self._fill()
            status = self._parse(None)
        if status == NO_CAPTURE:
            self._fill()  # more of it says what it is
            raise self._failure(NO_CAPTURE)

    def _parse(self, rx: Ring | None) -> int:
        with memoryview(self._buffer) as whole, whole[self._from : self._to] as view:
            status, consumed = (
                self._capture.begin(view)
                if rx is None
                else self._capture.parse(view, rx)
            )
        self._from += consumed
        return status

    def _fill(self) -> None:
        """Read more behind the rest, in a larger buffer if it fills this one."""
        left = self._to - self._from
        if self._from:
            self._buffer[:left] = self._buffer[self._from : self._to]
        elif left == len(self._buffer):
            self._buffer = self._buffer + bytearray(left)
        self._from, self._to = 0, left
        with memoryview(self._buffer) as whole, whole[left:] as space:
            try:
                size = self._file.readinto(space)
            except OSError as error:
                self._ended = True
                self._error = self._unreadable(error)
                return
            except ValueError as error:
                self._ended = True
                self._error = DamagedError(f"{self.path} is damaged: {error}")
                return
        self._to += size
        self._ended = size == 0

    def _compile(self) -> LinkError | None:
        """Give the filter for a link type that has just been met."""
        linktype = self._capture.filter_linktype
        try:
            program = compiled(self._expression or "", linktype)
            self._capture.add_filter(linktype, program)
        except LinkError as error:
            return error
        except ValueError as error:
            return LinkError(f"filter {self._expression!r}: {error}")
        return None

    def _end(self) -> LinkError | None:
        """Return the fault in the end of the file, if anything is."""
        rest = self._buffer[self._from : self._to]
        if any(rest):
            return DamagedError(f"{self.path} is damaged: it ends within a record")
        zeros = self.counts()["zeros"] + len(rest)
        if zeros:
            return DamagedError(f"{self.path} is damaged: it has {zeros} bytes of zero")
        return None

    def _failure(self, status: int) -> LinkError:
        """Return the fault in the bytes that were read."""
        if status == NO_CAPTURE:
            if self._to == 0:
                return LinkError(f"{self.path} is empty: no capture was written to it")
            return LinkError(advice(self.path, bytes(self._buffer[: self._to])))
        what = {
            TOO_LONG: "a record is too long",
            CONTRADICTION: "a block contradicts itself",
        }[status]
        return DamagedError(f"{self.path} is damaged: {what}")

    def _unreadable(self, error: OSError) -> LinkError:
        reason = error.strerror or str(error)
        if isinstance(error, IsADirectoryError):
            reason += "; name the captures in it"
        return LinkError(f"cannot read {self.path}: {reason}", error.errno)


def captured_at(ring: Ring, index: int) -> float:
    """Return the time of a packet in a ring that a capture filled, in seconds."""
    return time_of(ring, index)
