"""Tests of the mirrors: formats and words are those of the headers, or refused."""

from __future__ import annotations

import ast
import re

import pytest
from tidy import ROOT

from syncache._core import ffi, lib
from syncache._core.mirror import layout, limit, numbers, words

# Structures of Linux, of packets and of files, which no header of ours has.
FOREIGN = {"links", "cli", "fleet", "tcp/icmp.py", "tcp/signature.py"}


def test_layout_is_the_memory_of_the_structure():
    """What C writes is what Python reads, gaps and members of members included."""
    event = ffi.new("struct flow_event *")
    event.time_ms, event.rate, event.tuple.fport = 5, 7, 9
    event.bytes[1], event.source_count = 11, 13
    form = layout("flow_event", "time_ms rate tuple.fport bytes source_count")
    assert form.size == ffi.sizeof("struct flow_event")
    assert form.unpack(ffi.buffer(event)) == (5, 7, 9, 0, 11, 13)


def test_structure_named_as_a_whole_is_its_bytes():
    """A key is compared, not read."""
    form = layout("syncache_conn", "tuple iss")
    assert len(form.unpack(bytes(form.size))[0]) == ffi.sizeof("struct syncache_tuple")


def test_without_a_list_all_members_are_read():
    """As for counters, which are one kind of number."""
    form = layout("syncache_stats")
    assert len(form.unpack(bytes(form.size))) == form.size // 8


def test_part_begins_at_its_first_member():
    """The rest of a structure is packed apart."""
    form = layout("syncache_fields", "seq ack", part=True)
    assert 8 == form.size


@pytest.mark.parametrize("members", ["gone", "irs iss", "iss iss", "tuple tuple.fport"])
def test_member_that_is_missing_or_out_of_order_is_refused(members):
    """A header that changed is noticed at import, with the order that it has."""
    with pytest.raises(ValueError, match=r"in this order: .*iss, irs"):
        layout("syncache_conn", members)


@pytest.mark.parametrize(
    ("enum", "expected"),
    [
        ("syncache_overflow", ("evict", "drop-new")),
        ("flow_inspected", ("tcp", "udp", "dns", "icmp")),
        ("syncache_via", ("cache", "cookie", "fastopen")),
        ("flow_evict_rst", ("none", "auto", "always")),
    ],
)
def test_words_are_the_names_without_what_they_share(enum, expected):
    """In the order of their numbers, and without the one that counts them."""
    assert expected == words(enum)


def test_no_format_of_a_structure_of_ours_is_written_by_hand():
    """Native formats are for structures of C: those of ours come from `layout`."""
    package = ROOT / "syncache"
    by_hand = []
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        if name.startswith(tuple(FOREIGN)):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and re.fullmatch(r"=[\dxcbBhHiIqQs]+", text):
                by_hand.append(f"{name}: {text}")
    # One number after the other is no structure, and a station's address neither.
    mixed = [fault for fault in by_hand if not re.search(r": =\d*\w$", fault)]
    assert ["_core/shield.py: =IH"] == mixed


def test_numbers_are_those_of_the_words():
    """Gaps in an enumeration are kept; a word that C has not is refused."""
    assert (4, 32) == numbers("shield_flag", "ts-required replay")
    with pytest.raises(KeyError, match="gone"):
        numbers("shield_flag", "gone")


def test_limit_is_the_number_of_the_header():
    """And a name that no header has is refused."""
    assert 16 == limit("SYNCACHE_KEY_BYTES")
    with pytest.raises(AttributeError):
        limit("SYNCACHE_GONE")


TYPES = ast.parse((ROOT / "syncache" / "_ffi.pyi").read_text("utf-8"))
CLASSES = {node.name: node for node in TYPES.body if isinstance(node, ast.ClassDef)}
FUNCTIONS = [n for n in CLASSES["_Lib"].body if isinstance(n, ast.FunctionDef)]
STRUCTS = [
    ("RingStruct", ["syncache_ring"]),
    ("SlotStruct", ["syncache_slot"]),
    ("ResultStruct", ["syncache_result"]),
    ("TunStruct", ["link_tun"]),
    ("FrameLinkStruct", ["link_packet", "link_xdp"]),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda node: node.name)
def test_declared_function_is_that_of_the_header(function):
    """Types for the checker: as many arguments as C takes, and C's kind of result."""
    of_c = ffi.typeof(getattr(lib, function.name))
    assert len(of_c.args) == len(function.args.args) - 1
    kinds = {"void": {"None"}, "_Bool": {"bool"}, "bool": {"bool"}}
    declared = ast.unparse(function.returns)
    if of_c.result.kind in {"primitive", "enum", "void"}:
        assert declared in kinds.get(of_c.result.cname, {"int"})
    else:
        assert declared not in {"int", "bool", "None"}


@pytest.mark.parametrize(("declared", "structs"), STRUCTS)
def test_declared_members_are_those_of_the_structure(declared, structs):
    """A member that a header renamed is not one for the type checker either."""
    names = {
        node.target.id
        for node in CLASSES[declared].body
        if isinstance(node, ast.AnnAssign)
    }
    fields = [ffi.typeof(f"struct {struct}").fields for struct in structs]
    assert names <= {name for members in fields for name, _ in members}


def test_no_declaration_is_left_over():
    """What nothing calls needs no types."""
    users = [
        path
        for room in ("syncache", "bench", "tests")
        for path in (ROOT / room).rglob("*.py")
    ]
    text = "".join(path.read_text("utf-8") for path in users)
    unused = [f.name for f in FUNCTIONS if not re.search(rf"\b{f.name}\b", text)]
    assert [] == unused
