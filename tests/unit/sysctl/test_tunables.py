"""Tests of the registry: the table is well formed and agrees with itself."""

import pytest

from syncache.tunables import KNOBS, NOT_ABOVE

SPEC_SECTION_2 = """
net.inet.tcp.syncookies 1
net.inet.tcp.syncookies_only 0
net.inet.tcp.syncache.hashsize 512
net.inet.tcp.syncache.bucketlimit 30
net.inet.tcp.syncache.cachelimit 15360
net.inet.tcp.syncache.rexmtlimit 3
net.inet.tcp.syncache.count 0
net.inet.tcp.syncache.see_other 0
net.inet.tcp.rexmit_initial 1000
net.inet.tcp.rexmit_slop 200
net.inet.tcp.rexmit_min 30
net.inet.tcp.rexmit_max 64000
net.inet.tcp.ecn.enable 2
net.inet.tcp.ecn.maxretries 1
net.inet.tcp.rfc1323 1
net.inet.tcp.sack.enable 1
net.inet.tcp.mssdflt 536
net.inet.tcp.v6mssdflt 1220
net.inet.tcp.minmss 216
net.inet.tcp.tolerate_missing_ts 1
net.inet.tcp.ts_offset_per_conn 1
net.inet.tcp.insecure_rst 0
net.inet.tcp.insecure_syn 0
net.inet.tcp.ack_war_cnt 5
net.inet.tcp.ack_war_timewindow 1000
net.inet.tcp.drop_synfin 0
net.inet.tcp.blackhole 0
net.inet.tcp.functions_inherit_listen_socket_stack 1
net.inet.tcp.fastopen.server_enable 0
kern.ipc.maxsockbuf 2097152
net.inet.ip.path_mtu_discovery 1
net.inet.tcp.msl 30000
"""


@pytest.mark.parametrize("line", SPEC_SECTION_2.split("\n")[1:-1])
def test_freebsd_name_has_freebsd_default(line):
    """Every tunable of FreeBSD's that matters here exists, with its default."""
    name, default = line.split()
    assert int(default) == KNOBS[name].default


@pytest.mark.parametrize("knob", KNOBS.values(), ids=KNOBS)
def test_default_is_legal(knob):
    """A default passes its own check and is stored as it is."""
    assert knob.default == knob.check(knob.default)


@pytest.mark.parametrize("knob", KNOBS.values(), ids=KNOBS)
def test_edges_are_legal_and_beyond_them_not(knob):
    """The range means what it says."""
    if knob.type == "enum":
        for word in knob.legal:
            assert word == knob.check(word)
        beyond = ["", "AGE", None, 0]
    elif knob.type == "text":
        words = ["x" * size for size in knob.legal]
        assert words == [knob.check(word) for word in words]
        beyond = ["x" * (knob.legal[1] + 1), "x y", "x#", None, 0]
    else:
        low, high = knob.legal
        assert (low, high) == (knob.check(low), knob.check(high))
        beyond = [low - 1, high + 1, str(low), None, float(low)]
    for value in beyond:
        with pytest.raises(ValueError, match=knob.name):
            knob.check(value)


@pytest.mark.parametrize("knob", KNOBS.values(), ids=KNOBS)
def test_meaning_is_one_line(knob):
    """Each tunable says in one line, without a full stop, what it does."""
    assert 5 < len(knob.meaning) <= 80
    assert not knob.meaning.endswith(".")


def test_power_of_two_refuses_others():
    """hashsize is a power of two."""
    knob = KNOBS["net.inet.tcp.syncache.hashsize"]
    assert 1024 == knob.check(1024)
    with pytest.raises(ValueError, match="a power of two, 1 to 4194304"):
        knob.check(1023)


def test_to_c_converts_seconds_and_words():
    """C counts milliseconds and enumerates from zero."""
    x = "net.inet.tcp.syncache.x."
    assert 32_000 == KNOBS[x + "cookie_lifetime"].to_c(32)
    assert 2 == KNOBS[x + "pause_policy"].to_c("none")
    assert 7 == KNOBS[x + "secmod"].to_c(7)


def test_parse_takes_c_numbers_and_words():
    """sysctl.conf's spellings."""
    knob = KNOBS["net.inet.tcp.syncache.rexmtlimit"]
    assert (12, 12, -1) == (knob.parse("12"), knob.parse("0xc"), knob.parse("-1"))
    assert "x" == KNOBS["net.inet.tcp.syncache.x.overflow"].parse("x")
    with pytest.raises(ValueError, match="0 to 12, not ''"):
        knob.parse("")


def test_relations_hold_for_the_defaults():
    """The defaults respect the relations between tunables."""
    for low, low_times, high, high_times in NOT_ABOVE:
        assert KNOBS[low].default * low_times <= KNOBS[high].default * high_times
