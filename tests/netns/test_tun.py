"""
The TUN link on a real device: raw packets, offloads, and what is left behind.

    +------------- a network namespace ------------+
    | kernel sockets   198.18.0.1 == tun0 == Tun() |
    +----------------------------------------------+
"""

from __future__ import annotations

import pytest

ABSENT = None


def show(namespace):
    return namespace.show("tun0")


@pytest.mark.parametrize("case", ["udp_both_ways", "super_segments", "too_large"])
def test_packets_cross_the_device(namespace, case):
    """The cases are functions of peers/tun.py, which says what they do."""
    assert namespace.python("tun", [case]) == {"ok": True}


def test_device_is_configured_while_open_and_gone_after(namespace):
    """MTU, state, addresses and routes as asked; close leaves nothing."""
    while_open = namespace.python(
        "tun",
        ["configured", ["198.18.0.1/24", "fd00:18::1/64"], ["198.51.100.0/24"], 9000],
    )
    assert while_open == {
        "mtu": 9000,
        "state": "up",
        "addresses": ["198.18.0.1/24", "fd00:18::1/64"],
        "routes": ["198.18.0.0/24", "198.51.100.0/24", "fd00:18::/64"],
        "promiscuity": 0,
        "qdiscs": 1,
        "xdp": None,
    }
    assert show(namespace) is ABSENT


def test_device_that_was_there_is_left_as_it_was(namespace):
    """Attached to, changed and closed, it has the MTU and addresses of before."""
    namespace.link("add", "tun0", "198.18.0.1/24")
    before = show(namespace)
    while_open = namespace.python(
        "tun", ["configured", ["198.18.0.1/24", "198.19.0.1/24"], [], 1400]
    )
    assert (1400, "198.19.0.1/24") == (while_open["mtu"], while_open["addresses"][1])
    assert show(namespace) == before


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("taken", "cannot open interface 'tun0': Device or resource busy: another"),
        ("no_tun", "cannot open interface 'lo': Invalid argument: the name belongs"),
        ("bad_address", "cannot configure tun0: "),
    ],
)
def test_mistake_of_the_operator_gives_one_line(namespace, case, says):
    """The kernel's refusal, and what to do about it; the device is not left behind."""
    said = namespace.python("tun", [case])["error"]
    assert said.startswith(says)
    assert "\n" not in said
    assert show(namespace) is ABSENT
