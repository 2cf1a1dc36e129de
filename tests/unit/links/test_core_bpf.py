"""bpf(2) and BTF without a privilege: refusals, and descriptions that are made up.

What the kernel has to run is in netns/test_shield_programs.py.
"""

from __future__ import annotations

import contextlib
import random
import struct

import pytest

from syncache._core import bpf as _core_bpf

STRUCT, FUNC, INT, UNION = 4, 12, 1, 5
BITFIELDS = 1 << 31


def btf(*types, names=b"\0", magic=0xEB9F):
    """Return a description with these types."""
    body = b"".join(types)
    head = struct.pack(
        "<HBBIIIII", magic, 1, 0, 24, 0, len(body), len(body), len(names)
    )
    return head + body + names


def a_type(name, kind, count, size, rest=b"", flags=0):
    return struct.pack("<III", name, kind << 24 | count | flags, size) + rest


def function(text, name):
    """The number of a function, or None."""
    (answer,) = _core_bpf.btf_ask(text, [(None, name)])
    return answer


def member(text, structure, name):
    """The offset of a member, or None."""
    (answer,) = _core_bpf.btf_ask(text, [(structure, name)])
    return answer


NAMES = b"\0int\0inner\0outer\0first\0second\0third\0hello\0"
AT = {
    word: NAMES.index(b"\0" + word + b"\0") + 1 for word in NAMES.split(b"\0") if word
}
KNOWN = (
    a_type(AT[b"int"], INT, 0, 4, bytes(4)),  # 1
    # 2: without a name, in `outer`
    a_type(0, UNION, 1, 4, struct.pack("<III", AT[b"second"], 1, 0)),
    a_type(
        AT[b"outer"],
        STRUCT,
        3,
        16,
        struct.pack("<III", AT[b"first"], 1, 0)
        + struct.pack("<III", 0, 2, 64)
        + struct.pack("<III", AT[b"third"], 1, 96),
    ),
    # 4: of bit fields, whose sizes are in the upper byte
    a_type(
        AT[b"inner"],
        STRUCT,
        1,
        8,
        struct.pack("<III", AT[b"third"], 1, 3 << 24 | 32),
        BITFIELDS,
    ),
    a_type(AT[b"hello"], FUNC, 0, 1),  # 5
)


def test_refusal_of_bpf_is_an_os_error():
    """No map has such a type."""
    with pytest.raises(OSError, match="bpf"):
        _core_bpf.bpf_map(9999, 1)


def test_function_is_found_by_its_name():
    """Its number is its place among the types, from 1."""
    assert 5 == function(btf(*KNOWN, names=NAMES), "hello")


@pytest.mark.parametrize(
    ("structure", "name", "offset"),
    [
        ("outer", "first", 0),
        ("outer", "second", 8),
        ("outer", "third", 12),
        ("inner", "third", 4),
    ],
)
def test_member_is_found_also_in_what_has_no_name(structure, name, offset):
    """In bytes; bit fields have their size beside it."""
    described = btf(*KNOWN, names=NAMES)
    assert offset == member(described, structure, name)


# Kind, and the bytes of one member (or of all): as linux/btf.h has them.
KINDS = [
    *((1, 4, 0), (2, 0, 0), (3, 12, 0), (4, 0, 12), (5, 0, 12), (6, 0, 8), (7, 0, 0)),
    *((8, 0, 0), (9, 0, 0), (10, 0, 0), (11, 0, 0), (12, 0, 0), (13, 0, 8), (14, 4, 0)),
    *((15, 0, 12), (16, 0, 0), (17, 4, 0), (18, 0, 0), (19, 0, 12)),
]


@pytest.mark.parametrize(("kind", "size", "each"), KINDS)
def test_type_of_any_kind_is_passed_over(kind, size, each):
    """The next one begins right behind it, however many members it has."""
    for count in (0, 1, 3) if each else (0,):
        before = a_type(AT[b"inner"], kind, count, 4, bytes(size + each * count))
        text = btf(before, KNOWN[4], names=NAMES)
        assert 2 == function(text, "hello")


