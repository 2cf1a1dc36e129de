"""Which handshakes have a connection, with maps and a kernel that are made up."""

from __future__ import annotations

import socket
import struct

import pytest

from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache.links import host_settings, shield_handshakes
from syncache.links.shield_handshakes import (
    RECENT_NS,
    are_held,
    read_handshake,
    recent,
)
from syncache.links.shield_services import write_service

NOW = 10**12
OURS = {4: "192.0.2.1", 6: "2001:db8::1"}
PEER = {4: "203.0.113.9", 6: "2001:db8::9"}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
# As Linux wrote them of connections from port 40000 to port 443.
LINES = {
    4: ("010200C0:01BB", "097100CB:9C40"),
    6: (
        "B80D0120000000000000000001000000:01BB",
        "B80D0120000000000000000009000000:9C40",
    ),
}


def raw(family, port=40_000):
    """Return a handshake as the programs remember it."""
    ends = [socket.inet_pton(FAMILIES[family], end[family]) for end in (PEER, OURS)]
    form = f"={len(ends[0]) // 4}I"
    words = struct.unpack(form, ends[0]) + struct.unpack(form, ends[1])
    (ports,) = struct.unpack("=I", struct.pack("!HH", port, 443))
    return core.REDEEMED.pack(*words, *[0] * (8 - len(words)), ports, 1, 2)


@pytest.fixture
def known(monkeypatch):
    """The sockets that the kernel has: a set to be filled."""
    made = set()
    monkeypatch.setattr(host_settings, "connections", lambda: made)
    return made


@pytest.mark.parametrize("family", [4, 6])
def test_handshake_is_found_as_the_kernel_writes_it(known, family):
    """With the service that it belongs to."""
    handshake = read_handshake(raw(family))
    assert write_service(OURS[family], 443) == handshake.service
    assert not are_held([handshake])
    known.add(LINES[family])
    assert are_held([handshake])


def test_connection_of_ipv4_is_found_at_a_socket_of_both_families(known):
    """Its addresses are written as those of IPv6 then."""
    ours, peer = LINES[4]
    known.add((shield_handshakes.MAPPED + ours, shield_handshakes.MAPPED + peer))
    assert are_held([read_handshake(raw(4))])


def test_only_the_last_minutes_are_looked_at(monkeypatch):
    stamps = (NOW - RECENT_NS - 4, NOW - RECENT_NS + 4, NOW)
    items = [
        (raw(4, i), (stamp & ~3 | 1).to_bytes(8, "little"))
        for i, stamp in enumerate(stamps)
    ]
    monkeypatch.setattr(_core_bpf, "entries", lambda *_: items)
    assert 2 == len(recent({"redeemed": 7}, NOW))
