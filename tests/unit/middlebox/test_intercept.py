"""Tests of `Intercept`: lists, tunables and configurations that take effect."""

from __future__ import annotations

import sys

import pytest

from syncache import Ring, Segment, Sysctl, flow_state
from syncache.acl import AccessList, permit
from syncache.flow import Side
from syncache.intercept import LIST, MODE, Intercept
from syncache.segment import ACK, SYN
from tests.conformance.shield import Shield

I = "net.inet.tcp.intercept."  # noqa: E741
WEB = AccessList("web", [permit(dport=80)])
TLS = AccessList("tls", [permit(dport=443)])


def answered(intercept, dport):
    """Is a SYN to this port answered by us?"""
    syn = Segment(
        src="192.0.2.1",
        dst="198.51.100.5",
        sport=40000 + dport,
        dport=dport,
        seq=1000,
        flags=SYN,
        window=64240,
    )
    intercept.receive(syn.packet(), Side.CLIENT, 0.0)
    ((side, packet),) = intercept.packets_to_send(0.0)
    answer = Segment.parse(packet)
    return side is Side.CLIENT and answer.flags == SYN | ACK


def test_single_list_is_in_force_at_once():
    """Its name is what the tunable says."""
    intercept = Intercept(acl=WEB, seed=b"seed")
    assert WEB is intercept.acl
    assert "web" == intercept.sysctl[LIST]
    assert answered(intercept, 80)
    assert not answered(intercept, 443)


def test_tunable_chooses_among_several_lists():
    """None of them is in force until it names one."""
    intercept = Intercept(acl=[WEB, TLS], seed=b"seed")
    assert intercept.acl is None
    assert not answered(intercept, 80)
    intercept.sysctl[LIST] = "tls"
    assert TLS is intercept.acl
    assert answered(intercept, 443)
    intercept.sysctl[LIST] = ""
    assert not answered(intercept, 444)


def test_tunable_set_before_is_kept():
    """A Sysctl that names a list already."""
    intercept = Intercept(Sysctl({LIST: "tls"}), acl=[WEB, TLS])
    assert TLS is intercept.acl


def test_unknown_list_is_an_error_and_changes_nothing():
    """Neither at the start nor later is it "permit all"."""
    with pytest.raises(ValueError, match=r"no access list 100; there are: web"):
        Intercept(Sysctl({LIST: "100"}), acl=WEB)
    intercept = Intercept(acl=WEB)
    with pytest.raises(ValueError, match=r"no access list 100; there are: web"):
        intercept.sysctl[LIST] = "100"
    assert (WEB, "web") == (intercept.acl, intercept.sysctl[LIST])


def test_acl_may_be_replaced_and_removed():
    """By assignment, under its own name or another's."""
    intercept = Intercept(acl=None, seed=b"seed")
    assert intercept.acl is None
    intercept.acl = WEB
    assert answered(intercept, 80)
    intercept.acl = AccessList("web", [permit(dport=81)])
    assert "web" == intercept.sysctl[LIST]
    assert not answered(intercept, 82)
    assert answered(intercept, 81)
    intercept.acl = None
    assert "" == intercept.sysctl[LIST]


def test_list_longer_than_rules_max_is_refused():
    """And what was in force stays."""
    sysctl = Sysctl({I + "rules_max": 2})
    intercept = Intercept(sysctl, acl=WEB)
    long = AccessList("long", [permit(dport=port) for port in range(1, 4)])
    with pytest.raises(ValueError, match=r"long has 3 rules.*rules_max=2"):
        intercept.acl = long
    assert (WEB, "web") == (intercept.acl, sysctl[LIST])
    with pytest.raises(ValueError, match="there is no access list long"):
        sysctl[LIST] = "long"


@pytest.mark.parametrize("acl", ["web", [WEB, "tls"], 100])
def test_acl_of_another_type_raises(acl):
    """A name is not a list."""
    with pytest.raises(TypeError):
        Intercept(acl=acl)


def test_sysctl_serves_one_engine():
    """As for the half-open side."""
    sysctl = Sysctl()
    Intercept(sysctl, acl=WEB)
    with pytest.raises(ValueError, match="another engine"):
        Intercept(sysctl, acl=WEB)


def test_waiting_for_data_excludes_a_zero_window():
    """The client could never send any: refused, in either order."""
    intercept = Intercept(acl=WEB)
    intercept.sysctl[I + "synack_window"] = 0
    with pytest.raises(ValueError, match="wait_for_data needs"):
        intercept.sysctl[I + "wait_for_data"] = 1
    assert 0 == intercept.sysctl[I + "wait_for_data"]
    intercept.sysctl.update({I + "synack_window": 1460, I + "wait_for_data": 1})
    with pytest.raises(ValueError, match="wait_for_data needs"):
        intercept.sysctl[I + "synack_window"] = 0
    assert 1460 == intercept.sysctl[I + "synack_window"]


def test_mode_changes_at_once():
    """The next SYN sees it."""
    intercept = Intercept(acl=WEB, seed=b"seed")
    assert answered(intercept, 80)
    intercept.sysctl[MODE] = "watch"
    assert "watch" == intercept.statistics().mode
    intercept.acl = TLS
    assert not answered(intercept, 443)


