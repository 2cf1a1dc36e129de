"""Tests of an engine's memory and of its time."""

from __future__ import annotations

import copy
import ctypes
import math
import mmap
import pickle
import re
from pathlib import Path

import pytest

from syncache import Inspection, Intercept, Ring, Syncache
from syncache._core import block


def test_memory_is_zero_and_whole_pages():
    """As the system gives it, rounded up."""
    memory = block.allocate(1)
    assert mmap.PAGESIZE == len(memory)
    assert bytes(mmap.PAGESIZE) == memory[:]


def test_large_memory_asks_for_huge_pages():
    """Asking may be in vain, but never fails."""
    memory = block.allocate(block.HUGE_PAGE + 1)
    assert block.HUGE_PAGE < len(memory)
    memory.close()


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(),
    reason="this kernel has no huge pages to ask for",
)
def test_large_memory_has_been_marked_for_huge_pages():
    """The kernel's own list of mappings says so; small memory is left alone."""
    small = block.allocate(3 * mmap.PAGESIZE)
    large = block.allocate(4 * block.HUGE_PAGE)
    large[:] = bytes([77]) * len(large)
    assert marked(large)
    assert not marked(small)
    small.close()
    large.close()


def marked(memory: mmap.mmap) -> bool:
    """Is the mapping that holds this memory advised to have huge pages?"""
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(match[1], 16) <= start < int(match[2], 16)
        if inside and line.startswith("VmFlags:"):
            return "hg" in line.split()
    raise AssertionError("no such mapping")


def test_large_memory_without_huge_pages(monkeypatch):
    """A system that lacks the names still gives memory."""
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE")
    monkeypatch.delattr(mmap, "MAP_PRIVATE")
    memory = block.allocate(block.HUGE_PAGE)
    assert block.HUGE_PAGE == len(memory)
    memory.close()


def test_wipe_overwrites_everything():
    """First and last byte included."""
    memory = block.allocate(3 * mmap.PAGESIZE)
    memory[0] = memory[-1] = 255
    block.wipe(memory)
    assert bytes(len(memory)) == memory[:]


@pytest.mark.parametrize(
    ("now", "ms"),
    [
        (0, 0),
        (0.0004, 0),
        (0.0005, 1),
        (1.0014, 1001),
        (1.0016, 1002),
        (-1, 0),
        (1e300, block.NOW_MAX_MS),
        (-1e300, 0),
        (block.NOW_MAX_MS / 1000, block.NOW_MAX_MS),
    ],
)
def test_milliseconds_are_the_nearest(now, ms):
    """Rounded, and kept within what C can count."""
    assert ms == block.milliseconds(now)


def test_milliseconds_fed_back_are_the_same():
    """A deadline in seconds comes back as the millisecond that it was."""
    for ms in (0, 1, 999, 1001, 123_456_789, 2**40 + 1, 2**52 - 1):
        assert ms == block.milliseconds(ms / 1000)


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_no_time_raises(now):
    """A time is finite."""
    with pytest.raises(ValueError, match="finite"):
        block.milliseconds(now)


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize(
    "make", [Syncache, Inspection, lambda: Intercept(acl=None), lambda: Ring(4)]
)
def test_engine_or_ring_belongs_to_one_process(make, how):
    """A copy that shared its memory would be closed with it."""
    made = make()
    with pytest.raises(TypeError, match=f"copy '{type(made).__name__}'.*same keys"):
        how(made)


def test_listener_of_an_engine_cannot_be_pickled():
    """Its engine is named."""
    listener = Syncache().listen(80)
    with pytest.raises(TypeError, match="copy 'Syncache'"):
        pickle.dumps(listener)
