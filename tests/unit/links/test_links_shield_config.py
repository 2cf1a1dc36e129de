"""Keys and numbers of a shield, at times that a test says."""

from __future__ import annotations

import struct

import pytest

from syncache import FourTuple, Keyring, Sysctl
from syncache._core import shield as core
from syncache.cookies import Cookie, SynOptions
from syncache.keyring import Master
from syncache.links import host_settings
from syncache.links.rtnetlink import InterfaceInfo
from syncache.links.shield_config import ShieldConfig
from syncache.tunables.shield import HOLD, MODE, QLEN

KEY_BYTES = 40
EPOCH_AT = 4 * KEY_BYTES + 32
TIMES = struct.Struct("=5Q")  # epoch, start, lifetime, skew, hold
FAMILY_BYTES = 64
NUMBERS = struct.Struct("=8I")  # mode .. mac
INTERFACE = InterfaceInfo("eth0", 2, bytes(6), 1500, "", 0, False, True, 0)
X = "net.inet.tcp.syncache.x."


class Told:
    """What a configuration says."""

    def __init__(self, content: bytes) -> None:
        self.keys = {
            struct.unpack_from("=Q", content, i * KEY_BYTES + 32)[0] for i in range(4)
        } - {core.NO_EPOCH}
        times = TIMES.unpack_from(content, EPOCH_AT)
        self.epoch, self.start, self.lifetime, self.skew, self.hold = times
        place = EPOCH_AT + TIMES.size
        self.mss = [
            struct.unpack_from("=HH", content, place + i * FAMILY_BYTES + 58)
            for i in range(2)
        ]
        numbers = NUMBERS.unpack_from(content, place + 2 * FAMILY_BYTES)
        self.mode, self.flags, self.ts_base, self.wscale, self.window, self.qlen = (
            numbers[:6]
        )


def made(now=1000.0, keys=None, wscale=7, **tunables):
    names = {MODE: "always"} | {X + name: value for name, value in tunables.items()}
    sysctl = Sysctl(names)
    return ShieldConfig(sysctl, keys or Keyring.ephemeral(), wscale, now), sysctl


def told(config, now=1000.0):
    return Told(config.content(now, INTERFACE))


def former_epochs(config):
    """Those whose keys are kept as former ones."""
    return {slot.epoch for slot in config.parts._config.former} - {core.NO_EPOCH}


def derived(wall_offset=0.0):
    return Keyring.derived((Master(1, 0, bytes(32)),), wall_offset=wall_offset)


def test_drawn_keys_begin_with_epoch_0_and_the_next_is_ready():
    """Nobody else has them: no skew, and the gate is closed."""
    config, _ = made()
    seen = told(config)
    assert (0, 1000 * 10**9, 32 * 10**9, 0) == (
        seen.epoch,
        seen.start,
        seen.lifetime,
        seen.skew,
    )
    assert {0, 1} == seen.keys
    assert not seen.flags & core.GATE_OPEN


def test_epochs_follow_the_clock_and_old_keys_are_wiped():
    """However long it was not asked."""
    config, _ = made()
    told(config)
    seen = told(config, 1033.0)
    assert (1, 1032 * 10**9, {0, 1, 2}) == (seen.epoch, seen.start, seen.keys)
    seen = told(config, 1000.0 + 32 * 10 + 1)
    assert (10, {10, 11}) == (seen.epoch, seen.keys)


def test_keys_of_a_file_are_those_of_the_wall_clock():
    """With its neighbours, a skew, and a gate that is open at first."""
    config, _ = made(keys=derived(wall_offset=320_000.0))
    seen = told(config)
    assert (10_031, 1_000_000_000) == (seen.epoch, seen.skew)
    assert {10_029, 10_030, 10_031, 10_032} == seen.keys
    assert seen.flags & core.GATE_OPEN
    assert 320_000_000 == seen.ts_base
    assert not told(config, 1064.0).flags & core.GATE_OPEN


def test_other_keys_take_over_at_once():
    """And those of before are gone, since their epochs are others."""
    config, _ = made()
    told(config)
    config.rekey(derived(wall_offset=320_000.0), 1000.0)
    assert {10_029, 10_030, 10_031, 10_032} == told(config).keys


def test_timestamps_of_a_clock_that_was_set_are_not_checked_while_they_live():
    """SYN-ACKs of before have those of another clock."""
    keys = derived(wall_offset=320_000.0)
    config, _ = made(keys=keys)
    config.rekey(keys.aside(), 1000.0)
    assert told(config).flags & core.TS_CHECK
    config.rekey(keys.at(320_030.0), 1001.0)
    assert 320_030_000 == told(config, 1001.0).ts_base
    assert not told(config, 1064.0).flags & core.TS_CHECK
    assert told(config, 1065.0).flags & core.TS_CHECK


def test_keys_of_another_clock_are_kept_for_two_periods():
    """It was set, or the machine goes on by itself, or no longer does."""
    keys = derived(wall_offset=320_000.0)
    epochs = {10_029, 10_030, 10_031, 10_032}
    for other in (keys.at(320_100.5), keys.at(319_999.0), keys.aside()):
        config, _ = made(keys=keys)
        told(config)
        config.rekey(other, 1001.0)
        told(config, 1064.9)
        assert epochs == former_epochs(config)
        told(config, 1065.0)
        assert set() == former_epochs(config)


