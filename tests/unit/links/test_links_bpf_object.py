"""The loader, with a kernel that is made up."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from syncache._core import bpf as _core_bpf
from syncache.links import LinkError, bpf_object
from syncache.links.bpf import PROG_XDP
from syncache.links.bpf_object import HAS_FRAGS, BpfObject


@pytest.fixture
def kernel(monkeypatch):
    """Takes everything; remembers the programs."""
    loaded = {}
    numbers = iter(range(100, 200))

    def load(kind, attach, code, name, flags):
        loaded[name] = (kind, attach, code, flags)
        return next(numbers)

    closed = []
    monkeypatch.setattr(bpf_object.os, "close", closed.append)
    monkeypatch.setattr(_core_bpf, "bpf_map", lambda *_, **__: next(numbers))
    monkeypatch.setattr(_core_bpf, "bpf_load", load)
    monkeypatch.setattr(
        _core_bpf,
        "btf_ask",
        lambda _, asked: [4711 if s is None else 8 if m else 815 for s, m in asked],
    )
    monkeypatch.setattr(bpf_object, "kernel_btf", lambda: b"")
    loaded["closed"] = closed
    return loaded


def refusing(monkeypatch, name, number):
    def refuse(*_, **__):
        raise OSError(number, "bpf(2)")

    monkeypatch.setattr(_core_bpf, name, refuse)


def instruction(code, at):
    return struct.unpack_from("=BBhi", code, 8 * at)


def test_programs_get_the_numbers_of_this_kernel(kernel):
    """Maps, functions and offsets, each in its place."""
    made = BpfObject("shield")
    for name, known in made._document["programs"].items():
        kind, _, code, flags = kernel[name]
        assert 8 * known["count"] == len(code)
        assert flags == (HAS_FRAGS if kind == PROG_XDP else 0)
        for kind, at, what in known["places"]:
            _, registers, offset, immediate = instruction(code, at)
            if kind == "map":
                assert (1, made.maps[what]) == (registers >> 4, immediate)
            elif kind == "kfunc":
                assert (2, 4711) == (registers >> 4, immediate)
            elif kind == "type":
                assert (0, 815) == (registers >> 4, immediate)
            else:
                assert 8 * (1 + what.count("/")) == offset
    made.close()
    assert len(made.maps) + len(made.programs) == len(kernel["closed"])


def test_generic_mode_gets_frames_whole(kernel):
    """Its answers would have wrong checksums else."""
    BpfObject("shield", in_pieces=False).close()
    flags = {each[3] for name, each in kernel.items() if name != "closed"}
    assert {0} == flags


def test_map_that_is_there_is_taken_and_not_closed(kernel):
    """It is the caller's."""
    made = BpfObject("shield", maps={"redeemed": 7})
    assert 7 == made.maps["redeemed"]
    made.close()
    assert 7 not in kernel["closed"]


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [
        ("bpf_map", errno.EPERM, "cannot make the BPF map .*CAP_BPF"),
        ("bpf_load", errno.EPERM, "cannot load the BPF program .*CAP_PERFMON"),
        ("btf_ask", errno.EINVAL, r"btf/vmlinux: .*: it is not BTF$"),
    ],
)
def test_what_is_missing_is_one_line(kernel, monkeypatch, name, number, message):
    """With what to do, and everything is closed again."""
    refusing(monkeypatch, name, number)
    with pytest.raises(LinkError, match=message) as caught:
        BpfObject("shield")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (0, "no bpf_sk_assign_tcp_reqsk; Linux 6.9 has it"),
        (1, "no bpf_iter_num_new; Linux 6.4 has it"),
        (2, r"this kernel has no \w+\.\w+$"),
    ],
)
def test_what_the_kernel_has_not_is_named(kernel, monkeypatch, missing, message):
    """The newest function first, then whichever is the first to be put in."""
    there = set(["bpf_sk_assign_tcp_reqsk", "bpf_iter_num_new"][:missing])
    there |= {"bpf_iter_num_next", "bpf_iter_num_destroy"}
    monkeypatch.setattr(
        _core_bpf,
        "btf_ask",
        lambda _, asked: [1 if n in there else None for _, n in asked],
    )
    with pytest.raises(LinkError, match=message):
        BpfObject("shield")
    assert len(kernel["closed"]) > 0