def test_configure_takes_an_ios_configuration_whole():
    """Lists and tunables in one transaction."""
    intercept = Intercept(acl=None, seed=b"seed")
    intercept.configure(
        [
            "ip tcp intercept list 101",
            "access-list 101 permit tcp any any eq 443",
            "ip tcp intercept max-incomplete low 1200 high 1500",
        ]
    )
    assert "101" == intercept.sysctl[LIST]
    assert 1500 == intercept.sysctl[I + "max_incomplete.high"]
    assert answered(intercept, 443)
    assert (
        "ip tcp intercept list 101\n"
        "ip tcp intercept max-incomplete low 1200 high 1500\n"
        "ip access-list extended 101\n"
        " permit tcp any any eq 443"
    ) == intercept.configuration()


def test_configure_that_fails_changes_nothing():
    """Not even the lists."""
    intercept = Intercept(acl=WEB)
    before = dict(intercept.sysctl), intercept.configuration()
    for lines in (
        [
            "ip access-list extended web",
            "ip tcp intercept one-minute low 2000 high 1000",
        ],
        ["ip access-list extended web", " nonsense"],
        ["ip tcp intercept list 100"],
    ):
        with pytest.raises(ValueError, match="line"):
            intercept.configure(lines)
        assert before == (dict(intercept.sysctl), intercept.configuration())
    assert WEB is intercept.acl


def test_configure_may_replace_the_list_in_force():
    """New SYNs see the new rules."""
    intercept = Intercept(acl=WEB, seed=b"seed")
    intercept.configure(["ip access-list extended web", " permit tcp any any eq 81"])
    assert answered(intercept, 81)
    assert not answered(intercept, 80)


def test_configure_may_name_a_list_of_before():
    """It need not be in the text."""
    intercept = Intercept(acl=[WEB, TLS], seed=b"seed")
    intercept.configure(["ip tcp intercept list tls"])
    assert TLS is intercept.acl


def test_statistics_tell_since_when_it_is_aggressive():
    """And None while it is calm."""
    values = {
        I + "max_incomplete.low": 1,
        I + "max_incomplete.high": 1,
        I + "synack": "cache",
    }
    intercept = Intercept(Sysctl(values), acl=AccessList("all", [permit()]))
    calm = intercept.statistics()
    assert (False, None, 0) == (calm.aggressive, calm.aggressive_since, calm.total)
    for port in (80, 81):
        answered(intercept, port)
    now = intercept.statistics(0.0)
    assert (True, 0.0, 2) == (now.aggressive, now.aggressive_since, now.total)


def test_memory_is_what_it_was_with_100_000_connections_and_a_flood():
    """Both change nothing but counters, and the flood none of the connections."""
    shield = Shield(debug=0)
    shield.established()
    one = flow_state.unpack(shield.engine.export_state(0.0))
    # faddr and fport of a struct flow_splice, which begins with its tuple.
    many = b"".join(
        (10 << 24 | number).to_bytes(4, "big")
        + one[4:32]
        + (1024 + number % 60_000).to_bytes(2, sys.byteorder)
        + one[34:]
        for number in range(100_000)
    )
    sysctl = Sysctl({I + "one_minute.high": 1000, I + "synack": "auto"})
    engine = Intercept(sysctl, acl=WEB, seed=b"seed")
    before = engine.memory_bytes
    taken = engine.import_state(flow_state.pack(many), 0.0)
    assert (100_000, 100_000) == taken
    rx, client_tx, server_tx = Ring(64), Ring(256), Ring(256)
    for number in range(0, 20_000, 64):
        rx.clear()
        client_tx.clear()
        for n in range(number, number + 64):
            syn = shield.from_client(SYN, dseq=0, src=f"172.16.{n // 250}.{n % 250}")
            rx.push(syn.packet())
        assert 64 == engine.burst(rx, Side.CLIENT, client_tx, server_tx, 1.0)
        assert 64 == len(client_tx)
    told = engine.statistics(1.0)
    assert 100_000 == told.established
    assert 1000 == told.incomplete
    assert 19_032 == engine.stats()["cookies_sent"]
    assert before == engine.memory_bytes


def test_adopt_replaces_tunables_and_lists_and_connections_go_on():
    """Whole or not at all: a list that is missing leaves everything as it was."""
    shield = Shield()
    shield.established()
    engine = shield.engine
    before = engine.sysctl[LIST]
    sysctl = Sysctl()
    sysctl[LIST] = "mail"
    with pytest.raises(ValueError, match="there is no access list mail"):
        engine.adopt(sysctl, [AccessList("other", [permit(dport=25)])])
    assert before == engine.sysctl[LIST]
    assert before == engine.acl.name
    sysctl = Sysctl({"net.inet.tcp.intercept.connection_timeout": 60})
    sysctl[LIST] = "mail"
    engine.adopt(sysctl, [AccessList("mail", [permit(dport=25)])])
    assert "mail" == engine.acl.name
    assert 60 == engine.sysctl["net.inet.tcp.intercept.connection_timeout"]
    assert ["ESTAB"] == shield.states()
    ((_, up),) = shield.ack(dack=101)
    assert shield.s + 101 == up.ack


def test_adopt_takes_a_list_of_the_same_name_anew():
    """The file was edited."""
    intercept = Intercept(acl=WEB, seed=b"seed")
    sysctl = Sysctl({LIST: "web"})
    intercept.adopt(sysctl, [AccessList("web", [permit(dport=443)])])
    assert not answered(intercept, 80)
    assert answered(intercept, 443)
