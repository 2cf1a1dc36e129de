"""Tests of TCP options: both directions, and lists that are broken."""

from __future__ import annotations

import pytest

from syncache.options import (
    FastOpen,
    Md5,
    Mss,
    Sack,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
    decode,
    encode,
)

ALL = (
    Mss(1460),
    WindowScale(7),
    SackPermitted(),
    Sack(((1, 2), (3, 0xFFFFFFFF))),
    Timestamps(1, 0xFFFFFFFF),
    Md5(bytes(range(16))),
    FastOpen(b""),
    FastOpen(b"12345678"),
    Unknown(254, b"x"),
)


@pytest.mark.parametrize("option", ALL, ids=str)
def test_each_option_comes_back(option):
    """Encoding and decoding are inverse, padding aside."""
    data = encode((option,))
    assert 0 == len(data) % 4
    assert (option,) == decode(data)


def test_linux_syn_encodes_as_on_the_wire():
    """The usual list of a SYN, without the NOPs that Linux spends."""
    options = (Mss(1460), SackPermitted(), Timestamps(1, 0), WindowScale(7))
    data = encode(options)
    assert (
        "020405b4 0402 080a00000001 00000000 030307 00".replace(" ", "") == data.hex()
    )
    assert options == decode(data)


def test_nop_is_skipped_and_eol_ends():
    """What follows the end of the list is no option."""
    assert (Mss(536),) == decode(b"\1\1\2\4\2\x18\0\2\4\5\xb4")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\2", ()),
        (b"\2\0", ()),
        (b"\2\1", ()),
        (b"\2\4\5", ()),
        (b"\3\3\7\2", (WindowScale(7),)),
        (b"\3\3\7\2\x28", (WindowScale(7),)),
    ],
)
def test_broken_list_ends_where_it_breaks(data, found):
    """A length of 0 or 1, or one beyond the end, stops reading."""
    assert found == decode(data)


@pytest.mark.parametrize(
    "data",
    [b"\2\3\1", b"\3\2", b"\4\3\1", b"\x08\3\1", b"\5\2", b"\5\4\1\1", b"\x13\2"],
)
def test_wrong_length_is_an_unknown_option(data):
    """A known kind with a length that is not its own says nothing."""
    assert (Unknown(data[0], data[2:]),) == decode(data)


def test_too_much_raises():
    """40 bytes is what a header has room for."""
    assert 40 == len(encode((Md5(bytes(16)), Timestamps(1, 2), Timestamps(1, 2))))
    with pytest.raises(ValueError, match="at most 40 bytes, not 44"):
        encode((Md5(bytes(16)), Timestamps(1, 2), Timestamps(1, 2), Mss(1)))
