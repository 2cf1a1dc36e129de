"""Tests of `Cookie`: FreeBSD's vectors, the golden table, stated loss, arguments."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from syncache import Cookie, FourTuple, SynOptions
from syncache.cookies import LAYOUTS

TESTS = Path(__file__).resolve().parents[2]
VECTORS = json.loads((TESTS / "vectors" / "freebsd-cookies.json").read_text())
KEY0 = bytes(range(16))
KEY1 = bytes(range(16, 32))
V4 = FourTuple("192.0.2.1", 49152, "198.51.100.7", 80)
V6 = FourTuple("2001:db8::1", 49152, "2001:db8::2", 443)
MSS_VALUES = [None, 1, 215, 216, 535, 536, 1199, 1200, 1300, 1380, 1440, 1459]
MSS_VALUES += [1460, 8940, 8960, 65535]
WSCALE_VALUES = [None, *range(15)]


def four_tuple(vector):
    return FourTuple(
        vector["foreign_addr"],
        vector["foreign_port"],
        vector["local_addr"],
        vector["local_port"],
    )


def keys(vector):
    return bytes.fromhex(vector["key0"]), bytes.fromhex(vector["key1"])


def test_there_are_300_generate_and_100_invalid_vectors():
    """The file is whole."""
    assert 300 == len(VECTORS["generate"])
    assert 100 == len(VECTORS["invalid_acks"])


def test_mint_makes_freebsds_iss():
    """Every generated vector: the ISS is FreeBSD's to the bit."""
    for vector in VECTORS["generate"]:
        parity = vector["oddeven"] & 1
        options = SynOptions(
            vector["peer_mss"] or None, vector["peer_wscale"], vector["sack_permitted"]
        )
        iss = Cookie.mint(
            keys(vector)[parity],
            four_tuple(vector),
            vector["irs"],
            options,
            parity=parity,
            secmod=int(vector["secmod"], 16),
            layout="freebsd",
        )
        assert vector["iss"] == iss, vector


def test_check_decodes_as_freebsd():
    """Every generated vector: the ACK restores what FreeBSD restores."""
    for vector in VECTORS["generate"]:
        ack = vector["ack_decode"]
        found = Cookie.check(
            keys(vector),
            four_tuple(vector),
            ack["th_seq"],
            ack["th_ack"],
            secmod=int(vector["secmod"], 16),
            layout="freebsd",
        )
        expected = SynOptions(ack["mss"], ack["snd_wscale"], ack["sack"])
        assert expected == found, vector


def test_check_refuses_what_freebsd_refuses():
    """Every invalid ACK of the vectors is refused."""
    for vector in VECTORS["invalid_acks"]:
        found = Cookie.check(
            keys(vector),
            four_tuple(vector),
            vector["th_seq"],
            vector["th_ack"],
            secmod=int(vector["secmod"], 16),
            layout="freebsd",
        )
        assert found is None, vector


LAST_V4 = FourTuple("203.0.113.9", 1, "198.51.100.7", 65535)


@pytest.mark.parametrize(
    ("where", "irs", "options", "parity", "secmod", "iss"),
    [
        (V4, 0x12345678, SynOptions(1460, 7, True), 0, 0, 0xA86B1952),
        (V4, 0x12345678, SynOptions(1460, 7, True), 1, 0, 0x007E21FB),
        (V4, 0x12345678, SynOptions(1460, None, False), 0, 5, 0x3FF6C9DF),
        (V4, 0xFFFFFFFF, SynOptions(None, 0, True), 0, 5, 0x71A62977),
        (LAST_V4, 0, SynOptions(8960, 14, True), 1, 511, 0x251B81DA),
        (V6, 0x12345678, SynOptions(1440, 9, True), 0, 0, 0x018FF3BF),
        (V6, 0x12345678, SynOptions(1220, 3, False), 1, 7, 0x6D600220),
    ],
)
def test_golden_vectors(where, irs, options, parity, secmod, iss):
    """The table of the specification, and that it comes back by the stated loss."""
    key = (KEY0, KEY1)[parity]
    made = Cookie.mint(
        key, where, irs, options, parity=parity, secmod=secmod, layout="freebsd"
    )
    assert iss == made
    found = Cookie.check(
        (KEY0, KEY1),
        where,
        (irs + 1) & 0xFFFFFFFF,
        (iss + 1) & 0xFFFFFFFF,
        secmod=secmod,
        layout="freebsd",
    )
    family = 6 if ":" in where.foreign else 4
    assert LAYOUTS["freebsd"].restore(options, family) == found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("where", [V4, V6], ids=["ipv4", "ipv6"])
