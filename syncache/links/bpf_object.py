"""Programs that were compiled ahead (csrc/bpf), loaded by bpf(2) alone.

What is left to do when they are loaded: make the maps, and put into the instructions
the maps' descriptors, the numbers of the kernel's functions and the offsets of the
kernel's fields, which differ from one kernel to the next and stand in its BTF.

csrc/bpf/build.py wrote the files and says what is in them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._core import bpf as _core_bpf
from .bpf import (
    ATTACH_TCX_INGRESS,
    ATTACH_XDP,
    PROG_SCHED_CLS,
    PROG_SOCKET_FILTER,
    PROG_XDP,
)
from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Mapping

BTF = Path("/sys/kernel/btf/vmlinux")
# BPF_F_XDP_HAS_FRAGS: a driver may have cut a frame in pieces, as it must where frames
# are larger than a page.
HAS_FRAGS = 1 << 5
TYPES = {
    "xdp": (PROG_XDP, ATTACH_XDP),
    "tc": (PROG_SCHED_CLS, ATTACH_TCX_INGRESS),
    "socket": (PROG_SOCKET_FILTER, 0),
}
FIXED = {2, 6, 27}  # maps that programs know the size of: arrays, ring buffers
SET_ZERO = 0xB7  # an instruction: a register becomes a number
PSEUDO_MAP_FD, PSEUDO_KFUNC_CALL = 1, 2
PRIVILEGES = (
    "run as root (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, in no user namespace)"
)
STATUS = Path("/proc/self/status")
CLOCKS = Path("/proc/self/timens_offsets")
OTHER_CLOCK = (
    "this process is in a time namespace, and programs of the kernel have another "
    "clock: start it outside (nsenter -t 1 -T)"
)
DAMAGED = "install the package again"
CAP_SYS_ADMIN = 21
CAPABILITIES = {"CAP_BPF": 39, "CAP_NET_ADMIN": 12, "CAP_PERFMON": 38}
# The oldest kernel of a function, newest first; a missing one is found by its name, not
# by this.
SINCE = {
    "bpf_sk_assign_tcp_reqsk": "Linux 6.9",
    "bpf_iter_num_new": "Linux 6.4",
}


FOLDER = Path(__file__).resolve().parent.parent / "bpf"
# To BTF: a structure and its member; of a function or a structure alone, one is None.
Question = tuple["str | None", "str | None"]


def document(name: str) -> dict[str, Any]:
    """Return build.py's description of the programs of one file."""
    known: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("ascii"))
    return known


def layout_of(name: str) -> dict[str, tuple[int, int, int, int]]:
    """Return type, size of keys and values, and room of each map of one file.

    The room of a map whose keys are found by a hash is 0 here: any will do.
    """
    maps = document(name)["maps"]
    return {
        each: (kind, key, value, count if kind in FIXED else 0)
        for each, (kind, key, value, count, _) in maps.items()
    }


def layout_of_map(fd: int) -> tuple[int, int, int, int]:
    """Return the same of a map that is open."""
    text = Path(f"/proc/self/fdinfo/{fd}").read_text("ascii")
    known = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    names = ("map_type", "key_size", "value_size", "max_entries")
    kind, key, value, count = (int(known[name]) for name in names)
    return kind, key, value, count if kind in FIXED else 0


def privileges() -> str:
    """Return the remedy for a refusal for want of privileges, naming them."""
    missing = missing_capabilities()
    return f"it lacks {', '.join(missing)}: {PRIVILEGES}" if missing else PRIVILEGES


def missing_capabilities() -> list[str]:
    """List the capabilities that this process has not, of those that programs need."""
    text = STATUS.read_text("ascii")
    (line,) = (each for each in text.splitlines() if each.startswith("CapEff:"))
    held = int(line.split()[1], 16)
    if held >> CAP_SYS_ADMIN & 1:  # includes CAP_BPF and CAP_PERFMON
        held |= 1 << CAPABILITIES["CAP_BPF"] | 1 << CAPABILITIES["CAP_PERFMON"]
    return [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]


def _has_clock_of_kernel() -> bool:
    """Whether CLOCK_MONOTONIC is the one that bpf_ktime_get_ns reads."""
    with contextlib.suppress(OSError, ValueError):  # without time namespaces
        for line in CLOCKS.read_text("ascii").splitlines():
            clock, *offsets = line.split()
            if clock == "monotonic" and any(map(int, offsets)):
                return False
    return True


