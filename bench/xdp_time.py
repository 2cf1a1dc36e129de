"""What a SYN costs in XDP, in nanoseconds: the shield, the kernel's xdp_synproxy.

The kernel runs the programs itself (BPF_PROG_TEST_RUN), without an interface.  What
answers in place would see its own answer the second time, so another program stands in
front of each: it writes a new SYN over the frame, with another source, port and number,
and jumps to the program (`harness`).  Its own time, measured with a program that does
nothing behind it, is taken off.

xdp_synproxy is no package: it is built in a temporary folder, by clang and bpftool,
from the kernel's sources, /usr/src/linux-source-*.tar.xz of Debian's package, 6.12 or
newer: newer kernels' verifiers refuse an older one.  Its lookup of the connection is
part of it, as the lookup of the socket is of ours.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from syncache import Keyring, Segment, Sysctl
from syncache._core import bpf as _core_bpf
from syncache.links import bpf
from syncache.links.bpf import R0, R1, R2, R3, Assembler
from syncache.links.bpf_object import HAS_FRAGS, BpfObject
from syncache.links.rtnetlink import InterfaceInfo
from syncache.links.shield import ZERO
from syncache.links.shield_config import ShieldConfig
from syncache.links.shield_services import ServiceMaps, write_service

from . import machine, xdp_tx
from .figure import Family, Figure, Goal
from .wire import SERVER, WireError, which

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figure import Arms

MAC = bytes.fromhex("020000000002")
LINUX = bytes.fromhex("020405b40402080a000000010000000001030307")
REPEAT = 200_000
FRAME_BYTES = 74
SPORT, SEQ, TSVAL, SOURCE = 34, 38, 62, 26
SYN, XDP_TX = 2, 3
MAP_PROG_ARRAY = 3
RANDOM, TAIL_CALL, ADJUST_TAIL = 7, 12, 65  # helpers
R6, R7 = 6, 7
SOURCE_FOLDER, SOURCES = Path("/usr/src"), "linux-source-*.tar.xz"
KERN = "tools/testing/selftests/bpf/progs/xdp_synproxy_kern.c"
PARTS = ("xdp_synproxy_kern.c", "bpf_compiler.h")
NEEDED = {
    "clang": "clang",
    "bpftool": "bpftool",
    "tar": "tar",
    "xz": "xz-utils",
}


def frame(port: int) -> bytes:
    """Return the SYN that the others are made of."""
    segment = Segment(
        src="10.0.64.255",
        dst=SERVER,
        sport=0xFFFF,
        dport=port,
        flags=SYN,
        window=64_240,
        options_bytes=LINUX,
    )
    return MAC + bytes(6) + b"\x08\x00" + segment.packet()


def harness(template: bytes, programs: int) -> bytes:
    """Write a new SYN over the frame, and jump to the program in a map.

    What changes does so in pairs of 16-bit words whose sum stays, so the checksums do.
    """
    asm = Assembler()
    asm.copy(R6, R1)
    asm.add(0x61, R2, R1, 4)  # data_end
    asm.add(0x61, R3, R1, 0)  # data
    asm.add(0x1F, R2, R3)
    asm.copy(R0, R2)
    asm.jump_if("==", FRAME_BYTES, "sized")
    asm.set(R1, FRAME_BYTES)  # the program left another length
    asm.add(0x1F, R1, R2)
    asm.copy(R2, R1)
    asm.copy(R1, R6)
    asm.add(0x85, imm=ADJUST_TAIL)
    asm.label("sized")
    asm.add(0x61, R7, R6, 0)
    asm.add(0x61, bpf.END, R6, 4)
    asm.copy(R1, R7)
    asm.increase(R1, FRAME_BYTES)
    asm.jump_beyond(R1, "lost")
    for at in range(0, FRAME_BYTES - 2, 8):
        low = int.from_bytes(template[at : at + 4], "little")
        high = int.from_bytes(template[at + 4 : at + 8], "little")
        asm.add(0x18, R1, imm=low)
        asm.add(0, imm=high)
        asm.add(0x7B, R7, R1, at)
    asm.add(0xB4, R1, imm=int.from_bytes(template[-2:], "little"))
    asm.add(0x6B, R7, R1, FRAME_BYTES - 2)
    asm.add(0x85, imm=RANDOM)
    for shift, size, store, one, other in (
        (0, 0xFF, 0x73, SOURCE + 1, SOURCE + 3),
        (8, 0xFFFF, 0x6B, SPORT, TSVAL),
        (16, 0xFFFF, 0x6B, SEQ, SEQ + 2),
    ):
        asm.copy(R1, R0)
        asm.add(0x77, R1, imm=shift)
        asm.add(0x57, R1, imm=size)
        if one == SPORT:
            asm.add(0x47, R1, imm=4)  # no port below 1024
        asm.add(store, R7, R1, one)
        asm.add(0xA7, R1, imm=size)
        asm.add(store, R7, R1, other)
    asm.copy(R1, R6)
    asm.add(0x18, R2, bpf.PSEUDO_MAP_FD, imm=programs)
    asm.add(0)
    asm.set(R3, 0)
    asm.add(0x85, imm=TAIL_CALL)
    asm.label("lost")
    asm.leave(0)
    return asm.program()


def nothing() -> bytes:
    """Send the frame back as it is."""
    asm = Assembler()
    asm.leave(XDP_TX)
    return asm.program()


class Harness:
    """Runs programs on SYNs.

    Args:
        port: Of the SYNs.
        flags: Those that the programs are loaded with: in one map they have the same.
    """

    def __init__(self, port: int, flags: int) -> None:
        self._frame = frame(port)
        self._programs = _core_bpf.bpf_map(MAP_PROG_ARRAY, 1)
        self._harness = load(harness(self._frame, self._programs), flags)
        self._nothing = load(nothing(), flags)

    def run(self, program: int) -> float:
        """Return the nanoseconds of one run of a program alone."""
        return self._time(program, answers=True) - self._time(self._nothing)

    def _time(self, program: int, *, answers: bool = False) -> float:
        _core_bpf.bpf_map_set(self._programs, 0, program)
        run = _core_bpf.bpf_run(self._harness, self._frame, REPEAT)
        if run.verdict != XDP_TX:
            raise WireError(f"a program gave verdict {run.verdict} to a SYN")
        if answers and run.packet[47] != 0x12:
            raise WireError("a program did not answer a SYN")
        return float(run.duration_ns)


def load(program: bytes, flags: int = 0) -> int:
    """Load a program; a refusal is for whoever runs the bench."""
    kind = (bpf.PROG_XDP, bpf.ATTACH_XDP)
    try:
        return _core_bpf.bpf_load(*kind, program, flags=flags)
    except OSError as error:
        raise WireError(str(error)) from None


def shield(stack: ExitStack, port: int) -> int:
    """Load the shield with a key, and one service; the program that SYNs meet first."""
    made = stack.enter_context(closing(BpfObject("shield")))
    sysctl = Sysctl({"net.inet.tcp.syncache.x.shield.mode": "always"})
    now = time.monotonic()
    config = ShieldConfig(sysctl, Keyring.ephemeral(), None, now)
    info = InterfaceInfo("none", 0, MAC, 1500, "", 0, False, True, 0)
    _core_bpf.update(made.maps["config_map"], ZERO, config.content(now, info))
    _core_bpf.bpf_map_set(made.maps["pieces"], 0, made.programs["shield_any"])
    ServiceMaps(made.maps).put(write_service(SERVER, port))
    return made.programs["shield_syn"]


def synproxy(folder: Path, port: int) -> int:
    """Build the kernel's xdp_synproxy and load it; needs a /sys/fs/bpf of our own."""
    missing = [f"{t} ({p})" for t, p in NEEDED.items() if not which(t)]
    archives = sorted(SOURCE_FOLDER.glob(SOURCES), key=version)
    if not archives:
        missing.append("/usr/src/linux-source-*.tar.xz (linux-source)")
    if missing:
        raise WireError(f"no xdp_synproxy: missing {', '.join(missing)}")
    words = ["tar", "-xJf", archives[-1], "-C", folder, "--strip-components=6"]
    words += ["--wildcards", "--occurrence=1"]
    words += [f"*/{Path(KERN).parent}/{part}" for part in PARTS]
    quietly(*words)
    clang = next(c for c in ("clang-19", "clang") if which(c))
    types = folder / "vmlinux.h"
    btf = ("btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c")
    types.write_text(quietly(tool("bpftool"), *btf))
    target = folder / "xdp_synproxy.o"
    flags = ("-O2", "-g", "-w", "-target", "bpf", "-mcpu=v3", f"-I{folder}")
    include = f"-I/usr/include/{os.uname().machine}-linux-gnu"
    quietly(clang, *flags, include, "-c", folder / PARTS[0], "-o", target)
    pins = folder / "bpf"
    pins.mkdir()
    quietly("mount", "-t", "bpf", "bpf", pins)
    try:
        maps = pins / "maps"
        quietly(tool("bpftool"), "prog", "loadall", target, pins / "p", "pinmaps", maps)
        ports = _core_bpf.bpf_open(maps / "allowed_ports")
        _core_bpf.update(ports, ZERO, port.to_bytes(2, "little"))
        return _core_bpf.bpf_open(pins / "p" / "syncookie_xdp")
    finally:
        quietly("umount", "--lazy", pins)