def test_keys_that_are_the_same_or_were_taken_out_are_not_kept():
    """Those of before the change are in the keyring, or nobody is to have them."""
    keys = derived(wall_offset=320_000.0)
    changed = Keyring.derived((Master(2, 0, bytes(32)),), wall_offset=320_000.0)
    moved = Keyring.derived((Master(2, 0, bytes(32)),), wall_offset=320_100.0)
    for other in (keys.at(320_000.0), changed, moved):
        config, _ = made(keys=keys)
        told(config)
        config.rekey(keys.aside(), 1000.0)
        told(config)
        config.rekey(keys, 1000.0)
        told(config)
        config.rekey(other, 1000.0)
        assert set() == former_epochs(config)


def test_other_lifetime_takes_the_epochs_of_a_file_with_it():
    """Machines with the same lifetime are in the same epoch."""
    config, sysctl = made(keys=derived())
    assert 31 == told(config).epoch
    sysctl[X + "cookie_lifetime"] = 100
    seen = told(config)
    assert (10, 100 * 10**9, {8, 9, 10, 11}) == (seen.epoch, seen.lifetime, seen.keys)


def test_cookies_off_and_settings_in_the_way_are_mode_off():
    """Whatever the mode says."""
    config, sysctl = made()
    assert core.ALWAYS == told(config).mode
    config.is_off = True
    assert core.OFF == told(config).mode
    config.is_off = False
    sysctl["net.inet.tcp.syncookies"] = 0
    assert core.OFF == told(config).mode


def test_no_listener_is_calm_with_cookies_alone():
    """syncookies_only means what it says, for what is answered and what would be."""
    config, sysctl = made()
    for mode, seen in (("auto", core.AUTO), ("watch", core.WATCH)):
        sysctl[MODE] = mode
        sysctl["net.inet.tcp.syncookies_only"] = 0
        assert (seen, 0) == (told(config).mode, told(config).flags & core.ONLY)
        sysctl["net.inet.tcp.syncookies_only"] = 1
        assert (seen, core.ONLY) == (told(config).mode, told(config).flags & core.ONLY)


def test_no_listener_is_calm_where_the_kernel_makes_nothing_but_cookies(monkeypatch):
    """Its queue would never be seen to fill."""
    monkeypatch.setattr(host_settings, "value", lambda name, default=0: 2)
    config, sysctl = made()
    for mode, seen in (("auto", core.AUTO), ("watch", core.WATCH)):
        sysctl[MODE] = mode
        assert (seen, core.ONLY) == (told(config).mode, told(config).flags & core.ONLY)


@pytest.mark.parametrize(
    ("policy", "many", "flags"),
    [
        ("off", False, 0),
        ("check", True, core.TS_CHECK),
        ("require", False, core.TS_CHECK | core.TS_REQUIRED),
        ("auto", False, core.TS_CHECK),
        ("auto", True, core.TS_CHECK | core.TS_REQUIRED),
    ],
)
def test_policy_of_timestamps_is_two_flags(policy, many, flags):
    """Auto asks for timestamps while many are refused."""
    config, _ = made(cookie_ts=policy)
    config.is_ts_required = many
    assert flags == told(config).flags & (core.TS_CHECK | core.TS_REQUIRED)


@pytest.mark.parametrize(
    ("name", "flag"), [("is_blocking", core.BLOCKED), ("is_sharing", core.SHARED)]
)
def test_programs_look_at_what_a_fleet_says_while_there_is_something(name, flag):
    """Networks that are to be blocked, and handshakes that others have redeemed."""
    config, _ = made()
    for value in (False, True):
        setattr(config, name, value)
        assert value * flag == told(config).flags & (core.BLOCKED | core.SHARED)


def test_tunables_arrive_in_their_units():
    """Milliseconds as nanoseconds; the MTU as an MSS of each family."""
    config, sysctl = made(wscale=9, cookie_gate="always", replay_entries=0)
    sysctl.update({QLEN: 5, HOLD: 250, "net.inet.tcp.ts_offset_per_conn": 0})
    seen = told(config)
    assert (5, 250_000_000, 9) == (seen.qlen, seen.hold, seen.wscale)
    assert [(536, 1460), (1220, 1440)] == seen.mss
    assert core.GATE_OPEN == seen.flags & (core.GATE_OPEN | core.REPLAY | core.TS_PORTS)


@pytest.mark.parametrize("verify", [0, 1])
def test_checksums_are_verified_as_the_tunable_says(verify):
    config, _ = made(**{"shield.verify": verify})
    assert verify * core.VERIFY == told(config).flags & core.VERIFY


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_cookie_of_this_period_and_of_the_one_before_is_explained(epoch):
    """Whichever parity its key has, and no later one."""
    keys = Keyring.ephemeral()
    config, sysctl = made(keys=keys)
    lifetime = int(sysctl[X + "cookie_lifetime"])
    path = FourTuple("203.0.113.9", 40000, "192.0.2.1", 443)
    key = keys.key(epoch, 1000 * lifetime)
    offer = SynOptions(1460, 7, sack_permitted=True)
    iss = Cookie.mint(key, path, 1000, offer, parity=epoch & 1, rcv_wscale=7)
    for later, known in enumerate((True, True, False)):
        now = 1000.0 + (epoch + later) * lifetime
        found = config.explain(path, 1001, iss + 1 & 0xFFFFFFFF, now)
        assert known == (found == offer)


def test_layout_that_keeps_too_little_is_refused():
    """Before anything is attached."""
    config, _ = made(cookie_layout="mss")
    with pytest.raises(ValueError, match="a shield takes wide or freebsd"):
        told(config)
