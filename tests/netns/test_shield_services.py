"""Where a shield's services lie: most in the place of an array, some in a hash map."""

from __future__ import annotations

import os
from ipaddress import IPv4Address

import pytest
from shield_rig import SERVER, TAGS, TC_NEXT, XDP_PASS, XDP_TX
from test_shield_programs import answer, linux_syn, minted

from syncache.links.shield_services import place_of, write_service

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)


def test_service_whose_place_is_taken_is_protected_too(rig):
    """An address and a port have one place; the second of it lies in a hash map."""
    first = place_of(write_service(SERVER[4], rig.port))
    hosts = (str(IPv4Address("10.1.0.0") + n) for n in range(1 << 20))
    other = next(h for h in hosts if place_of(write_service(h, rig.port)) == first)
    segment = linux_syn(rig, 4, dst=other)
    assert XDP_PASS == rig.xdp(segment.packet()).verdict
    assert {} == rig.counters()
    rig.services.put(write_service(other, rig.port))
    for each in (segment, linux_syn(rig, 4)):
        reply = minted(rig, each)
        assert XDP_TX == rig.xdp(each.packet(), TAGS[1]).verdict
        assert TC_NEXT == rig.tc(answer(each, reply).packet())
    assert (4, 2) == tuple(map(rig.counters().get, ("synack", "cookie_good")))


def test_other_port_in_the_place_of_a_service_is_not_protected(rig):
    """Nor is another address, as the test above has it."""
    first = place_of(write_service(SERVER[4], rig.port))
    ports = (port for port in range(1, 2**16) if port != rig.port)
    there = (p for p in ports if place_of(write_service(SERVER[4], p)) == first)
    segment = linux_syn(rig, 4, dport=next(there))
    assert XDP_PASS == rig.xdp(segment.packet()).verdict
    assert {} == rig.counters()


def test_service_that_took_its_place_later_is_removed_wholly(rig):
    """It lay in a hash map while another one had the place; here nobody listens."""
    hosts = (str(IPv4Address("10.2.0.0") + n) for n in range(1 << 20))
    keys = (write_service(host, 81) for host in hosts)
    first = next(keys)
    second = next(key for key in keys if place_of(key) == place_of(first))
    places = rig.services
    for key in (first, second):
        places.put(key)
    places.remove(first)
    places.put(second, refused=True)  # as after a while in which it was the kernel's
    assert 1 == places.get(second)[1]
    places.remove(second)
    assert None is places.get(second)
