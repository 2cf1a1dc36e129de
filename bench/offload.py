"""Knitted connections that the kernel carries: one at full speed, a million in its map.

    syncache intercept --offload      the kernel carries it
    syncache intercept                the process carries it
    nft synproxy                      the kernel's own proxy, and its forwarding

One download at a time through the three namespaces of bench.intercept, each in its
turn: with super-segments of up to 64 KiB, as veth has them, and without, where every
packet is one of 1,500 bytes.  The map is filled by the very call that the process
makes, with records of IPv4 connections, and asked what memory it takes by the kernel's
own account.
"""

from __future__ import annotations

import struct
import tempfile
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from syncache._core import ffi, lib
from syncache._core.offload import HANDED_BYTES, RECORDS
from syncache.links.bpf_object import BpfObject
from syncache.links.link import LinkError

from . import intercept
from .figure import Family, Figure, Goal
from .wire import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figure import Arms

WAYS = ("offload", "spliced", "synproxy")
SIZES = {"1500": False, "64k": True}
ARMS = tuple(f"{way}_{size}" for size in SIZES for way in WAYS)
SECONDS = 0.6
GIGABIT = 1e9 / 8
CONNECTIONS = 1_000_000
HANDED = struct.Struct("=16s16sHHB3x3I4B2Q4I2I")  # struct flow_handed_session
SERVERS = {4: bytes([198, 18, 0, 2]), 6: bytes.fromhex("fd000018") + bytes(11) + b"\2"}
KEY = bytes(range(16))


def run(case: intercept.Case) -> float:
    """Return the Gbit/s of one download."""
    return case.run(SECONDS)[0] / GIGABIT


@contextmanager
def downloads() -> Iterator[Arms]:
    """Make the arrangements, each with and without super-segments."""
    with ExitStack() as stack:
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        arms = {}
        for arm in ARMS:
            way, size = arm.split("_")
            folder = parent / arm
            folder.mkdir()
            try:
                intercept.need()
                world = intercept.shielding(folder, intercept.KINDS[way])
                made = stack.enter_context(world)
            except (AssertionError, OSError) as error:
                raise WireError(str(error)) from None
            case = intercept.Case(way, made, offload=SIZES[size])
            case.run(0.3)  # the server's options are learned
            arms[arm] = partial(run, case)
        yield arms


def records(family: int) -> bytearray:
    """Return connections from a million addresses, as the engine gives them away."""
    assert HANDED.size == HANDED_BYTES
    made = bytearray(CONNECTIONS * HANDED_BYTES)
    rest = (0,) * 4 + (0, 0) + (1, 2, 3, 4) + (0,)
    for number in range(CONNECTIONS):
        word = (0x0A000000 + number).to_bytes(4, "big")
        client = word if family == 4 else bytes.fromhex("20010db8") + bytes(8) + word
        ends = (client, SERVERS[family], 40_000, 80, family)
        HANDED.pack_into(made, number * HANDED_BYTES, *ends, 1, 2, 3, *rest, number)
    return made


class Filled:
    """A map with all the connections, measured while it was filled."""

    def __init__(self, family: int, content: bytearray) -> None:
        name = f"carried{family}"
        try:
            self._object = BpfObject("offload", {name: CONNECTIONS})
        except LinkError as error:
            raise WireError(str(error)) from None
        fds = self._object.maps
        maps = ffi.new("struct link_carried *")
        maps.map4, maps.map6, maps.events = (
            fds[name] for name in ("carried4", "carried6", "events")
        )
        lib.shield_key(maps.key, KEY)
        at = ffi.from_buffer("struct flow_handed_session[]", content)
        began, failed = time.perf_counter(), 0
        for first in range(0, CONNECTIONS, RECORDS):
            count = min(RECORDS, CONNECTIONS - first)
            failed += lib.link_carried_put(maps, at + first, count)
        self.insertions = CONNECTIONS / (time.perf_counter() - began)
        assert failed == 0
        text = Path(f"/proc/self/fdinfo/{fds[name]}").read_text()
        known = dict(line.split(":") for line in text.splitlines())
        self.bytes_each = int(known["memlock"]) / CONNECTIONS
        self._object.close()


@contextmanager
def fillings() -> Iterator[Arms]:
    """Fill a map anew for each arm."""
    arms: Arms = {}
    for family in SERVERS:
        content = records(family)
        arms[f"insertions_v{family}"] = partial(inserted, family, content)
        arms[f"bytes_each_v{family}"] = partial(weighed, family, content)
    yield arms


def inserted(family: int, content: bytearray) -> float:
    """Return the connections a second that a map takes."""
    return Filled(family, content).insertions


def weighed(family: int, content: bytearray) -> float:
    """Return the bytes of the kernel's for each."""
    return Filled(family, content).bytes_each


def mapped(family: int) -> tuple[Figure, Figure]:
    """Return the figures of a family."""
    return (
        Figure(
            f"offload_insertions_v{family}",
            f"connections of IPv{family} a second into a map of a million",
            f"insertions_v{family}",
            200_000.0,
            goal=Goal(1.0),
        ),
        Figure(
            f"offload_bytes_each_v{family}",
            f"bytes of the kernel's for each of a million connections (IPv{family})",
            f"bytes_each_v{family}",
            150.0,
            goal=Goal(1.0, at_most=True),
        ),
    )


FAMILIES = (
    Family(
        "offload",
        "Gbit/s",
        "wire",
        downloads,
        (
            Figure(
                "offload_at_1500",
                "one download, packets of 1,500 bytes: offloaded against nft synproxy",
                "offload_1500",
                "synproxy_1500",
                goal=Goal(1.4),
            ),
            Figure(
                "offload_super_segments",
                "the same with super-segments",
                "offload_64k",
                "synproxy_64k",
                goal=Goal(1.0),
            ),
            Figure(
                "offload_against_process",
                "packets of 1,500 bytes: offloaded against the process's splice",
                "offload_1500",
                "spliced_1500",
                goal=Goal(4.5),
            ),
        ),
    ),
    Family(
        "offload_map",
        "a second, or bytes",
        "wire",
        fillings,
        (*mapped(4), *mapped(6)),
        5,
    ),
)