class BpfObject:
    """The programs of one file, loaded, and their maps; by name, as descriptors.

    Args:
        name: Of the files in syncache/bpf.
        entries: Sizes of maps that are not as compiled.
        maps: Maps that are there already; they stay the caller's.
        in_pieces: XDP gets frames in pieces as they are; not in the generic mode, whose
            answers would go out with wrong checksums.

    Raises:
        LinkError: One line that names the missing part.
    """

    def __init__(
        self,
        name: str,
        entries: Mapping[str, int] | None = None,
        maps: Mapping[str, int] | None = None,
        *,
        in_pieces: bool = True,
    ) -> None:
        if sys.byteorder != "little":
            raise LinkError(
                "the programs for the kernel are compiled for little-endian machines, "
                f"which this one ({platform.machine()}) is not"
            )
        if not _has_clock_of_kernel():
            raise LinkError(OTHER_CLOCK)
        self._folder = FOLDER
        self._in_pieces = in_pieces
        self._document = document(name)
        self._answers: dict[Question, int | None] = {}
        self.maps: dict[str, int] = dict(maps or {})
        self.programs: dict[str, int] = {}
        self._owned: list[int] = []
        try:
            self._make_maps(entries or {})
            self._ask_kernel()
            for program in self._document["programs"]:
                self.programs[program] = self._load(program)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every descriptor of ours."""
        while self._owned:
            os.close(self._owned.pop())

    def info(self, program: str) -> _core_bpf.ProgramInfo:
        """Return the kernel's data on a program."""
        return _core_bpf.bpf_info(self.programs[program])

    def _make_maps(self, entries: Mapping[str, int]) -> None:
        for name, numbers in self._document["maps"].items():
            if name in self.maps:
                continue
            kind, key_size, value_size, count, flags = numbers
            sizes = {"key_size": key_size, "value_size": value_size, "flags": flags}
            try:
                fd = _core_bpf.bpf_map(kind, entries.get(name, count), **sizes)
            except OSError as error:
                size = f"it would have {entries.get(name, count):,} entries"
                advice = privileges() if error.errno == errno.EPERM else size
                raise LinkError(
                    f"cannot make the BPF map {name}: {why(error)}: {advice}",
                    error.errno,
                ) from None
            self._owned.append(fd)
            self.maps[name] = fd

    def _ask_kernel(self) -> None:
        """Ask the kernel's BTF for all that the programs need of it, at once.

        The newest function is looked at first: its lack says the most of a kernel.
        """
        programs = self._document["programs"].values()
        places = [place for each in programs for place in each["places"]]
        asked = [each for kind, _, what in places for each in questions(kind, what)]
        wanted = list(dict.fromkeys(asked))
        try:
            answers = _core_bpf.btf_ask(kernel_btf(), wanted)
        except OSError as error:
            raise LinkError(
                f"{BTF}: {why(error)}: it is not BTF", error.errno
            ) from None
        self._answers = dict(zip(wanted, answers, strict=True))
        for what in SINCE:
            if (None, what) in self._answers:
                self._number("kfunc", what)

    def _load(self, name: str) -> int:
        known = self._document["programs"][name]
        kind, attach = TYPES[known["type"]]
        flags = HAS_FRAGS if kind == PROG_XDP and self._in_pieces else 0
        code = self._patched(known, self._compiled(name, 8 * known["count"]))
        try:
            fd = _core_bpf.bpf_load(kind, attach, code, name, flags)
        except OSError as error:
            # Without CAP_PERFMON the verifier refuses helpers as invalid.
            if error.errno == errno.EPERM or missing_capabilities():
                advice = privileges()
            else:
                again, said = _core_bpf.bpf_refusal(kind, attach, code, flags)
                if again >= 0:
                    self._owned.append(again)
                advice = f"this kernel's verifier says: {said}" if said else "see dmesg"
            raise LinkError(
                f"cannot load the BPF program {name}: {why(error)}: {advice}",
                error.errno,
            ) from None
        self._owned.append(fd)
        return fd

    def _compiled(self, name: str, size: int) -> bytes:
        path = self._folder / f"{name}.bin"
        try:
            code = path.read_bytes()
        except OSError as error:
            raise LinkError(f"{path}: {why(error)}: {DAMAGED}", error.errno) from None
        if len(code) != size:
            raise LinkError(f"{path} has {len(code)} bytes, not {size}: {DAMAGED}")
        return code

    def _patched(self, known: Mapping[str, Any], compiled: bytes) -> bytes:
        """Return a program's instructions with this kernel's numbers."""
        code = bytearray(compiled)
        for kind, instruction, what in known["places"]:
            at = 8 * instruction
            if kind == "optional" and not self._has(what):
                code[at], code[at + 1] = SET_ZERO, code[at + 1] & 0x0F
                struct.pack_into("<hi", code, at + 2, 0, 0)
                continue
            if kind in {"field", "optional"}:
                struct.pack_into("<h", code, at + 2, self._number(kind, what))
                continue
            number = self.maps[what] if kind == "map" else self._number(kind, what)
            if kind == "type":
                struct.pack_into("<i", code, at + 4, number)
                continue
            source = PSEUDO_MAP_FD if kind == "map" else PSEUDO_KFUNC_CALL
            code[at + 1] = code[at + 1] & 0x0F | source << 4
            struct.pack_into("<i", code, at + 4, number)
        return bytes(code)

    def _has(self, what: str) -> bool:
        return all(self._answers[each] is not None for each in questions("field", what))

    def _number(self, kind: str, what: str) -> int:
        """Return the number of a function, or the offset along a path of members."""
        number = 0
        for question in questions(kind, what):
            answer = self._answers[question]
            if answer is None:
                since = f"; {SINCE[what]} has it" if what in SINCE else ""
                raise LinkError(f"this kernel has no {what}{since}", errno.ENOENT)
            number += answer
        if kind in {"field", "optional"} and not 0 <= number < 2**15:
            raise LinkError(
                f"{BTF} has {what} at {number}, which no instruction reaches: it is "
                "not of this kernel"
            )
        return number


def questions(kind: str, what: str) -> list[Question]:
    """Return the question to BTF for an entry of a program's places."""
    if kind == "map":
        return []
    if kind == "kfunc":
        return [(None, what)]
    if kind == "type":
        return [(what, None)]
    steps = (step.split(".") for step in what.split("/"))
    return [(structure, member) for structure, member in steps]


def kernel_btf() -> bytes:
    """Return the kernel's description of itself.

    Raises:
        LinkError: it has none.
    """
    try:
        return BTF.read_bytes()
    except OSError as error:
        raise LinkError(
            f"{BTF}: {why(error)}: the kernel needs CONFIG_DEBUG_INFO_BTF", error.errno
        ) from None


def why(error: OSError) -> str:
    """Return the words of an error's number."""
    return os.strerror(error.errno or 0)
