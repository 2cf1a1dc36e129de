"""Where a shield's services lie in maps, with a kernel that is made up."""

from __future__ import annotations

import pytest

from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache.links.shield_services import (
    NOBODY,
    ServiceMaps,
    own_address,
    own_port,
    place_of,
    read_service,
    write_service,
)

PLACES, HASH4, HASH6 = 5, 4, 6
FIRST = ("192.0.2.1", 443)
NEW = (0,) * 6
FLOODED = (7, 8, 9, 3, 0, 0)


@pytest.fixture
def kernel(monkeypatch):
    """Its maps: {descriptor: {key: value}}."""
    maps = {PLACES: {}, HASH4: {}, HASH6: {}}

    def lookup(fd, key, size):
        found = maps[fd].get(key, bytes(size) if fd == PLACES else None)
        assert found is None or len(found) == size
        return found

    monkeypatch.setattr(_core_bpf, "lookup", lookup)
    monkeypatch.setattr(_core_bpf, "update", lambda fd, k, v: maps[fd].update({k: v}))
    monkeypatch.setattr(_core_bpf, "delete", lambda fd, k: maps[fd].pop(k, None))
    monkeypatch.setattr(_core_bpf, "keys", lambda fd, _: list(maps[fd]))
    return maps


@pytest.fixture
def services(kernel):
    return ServiceMaps({"places": PLACES, "services4": HASH4, "services6": HASH6})


def neighbour():
    """Return another service of the same place."""
    place = place_of(write_service(*FIRST))
    for number in range(1, 2**16):
        other = write_service("198.51.100.1", number)
        if place_of(other) == place:
            return other
    raise AssertionError("none has that place")


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_service_is_written_and_read(address):
    """As it lies in a packet."""
    key = write_service(address, 443)
    assert (address, 443) == read_service(key)
    assert b"\x01\xbb" in key


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_service_is_put_found_and_removed(kernel, services, address):
    """Of IPv4 in its place, of IPv6 in the hash map."""
    key = write_service(address, 443)
    assert services.get(key) is None
    services.put(key)
    assert NEW == services.get(key)
    expected = (1, 0) if ":" not in address else (0, 1)
    assert expected == (len(kernel[PLACES]), len(kernel[HASH6]))
    services.remove(key)
    assert services.get(key) is None


def test_service_whose_place_is_taken_lies_in_the_hash_map(kernel, services):
    """And neither is taken for the other, nor removed with it."""
    first, second = write_service(*FIRST), neighbour()
    services.put(first)
    services.put(second)
    assert [second] == list(kernel[HASH4])
    at = place_of(first).to_bytes(4, "little")
    kernel[PLACES][at] = first + core.SERVICE.pack(*FLOODED)
    assert (FLOODED, NEW) == (services.get(first), services.get(second))
    services.remove(second)
    assert FLOODED == services.get(first)
    services.put(second)
    services.remove(first)
    assert services.get(first) is None
    assert NEW == services.get(second)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_service_is_left_to_the_kernel_and_taken_again(kernel, services, address):
    """The program sees that it was refused."""
    key = write_service(address, 443)
    services.put(key, refused=True)
    assert (0, 1, 0, 0, 0, 0) == services.get(key)
    services.put(key)
    assert NEW == services.get(key)


def test_service_is_trusted_and_nothing_else_of_it_changes(kernel, services):
    """Wherever it lies; one that is not there stays so."""
    first, second = write_service(*FIRST), neighbour()
    services.put(first)
    services.put(second)
    at = place_of(first).to_bytes(4, "little")
    kernel[PLACES][at] = first + core.SERVICE.pack(*FLOODED)
    kernel[HASH4][second] = core.SERVICE.pack(*FLOODED)
    for key in (first, second):
        services.trust(key)
        assert (7, 8, 9, 0, 0, 1) == services.get(key)
    services.remove(first)
    services.trust(first)
    assert services.get(first) is None


def test_what_a_process_before_us_left_is_cleared(kernel, services):
    for key in (write_service(*FIRST), neighbour(), write_service("2001:db8::1", 1)):
        services.put(key)
    services.clear()
    assert ({}, {}) == (kernel[HASH4], kernel[HASH6])
    assert {NOBODY} == set(kernel[PLACES].values())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_address_of_a_service_is_that_of_its_packets(text, address):
    """A listener of IPv4 may have it mapped; a scope is in no packet."""
    assert address == own_address(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "::", "127.0.0.1", "127.9.9.9", "::1", "224.0.0.1", "ff02::1"),
        *("255.255.255.255", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "192.0.2.256"),
    ],
)
def test_address_that_others_cannot_reach_is_refused(text):
    """All of them are named by naming none."""
    with pytest.raises(ValueError, match=r"address|nobody connects"):
        own_address(text)


@pytest.mark.parametrize(("port", "legal"), [(0, 0), (1, 1), (65535, 1), (65536, 0)])
def test_port_of_a_service_has_sixteen_bits(port, legal):
    """And is not 0."""
    if legal:
        assert port == own_port(port)
        return
    with pytest.raises(ValueError, match="port"):
        own_port(port)
