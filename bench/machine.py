"""The machine that figures are taken on, and the versions of what took part.

`python -m bench.machine` prints its instruction set levels, the best first.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
# What an instruction set level needs, as /proc/cpuinfo spells it.
LEVELS = {
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vbmi"},
    "avx2": {"avx2"},
    "neon-sha3": {"asimd", "sha3"},
    "neon": {"asimd"},
    "portable": set[str](),
}


def compiler() -> str:
    """Name the compiler and the processor's kind."""
    out = subprocess.run(
        ["cc", "--version"], check=True, capture_output=True, text=True
    )
    return f"{out.stdout.splitlines()[0]} {platform.machine()}"


def cpuinfo(field: str) -> str:
    """Read a field of the first processor; "" if the system does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return ""
    match = re.search(rf"^{field}\s*: (.*)$", text, re.MULTILINE)
    return match[1] if match else ""


def commit() -> str:
    """Name the commit, if this is a clone."""
    words = ["git", "describe", "--always", "--dirty"]
    out = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return out.stdout.strip() or "unknown"


def levels() -> list[str]:
    """List the instruction set levels that the processor has, the best first."""
    flags = {*cpuinfo("flags").split(), *cpuinfo("Features").split()}
    return [name for name, needed in LEVELS.items() if needed <= flags]


def describe() -> dict[str, object]:
    """Say where figures come from."""
    return {
        "machine": {
            "cpu": cpuinfo("model name") or platform.processor(),
            "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "levels": levels(),
        },
        "commit": commit(),
        "versions": {
            "python": platform.python_version(),
            "cc": compiler(),
            "cffi": version("cffi"),
        },
    }


@contextmanager
def pinned() -> Iterator[None]:
    """Stay on the last processor: moving costs, and interrupts prefer the first."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


if __name__ == "__main__":
    print(*levels())
