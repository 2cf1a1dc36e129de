"""`Cookie`: the encoder alone, for those who want no engine.

What a cookie keeps is stated here per layout, as tables and as the function
`Layout.restore`; the bits, the arithmetic and the threat are in docs/cookies.md and in
csrc/core/syncookie.c, which makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ._core import cookie as _core_cookie
from ._core.mirror import limit
from .fourtuple import FourTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LayoutName = Literal["wide", "freebsd", "mss"]
KEY_BYTES = limit("SYNCACHE_KEY_BYTES")
WSCALE_NONE = limit("SYNCACHE_WSCALE_NONE")
WSCALE_MAX = limit("SYNCACHE_WSCALE_MAX")
UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class SynOptions:
    """The options that a SYN offers and a cookie keeps; None: absent."""

    mss: int | None = None
    wscale: int | None = None
    sack_permitted: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The options that a cookie of one layout keeps.

    A value comes back as the largest table entry that is not above it, or as the first.
    `mss_none` is what an absent MSS option comes back as, by family; an absent scale
    comes back as absent, and a scale never does.
    """

    number: int
    mss4: tuple[int, ...]
    mss6: tuple[int, ...]
    mss_none4: int
    mss_none6: int
    wscale: tuple[int, ...]
    sack: bool

    def restore(self, options: SynOptions, family: int) -> SynOptions:
        """Return the options as they come back: the layout's loss function."""
        table = self.mss4 if family == 4 else self.mss6
        if options.mss is None or options.mss == 0:
            mss = self.mss_none4 if family == 4 else self.mss_none6
        else:
            mss = _largest(table, options.mss)
        wscale = None
        if options.wscale is not None and self.wscale:
            wscale = _largest(self.wscale, options.wscale)
        return SynOptions(mss, wscale, self.sack and options.sack_permitted)


def _largest(table: tuple[int, ...], value: int) -> int:
    """Return the largest entry that is not above the value, or the first."""
    return max((entry for entry in table if entry <= value), default=table[0])


_FREEBSD = (216, 536, 1200, 1360, 1400, 1440, 1452, 1460)
_MSS = (216, 536, 1460, 8960)

LAYOUTS: dict[LayoutName, Layout] = {
    "wide": Layout(
        number=0,
        mss4=(216, 536, 1300, 1360, 1400, 1452, 1460, 8960),
        mss6=(216, 1220, 1360, 1380, 1420, 1432, 1440, 8940),
        mss_none4=536,
        mss_none6=1220,
        wscale=(0, 2, 4, 6, 7, 8, 10),
        sack=True,
    ),
    "freebsd": Layout(
        number=1,
        mss4=_FREEBSD,
        mss6=_FREEBSD,
        mss_none4=216,
        mss_none6=216,
        wscale=(0, 1, 2, 4, 6, 7, 8),
        sack=True,
    ),
    "mss": Layout(
        number=2,
        mss4=_MSS,
        mss6=_MSS,
        mss_none4=536,
        mss_none6=536,
        wscale=(),
        sack=False,
    ),
}


class Cookie:
    """Pure functions; a key has 16 bytes, and a parity (0 or 1) that the cookie names.

    `rcv_wscale` is the scale of our own window; the MAC of layouts other than freebsd
    covers it, so check with what was minted with.  None: no scaling of ours.
    """

    @staticmethod
    def mint(
        key: bytes,
        tuple: FourTuple,  # noqa: A002 - the published name
        irs: int,
        options: SynOptions,
        *,
        parity: int = 0,
        secmod: int = 0,
        layout: LayoutName = "wide",
        rcv_wscale: int | None = None,
    ) -> int:
        """Return the ISS that answers a SYN with this ISN and these options.

        Args:
            key: 16 bytes.
            tuple: the connection's; addresses as text or packed, of one family.
            irs: the peer's ISN.
            options: those of its SYN.
            parity: of the key, 0 or 1; the cookie carries it.
            secmod: last field of the MAC's input, 0 to 2^64 - 1.
            layout: wide, freebsd or mss.
            rcv_wscale: our own scale, 0 to 14.

        Raises:
            ValueError: an argument is out of range.
        """
        number = _layout(layout).number
        chosen = (
            _within("mss", options.mss or 0, 0xFFFF),
            _scale("wscale", options.wscale),
            int(options.sack_permitted),
            _scale("rcv_wscale", rcv_wscale),
        )
        kind = _within("parity", parity, 1), _within("secmod", secmod, UINT64_MAX)
        _within("irs", irs, UINT32_MAX)
        packed = FourTuple(*tuple).to_c()
        return _core_cookie.mint(_key(key), packed, irs, chosen, (*kind, number))

    @staticmethod
    def check(
        keys: tuple[bytes | Sequence[bytes], bytes | Sequence[bytes]],
        tuple: FourTuple,  # noqa: A002 - the published name
        seq: int,
        ack: int,
        *,
        secmod: int = 0,
        layout: LayoutName = "wide",
        rcv_wscale: int | None = None,
    ) -> SynOptions | None:
        """Return the options in an ACK's cookie, or None if it is not ours.

        Args:
            keys: the key of parity 0 and that of parity 1, or several for either.
            tuple: the connection's.
            seq: SEG.SEQ, the peer's ISN plus one.
            ack: SEG.ACK, the cookie plus one.
            secmod: as minted.
            layout: as minted.
            rcv_wscale: as minted.

        Raises:
            ValueError: an argument is out of range; never because of a cookie's value.
        """
        kind = _within("secmod", secmod, UINT64_MAX), _layout(layout).number
        scale = _scale("rcv_wscale", rcv_wscale)
        irs = (_within("seq", seq, UINT32_MAX) - 1) & UINT32_MAX
        iss = (_within("ack", ack, UINT32_MAX) - 1) & UINT32_MAX
        packed = FourTuple(*tuple).to_c()
        even, odd = (_candidates(given) for given in keys)
        found = None
        for key in odd if (iss ^ iss >> 24) & 1 else even:
            restored = _core_cookie.check(key, packed, (irs, iss), scale, kind)
            found = found or restored
        if found is None:
            return None
        mss, wscale, sack_permitted, _ = found
        return SynOptions(
            mss, None if wscale == WSCALE_NONE else wscale, bool(sack_permitted)
        )


def _key(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return bytes(key)


def _candidates(given: bytes | Sequence[bytes]) -> list[bytes]:
    if isinstance(given, (bytes, bytearray)):
        return [_key(bytes(given))]
    return [_key(key) for key in given]


def _layout(name: LayoutName) -> Layout:
    if name not in LAYOUTS:
        raise ValueError(f"layout is one of {', '.join(LAYOUTS)}, not {name!r}")
    return LAYOUTS[name]


def _within(name: str, value: int, highest: int) -> int:
    if not 0 <= value <= highest:
        raise ValueError(f"{name} is 0 to {highest}, not {value!r}")
    return value


def _scale(name: str, value: int | None) -> int:
    if value is None:
        return WSCALE_NONE
    return _within(name, value, WSCALE_MAX)
