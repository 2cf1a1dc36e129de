"""The bench's clock for programs of XDP: what it gives them, and what it says."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from bench import xdp_time, xdp_tx
from bench.wire import WireError, which
from syncache import Segment
from syncache._core import bpf as _core_bpf

HEADERS = Path("/usr/include/bpf/bpf_helpers.h")
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


# In place of the kernel's program, whose archive takes ten seconds to unpack.
ANSWER = r"""
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, __u32);
    __type(value, __u16);
    __uint(max_entries, 8);
} allowed_ports SEC(".maps");

SEC("xdp") int
syncookie_xdp(struct xdp_md *context)
{
    __u8 *frame = (void *)(long)context->data;
    if (frame + 48 > (__u8 *)(long)context->data_end)
        return XDP_DROP;
    frame[47] = 0x12;
    return XDP_TX;
}

char _license[] SEC("license") = "GPL";
"""


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """An archive laid out as the kernel's sources are, and nothing else in it."""
    programs = tmp_path / "linux-source-6.12" / Path(xdp_time.KERN).parent
    programs.mkdir(parents=True)
    for name, text in zip(xdp_time.PARTS, (ANSWER, ""), strict=True):
        (programs / name).write_text(text)
    with tarfile.open(tmp_path / "linux-source-6.12.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "linux-source-6.12", "linux-source-6.12")
    monkeypatch.setattr(xdp_time, "SOURCE_FOLDER", tmp_path)


@needs_root
@pytest.mark.usefixtures("sources")
def test_programs_are_timed_and_a_silent_one_is_an_error(monkeypatch):
    """What does not answer a SYN is no rival."""
    monkeypatch.setattr(xdp_time, "REPEAT", 1000)
    built = all(map(which, xdp_time.NEEDED)) and HEADERS.exists()
    with xdp_time.times() as arms:
        assert {"shield", "xdp_tx"} | ({"xdp_synproxy"} if built else set()) == {*arms}
        assert 0 < {name: arm() for name, arm in arms.items()}["shield"]
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
