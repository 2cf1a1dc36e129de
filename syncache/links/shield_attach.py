"""Where the programs of a shield hang, and how they outlive its process.

The one that redeems cookies is attached before the one that makes them, and to each
VLAN device above the interface too: tc shows the tags of a packet only there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote

from .._core import bpf as _core_bpf
from . import ethtool
from .bpf import ATTACH_TCX_INGRESS, ATTACH_XDP, TCX_FIRST
from .bpf_object import layout_of_map, why
from .link import LinkError
from .rtnetlink import interface, interfaces
from .shield_held import Held, interface_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .rtnetlink import InterfaceInfo

XdpChoice = Literal["auto", "native", "tc", "generic"]
XDP_FLAGS = {"native": 1 << 2, "generic": 1 << 1}
# What the link of the program that answers SYNs is called.
KINDS = {"native": "xdp", "generic": "generic", "tc": "syn"}
UNTAGGED = (
    "{0} takes the VLAN tags of {1} off before XDP sees a frame, and SYNs are the "
    "kernel's: ethtool -K {0} rxvlan off, or start again, with --xdp auto"
)
PIN_FOLDER = "--pin takes a folder of a BPF file system, /sys/fs/bpf/NAME"
BUSY = (errno.EBUSY, errno.EEXIST)  # a program of this mode, of the other mode


class Attachment:
    """The programs on an interface, until `close`."""

    def __init__(self, info: InterfaceInfo, pins: Pins | None) -> None:
        self._info = info
        self._pins = pins
        self._held: list[Held] = []
        # Which of ours, by its place in the list, was put before which of theirs.
        self._passed: set[tuple[int, int]] = set()

    def attach(self, programs: Mapping[str, int], xdp: XdpChoice) -> str:
        """Attach them; where SYNs are answered: native, tc or generic.

        Raises:
            LinkError: One line that states the remedy.
        """
        receiver = receiver_of(self._info)
        for info in [receiver, *above(receiver)]:
            self._attach_one("tc", programs["shield_ack"], info)
        modes = modes_of(self._info, xdp)
        for mode in modes:
            try:
                self._answer(mode, programs)
            except LinkError as error:
                if mode == modes[-1] or error.errno == errno.EBUSY:
                    raise
            else:
                self._leave_only(KINDS[mode])
                return mode
        raise AssertionError("there is a last mode")

    def _answer(self, mode: str, programs: Mapping[str, int]) -> None:
        kind = KINDS[mode]
        if mode == "tc":
            self._attach_one(kind, programs["shield_skb"], self._info)
            return
        if self._pins:  # the kernel has one of the two modes on an interface
            other = "generic" if mode == "native" else "xdp"
            self._pins.drop(other, self._info.name)
        self._attach_one(kind, programs["shield_syn"], self._info, mode)

    def _leave_only(self, kind: str) -> None:
        """Take off what a process before us answered SYNs with elsewhere."""
        if self._pins:
            for other in {*KINDS.values()} - {kind}:
                self._pins.drop(other, self._info.name)

    def _attach_one(
        self, kind: str, program: int, info: InterfaceInfo, mode: str = ""
    ) -> None:
        if self._pins and (old := self._pins.link(kind, info.name)) is not None:
            if _takes(old, program, info):
                self._held.append(Held(kind, program, info, mode, old))
                return
            os.close(old)
        self._held.append(self._fresh(Held(kind, program, info, mode, -1)))

    def _fresh(self, held: Held) -> Held:
        """Attach a program anew, before all others."""
        kind, program, info, mode = held.kind, held.program, held.info, held.mode
        attach = ATTACH_XDP if mode else ATTACH_TCX_INGRESS
        flags = XDP_FLAGS[mode] if mode else TCX_FIRST
        try:
            fd = _core_bpf.bpf_attach(program, info.index, attach, flags)
        except OSError as error:
            raise LinkError(
                f"cannot attach {held.what} to {info.name}: {_advice(error, info)}",
                error.errno,
            ) from None
        if self._pins:
            self._pins.drop(kind, info.name)
            self._pins.hold(kind, info.name, fd)
        return Held(kind, program, info, mode, fd)

    def _again(self, place: int) -> None:
        """Attach a program anew; a program has one place at a time."""
        held = self._held[place]
        if self._pins:
            self._pins.drop(held.kind, held.info.name)
        if held.fd >= 0:
            os.close(held.fd)
        held.fd = -1
        self._held[place] = self._fresh(held)

    def mend(self, there: set[int]) -> Iterator[str]:
        """Put back what others took off, and first what they put theirs before.

        Each of ours passes each of theirs once: who insists is let be.

        Args:
            there: Numbers of the interfaces that there are.

        Yields:
            A line for each, once all are in their places.

        Raises:
            LinkError: One cannot be put back; the lines of those before it come first.
        """
        lines: list[str] = []
        try:
            self._mend_each(there, lines)
        finally:
            yield from lines

    def _mend_each(self, there: set[int], lines: list[str]) -> None:
        ours = {held.number for held in self._held}
        for place, held in enumerate(list(self._held)):
            if held.info.index not in there:
                continue
            where = f"{held.what} on {held.info.name}"
            if held.is_off():
                line = f"{where}: somebody took the program off; it is on again"
            elif others := self._overtaking(place, ours):
                names = ", ".join(f"program {each}" for each in others)
                line = f"{where}: {names} came before ours, which is the first again"
            else:
                continue
            self._again(place)
            lines.append(line)

    def _overtaking(self, place: int, ours: set[int]) -> list[int]:
        """List others' programs before one of ours that it had not passed."""
        before = {(place, each) for each in self._held[place].before(ours)}
        fresh = before - self._passed
        self._passed |= fresh
        return sorted(each for _, each in fresh)

    def close(self) -> None:
        """Take the programs off, but for those that are pinned."""
        while self._held:
            if (fd := self._held.pop().fd) >= 0:
                os.close(fd)


