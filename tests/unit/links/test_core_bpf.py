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
    assert 5 == _core_bpf.btf_function(btf(*KNOWN, names=NAMES), "hello")


@pytest.mark.parametrize(
    ("structure", "member", "offset"),
    [
        ("outer", "first", 0),
        ("outer", "second", 8),
        ("outer", "third", 12),
        ("inner", "third", 4),
    ],
)
def test_member_is_found_also_in_what_has_no_name(structure, member, offset):
    """In bytes; bit fields have their size beside it."""
    described = btf(*KNOWN, names=NAMES)
    assert offset == _core_bpf.btf_member(described, structure, member)


@pytest.mark.parametrize(
    "ask",
    [
        lambda text: _core_bpf.btf_function(text, "first"),
        lambda text: _core_bpf.btf_member(text, "outer", "hello"),
        lambda text: _core_bpf.btf_member(text, "hello", "first"),
    ],
)
def test_what_is_not_described_is_an_os_error(ask):
    """A name alone is not enough: its kind counts."""
    with pytest.raises(FileNotFoundError):
        ask(btf(*KNOWN, names=NAMES))


@pytest.mark.parametrize(
    "text",
    [b"", b"\x9f\xeb", btf(magic=0), btf(names=b""), btf(names=b"no zero")],
)
def test_what_is_no_btf_is_an_os_error(text):
    """EINVAL."""
    with pytest.raises(OSError, match="bpf"):
        _core_bpf.btf_function(text, "hello")


def test_any_bytes_are_read_without_harm():
    """Sizes and counts that lead out of the text, and structures in themselves."""
    chosen = random.Random(1)
    good = btf(*KNOWN, names=NAMES)
    for _ in range(3000):
        text = bytearray(good[: chosen.randrange(len(good) + 1)])
        for _ in range(min(len(text), chosen.randrange(6))):
            text[chosen.randrange(len(text))] = chosen.randrange(256)
        for ask in (
            lambda text: _core_bpf.btf_function(text, "hello"),
            lambda text: _core_bpf.btf_member(text, "outer", "second"),
        ):
            with contextlib.suppress(OSError):
                assert 0 <= ask(bytes(text)) < 2**31
    loop = a_type(AT[b"outer"], STRUCT, 1, 8, struct.pack("<III", 0, 1, 0))
    with pytest.raises(OSError, match="bpf"):
        _core_bpf.btf_member(btf(loop, names=NAMES), "outer", "first")


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
