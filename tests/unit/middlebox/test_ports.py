"""Tests of port conditions: operators at their edges, and names."""

from pathlib import Path

import pytest

from syncache.inspect_application import APPLICATIONS
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


VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "ports.txt"
TRANSPORTS = {"tcp": TCP, "udp": UDP}


def listed(who):
    """Names of ports as the vectors have them: transport, name, port."""
    lines = [line.split() for line in VECTORS.read_text().splitlines()[1:]]
    return [(words[1], words[2], int(words[3])) for words in lines if words[0] == who]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_name_of_a_router_is_its_port(transport):
    """And there are no others."""
    protocol = TRANSPORTS[transport]
    names = {name: port for over, name, port in listed("router") if over == transport}
    assert names == PORT_NAMES[protocol]
    for name, port in names.items():
        assert [Ports("eq", port, port)] == take_ports(["eq", name], protocol)


def test_every_name_of_a_firewall_is_its_port():
    """Rules get its number, as routers do not know the name."""
    for _, name, port in listed("firewall"):
        rule = ["permit", "tcp", "any", "any", "eq"]
        assert [*rule, str(port)] == numbered([*rule, name]), name


def test_every_name_of_inspection_is_its_port():
    """With its transport."""
    assert APPLICATIONS == {
        name: (TRANSPORTS[over], port) for over, name, port in listed("inspect")
    }


def test_only_transports_with_ports_have_conditions():
    """Whatever the operator; without one, every port is meant."""
    assert [ANY_PORT] == take_ports(["any"], 47)
    assert Ports("any", 0, 0) == ANY_PORT
    for operator in ("eq", "neq", "lt", "gt", "range"):
        with pytest.raises(ValueError, match=f"^{operator}: only tcp and udp"):
            take_ports([operator, "80", "81"], 47)


@pytest.mark.parametrize(
    ("words", "ranges", "left"),
    [
        ("eq 80 443 www any", [("eq", 80, 80), ("eq", 443, 443), ("eq", 80, 80)], 1),
        ("eq 80 65536", [("eq", 80, 80)], 1),
        ("neq 80", [("neq", 80, 80)], 0),
        ("neq 0 65535", [("range", 1, 65534)], 0),
        ("neq 80 82", [("range", 0, 79), ("range", 81, 81), ("range", 83, 65535)], 0),
        ("neq 80 81 80", [("range", 0, 79), ("range", 82, 65535)], 0),
        ("range 80 80", [("range", 80, 80)], 0),
        ("lt 80 443", [("lt", 80, 80)], 1),
    ],
)
def test_operands_make_conditions_of_which_one_has_to_hold(words, ranges, left):
    """Of neq all have to, so it becomes what lies between its ports."""
    rest = words.split()
    if "65536" in words:
        with pytest.raises(ValueError, match="'65536' is not a port: 0 to 65535"):
            take_ports(rest, TCP)
        return
    assert [Ports(*each) for each in ranges] == take_ports(rest, TCP)
    assert left == len(rest)


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
