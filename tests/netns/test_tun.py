"""
The TUN link on a real device: raw packets, offloads, and what is left behind.

    +------------- a network namespace ------------+
    | kernel sockets   198.18.0.1 == tun0 == Tun() |
    +----------------------------------------------+
"""

from __future__ import annotations

import sys

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


LOSSES = """
import socket, time
from syncache.links.tun import Tun
from syncache.ring import Ring
link = Tun("sc0", ["198.18.0.1/24"], queue=10)
assert 0 == link.counts["kernel_dropped"]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    for _ in range(200):
        sock.sendto(b"x", ("198.18.0.2", 9))
rx = Ring(64)
while link.receive(rx):
    rx.clear()
counts = link.counts
link.close()
print(counts["kernel_dropped"], counts["received"])
"""


def test_packets_that_find_the_queue_full_are_counted(namespace):
    """What the kernel dropped and what came are all that was sent."""
    lost, received = map(int, namespace.run(sys.executable, "-c", LOSSES).split())
    assert 200 <= lost + received <= 220  # IPv6 speaks up too
    assert received <= 30


@pytest.mark.parametrize("existing", [False, True])
def test_syns_of_blocked_networks_do_not_reach_the_device(namespace, existing):
    """The kernel drops them, until others are named, or none, or it is closed."""
    if existing:
        namespace.link("add", "tun0", "198.18.0.1/24")
    assert namespace.python("tun", ["blocked"]) == {"ok": True}
