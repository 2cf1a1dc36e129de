"""Compile the C core into the extension module syncache._ffi (cffi, API mode, abi3).

The Python view of the C API is the region between the two `cffi:` marks of a header, so
there is no second list of prototypes to keep in step.  What cffi's parser cannot read
is adapted here and nowhere else.  Nothing of this file is imported at run time.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

from cffi import FFI

CSRC = Path(__file__).resolve().parent
ROOT = CSRC.parent
BEGIN = "cffi: begin"
END = "/* cffi: end"
# What is called too often for cffi; a module of its own in the same file.
DOOR = CSRC / "python" / "door.h"
LIMITED_API = "0x030a0000"  # of Python 3.10
# A free-threaded Python has none: it gets a module of its own version.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")


def marked_region(header: Path) -> str:
    """Return what lies between the marks of a header, without comments."""
    text = header.read_text(encoding="utf-8")
    after_mark = text.partition(BEGIN)[2].partition("*/")[2]
    region, mark, _ = after_mark.partition(END)
    if not mark:
        message = f"{header}: the two cffi marks are missing"
        raise ValueError(message)
    return re.sub(r"/\*.*?\*/", " ", region, flags=re.DOTALL)


def members(rows: str, table: str, bits: str) -> str:
    """Declare the members that a list of rows in this text makes of a structure."""
    _, mark, after = rows.partition(f"#define {table}(ROW)")
    if not mark:
        raise ValueError(f"no list of rows is called {table}")
    lines = after.replace("\\\n", " ").partition("\n")[0]
    names = re.findall(r'\bROW\((\w+), *"', lines)
    return " ".join(f"uint{bits}_t {name};" for name in names)


def python_view(region: str) -> str:
    """Adapt a region to cffi: it takes integer macros only, "..." asks the compiler."""
    region = re.sub(
        r"\b(\w+)\(SYNCACHE_MEMBER(?:_(64))?\)",
        lambda found: members(ROWS, found[1], found[2] or "32"),
        region,
    )
    region = re.sub(
        r"^(#define +\w+) +[A-Z]\w*.*$", r"\1 ...", region, flags=re.MULTILINE
    )
    return re.sub(r"^#(?!define).*$", "", region, flags=re.MULTILINE)


def sources(*rooms: str) -> list[str]:
    """Return the C files of some rooms, relative to the project as setuptools wants."""
    return [
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for path in sorted((CSRC / room).glob("*.c"))
    ]


# Where the lists of rows are that structures are made of.
ROWS = "".join(
    (CSRC / name).read_text("utf-8")
    for name in ("syncache_tunables.h", "flow/flow_tunables.h")
)
headers = [
    CSRC / "syncache_tunables.h",
    CSRC / "syncache.h",
    CSRC / "syncache_host.h",
    *(CSRC / "flow" / f"{name}.h" for name in ("flow_tunables", "flow", "attempts")),
    CSRC / "registry.h",
]
rooms = ["core", "simd", "flow"]
# The links are Linux system calls; the core runs anywhere.
if sys.platform == "linux" and (CSRC / "link" / "link.h").exists():
    headers += [
        CSRC / "link" / f"{name}.h"
        for name in ("link", "encap", "tunnel", "filter", "capture", "attend")
    ]
    headers += [CSRC / "bpf" / "shield_abi.h", CSRC / "link" / "shield.h"]
    headers += [CSRC / "bpf" / "offload_abi.h"]
    headers += [CSRC / "link" / "carried.h"]
    rooms.append("link")

ffibuilder = FFI()
for name in headers:
    ffibuilder.cdef(python_view(marked_region(name)))
ffibuilder.set_source(
    "syncache._ffi",
    "\n".join(
        f'#include "{name.relative_to(CSRC).as_posix()}"' for name in [*headers, DOOR]
    ),
    sources=sources(*rooms),
    include_dirs=["csrc"],
    depends=[path.relative_to(ROOT).as_posix() for path in sorted(CSRC.rglob("*.h"))],
    define_macros=[("Py_LIMITED_API", LIMITED_API)] if STABLE_ABI else [],
    # Hidden symbols let the compiler inline across what a header exports.
    extra_compile_args=["-O3", "-std=c11", "-fvisibility=hidden"],
    py_limited_api=STABLE_ABI,
)
