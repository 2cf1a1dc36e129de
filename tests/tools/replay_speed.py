"""How fast a capture is replayed, beside how fast it is merely read.

    python tests/tools/replay_speed.py [FILE.pcap] [--repeats 5]

Without a file it makes one of a million packets (traffic.py).  Each repeat reads the
file three ways in turn: its packets into rings and no further, with Inspection behind
them, and packet by packet in Python.  Printed are the medians in million
packets a second of this process's time on a processor, so that other processes do not
count, and the ratios of the same repeat.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import traffic

from syncache import Inspection, Ring
from syncache.links.replay import CaptureReader

SLOTS, SLOT_BYTES = 256, 65_600
PYTHON_PACKETS = 100_000  # of the slow way no more than needed


def read(path: Path, engine: Inspection | None) -> float:
    """Return packets a second of one run."""
    reader, rx = CaptureReader(path), Ring(SLOTS, SLOT_BYTES)
    began = time.process_time()
    while reader.receive(rx):
        if engine is not None:
            engine.replay(rx)
        rx.clear()
    took = time.process_time() - began
    reader.close()
    return reader.packets / took


def read_in_python(path: Path) -> float:
    reader = CaptureReader(path)
    began = time.process_time()
    for number, _ in enumerate(reader, 1):
        if number == PYTHON_PACKETS:
            break
    took = time.process_time() - began
    reader.close()
    return number / took


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "mixed.pcap"
        if options.file is None:
            traffic.generate(path)
        runs = [
            (read(path, None), read(path, Inspection()), read_in_python(path))
            for _ in range(options.repeats)
        ]
    for name, column in zip(
        ("read", "replay", "python"), zip(*runs, strict=True), strict=True
    ):
        print(f"{name:8} {statistics.median(column) / 1e6:8.2f} M packets/s")
    ratios = [replay / plain for plain, replay, _ in runs]
    print(f"replay / read    {statistics.median(ratios):.2f}")
    ratios = [replay / python for _, replay, python in runs]
    print(f"replay / python  {statistics.median(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
