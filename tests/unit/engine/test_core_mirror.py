"""Tests of the mirrors: formats and words are those of the headers, or refused."""

from __future__ import annotations

import ast
import re

import pytest
from tidy import ROOT

from syncache._core import ffi
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
                by_hand.append(f"{name}:{node.lineno}: {text}")
    assert ["_core/shield.py"] == [fault.split(":")[0] for fault in by_hand]


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
