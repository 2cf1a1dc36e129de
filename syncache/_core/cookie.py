"""The cookie encoder's part of the door to C: see `_core`, whose rules hold here."""

from __future__ import annotations

from . import ffi, lib, tuple_of

# mss, wscale, sack_permitted, rcv_wscale.
CookieOptions = tuple[int, int, int, int]


def mint(
    key: bytes,
    tuple_: bytes,
    irs: int,
    options: CookieOptions,
    kind: tuple[int, int, int],
) -> int:
    """Make a cookie; `kind` is parity, secmod and layout."""
    parity, secmod, layout = kind
    chosen = ffi.new("struct syncache_cookie_options *", options)
    place = tuple_of(tuple_)
    return lib.syncache_cookie_mint(key, place, irs, chosen, parity, secmod, layout)


def check(
    key: bytes,
    tuple_: bytes,
    numbers: tuple[int, int],
    rcv_wscale: int,
    kind: tuple[int, int],
) -> CookieOptions | None:
    """Check a cookie; `numbers` are irs and iss, `kind` is secmod and layout."""
    found = ffi.new("struct syncache_cookie_options *", {"rcv_wscale": rcv_wscale})
    if not lib.syncache_cookie_check(key, tuple_of(tuple_), *numbers, *kind, found):
        return None
    return found.mss, found.wscale, found.sack_permitted, found.rcv_wscale
