"""The bench's clock for programs of XDP: what it gives them, and what it says."""

from __future__ import annotations

import os

import pytest

from bench import xdp_time, xdp_tx
from bench.wire import WireError
from syncache import Segment
from syncache._core import bpf as _core_bpf

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)


@needs_root
def test_each_run_has_a_new_syn_with_right_checksums(monkeypatch):
    """Whatever the program before left in the frame."""
    monkeypatch.setattr(xdp_time, "REPEAT", 1)
    port = 8080
    programs = _core_bpf.bpf_map(xdp_time.MAP_PROG_ARRAY, 1)
    _core_bpf.bpf_map_set(programs, 0, xdp_time.load(xdp_time.nothing()))
    program = xdp_time.load(xdp_time.harness(xdp_time.frame(port), programs))
    seen = set()
    for size in (60, 74, 90):
        for _ in range(50):
            run = _core_bpf.bpf_run(program, bytes(size))
            segment = Segment.parse(run.packet[14:])
            assert (2, port) == (segment.flags, segment.dport)
            assert xdp_time.LINUX[:8] == segment.options_bytes[:8]
            assert 1024 <= segment.sport
            seen.add((segment.src, segment.sport, segment.seq))
    assert len(seen) > 140


@needs_root
def test_programs_are_timed_and_a_silent_one_is_an_error(monkeypatch):
    """What does not answer a SYN is no rival."""
    monkeypatch.setattr(xdp_time, "REPEAT", 1000)
    with xdp_time.times() as arms:
        assert {"shield", "xdp_tx"} <= arms.keys()
        assert all(arm() > 0 for name, arm in arms.items() if name != "xdp_tx")
    timer = xdp_time.Harness(80, 0)
    timer.run(xdp_time.load(xdp_tx.program()))
    with pytest.raises(WireError, match="did not answer"):
        timer.run(xdp_time.load(xdp_time.nothing()))


def test_missing_sources_of_a_rival_are_named(monkeypatch, tmp_path):
    """With what to install."""
    monkeypatch.setattr(xdp_time, "SOURCES", "nonesuch")
    with pytest.raises(WireError, match="linux-source"):
        xdp_time.synproxy(tmp_path, 80)


def test_newest_sources_are_taken():
    """6.12 is newer than 6.9."""
    names = ["linux-source-6.12.tar.xz", "linux-source-6.9.tar.xz"]
    newest = max((tmp for tmp in map(xdp_time.Path, names)), key=xdp_time.version)
    assert names[0] == newest.name
