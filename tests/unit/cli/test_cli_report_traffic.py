"""syncache/cli/report_traffic.py: pages of captures, in a real browser too."""

from __future__ import annotations

import browser
import pytest
import traffic
from needs import wanted

from syncache import Segment, _core
from syncache._core.inspect import Sample
from syncache.address import pack
from syncache.alerts import HostAlert, SessionStart
from syncache.cli import main
from syncache.cli.report_traffic import ALERTS_MAX, Traffic, points_of, spelled
from syncache.flow_event import Kind
from syncache.inspect_rule import Rule, RuleSet

NO_CLIPBOARD = """Object.defineProperty(navigator, "clipboard",
{value: {writeText: () => ({then: (done, refused) => refused && refused()})}})"""
PRESSED = """(b => (b.click(), b.innerText))(document.querySelector("button"))"""


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Half an hour with two floods, and its truth."""
    path = tmp_path_factory.mktemp("traffic") / "x.pcap"
    return path, traffic.generate(path, packets=30_000)


@pytest.fixture(scope="module")
def pages(capture, tmp_path_factory):
    """The pages of inspect and of advise."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for command in ("inspect", "advise"):
        made[command] = folder / f"{command}.html"
        words = [command, str(capture[0]), "--report", str(made[command])]
        assert 0 == main(words)
    return made


def test_inspect_page_has_every_part(capture, pages):
    """Alerts, series with thresholds, targets, sources, statistics."""
    document = pages["inspect"].read_text()
    assert 3 == document.count("<svg")
    assert "%FW-4-ALERT_ON: getting aggressive" in document
    assert capture[1].attacks[0].victim in document
    for text in ("source network", "high 500", "Session creations", "looked at"):
        assert text in document, text


def test_advise_page_has_every_part(pages):
    """The proposal ready to copy, what it rests on, what it would have done."""
    document = pages["advise"].read_text()
    assert 3 == document.count("<svg")
    for text in (
        "net.inet.inspect.max_incomplete.high=",
        "ip inspect max-incomplete low",
        "left out as an attack",
        "host alerts",
        "source network",
        "looked at",
    ):
        assert text in document, text


def test_report_changes_nothing_that_is_printed(capture, tmp_path, capsys):
    """The sessions that it counts are not written to the standard output."""
    words = ["inspect", str(capture[0])]
    assert 0 == main(words)
    plain = capsys.readouterr().out.splitlines()
    assert 0 == main([*words, "--report", str(tmp_path / "x.html")])
    counted = capsys.readouterr().out.splitlines()

    def kept(lines):
        return [line for line in lines if "million packets a second" not in line]

    assert kept(plain) == kept(counted)


def test_traffic_counts_targets_and_networks():
    """A source is its network, /24 or /64."""
    counted = Traffic()
    clients = ("192.0.2.1", "192.0.2.99", "2001:db8::1", "2001:db8::2")
    events = _core.ffi.new("struct flow_event[]", len(clients) + 1)
    for event, client in zip(events, clients, strict=False):
        event.kind, event.protocol = Kind.START, 6
        family, event.tuple.faddr = pack(client)
        event.tuple.laddr = pack("198.51.100.5" if family == 4 else "2001:db8:5::")[1]
        event.tuple.family, event.tuple.lport = family, 80
    events[len(clients)].kind = Kind.STOP
    counted.count(_core.ffi.buffer(events)[:])
    assert [
        ("198.51.100.5:80", 2),
        ("[2001:db8:5::]:80", 2),
    ] == counted.most_targets()
    assert [("192.0.2.0/24", 2), ("2001:db8::/64", 2)] == counted.most_sources()
    assert [("tcp", 4)] == counted.most_protocols()


def test_sessions_are_made_objects_only_where_one_is_told():
    """An audit trail of one rule is enough."""
    assert not Traffic().is_quiet
    assert Traffic(audit=False).is_quiet
    plain, told = Rule("tcp"), Rule("http", audit_trail=True)
    assert Traffic(rules=RuleSet("x", (plain,)), audit=False).is_quiet
    assert not Traffic(rules=RuleSet("x", (plain, told)), audit=False).is_quiet


def test_alerts_are_bounded_and_sessions_are_printed_where_a_rule_says_so():
    """What the page does not hold is counted."""
    rules = RuleSet("x", (Rule("tcp"), Rule("http", audit_trail=True)))
    counted = Traffic(rules=rules, audit=False)
    ends = {"initiator": "a:1", "responder": "b:2"}
    assert not counted.message(SessionStart(protocol="tcp", **ends))
    assert counted.message(SessionStart(protocol="http", **ends))
    for _ in range(ALERTS_MAX + 7):
        assert counted.message(HostAlert(limit=5, host="a"))
    assert (ALERTS_MAX, 7) == (len(counted.alerts), counted.more_alerts)


def test_times_are_dates_if_they_can_be():
    """A clock that began at a start is shown in seconds."""
    assert "12 s" == spelled(12.3)
    assert "2026-11-29 08:57:00" == spelled(1795942620.0)
    assert spelled(1e18).endswith(" s")


def test_equal_seconds_are_level_in_a_chart():
    """A fall is where it was, not spread over the quiet time behind it."""
    one = Sample(1.0, 3, 0, 0, 7, False, 1, "192.0.2.1", 1)
    quiet = one._replace(time=61.0, one_minute=0, seconds=60)
    assert [(1.0, 7), (2.0, 0), (61.0, 0)] == points_of([one, quiet], "one_minute")


def test_empty_capture_is_a_page(tmp_path):
    """One SYN, no second of it."""
    packet = Segment(src="192.0.2.1", dst="192.0.2.2", sport=1, dport=2, flags=2)
    raw = packet.packet()
    head = b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(8) + b"\xff\xff\0\0\x65\0\0\0"
    size = len(raw).to_bytes(4, "little")
    path, page = tmp_path / "x.pcap", tmp_path / "x.html"
    path.write_bytes(head + bytes(8) + size + size + raw)
    assert 0 == main(["inspect", str(path), "--report", str(page)])
    assert "No threshold was exceeded" in page.read_text()


@wanted(found=browser.find(), what="a browser: apt-get install chromium")
def test_browser_shows_the_pages_without_scrolling_sideways(pages, tmp_path):
    """On a phone and on a desk."""
    with browser.Browser(tmp_path) as chromium:
        for command, page in pages.items():
            for width in (375, 1280):
                seen = chromium.look(page, width=width)
                assert 0 == seen["wider"], command
                assert width >= seen["wide"], command
                assert 3 == seen["charts"]
                assert "Top targets and sources" in seen["text"]
            # Without leave to write to the clipboard there is another way.
            chromium.evaluate(NO_CLIPBOARD)
            assert chromium.evaluate(PRESSED) in {"copied", "selected"}
