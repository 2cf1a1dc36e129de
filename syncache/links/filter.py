"""Filter expressions of tcpdump, compiled by libpcap for the frames of a link type.

What is run is classic BPF (csrc/link/filter.c).  Without libpcap, tcpdump compiles.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
import subprocess
from typing import Any

from .link import LinkError

SNAPLEN = 262_144
NETMASK_UNKNOWN = 0xFFFFFFFF
# Numbers in files that libpcap knows by others.
DLT = {100: 11, 101: 12}
NEEDS = "--filter needs libpcap or tcpdump: apt install libpcap0.8"
INSTRUCTION = struct.Struct("=HBBI")
TCPDUMP_S = 20.0


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def compiled(expression: str, linktype: int) -> bytes:
    """Return the program, in the layout of the kernel's struct sock_filter.

    Raises:
        LinkError: The expression is wrong, or there is no compiler.
    """
    library = _library()
    if library is None:
        return _by_tcpdump(expression, linktype)
    return _by_libpcap(library, expression, linktype)


def _library() -> Any:
    """Load libpcap; None: there is none."""
    for name in ("libpcap.so.1", "libpcap.so.0.8", ctypes.util.find_library("pcap")):
        if name is not None:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
    return None


def _by_libpcap(library: Any, expression: str, linktype: int) -> bytes:
    library.pcap_open_dead.restype = ctypes.c_void_p
    library.pcap_geterr.restype = ctypes.c_char_p
    handle = ctypes.c_void_p(
        library.pcap_open_dead(DLT.get(linktype, linktype), SNAPLEN)
    )
    program = _Program()
    try:
        failed = library.pcap_compile(
            handle,
            ctypes.byref(program),
            expression.encode(),
            1,
            ctypes.c_uint32(NETMASK_UNKNOWN),
        )
        if failed:
            reason = library.pcap_geterr(handle).decode(errors="replace")
            raise _wrong(expression, reason)
        size = program.count * INSTRUCTION.size
        made = ctypes.string_at(program.instructions, size)
        library.pcap_freecode(ctypes.byref(program))
        return made
    finally:
        library.pcap_close(handle)


def _by_tcpdump(expression: str, linktype: int) -> bytes:
    """Let tcpdump compile for an empty file of the link type."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, linktype)
    try:
        run = subprocess.run(  # noqa: S603  the expression stands behind --
            ["tcpdump", "-ddd", "-r", "-", "--", expression],  # noqa: S607
            input=head,
            capture_output=True,
            check=False,
            timeout=TCPDUMP_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise LinkError(NEEDS) from None
    if run.returncode:
        said = run.stderr.decode(errors="replace").strip().splitlines()
        raise _wrong(expression, said[-1].removeprefix("tcpdump: ") if said else "")
    rows = run.stdout.decode().split()[1:]  # the first is their number
    numbers = [int(row) for row in rows]
    return b"".join(
        INSTRUCTION.pack(*numbers[i : i + 4]) for i in range(0, len(numbers), 4)
    )


def _wrong(expression: str, reason: str) -> LinkError:
    return LinkError(f"filter {expression!r}: {reason}")
