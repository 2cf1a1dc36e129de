"""NAT in this network namespace, by what the kernel says of its rules."""

from __future__ import annotations

import struct

import pytest

from syncache.links import LinkError, netfilter, shield_arrivals

USE, TYPE = netfilter.CHAIN_USE, netfilter.CHAIN_TYPE


def attribute(kind, value):
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


def chain(kind, rules):
    """Return the message of a chain, as nf_tables has it."""
    named = attribute(3, b"prerouting\0") + attribute(TYPE, kind + b"\0")
    return bytes(4) + named + attribute(USE, struct.pack(">I", rules))


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """A namespace with these chains, older tables, and this setting."""

    def made(chains=(), tables="", loose="1"):
        for name, text in (
            ("net/ip_tables_names", tables),
            ("sys/net/netfilter/nf_conntrack_tcp_loose", loose),
        ):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(netfilter.host_settings, "PROC", tmp_path)
        monkeypatch.setattr(netfilter, "dump", lambda *_: list(chains))

    return made


@pytest.mark.parametrize(
    ("chains", "tables", "found"),
    [
        ([], "", False),
        ([chain(b"filter", 9), chain(b"route", 1)], "filter\nmangle\n", False),
        ([chain(b"nat", 0)], "", False),
        ([chain(b"filter", 9), chain(b"nat", 1)], "", True),
        ([], "filter\nnat\n", True),
    ],
)
def test_rules_that_translate_are_found(kernel, chains, tables, found):
    """Those of nf_tables and of the older iptables; a chain without rules is none."""
    kernel(chains, tables)
    assert found == netfilter.has_nat() == netfilter.loses_connections()


def test_connections_that_are_not_picked_up_later_are_not_lost(kernel):
    """With nf_conntrack_tcp_loose=0 an ACK begins nothing."""
    kernel([chain(b"nat", 1)], loose="0")
    assert netfilter.has_nat()
    assert not netfilter.loses_connections()


@pytest.mark.parametrize("error", [OSError(93, "no netfilter"), LinkError("refused")])
def test_kernel_that_does_not_say_has_none(kernel, monkeypatch, error):
    def refuse(*_):
        raise error

    kernel()
    monkeypatch.setattr(netfilter, "dump", refuse)
    assert not netfilter.has_nat()


def test_line_of_lost_connections_has_the_remedy_that_helps(kernel):
    kernel([chain(b"nat", 1)])
    assert "sysctl -w net.netfilter.nf_conntrack_tcp_loose=0" in (
        shield_arrivals.why_lost(60.0)
    )
    kernel()
    assert "a rule drops ACKs whose SYN" in shield_arrivals.why_lost(60.0)
