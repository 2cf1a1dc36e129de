"""Whether the memory that this process may have is enough for full tables.

An engine's memory is the system's to give when a flood first fills its tables, and a
control group that has less ends the process then.  So its limit is looked at before.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..control import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..engine import Syncache
    from ..flow import Flow

PROC, GROUPS = Path("/proc/self"), Path("/sys/fs/cgroup")
MIB = 1 << 20
CACHE_LIMIT = "net.inet.tcp.syncache.cachelimit"
# Of version 2, of version 1 beside it, and of version 1; the unit's names of the files.
FILES = {
    "memory.max": "MemoryMax=",
    "memory.high": "MemoryHigh=",
    "memory.limit_in_bytes": "MemoryMax=",
}


def shortage(
    engine: Syncache | Flow, proc: Path = PROC, groups: Path = GROUPS
) -> list[str]:
    """Return a warning if full tables are more than a control group allows.

    Args:
        engine: The owner of the tables; those it has touched are counted twice.
        proc: Of this process.
        groups: Where the control groups are mounted.
    """
    needed = engine.memory_bytes + _resident(proc)
    limits = sorted(_limits(proc, groups))
    if not limits or limits[0][0] >= needed:
        return []
    limit, name = limits[0]
    tunable = LIMITS.get(type(engine).__name__.lower(), CACHE_LIMIT)
    text = (
        f"this process may have {limit // MIB} MiB ({name} of its control group), and "
        f"needs {-(-needed // MIB)} MiB once its tables are full, as in a flood: raise "
        f"{FILES[name]} of the unit, or lower {tunable}"
    )
    return [text]


def _resident(proc: Path) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int((proc / "statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def _limits(proc: Path, groups: Path) -> Iterator[tuple[int, str]]:
    """Yield the limits of the control group and of those that hold it."""
    for folder in _folders(proc, groups):
        for name in FILES:
            with contextlib.suppress(OSError, ValueError):  # "max": there is none
                yield int((folder / name).read_text("ascii")), name


def _folders(proc: Path, groups: Path) -> Iterator[Path]:
    try:
        lines = (proc / "cgroup").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        mounts = [groups / "memory"] if "memory" in controllers.split(",") else []
        if not controllers:
            mounts = [groups, groups / "unified"]
        for mount in mounts:
            folder = mount / path.strip("/")
            # In a container the path may be one of its host's.
            yield from (
                mount,
                *(f for f in (folder, *folder.parents) if mount in f.parents),
            )
