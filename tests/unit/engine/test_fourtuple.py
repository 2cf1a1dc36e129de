"""Tests of `FourTuple`: its C form."""

from __future__ import annotations

import pytest

from syncache import FourTuple
from syncache.fourtuple import TUPLE_BYTES


def test_c_form_has_addresses_ports_family():
    """Addresses in 16 bytes each, ports in host order, the family, padding."""
    raw = FourTuple("192.0.2.1", 0x0102, b"\x01\x02\x03\x04", 80).to_c()
    assert TUPLE_BYTES == len(raw) == 40
    assert bytes([192, 0, 2, 1]) + bytes(12) + b"\1\2\3\4" + bytes(12) == raw[:32]
    assert 0x0102 == memoryview(raw)[32:34].cast("H")[0]
    assert b"\4\0\0\0" == raw[36:]


@pytest.mark.parametrize(
    "wrong",
    [
        FourTuple("192.0.2.1", 65536, "192.0.2.2", 80),
        FourTuple("192.0.2.1", 1, "192.0.2.2", -1),
        FourTuple("192.0.2.1", 1, "::1", 80),
    ],
)
def test_illegal_members_raise(wrong):
    """Nothing reaches C that is no tuple."""
    with pytest.raises(ValueError, match=r"a port is|different families"):
        wrong.to_c()