def version(path: Path) -> tuple[int, ...]:
    """Return the kernel's version out of a package's file name."""
    text = path.name.removeprefix("linux-source-").removesuffix(".tar.xz")
    return tuple(int(word) for word in text.split(".") if word.isdecimal())


def tool(name: str) -> str:
    """Return where a program is."""
    return which(name) or name


def quietly(*words: object) -> str:
    """Run a command; return its output."""
    done = subprocess.run(
        [*map(str, words)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise WireError(f"{words[0]}: {' '.join(last)}")
    return done.stdout


@contextmanager
def times() -> Iterator[Arms]:
    """Make an arm of each program that can be had."""
    if os.geteuid() != 0:
        raise WireError("needs root")
    with ExitStack() as stack:
        stack.enter_context(machine.pinned())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        listener = stack.enter_context(socket.create_server(("", 0)))
        port = listener.getsockname()[1]
        programs = {"xdp_tx": load(xdp_tx.program())}
        try:
            programs["xdp_synproxy"] = synproxy(folder, port)
        except WireError as error:
            print(f"  {error}")
        plain, in_pieces = Harness(port, 0), Harness(port, HAS_FRAGS)
        arms = {name: partial(plain.run, fd) for name, fd in programs.items()}
        yield {"shield": partial(in_pieces.run, shield(stack, port))} | arms


FAMILIES = (
    Family(
        "shield_time",
        "ns",
        "wire",
        times,
        (
            Figure(
                "shield_vs_xdp_synproxy",
                "a SYN's program time: the shield's, against the kernel's xdp_synproxy",
                "shield",
                "xdp_synproxy",
                goal=Goal(0.6, at_most=True),
            ),
            Figure(
                "shield_vs_xdp_tx_time",
                "a SYN's program time: the shield's, against a mere echo's",
                "shield",
                "xdp_tx",
            ),
        ),
    ),
)
