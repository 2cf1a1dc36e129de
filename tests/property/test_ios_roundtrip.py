"""A configuration is read, written and read again: it means the same.

Commands, abbreviations, capitals, rules of both families, names that come behind the
rules: whatever was understood is written in lines that make the same engine.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from syncache import Inspection, Intercept
from syncache.inspect_application import APPLICATIONS

SETTINGS = settings(deadline=None, max_examples=60)
NUMBERS = st.integers(1, 30_000).map(str)
SMALL = st.integers(1, 200).map(str)
INTERCEPT = st.one_of(
    st.builds("ip tcp intercept {} {}".format, st.sampled_from(
        ["watch-timeout", "finrst-timeout", "connection-timeout", "conn"]), NUMBERS),
    st.builds("ip tcp intercept {} low {} high {}".format,
              st.sampled_from(["max-incomplete", "one-minute"]), SMALL,
              st.integers(200, 9999)),
    st.sampled_from(["ip tcp int mode watch", "ip tcp intercept drop-mode random",
                     "no ip tcp intercept mode", "IP TCP INTERCEPT DROP OLD"]),
)  # fmt: skip
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).filter(lambda a: a.ipv4_mapped is None).map(str)
END4 = st.one_of(
    st.just("any"),
    V4.map("host {}".format),
    st.builds("{} {}".format, V4, V4),
    st.builds("{}/{}".format, V4, st.integers(0, 32)),
    st.sampled_from(["host web", "HOST mail", "object-group WEB"]),
)
END6 = st.one_of(
    st.just("any"),
    V6.map("host {}".format),
    st.builds("{}/{}".format, V6, st.integers(0, 128)),
)
PORTS = st.one_of(
    st.just(""),
    st.sampled_from([" eq www", " eq 22 80 443", " gt 1023", " lt 10", " neq telnet"]),
    st.builds(" range {} {}".format, st.integers(0, 900), st.integers(900, 65535)),
)
MORE = st.sampled_from(["", " log", " established", " time-range X", " (7 matches)"])
ACTION = st.sampled_from(["permit", "deny", "PERM", "Deny"])


def rules(end, every):
    """Rules of one family, in the words of a block."""
    ports = st.builds(
        "{} {} {}{} {}{}{}".format,
        ACTION,
        st.sampled_from(["tcp", "udp"]),
        end,
        PORTS,
        end,
        PORTS,
        MORE,
    )
    plain = st.builds("{} {} {} {}{}".format, ACTION,
                      st.sampled_from([every, "icmp", "89", "esp"]), end, end,
                      st.sampled_from(["", " log-input WEBTAG"]))  # fmt: skip
    return st.lists(ports | plain, min_size=1, max_size=6)


APPLICATION = st.one_of(
    st.sampled_from(["tcp", "udp", "icmp", "dns"]),
    st.sampled_from(sorted(APPLICATIONS)),
)
INSPECT = st.one_of(
    st.builds("ip inspect name {} {}{}".format, st.sampled_from(["FW", "IN"]),
              APPLICATION, st.sampled_from(
                  ["", " alert on", " AUDIT off timeout 30", " timeout 3600"])),
    st.builds("ip inspect {} {}".format, st.sampled_from(
        ["tcp synwait-time", "tcp fin", "tcp idle-time", "udp idle", "dns-timeout"]),
        SMALL),
    st.builds("ip inspect {0} low {1}\nip inspect {0} high {2}".format,
              st.sampled_from(["max-incomplete", "one-minute"]), SMALL, SMALL),
    st.builds("ip inspect tcp max-incomplete host {} block {}".format, SMALL, SMALL),
    st.sampled_from(["ip inspect audit-trail", "ip insp alert-off"]),
    st.just("no ip insp audit"),
)  # fmt: skip
INTERFACES = """\
ip inspect name FW tcp
ip inspect name IN udp
interface Ethernet0
 ip nat outside
 ip inspect {0} {1}
interface Ethernet1
 ip inspect {2} {3}
 ip access-group 101 in
"""
BOUND = st.builds(
    INTERFACES.format,
    *[st.sampled_from(["FW", "IN"]), st.sampled_from(["in", "out"])] * 2,
)


def configured(engine, source, *reasons):
    """Configure it; False if it was refused for one of these reasons."""
    try:
        engine.configure(source)
    except ValueError as error:
        if not any(reason in str(error) for reason in reasons):
            raise
        return False
    return True


@SETTINGS
@given(st.lists(INTERCEPT, max_size=8), rules(END4, "ip"), rules(END6, "ipv6"))
def test_intercept_reads_what_it_wrote(lines, four, six):
    """Tunables and lists; the list in use has rules of both families."""
    source = [
        *lines,
        "hostname r1",
        "object-group network WEB",
        " 192.0.2.0 255.255.255.0",
        " range 198.51.100.3 198.51.100.9",
        "ip access-list extended X",
        *[f" {rule}" for rule in four],
        "ipv6 access-list X",
        *[f" {rule}" for rule in six],
        "ip tcp intercept list X",
        "ip host web 192.0.2.80 192.0.2.81",
        "ip host mail 192.0.2.25",
    ]
    first, second = Intercept(acl=()), Intercept(acl=())
    if not configured(first, source, "low"):  # above high, by another line
        return
    text = first.configuration()
    assert [] == second.configure(text.split("\n"), strict=True)
    assert text == second.configuration()
    assert dict(first.sysctl.items()) == dict(second.sysctl.items())
    assert first.acl == second.acl


@SETTINGS
@given(st.lists(INSPECT, max_size=10), st.just("") | BOUND)
def test_inspection_reads_what_it_wrote(lines, bound):
    """Tunables, rules, and the interfaces that they are bound to."""
    first, second = Inspection(), Inspection()
    source = ["hostname r1", *"\n".join([*lines, bound]).split("\n")]
    if not configured(first, source, "low", "port", "one set"):
        return
    text = first.configuration()
    second.configure(text.split("\n"))
    assert text == second.configuration()
    assert dict(first.sysctl.items()) == dict(second.sysctl.items())
    assert first.rules == second.rules
    for one, other in zip(first.interfaces, second.interfaces, strict=True):
        assert (one.name, one.lists, one.outside) == (
            other.name,
            other.lists,
            other.outside,
        )
