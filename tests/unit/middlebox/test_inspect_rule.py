"""Rules of inspection: what they admit, what C is told, how they print."""

from __future__ import annotations

import pytest

from syncache.inspect_rule import APPLICATIONS, Rule, RuleSet

INHERITS = {"inspect": 1, "alert": 2, "audit": 2, "timeout_ms": 0}


def test_default_rules_are_tcp_udp_and_icmp_by_the_tunables():
    """DNS is UDP, so that it is inspected too."""
    fields = RuleSet.of(None).fields()
    assert [INHERITS] * 4 == fields["rule"]
    assert 0 == fields["application_count"]


def test_a_protocol_without_a_rule_is_not_inspected():
    """Rules for TCP alone leave the others out, DNS with UDP."""
    fields = RuleSet.of([Rule("tcp", timeout=90, alert=False)]).fields()
    told = {"inspect": 1, "alert": 0, "audit": 2, "timeout_ms": 90_000}
    assert [told, {"inspect": 0}, {"inspect": 0}, {"inspect": 0}] == fields["rule"]


def test_dns_may_have_a_rule_without_udp():
    """Its alerts and audit trail are its own."""
    rules = RuleSet.of([Rule("dns", audit_trail=True)])
    assert [0, 0, 1, 0] == [rule["inspect"] for rule in rules.fields()["rule"]]
    assert 1 == rules.fields()["rule"][2]["audit"]


def test_an_application_is_a_port():
    """Known ones by name, one's own by transport and port."""
    rules = RuleSet(
        "web", (Rule("http", timeout=60), Rule("game", None, None, 5, 17, 9))
    )
    first, second = rules.fields()["application"]
    assert (80, 6, 60_000) == (
        first["port"],
        first["protocol"],
        first["rule"]["timeout_ms"],
    )
    assert (9, 17) == (second["port"], second["protocol"])
    assert 2 == rules.fields()["application_count"]


@pytest.mark.parametrize(
    ("protocol", "port", "name"),
    [
        (6, 80, "http"),
        (6, 81, "tcp"),
        (17, 80, "udp"),
        (17, 53, "dns"),
        (6, 53, "tcp"),
        (1, 0, "icmp"),
        (58, 0, "icmp"),
    ],
)
def test_a_session_is_named_by_its_application_or_protocol(protocol, port, name):
    """As the audit trail prints it."""
    assert name == RuleSet.of([Rule("http")]).name_of(protocol, port)


def test_a_rule_prints_as_its_ios_words():
    """Only what it says itself."""
    assert "tcp" == str(Rule("tcp"))
    rule = Rule("icmp", alert=True, audit_trail=False, timeout=10)
    assert "icmp alert on audit-trail off timeout 10" == str(rule)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rule("gophers"),
        lambda: Rule("tcp", timeout=0),
        lambda: Rule("tcp", timeout=2147484),
        lambda: Rule("tcp", port=80),
        lambda: Rule("game", transport=1, port=9),
        lambda: Rule("game", transport=6, port=65536),
        lambda: RuleSet("", (Rule("tcp"),)),
        lambda: RuleSet("a", (Rule("tcp"), Rule("tcp"))),
        lambda: RuleSet("a", (Rule("http"), Rule("w", transport=6, port=80))),
        lambda: RuleSet(
            "a", tuple(Rule(f"g{i}", None, None, 1, 6, i + 1) for i in range(33))
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make):
    """A rule is right or does not exist."""
    with pytest.raises(ValueError, match=r"."):
        make()


def test_known_applications_are_all_possible():
    """Each name alone is a rule."""
    assert all(Rule(name).port == port for name, (_, port) in APPLICATIONS.items())


def test_a_set_stays_itself():
    """What is a set already is not wrapped again."""
    rules = RuleSet("a", (Rule("tcp"),))
    assert rules is RuleSet.of(rules)
    assert [Rule("tcp")] == list(rules)