class Pins:
    """Names in a folder of a BPF file system.

    Raises:
        LinkError: It is none, or not ours to write.
    """

    _lock = -1

    KEPT: tuple[str, ...] = (
        "config_map",
        "state_map",
        "counters_map",
        "places",
        "services4",
        "services6",
        "redeemed",
        "events",
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fresh: list[str] = []  # names that we gave
        self._made = not folder.exists()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LinkError(f"{folder}: {why(error)}: {PIN_FOLDER}") from None

    def claim(self, interface: str) -> None:
        """Have the folder for the shield of one interface, until `release`.

        Raises:
            LinkError: Another process has it, or programs of another interface.
        """
        self._lock = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LinkError(
                f"{self.folder} is another process's: --pin takes a folder of its own"
            ) from None
        there = {info.name for info in interfaces()}
        for place in self.folder.iterdir():
            kind, _, written = place.name.partition("-")
            other = unquote(written)
            if kind not in KINDS.values() or other == interface:
                continue
            if other in there:
                raise LinkError(
                    f"{self.folder} has the programs of {other}: --pin takes another "
                    f"folder, or rm -r {self.folder}"
                )
            place.unlink()

    def release(self) -> None:
        """Let another process have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def undo(self) -> None:
        """Remove the names that we gave, and the folder if it is ours."""
        for name in self._fresh:
            (self.folder / name).unlink(missing_ok=True)
        if self._made:
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def maps(self, layout: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """Open the maps that are there; those of another version's layout go."""
        found = {}
        for name in self.KEPT:
            try:
                fd = _core_bpf.bpf_open(self.folder / name)
            except OSError:
                continue
            if layout_of_map(fd) == layout[name]:
                found[name] = fd
            else:
                os.close(fd)
                (self.folder / name).unlink()
        return found

    def keep(self, maps: dict[str, int]) -> None:
        """Give names to maps that have none."""
        for name in self.KEPT:
            if not (self.folder / name).exists():
                self._pin(maps[name], name)

    def link(self, kind: str, interface: str) -> int | None:
        """Open the link of a program, if there is one."""
        try:
            return _core_bpf.bpf_open(self.folder / _name(kind, interface))
        except OSError:
            return None

    def hold(self, kind: str, interface: str, fd: int) -> None:
        """Have the link of a program outlive us."""
        self._pin(fd, _name(kind, interface))

    def drop(self, kind: str, interface: str) -> None:
        """Remove the name of a link."""
        (self.folder / _name(kind, interface)).unlink(missing_ok=True)

    def _pin(self, fd: int, name: str) -> None:
        try:
            _core_bpf.bpf_pin(fd, self.folder / name)
        except OSError as error:
            raise LinkError(
                f"{self.folder / name}: {why(error)}: {PIN_FOLDER}",
                error.errno,
            ) from None
        self._fresh.append(name)


def takes_pins(folder: Path) -> bool:
    """Return whether a folder is in a BPF file system, or can be made in one."""
    place = folder if folder.exists() else folder.parent
    if not place.is_dir():
        return False
    device = place.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with Path("/proc/self/mountinfo").open(errors="surrogateescape") as mounts:
        return any(line.split()[2] == number and " - bpf " in line for line in mounts)


def _name(kind: str, interface: str) -> str:
    """Return the name of a link; the kernel takes none with a dot."""
    return f"{kind}-{quote(interface, safe='@')}".replace(".", "%2E")


def _takes(link: int, program: int, info: InterfaceInfo) -> bool:
    """Give a link of a process before us another program; False: it is of no use."""
    if interface_of(link) != info.index:  # one that had the name then
        return False
    try:
        _core_bpf.bpf_replace(link, program)
    except OSError:  # the interface of that time is gone
        return False
    return True


def receiver_of(info: InterfaceInfo) -> InterfaceInfo:
    """Return the device on which IP gets what a port of a bridge takes in for us.

    A connection that tc makes on the port does not get through the bridge.
    """
    for one in interfaces() if info.master else ():
        if one.index == info.master and one.kind == "bridge":
            return one
    return info


def above(info: InterfaceInfo) -> list[InterfaceInfo]:
    """List the VLAN devices that stand on an interface, and those on them."""
    known = interfaces()
    found, seen = [], {info.index}
    for _ in range(2):  # XDP reads two tags
        layer = [
            one
            for one in known
            if one.kind == "vlan" and one.below in seen and one.index not in seen
        ]
        found += layer
        seen |= {one.index for one in layer}
    return found


def tags_off(info: InterfaceInfo) -> list[str]:
    """List the VLAN devices whose tags an interface takes off before XDP sees a frame.

    The answer of XDP would go out without.
    """
    tagged = [one.name for one in above(info)]
    return tagged if tagged and ethtool.flags(info.name) & ethtool.RX_VLAN else []


def modes_of(info: InterfaceInfo, xdp: XdpChoice) -> list[str]:
    """List the modes of XDP to try.

    What a veth device transmits in the driver waits in its peer until the peer has an
    XDP program too, which wakes it; what we cannot see has none.  tc takes the place of
    a driver that cannot: the generic mode would copy each packet of a connection.
    It also sees the tags that a device takes off a frame.
    """
    if xdp != "auto":
        return [xdp]
    if tags_off(info):
        return ["tc"]
    if info.kind == "veth" and not peer_has_xdp(info):
        return ["tc"]
    return ["native", "tc"]


def peer_has_xdp(info: InterfaceInfo) -> bool:
    """Return whether the other end of a veth pair has an XDP program, as we see it."""
    if info.is_below_elsewhere:
        return False
    return any(one.index == info.below and one.xdp_program for one in interfaces())


def holder(info: InterfaceInfo) -> str:
    """Name the XDP program on an interface; empty: there is none."""
    if not info.xdp_program:
        return ""
    try:
        fd = _core_bpf.bpf_program(info.xdp_program)
    except OSError:
        return f"program {info.xdp_program}"
    try:
        return f"{_core_bpf.bpf_info(fd).name} (program {info.xdp_program})"
    finally:
        os.close(fd)


def _advice(error: OSError, info: InterfaceInfo) -> str:
    if error.errno in BUSY:
        with contextlib.suppress(LinkError):
            info = interface(info.name)
        name = holder(info) or "another program"
        word = "xdpgeneric" if info.is_xdp_generic else "xdp"
        return (
            f"{name} is on it: stop what holds it, or, if nothing does, "
            f"`ip link set dev {info.name} {word} off`"
        )
    advice = {
        errno.EINVAL: "tc needs Linux 6.6",
        errno.ERANGE: f"XDP in the driver needs a lower MTU than {info.mtu}; "
        "--xdp tc does with any",
        errno.EOPNOTSUPP: "the driver has no XDP",
        errno.EPERM: "run as root (CAP_NET_ADMIN)",
    }.get(error.errno or 0, "see dmesg")
    return f"{why(error)}: {advice}"
