"""SYN cookies and their keys (docs/cookies.md; departures 9 and 10).

A cookie is 24 bits of MAC over tuple, IRS and one byte of options; the byte travels in
the low eight bits, masked by the MAC's top byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .packet import address_bytes
from .siphash import fold, siphash24

Tuple4 = tuple[str, int, str, int]  # faddr, fport, laddr, lport
VERSION = 1  # of the layouts that are ours
NO_SCALE = 255  # in the MAC of a layout that keeps no window scale


@dataclass(frozen=True)
class Table:
    """What one layout says to one family."""

    mss: tuple[int, ...]
    mss_none: int  # index for no MSS option
    ws: tuple[int | None, ...]
    ident: int  # in the MAC with our own scale; 0: FreeBSD's, which leaves both out
    keeps: int = 0xFF  # bits of the byte that carry something


FREEBSD_WS = (None, 0, 1, 2, 4, 6, 7, 8)
OUR_WS = (None, 0, 2, 4, 6, 7, 8, 10)
TABLES = {
    ("freebsd", False): Table(
        (216, 536, 1200, 1360, 1400, 1440, 1452, 1460), 0, FREEBSD_WS, 0
    ),
    ("wide", False): Table(
        (216, 536, 1300, 1360, 1400, 1452, 1460, 8960), 1, OUR_WS, 4
    ),
    ("wide", True): Table(
        (216, 1220, 1360, 1380, 1420, 1432, 1440, 8940), 1, OUR_WS, 6
    ),
    ("mss", False): Table((216, 536, 1460, 8960), 1, (None,), 1, keeps=0xE1),
}
TABLES["freebsd", True] = TABLES["freebsd", False]
TABLES["mss", True] = TABLES["mss", False]


@dataclass(frozen=True)
class Options:
    """The options of a SYN, as far as a cookie knows them."""

    mss: int | None
    ws: int | None
    sack: bool


def table_of(layout: str, tup: Tuple4) -> Table:
    """Return the table of a layout for this tuple's family."""
    return TABLES[layout, ":" in tup[0]]


def _index(table: Table, options: Options) -> tuple[int, int]:
    mss = table.mss_none
    if options.mss:
        mss = max([i for i, v in enumerate(table.mss) if v <= options.mss], default=0)
    ws = 0
    if options.ws is not None and len(table.ws) > 1:
        ws = max(i for i, v in enumerate(table.ws) if v is not None and v <= options.ws)
    return mss, ws


def quantise(layout: str, tup: Tuple4, options: Options) -> Options:
    """Say what of a SYN's options comes back from its cookie: the loss function."""
    table = table_of(layout, tup)
    mss, ws = _index(table, options)
    sack = options.sack and len(table.ws) > 1
    return Options(table.mss[mss], table.ws[ws], sack)


@dataclass(frozen=True)
class Setting:
    """What the MAC covers beside tuple, IRS and options."""

    layout: str = "wide"
    secmod: int = 0
    rcv_ws: int = 0


def _mac(key: bytes, tup: Tuple4, irs: int, byte: int, setting: Setting) -> int:
    faddr, fport, laddr, lport = tup
    data = address_bytes(faddr) + address_bytes(laddr)
    data += fport.to_bytes(2, "big") + lport.to_bytes(2, "big")
    data += irs.to_bytes(4, "little") + bytes([byte])
    data += setting.secmod.to_bytes(8, "little")
    table = table_of(setting.layout, tup)
    if table.ident:
        rcv_ws = setting.rcv_ws if len(table.ws) > 1 else NO_SCALE
        data += bytes([rcv_ws, table.ident, VERSION])
    return fold(siphash24(key, data))


def mint(
    key: bytes,
    tup: Tuple4,
    irs: int,
    options: Options,
    parity: int,
    setting: Setting,
) -> int:
    """Return the ISS that carries these options."""
    table = table_of(setting.layout, tup)
    mss, ws = _index(table, options)
    sack = options.sack and len(table.ws) > 1
    byte = mss << 5 | ws << 2 | sack << 1 | parity
    mac = _mac(key, tup, irs, byte, setting)
    return (mac & 0xFFFFFF00) | (byte ^ (mac >> 24))


def parity_of(iss: int) -> int:
    """Return the parity bit that an ISS claims."""
    return (iss ^ iss >> 24) & 1


def check(
    key: bytes, tup: Tuple4, irs: int, iss: int, setting: Setting
) -> Options | None:
    """Return the options in an ISS, or None if it is not a cookie of this key."""
    table = table_of(setting.layout, tup)
    byte = (iss ^ iss >> 24) & 0xFF
    if byte & ~table.keeps or byte >> 5 >= len(table.mss):
        return None
    if _mac(key, tup, irs, byte, setting) >> 8 != iss >> 8:
        return None
    ws = table.ws[byte >> 2 & 7]
    return Options(table.mss[byte >> 5], ws, bool(byte & 2))


@dataclass
class KeyClock:
    """Which key is in force: a new epoch every lifetime, two of them alive.

    `keys` maps an epoch to its key.  The clock starts with the first time told.  The
    engine is given the key of an epoch when it is told a time in it.
    """

    keys: dict[int, bytes] = field(default_factory=dict)
    given: set[int] = field(default_factory=set)
    epoch: int = 0
    start: int | None = None

    def advance(self, now: int, lifetime: int) -> None:
        """Move on to the epoch in force."""
        if self.start is None:
            self.start = now
        passed = (now - self.start) // lifetime
        if passed > 0:
            self.epoch += passed
            self.start += passed * lifetime
        self.given.add(self.epoch)

    def next(self, lifetime: int) -> int | None:
        """When the epoch in force ends."""
        return None if self.start is None else self.start + lifetime

    def candidates(self, parity: int) -> list[bytes]:
        """Return the keys under which a cookie of this parity may verify."""
        epochs = [e for e in (self.epoch, self.epoch - 1) if e & 1 == parity]
        return [self.keys[e] for e in epochs if e in self.given]
