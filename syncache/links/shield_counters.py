"""The counters of a shield's programs, under their names and under an engine's."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

from .._core import bpf as _core_bpf
from .._core import shield as core
from ..stats import COUNTERS, Stats
from ..verdict import Reason
from .link import LinkError

ZERO = bytes(4)
POSSIBLE = Path("/sys/devices/system/cpu/possible")
# What becomes of a good cookie the first time that it comes.
RECEIVED = (
    "redeemed",
    "refused",
    "replayed",
    "elsewhere",
    "ack_queue_full",
    "ack_no_listener",
)


def stats_of(counters: dict[str, int]) -> Stats:
    """Return the programs' counters under the names of the engine's."""
    named = dict.fromkeys(COUNTERS, 0)
    verdicts = dict.fromkeys(Reason, 0)
    named |= {
        "sc_sendcookie": counters["synack"],
        "sc_recvcookie": sum(counters[name] for name in RECEIVED),
        "sndacks": counters["synack"],
        "sndtotal": counters["synack"],
        "rcvtotal": counters["syn"] + counters["ack"],
        "accepts": counters["redeemed"],
        "listendrop": counters["queue_full"] + counters["ack_queue_full"],
        "sc_aborted": counters["refused"],
        "cookie_only_synacks": counters["synack"],
        "replayed": counters["replayed"],
        "ts_refused": counters["ts_refused"],
        "cookie_no_key": counters["no_key"],
    }
    verdicts |= {
        Reason.REPLY_SYN_COOKIE: counters["synack"],
        Reason.ACCEPT_COOKIE: counters["redeemed"],
        Reason.DROP_CHECKSUM: counters["bad_checksum"],
        Reason.DROP_IP_CHECKSUM: counters["bad_ip_checksum"],
    }
    return Stats(**named, verdicts=verdicts)


def raw_counters(map_fd: int) -> bytes:
    """Return the counters of each processor, as the kernel has them."""
    size = core.PROCESSOR.size * processors()
    return _core_bpf.lookup(map_fd, ZERO, size) or bytes(size)


def read_counters(map_fd: int) -> dict[str, int]:
    """Return the counters of all processors together."""
    raw = raw_counters(map_fd)
    form = f"={len(core.COUNTERS)}Q"
    rows = [struct.unpack(form, row) for (row,) in core.PROCESSOR.iter_unpack(raw)]
    sums = (sum(column) for column in zip(*rows, strict=True))
    return dict(zip(core.COUNTERS, sums, strict=True))


@lru_cache(maxsize=1)
def processors() -> int:
    """Return for how many processors the kernel keeps a counter."""
    try:
        text = POSSIBLE.read_text("ascii")
    except OSError as error:
        message = f"{POSSIBLE}: {error.strerror}: sysfs has to be mounted at /sys"
        raise LinkError(message, error.errno) from None
    return int(text.strip().rpartition("-")[2].rpartition(",")[2]) + 1
