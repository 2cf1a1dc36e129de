"""Tests of port conditions: operators at their edges, and names."""

import pytest

from syncache.ports import ANY_PORT, PORT_NAMES, TCP, UDP, Ports, numbered, take_ports


@pytest.mark.parametrize(
    ("ports", "inside", "outside"),
    [
        (Ports("eq", 80, 80), [80], [79, 81]),
        (Ports("neq", 80, 80), [79, 81], [80]),
        (Ports("lt", 80, 80), [0, 79], [80, 65535]),
        (Ports("gt", 80, 80), [81, 65535], [0, 80]),
        (Ports("range", 80, 90), [80, 90], [79, 91]),
        (ANY_PORT, [0, 65535], []),
    ],
    ids=str,
)
def test_operator_admits_up_to_its_edge(ports, inside, outside):
    """Bounds of a range count, those of lt and gt do not."""
    assert all(ports.admit(port) for port in inside)
    assert not any(ports.admit(port) for port in outside)


def test_take_leaves_what_follows():
    """Only the operator and its operands are taken."""
    words = ["range", "www", "90", "any"]
    assert [Ports("range", 80, 90)] == take_ports(words, TCP)
    assert ["any"] == words
    assert [ANY_PORT] == take_ports(words, TCP)


@pytest.mark.parametrize(
    ("protocol", "name", "port"),
    [(TCP, "www", 80), (TCP, "domain", 53), (UDP, "domain", 53), (UDP, "snmp", 161)],
)
def test_names_depend_on_the_protocol(protocol, name, port):
    """A name is one of its protocol's."""
    assert [Ports("eq", port, port)] == take_ports(["eq", name], protocol)


def test_names_are_ports():
    """The tables hold numbers of 16 bits."""
    assert all(
        0 < port < 65536 for names in PORT_NAMES.values() for port in names.values()
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("permit udp any any eq www", "permit udp any any eq 80"),
        ("permit tcp any eq ntp any", "permit tcp any eq 123 any"),
        ("permit udp any eq ntp any", "permit udp any eq ntp any"),
        ("permit tcp any any eq https ssh 8080", "permit tcp any any eq 443 22 8080"),
        ("permit tcp any range ssh https any", "permit tcp any range 22 443 any"),
        ("permit tcp any eq www host http", "permit tcp any eq www host http"),
        ("permit tcp any any neq HTTPS log sip", "permit tcp any any neq 443 log sip"),
        ("permit icmp any any echo", "permit icmp any any echo"),
    ],
)
def test_names_that_a_router_does_not_have_are_numbers(rule, expected):
    """Those of firewalls, and of the other transport, wherever a port stands."""
    assert expected.split() == numbered(rule.split())
