"""The configuration of a shield's programs: keys and their times, tables, numbers.

The programs choose the epoch by the clock themselves, from the one that they were told
and the next; so a process that is late by less than a period costs nothing, and one
that is gone for longer leaves them without a key: they pass everything then.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._core import shield as core
from .._core.mirror import numbers
from ..cookies import Cookie
from ..entropy import entropy
from ..keyring import KEY_BYTES, DerivedKeyring
from ..tunables.shield import HOLD, MODE, QLEN, VERIFY
from . import host_settings

if TYPE_CHECKING:
    from ..cookies import SynOptions
    from ..fourtuple import FourTuple
    from ..keyring import Keyring
    from ..sysctl import Sysctl
    from .rtnetlink import InterfaceInfo

_X = "net.inet.tcp.syncache.x."
LIFETIME, SKEW, GATE = _X + "cookie_lifetime", _X + "clock_skew_ms", _X + "cookie_gate"
LAYOUT, SECMOD, TS = _X + "cookie_layout", _X + "secmod", _X + "cookie_ts"
REPLAY, TS_PORTS = _X + "replay_entries", "net.inet.tcp.ts_offset_per_conn"
COOKIES, ONLY = "net.inet.tcp.syncookies", "net.inet.tcp.syncookies_only"
MODES = {"auto": core.AUTO, "always": core.ALWAYS, "watch": core.WATCH}
# The programs know two of them.
LAYOUTS = dict(
    zip(("wide", "freebsd"), numbers("syncache_layout", "wide freebsd"), strict=True)
)
# What the kernel takes at least of a peer (bpf_sk_assign_tcp_reqsk).
MSS_LEAST = (536, 1220)
HEADERS = (40, 60)  # IP and TCP
MS = 1_000_000
UINT32_MASK = 2**32 - 1
FAR_EPOCHS = 2**31  # between those of a group and those of a machine by itself
TS_REFUSED_MAX = 1000  # a second; more, and `auto` asks for timestamps


class ShieldConfig:
    """The configuration of one shield.

    Args:
        sysctl: The tunables.
        keys: Where cookie keys come from.
        wscale: Of our window; None: as the kernel offers.
        now: Seconds of the monotonic clock.

    Raises:
        ValueError: the tunables are not for a shield.
    """

    def __init__(
        self, sysctl: Sysctl, keys: Keyring, wscale: int | None, now: float
    ) -> None:
        self._sysctl = sysctl
        self.parts = self._config = core.Config()
        self._own_ts_key = entropy(KEY_BYTES)
        self._scale = host_settings.wscale() if wscale is None else wscale
        self._began = now
        self._ts_base = round(keys.wall_offset * 1000) & UINT32_MASK
        self._ts_set = -math.inf  # when it took another one's place
        self.is_blocking = False
        self.is_sharing = False
        self.is_off = False
        self.is_ts_required = False
        self._epoch = self._start_ms = 0
        self._former_end = math.inf
        self._keys = keys
        self._take(keys, now)

    def rekey(self, keys: Keyring, now: float) -> None:
        """Take keys from another keyring.

        Handshakes that are under way have cookies of the one before, which stay good
        if it is the clock that is another one, or whose keys they are.
        """
        before, epoch, start_ms = self._keys, self._epoch, self._start_ms
        self._take(keys, now)
        moved = abs(self._epoch - epoch) >= FAR_EPOCHS
        if isinstance(before, DerivedKeyring) and isinstance(keys, DerivedKeyring):
            same = before.masters == keys.masters
            moved |= same and (epoch, start_ms) != (self._epoch, self._start_ms)
        self._config.drop()
        if moved:
            self._former_end = now + 2 * self._lifetime_ms / 1000
            self._config.keep(int(self._former_end * 1000) * MS)

    def _take(self, keys: Keyring, now: float) -> None:
        self._keys = keys
        self._lifetime_ms = self._lifetime()
        begun = keys.begin(int(now * 1000), self._lifetime_ms)
        self._epoch, self._start_ms = begun or (0, int(now * 1000))
        self._given: set[int] = set()
        ts_base = round(keys.wall_offset * 1000) & UINT32_MASK
        if ts_base != self._ts_base:
            self._ts_base, self._ts_set = ts_base, now

    def content(self, now: float, interface: InterfaceInfo) -> bytes:
        """Return the contents that the map should have now.

        Raises:
            ValueError: the tunables are not for a shield.
        """
        sysctl, config = self._sysctl, self._config
        self._renew(now)
        flags = self._flags(now)
        config.put(
            epoch=self._epoch,
            start_ns=self._start_ms * MS & core.UINT64_MASK,
            lifetime_ns=self._lifetime_ms * MS,
            skew_ns=number(sysctl, SKEW) * MS if self._keys.shared else 0,
            hold_ns=number(sysctl, HOLD) * MS,
            mode=self.mode(),
            flags=flags,
            ts_base=self._ts_base,
            rcv_wscale=self._scale,
            qlen=number(sysctl, QLEN),
        )
        ours = tuple(max(interface.mtu - size, 1) for size in HEADERS)
        config.mss(MSS_LEAST, (min(ours[0], 65535), min(ours[1], 65535)))
        config.hop_limits(host_settings.hop_limits(interface.name))
        config.put(window=host_settings.window(ours[0]))
        config.mac(interface.mac)
        config.shape(layout(sysctl), number(sysctl, SECMOD))
        config.ts_key(self._keys.ts_key() or self._own_ts_key)
        return config.content()

    def explain(
        self, path: FourTuple, seq: int, ack: int, now: float
    ) -> SynOptions | None:
        """Return the contents of a cookie that came back; None: it is none of ours."""
        self._renew(now)
        pair = [self._epoch, max(self._epoch - 1, 0)]
        keys = [self._keys.key(epoch, self._lifetime_ms) for epoch in pair]
        if pair[0] & 1:
            keys.reverse()
        return Cookie.check(
            (keys[0], keys[1]),
            path,
            seq,
            ack,
            secmod=number(self._sysctl, SECMOD),
            layout="freebsd" if layout(self._sysctl) else "wide",
            rcv_wscale=self._scale,
        )

    @property
    def lifetime(self) -> float:
        """Seconds after which the next key has to be in place."""
        return self._lifetime_ms / 1000

    @property
    def wscale(self) -> int:
        """The window scale of SYN-ACKs."""
        return self._scale

    def mode(self) -> int:
        """Return the treatment of SYNs, an enum shield_mode."""
        if self.is_off or not self._sysctl[COOKIES]:
            return core.OFF
        return MODES[str(self._sysctl[MODE])]

    def _lifetime(self) -> int:
        return number(self._sysctl, LIFETIME) * 1000

    def _flags(self, now: float) -> int:
        sysctl = self._sysctl
        policy = sysctl[TS]
        required = policy == "require" or (policy == "auto" and self.is_ts_required)
        # With keys that were there before us, so may cookies be.
        lives = 2 * self._lifetime_ms / 1000
        early = self._keys.shared and now - self._began < lives
        # A SYN-ACK that left before the clock was set has a timestamp of another one.
        checked = policy != "off" and now - self._ts_set >= lives
        # A kernel that makes nothing but cookies has no half-open connections to tell a
        # flood by.
        only = sysctl[ONLY] or host_settings.makes_only_cookies()
        return (
            (core.TS_PORTS if sysctl[TS_PORTS] else 0)
            | (core.TS_CHECK if checked else 0)
            | (core.TS_REQUIRED if required else 0)
            | (core.GATE_OPEN if sysctl[GATE] == "always" or early else 0)
            | (core.VERIFY if sysctl[VERIFY] else 0)
            | (core.REPLAY if sysctl[REPLAY] else 0)
            | (core.BLOCKED if self.is_blocking else 0)
            | (core.SHARED if self.is_sharing else 0)
            | (core.ONLY if only else 0)
        )

    def _renew(self, now: float) -> None:
        """Move on to the epoch in force, and have the keys around it in place."""
        now_ms = int(now * 1000)
        if now >= self._former_end:
            self._config.drop()
            self._former_end = math.inf
        if self._lifetime() != self._lifetime_ms:
            begun = self._keys.begin(now_ms, self._lifetime())
            self._lifetime_ms = self._lifetime()
            if begun is not None:
                self._epoch, self._start_ms = begun
                self._given = set()
        periods = max((now_ms - self._start_ms) // self._lifetime_ms, 0)
        self._epoch += periods
        self._start_ms += periods * self._lifetime_ms
        wanted = {self._epoch, self._epoch + 1}
        if self._keys.shared:
            # At an edge of epochs a machine whose clock is late is two behind.
            wanted |= {*range(max(self._epoch - 2, 0), self._epoch)}
        for epoch in sorted(wanted - self._given):
            self._config.key(epoch, self._keys.key(epoch, self._lifetime_ms))
        self._given = wanted
        self._config.forget(wanted | {self._epoch - 1, self._epoch - 2})


def number(sysctl: Sysctl, name: str) -> int:
    """Return a tunable that is a number."""
    value = sysctl[name]
    assert isinstance(value, int)
    return value


def layout(sysctl: Sysctl) -> int:
    """Return the number of the cookie layout.

    Raises:
        ValueError: the layout keeps too little.
    """
    name = str(sysctl[LAYOUT])
    if name not in LAYOUTS:
        raise ValueError(
            f"{LAYOUT} is {name}, which keeps neither window scale nor SACK; a shield "
            f"takes {' or '.join(LAYOUTS)}"
        )
    return LAYOUTS[name]
