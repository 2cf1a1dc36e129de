"""The kernel carries connections that `Intercept` has knitted: `Offload`.

Two programs (csrc/bpf/offload_*.c) stand on each of two interfaces.  The filter of the
packet socket leaves alone what is carried; tc translates it and sends it out of the
other interface.  SYN, FIN and RST, ICMP, and whatever is not in the maps come to the
process as before.

Order is all that matters here, and it is kept by who drives (`Bridge`):

    receive -> take_events -> burst     a connection is the engine's again before the
                                        engine sees the packet that ends it
    turn                                behind all that: gives connections away, and
                                        looks at some of those that are out
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from typing import TYPE_CHECKING

from .._core import bpf as _core_bpf
from .._core.offload import PROCESSOR, config
from ..entropy import entropy
from ..keyring import KEY_BYTES
from .bpf import ATTACH_TCX_INGRESS, TCX_FIRST
from .bpf_object import BpfObject, why
from .link import LinkError
from .offload_pins import OffloadPins
from .packet import Packet
from .shield_counters import processors

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from ..intercept import Intercept

LOOK_SECONDS = 1.0  # between looks at all connections, and
LOOK_SHARE = 20  # not more of the time than a part of so many
FRESH_SECONDS = 0.02  # how old a look may be whose numbers are to be kept
REST_SECONDS = 1.0  # in which nothing is given away after the kernel had no room
SESSIONS = "net.inet.tcp.intercept.sessions_max"
WANTED = "net.inet.tcp.intercept.offload"
ZERO = bytes(4)


def loaded(entries: int) -> BpfObject:
    """Load the programs, with maps for so many connections of each family.

    Raises:
        LinkError: One line that says why this machine cannot.
    """
    return BpfObject("offload", {"carried4": entries, "carried6": entries})


def obstacle(engine: Intercept) -> str:
    """Say why the kernel cannot carry connections of an engine; "": it can.

    The programs are loaded for it and forgotten; nothing is attached.
    """
    try:
        loaded(int(engine.sysctl[SESSIONS])).close()
    except LinkError as error:
        return str(error)
    return ""


class Offload:
    """Connections of an engine between two interfaces, carried by the kernel.

    Args:
        engine: Whose.
        outside: The clients' interface, open.
        inside: The servers'.
        pin: A folder of a BPF file system, in which what is carried outlives a kill.

    Raises:
        LinkError: One line that says why this machine cannot.
    """

    def __init__(
        self,
        engine: Intercept,
        outside: object,
        inside: object,
        pin: Path | None = None,
    ) -> None:
        if not isinstance(outside, Packet) or not isinstance(inside, Packet):
            raise LinkError("only frames of two interfaces are carried by the kernel")
        self._sysctl = engine.sysctl
        entries = int(self._sysctl[SESSIONS])
        self._links: list[int] = []
        self._pins = OffloadPins(pin) if pin else None
        self._object = loaded(entries)
        self._indices = outside.index, inside.index
        self._key = entropy(KEY_BYTES)
        self._walk: Generator[int, float, None] | None = None
        self._walk_began = self._walk_due = self._resting = 0.0
        self._again = 0.0  # when what failed is tried again
        self._looked = -1.0
        self._on = True
        self.trouble = ""
        try:
            self._carried = engine.carried(self._object.maps, self._key)
            self._configure(off=False)
            if self._pins:  # those of a process before us have been read
                self._pins.drop_all()
                self._pins.keep(self._object.maps)
            self._attach(outside, inside)
        except BaseException:
            self._release()
            raise
        self._carried.offer(on=True)

    def _configure(self, *, off: bool) -> None:
        content = config(self._key, *self._indices, off=off)
        _core_bpf.update(self._object.maps["config_map"], ZERO, content)

    def _attach(self, outside: Packet, inside: Packet) -> None:
        programs = self._object.programs
        for link in (outside, inside):
            try:
                program, kind = programs["offload_splice"], ATTACH_TCX_INGRESS
                fd = _core_bpf.bpf_attach(program, link.index, kind, TCX_FIRST)
            except OSError as error:
                advice = {
                    errno.EINVAL: "it needs Linux 6.6",
                    errno.EPERM: "run as root (CAP_NET_ADMIN)",
                }.get(error.errno or 0, "see dmesg")
                raise LinkError(
                    f"cannot attach to tc of {link.name}: {why(error)}: {advice}",
                    error.errno,
                ) from None
            self._links.append(fd)
        for link in (outside, inside):
            link.select(programs["offload_take"])

    # What a driver calls.

    def take_events(self, now: float) -> int:
        """Give the engine back the connections that arrived packets may end."""
        return self._carried.take_events(now)

    def turn(self, now: float) -> None:
        """Give away connections that are ready, and look at some of those that are out.

        The tunable says whether; without it everything is taken back at once.
        """
        try:
            self._work(now)
        except OSError as error:
            self._fail(error, now)

    def _work(self, now: float) -> None:
        if bool(self._sysctl[WANTED]) != self._on:
            if self._on:
                self.take_back(now)
            else:
                self._resume()
        if not self._on:
            return
        if self._resting and now >= self._resting:
            self._resting = 0.0
            self._carried.offer(on=True)
        _, failed = self._carried.put(now)
        if failed:
            self.trouble = "the kernel had no room for some of them"
            self._resting = now + REST_SECONDS
            self._carried.offer(on=False)
        self._look(now)

    def _fail(self, error: OSError, now: float) -> None:
        """Go on without a look that the kernel refused; the next one may succeed."""
        self.trouble = f"the kernel's map of connections: {why(error)}"
        self._walk = None
        self._again = self._walk_due = now + LOOK_SECONDS

    def next_deadline(self) -> float | None:
        """Return when `turn` has something to do; None: when packets arrive."""
        if bool(self._sysctl[WANTED]) != self._on:
            return self._again  # at once, or after it has failed
        if not self._on:
            return None
        return min(self._walk_due, self._resting or self._walk_due)

    @property
    def is_looking(self) -> bool:
        """True if there is more to look at at once."""
        return self._walk is not None

    def is_fresh(self, now: float) -> bool:
        """Tell whether the engine knows all numbers as of now; if not, begin to look.

        A look that takes long is as fresh as it can be when it ends.
        """
        if not self._on or now - self._looked <= FRESH_SECONDS:
            return True
        if self._walk is None:
            self._walk_due = now
            try:
                self._look(now)
            except OSError as error:
                self._fail(error, now)
                return True
        return self._looked == now

    def _look(self, now: float) -> None:
        try:
            if self._walk is not None:
                self._walk.send(now)
            elif now >= self._walk_due:
                self._walk_began = now
                self._walk = self._carried.look(now)
                next(self._walk)
                # Few connections: at once.
                self._walk.send(now)
                self._walk.send(now)
        except StopIteration:
            self._walk = None
            self._looked = now
            took = now - self._walk_began
            self._walk_due = now + max(LOOK_SECONDS, LOOK_SHARE * took)

    def take_back(self, now: float) -> int:
        """Let the engine carry every connection again; how many there were.

        Packets that arrive meanwhile wait for the process.
        """
        self._walk = None
        self._carried.offer(on=False)
        self._configure(off=True)
        self._carried.take_events(now)
        count = self._carried.take_all(now)
        self._on = False
        return count

    def _resume(self) -> None:
        """Begin to give connections away, after `take_back`."""
        self._carried.drop_all()
        self._configure(off=False)
        self._carried.offer(on=True)
        self._on = True

    @property
    def counts(self) -> dict[str, int]:
        """Packets that were carried, and connections that came back; since the start.

        from_client and from_server; back; lost, packets for which there was no room to
        say that a connection comes back.
        """
        size = PROCESSOR.size * processors()
        raw = _core_bpf.lookup(self._object.maps["processor_map"], ZERO, size)
        rows = struct.iter_unpack(PROCESSOR.format, raw or bytes(size))
        names = ("from_client", "from_server", "", "back", "lost")
        sums = (sum(column) for column in zip(*rows, strict=True))
        return {name: total for name, total in zip(names, sums, strict=True) if name}

    def close(self, now: float) -> None:
        """Take everything back, and take the programs off."""
        if self._links:
            with contextlib.suppress(OSError):
                self.take_back(now)
                if self._pins:
                    self._pins.drop_all()
        self._release()

    def _release(self) -> None:
        while self._links:
            os.close(self._links.pop())
        self._object.close()