def test_check_restores_up_to_the_stated_loss(layout, where):
    """The loss function is the whole loss, for each pair of options."""
    family = 6 if where is V6 else 4
    for mss in MSS_VALUES:
        for wscale in WSCALE_VALUES:
            options = SynOptions(mss, wscale, (mss or 0) % 2 == 0)
            iss = Cookie.mint(KEY0, where, 1, options, layout=layout, rcv_wscale=6)
            found = Cookie.check(
                (KEY0, KEY1),
                where,
                2,
                (iss + 1) & 0xFFFFFFFF,
                layout=layout,
                rcv_wscale=6,
            )
            assert LAYOUTS[layout].restore(options, family) == found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_restoring_twice_loses_nothing_more(layout):
    """What a cookie keeps, another one keeps exactly."""
    for mss in MSS_VALUES[1:]:
        for wscale in WSCALE_VALUES:
            once = LAYOUTS[layout].restore(SynOptions(mss, wscale), 4)
            assert once == LAYOUTS[layout].restore(once, 4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_change_refuses(layout):
    """Each input of the MAC counts: key, tuple, irs, secmod, every bit of the ISS."""
    options = SynOptions(1460, 7, True)
    iss = Cookie.mint(KEY0, V4, 7, options, secmod=3, layout=layout, rcv_wscale=6)

    def check(where=V4, seq=8, ack=iss + 1, key=KEY0, **changed):
        settings = {"secmod": 3, "layout": layout, "rcv_wscale": 6} | changed
        return Cookie.check((key, KEY1), where, seq, ack & 0xFFFFFFFF, **settings)

    assert check() is not None
    assert check(seq=9) is None
    assert check(key=KEY1) is None
    assert check(secmod=4) is None
    assert check(V4._replace(foreign="192.0.2.2")) is None
    assert check(V4._replace(local="198.51.100.8")) is None
    assert check(V4._replace(fport=49153)) is None
    assert check(V4._replace(lport=81)) is None
    for bit in range(32):
        assert check(ack=(iss ^ 1 << bit) + 1) is None, bit


def test_wide_covers_our_own_scale_and_freebsd_does_not():
    """A change of our window scale between SYN-ACK and ACK shows, except as FreeBSD."""
    for layout, survives in (("wide", False), ("freebsd", True)):
        iss = Cookie.mint(KEY0, V4, 7, SynOptions(), layout=layout, rcv_wscale=6)
        found = Cookie.check(
            (KEY0, KEY1), V4, 8, (iss + 1) & 0xFFFFFFFF, layout=layout, rcv_wscale=7
        )
        assert survives == (found is not None)


def test_check_takes_several_keys_for_a_parity():
    """Near a boundary two keys may have made a cookie of one parity."""
    iss = Cookie.mint(KEY1, V4, 7, SynOptions(), parity=1)
    ack = (iss + 1) & 0xFFFFFFFF
    assert Cookie.check((KEY0, [KEY0, KEY1]), V4, 8, ack) is not None
    assert Cookie.check((KEY1, [KEY0]), V4, 8, ack) is None
    assert Cookie.check(([], []), V4, 8, ack) is None


def test_packed_addresses_are_the_same_addresses():
    """Text and packed bytes name one tuple."""
    packed = FourTuple(bytes([192, 0, 2, 1]), 49152, bytes([198, 51, 100, 7]), 80)
    options = SynOptions(1460)
    assert Cookie.mint(KEY0, V4, 1, options) == Cookie.mint(KEY0, packed, 1, options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": KEY0[:15]}, "16 bytes"),
        ({"irs": -1}, "irs is 0 to 4294967295"),
        ({"irs": 2**32}, "irs"),
        ({"parity": 2}, "parity is 0 to 1"),
        ({"secmod": 2**64}, "secmod"),
        ({"layout": "narrow"}, "one of wide, freebsd, mss"),
        ({"rcv_wscale": 15}, "rcv_wscale is 0 to 14"),
        ({"options": SynOptions(mss=65536)}, "mss is 0 to 65535"),
        ({"options": SynOptions(wscale=15)}, "wscale is 0 to 14"),
        ({"tuple": V4._replace(local="::1")}, "different families"),
        ({"tuple": V4._replace(fport=65536)}, "a port is 0 to 65535"),
        ({"tuple": V4._replace(foreign="192.0.2.256")}, "192.0.2.256"),
    ],
)
def test_wrong_argument_raises_value_error(arguments, message):
    """The caller's mistake is named before C sees it."""
    good = {"key": KEY0, "tuple": V4, "irs": 0, "options": SynOptions()}
    with pytest.raises(ValueError, match=message):
        Cookie.mint(**(good | arguments))


def test_arithmetic_of_docs_cookies():
    """The numbers of docs/cookies.md and of the C source, recomputed."""
    text = (TESTS.parent / "docs" / "cookies.md").read_text("utf-8")
    space = 2**24
    half = math.ceil(math.log(2) * space)
    nine_tenths = math.log(10) * space
    assert f"{half:,} ACKs" in text
    assert "2^-24" in text
    assert f"{nine_tenths / 1e6:.1f} million" in text
    assert f"{space / 1e6:.1f} s" in text  # at a million a second
    birthday_half = round(math.sqrt(2 * math.log(2) * space))
    birthday_ninety = round(math.sqrt(2 * math.log(10) * space))
    assert f"{birthday_half:,} and {birthday_ninety:,}" in text
    for layout in LAYOUTS.values():
        for table in (layout.mss4, layout.mss6, layout.wscale):
            assert not table or " ".join(map(str, table)) in text
    window_ms = 2 * 32_000 + 1000
    assert f"the window of {window_ms // 1000} s" in text
    assert round(math.log2(2**32 / window_ms)) == 16
    hours = space * 2**32 / window_ms / 1e6 / 3600
    assert f"{hours:.0f} hours" in text
    tuple4, tuple6, tail, ours = 4 + 4 + 2 + 2, 16 + 16 + 2 + 2, 4 + 1 + 8, 3
    assert f"{tuple4 + tail} or {tuple6 + tail} bytes" in text
    assert f"{tuple4 + tail + ours} or {tuple6 + tail + ours} in the others" in text
