"""Tests of the encoder's door to C: numbers in, numbers out."""

from __future__ import annotations

from syncache import FourTuple
from syncache._core import cookie as _core_cookie

KEY = bytes(range(16))
TUPLE = FourTuple("192.0.2.1", 4242, "198.51.100.7", 80).to_c()
WIDE = 0


def test_minted_cookie_gives_its_options_back():
    """MSS, both scales and SACK come back from the cookie alone."""
    options = (1460, 7, 1, 5)
    iss = _core_cookie.mint(KEY, TUPLE, 1000, options, (0, 0, WIDE))
    assert options == _core_cookie.check(KEY, TUPLE, (1000, iss), 5, (0, WIDE))


def test_cookie_of_another_key_is_none():
    """What the MAC does not cover is no cookie."""
    iss = _core_cookie.mint(KEY, TUPLE, 1000, (1460, 7, 1, 5), (0, 0, WIDE))
    assert None is _core_cookie.check(bytes(16), TUPLE, (1000, iss), 5, (0, WIDE))