@pytest.mark.parametrize(("kind", "found"), [(STRUCT, True), (UNION, True), (6, False)])
def test_member_without_a_name_is_looked_into_if_it_has_members(kind, found):
    """Structures and unions; of an enumeration, names are no members."""
    inner = a_type(0, kind, 1, 4, struct.pack("<III", AT[b"second"], 1, 32))
    outer = a_type(AT[b"outer"], STRUCT, 1, 8, struct.pack("<III", 0, 2, 64))
    text = btf(KNOWN[0], inner, outer, names=NAMES)
    if found:
        assert 12 == member(text, "outer", "second")
        return
    assert member(text, "outer", "second") is None


def test_type_behind_a_structure_is_no_member_of_it():
    """Though it has the name that is asked for."""
    behind = a_type(AT[b"second"], INT, 0, 4, bytes(4))
    text = btf(KNOWN[3], behind, names=NAMES)
    assert member(text, "inner", "second") is None


def test_structures_without_names_are_looked_into_eight_deep():
    """And no deeper."""
    for depth in (8, 9):
        link = [
            a_type(0, STRUCT, 1, 8, struct.pack("<III", 0, number, 8))
            for number in range(2, depth + 1)
        ]
        last = a_type(0, STRUCT, 1, 8, struct.pack("<III", AT[b"first"], 1, 8))
        outer = a_type(AT[b"outer"], STRUCT, 1, 8, struct.pack("<III", 0, 1, 8))
        text = btf(*link, last, outer, names=NAMES)
        if depth == 8:
            assert 9 == member(text, "outer", "first")
            continue
        assert member(text, "outer", "first") is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda text: function(text, "first"),
        lambda text: member(text, "outer", "hello"),
        lambda text: member(text, "hello", "first"),
    ],
)
def test_what_is_not_described_is_not_found(ask):
    """A name alone is not enough: its kind counts."""
    assert ask(btf(*KNOWN, names=NAMES)) is None


def test_structure_has_a_number_too():
    """Asked for without a member; a function is no structure."""
    asked = [("outer", None), ("hello", None)]
    assert [3, None] == _core_bpf.btf_ask(btf(*KNOWN, names=NAMES), asked)


def test_all_questions_are_answered_in_their_order():
    """Also the same one twice, and one that has no answer between two that have."""
    asked = [("outer", "third"), (None, "hello"), (None, "first"), ("outer", "third")]
    assert [12, 5, None, 12] == _core_bpf.btf_ask(btf(*KNOWN, names=NAMES), asked)
    assert [] == _core_bpf.btf_ask(btf(*KNOWN, names=NAMES), [])


@pytest.mark.parametrize(
    "text",
    [b"", b"\x9f\xeb", btf(magic=0), btf(names=b""), btf(names=b"no zero")],
)
def test_what_is_no_btf_is_an_os_error(text):
    """EINVAL."""
    with pytest.raises(OSError, match="bpf"):
        function(text, "hello")


def test_any_bytes_are_read_without_harm():
    """Sizes and counts that lead out of the text, and structures in themselves."""
    chosen = random.Random(1)
    good = btf(*KNOWN, names=NAMES)
    for _ in range(3000):
        text = bytearray(good[: chosen.randrange(len(good) + 1)])
        for _ in range(min(len(text), chosen.randrange(6))):
            text[chosen.randrange(len(text))] = chosen.randrange(256)
        for ask in (
            lambda text: function(text, "hello"),
            lambda text: member(text, "outer", "second"),
        ):
            with contextlib.suppress(OSError):
                assert 0 <= (ask(bytes(text)) or 0) < 2**31
    loop = a_type(AT[b"outer"], STRUCT, 1, 8, struct.pack("<III", 0, 1, 0))
    assert member(btf(loop, names=NAMES), "outer", "first") is None


def test_what_is_not_a_descriptor_is_refused():
    """Each call by itself."""
    for call in (
        lambda: _core_bpf.update(-1, bytes(4), bytes(4)),
        lambda: _core_bpf.bpf_map_set(-1, 0, 0),
        lambda: _core_bpf.bpf_attach(-1, 1, 37, 0),
        lambda: _core_bpf.bpf_replace(-1, -1),
        lambda: _core_bpf.bpf_info(-1),
        lambda: _core_bpf.bpf_run(-1, bytes(60)),
        lambda: _core_bpf.bpf_load(6, 37, bytes(8), "nothing"),
    ):
        with pytest.raises(OSError, match="bpf"):
            call()
    assert _core_bpf.lookup(-1, bytes(4), 4) is None
    assert [] == _core_bpf.keys(-1, 4)
    _core_bpf.delete(-1, bytes(4))