def test_offset_that_no_instruction_reaches_is_named(kernel, monkeypatch):
    """The BTF is another kernel's, or damaged."""
    answers = {"sk_ack_backlog": 2**15}
    monkeypatch.setattr(
        _core_bpf, "btf_ask", lambda _, asked: [answers.get(m, 8) for _, m in asked]
    )
    with pytest.raises(LinkError, match=r"has sock.sk_ack_backlog at 32768, which no"):
        BpfObject("shield")
    assert len(kernel["closed"]) > 0


@pytest.mark.parametrize("code", [None, b"", bytes(8 * 1000 + 1)])
def test_object_that_is_damaged_is_named(kernel, monkeypatch, tmp_path, code):
    """One line that says what to do, and everything is closed again."""
    known = {"type": "tc", "count": 1000, "places": []}
    monkeypatch.setattr(
        bpf_object, "document", lambda _: {"maps": {}, "programs": {"one": known}}
    )
    monkeypatch.setattr(bpf_object, "FOLDER", tmp_path)
    if code is not None:
        (tmp_path / "one.bin").write_bytes(code)
    with pytest.raises(LinkError, match=r"/one\.bin.*: install the package again$"):
        BpfObject("shield")


def test_verifier_is_asked_for_its_reason(kernel, monkeypatch):
    """It is in the line, where no capability is missing."""
    monkeypatch.setattr(bpf_object, "missing_capabilities", list)
    refusing(monkeypatch, "bpf_load", errno.EINVAL)
    monkeypatch.setattr(_core_bpf, "bpf_refusal", lambda *_: (-22, "R1 is bad"))
    with pytest.raises(LinkError, match="verifier says: R1 is bad"):
        BpfObject("shield")


def test_kernel_without_btf_is_named(monkeypatch):
    """With the option that it needs."""
    monkeypatch.setattr(bpf_object, "BTF", Path("/nowhere/vmlinux"))
    with pytest.raises(LinkError, match=r"/nowhere/vmlinux.*CONFIG_DEBUG_INFO_BTF"):
        bpf_object.kernel_btf()


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("monotonic           0         0\nboottime          500 0\n", False),
        ("monotonic       -2000         0\nboottime            0 0\n", True),
        ("monotonic           0         1\nboottime            0 0\n", True),
        (None, False),
    ],
)
def test_clock_of_a_time_namespace_is_not_the_programs(
    kernel, monkeypatch, tmp_path, text, refused
):
    """Keys and floods would be those of another time."""
    monkeypatch.setattr(bpf_object, "CLOCKS", tmp_path / "timens_offsets")
    if text is not None:
        bpf_object.CLOCKS.write_text(text)
    if refused:
        with pytest.raises(LinkError, match="nsenter -t 1 -T"):
            BpfObject("shield")
    else:
        BpfObject("shield").close()


def test_big_endian_machine_is_told(monkeypatch):
    """The instructions are not its own."""
    monkeypatch.setattr("sys.byteorder", "big")
    with pytest.raises(LinkError, match="little-endian"):
        BpfObject("shield")


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        (1 << 39 | 1 << 38 | 1 << 12, []),
        (1 << 39 | 1 << 12, ["CAP_PERFMON"]),
        (1 << 12, ["CAP_BPF", "CAP_PERFMON"]),
        (1 << 21, ["CAP_NET_ADMIN"]),
    ],
)
def test_capabilities_that_are_missing_are_named(monkeypatch, tmp_path, held, missing):
    """CAP_SYS_ADMIN is as good as the two newer ones."""
    status = tmp_path / "status"
    status.write_text(f"Name:\tone\nCapEff:\t{held:016x}\nCapBnd:\t{0:016x}\n")
    monkeypatch.setattr(bpf_object, "STATUS", status)
    assert missing == bpf_object.missing_capabilities()
    lacks = f"it lacks {', '.join(missing)}: " if missing else ""
    assert lacks + bpf_object.PRIVILEGES == bpf_object.privileges()
