"""Tests of addresses at the door: text and bytes, both families, what is none."""

from __future__ import annotations

import pytest

from syncache import address


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("0.0.0.0", 4),
        ("192.0.2.255", 4),
        ("::", 6),
        ("2001:db8::1", 6),
        ("::ffff:192.0.2.1", 6),
    ],
)
def test_text_comes_back(text, family):
    """Packing and reading are inverse, and C's form has 16 bytes."""
    found, packed = address.pack(text)
    assert (family, 16) == (found, len(packed))
    assert packed == address.pack(address.text(family, packed))[1]


def test_packed_bytes_are_taken():
    """4 bytes are IPv4, 16 are IPv6, in any buffer."""
    assert (4, bytes([192, 0, 2, 1]) + bytes(12)) == address.pack(bytes([192, 0, 2, 1]))
    assert (6, bytes(16)) == address.pack(bytearray(16))


@pytest.mark.parametrize(
    "wrong", ["", "192.0.2.256", "a.b", "fe80::1%1", b"", bytes(5)]
)
def test_what_is_no_address_raises_value_error(wrong):
    """The message names it or its size."""
    with pytest.raises(ValueError, match=r"address|appear|Expected|zone"):
        address.pack(wrong)


def test_other_types_raise_type_error():
    """Numbers are no addresses."""
    with pytest.raises(TypeError, match="a str or packed bytes"):
        address.pack(0xC0000201)


def test_pair_has_one_family():
    """A segment goes from and to the same kind of address."""
    assert 6 == address.pair("::1", "::2")[0]
    with pytest.raises(ValueError, match="different families"):
        address.pair("::1", "192.0.2.1")


def test_port_edges():
    """0 to 65535, or from 1 on."""
    assert (0, 65535) == (address.port(0), address.port(65535))
    for wrong, lowest in ((-1, 0), (65536, 0), (0, 1), ("80", 0), (80.0, 0)):
        with pytest.raises(ValueError, match="a port is"):
            address.port(wrong, lowest=lowest)
