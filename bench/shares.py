"""Where processor 1 goes while a listener is flooded, by perf's software clock.

    python -m bench.shares RIVAL ...

For each the share of the NAPI thread and of the listener, the kernel's part and the
library's apart.  A virtual machine has no hardware counters, so it samples by time.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .rivals import serving
from .wire import LISTENING, Wire, WireError, which

SECONDS = 2.0
WARM = 0.3
PRIORITY = 60  # above everything that is measured
SAMPLES_A_SECOND = 2000
PARTS = (
    ("kernel, receiving (NAPI)", r"napi/\S+ .*kernel"),
    ("kernel, of the listener", r"\S+ .*kernel"),
    ("eBPF programs", r".*bpf_prog"),
    ("this library", r"\S+ .*_ffi"),
    ("Python and cffi", r"\S+ .*(python|cffi|select)"),
    ("libc and others", r".*"),
)


def record(wire: Wire, rival: str, target: Path) -> float:
    """Sample processor 1 under the flood; return SYN-ACK/s meanwhile."""
    words = ["perf", "record", "-q", "-e", "cpu-clock", "-F", SAMPLES_A_SECOND]
    words += ["-C", LISTENING, "-o", target, "sleep", SECONDS - 4 * WARM]
    above = ["chrt", "-f", PRIORITY, *words]
    with serving(wire, rival), wire.flood(0, WARM, SECONDS) as flood:
        time.sleep(2 * WARM)
        subprocess.run([*map(str, above)], check=True, capture_output=True)
        counted = flood.result(SECONDS + 30)
    return counted["answered"] / counted["seconds"]


def shares(target: Path) -> Counter[str]:
    """Sum the samples up by part."""
    words = ["perf", "report", "-q", "--no-children", "--sort", "comm,dso"]
    out = subprocess.run(
        [*words, "-i", str(target)], check=True, capture_output=True, text=True
    ).stdout
    found: Counter[str] = Counter()
    for line in out.splitlines():
        row = re.match(r"\s*([\d.]+)%\s+(.*)", line)
        if row:
            part = next(name for name, shape in PARTS if re.match(shape, row[2]))
            found[part] += float(row[1])
    return found


def main() -> None:
    """Print the shares of each rival."""
    if which("perf") is None:
        sys.exit("perf is missing; install it with: apt-get install linux-perf")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with Wire(Path(folder)) as wire:
                for rival in sys.argv[1:]:
                    target = Path(folder) / "perf.data"
                    rate = record(wire, rival, target)
                    print(f"{rival}: {rate:,.0f} SYN-ACK/s, {1e9 / rate:,.0f} ns each")
                    for part, share in shares(target).most_common():
                        cost = share / 100 * 1e9 / rate
                        print(f"  {part:28}{share:6.1f} % {cost:8,.0f} ns")
        except WireError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
