"""syncache/cli/addresses.py: an address is given, or there."""

from __future__ import annotations

import ipaddress

import pytest

from syncache.cli import Failure, main
from syncache.cli.addresses import (
    addresses,
    awaited,
    check_local,
    endpoint,
    is_local,
)
from syncache.links import LinkError


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["198.18.0.2"], (["198.18.0.2"], [])),
        (["198.18.0.2/24"], (["198.18.0.2"], ["198.18.0.1/24"])),
        (["198.18.0.1/24"], (["198.18.0.1"], ["198.18.0.2/24"])),
        (["2001:db8::2/64"], (["2001:db8::2"], ["2001:db8::1/64"])),
        (
            ["198.18.0.2/31", "2001:db8::1"],
            (["198.18.0.2", "2001:db8::1"], ["198.18.0.3/31"]),
        ),
    ],
)
def test_kernels_end_gets_another_address_of_the_prefix(words, expected):
    """With a length the interface is configured, without it is left alone."""
    assert expected == addresses(words)


@pytest.mark.parametrize("word", ["example.org", "198.18.0.2/33", "198.18.0.2/32", ""])
def test_bad_address_is_one_line(capsys, word):
    """An address is a literal with room for two in its prefix."""
    assert 1 == main(["serve", "--echo", "--address", word])
    assert 1 == capsys.readouterr().err.count("\n")


@pytest.mark.parametrize("word", ["192.0.2.77", "2001:db8::77"])
def test_address_that_nobody_has_is_refused_unless_it_is_given(word):
    """Nobody would find it."""
    with pytest.raises(LinkError, match=f"{word} is not an address of this machine"):
        check_local([word])
    assert ["eth0", word] == awaited("eth0", [word, f"{word}/24"])
    check_local([f"{word}/24"])


def test_address_of_the_machine_is_known():
    """The loopback interface has one."""
    check_local(["127.0.0.1"])
    assert not is_local(ipaddress.ip_address("192.0.2.77"))


@pytest.mark.parametrize(
    "text", ["9100", "host", "host:", ":x", "h:70000", "h:-1", "h:" + "1" * 5000]
)
def test_address_that_is_none_is_one_line(text):
    """It says what it is."""
    with pytest.raises(Failure, match="it is ADDR:PORT"):
        endpoint(text)


def test_addresses_of_both_families():
    """With brackets for IPv6."""
    assert ("127.0.0.1", 9100) == endpoint("127.0.0.1:9100")
    assert ("::1", 9100) == endpoint("[::1]:9100")
