"""`syncache inspect`: captures, options, log lines."""

from __future__ import annotations

import json
import re
import socket
import struct
import sys

import pytest
import traffic

from syncache import Inspection, Segment
from syncache.alerts import AlertOff, AlertOn, parse
from syncache.cli import inspect, main
from syncache.cli.inspect import show_all
from syncache.flow import Side
from syncache.links import capture

_I = "net.inet.inspect."


def syn(port, dst="198.51.100.5"):
    return Segment(src="192.0.2.1", dst=dst, sport=port, dport=80, flags=2).packet()


@pytest.fixture
def flood(tmp_path):
    """600 SYNs in ten seconds, and a last packet two minutes later."""
    path = tmp_path / "flood.pcap"
    times = [1_700_000_000 + i / 60 for i in range(600)] + [1_700_000_130.0]
    records = (capture.record(t, syn(1000 + i)) for i, t in enumerate(times))
    path.write_bytes(capture.header(101, 65535) + b"".join(records))
    return path


def run(capsys, *words):
    status = main(["inspect", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err


def test_a_capture_tells_what_would_have_happened(flood, capsys):
    """Alerts with the capture's own times, then the statistics."""
    status, lines, err = run(capsys, flood)
    assert (0, "") == (status, err)
    said = [parse(line) for line in lines if "%FW" in line]
    modes = [m for m in said if isinstance(m, (AlertOn, AlertOff))]
    assert [AlertOn, AlertOff] == [type(m) for m in modes]
    assert 501 == modes[0].rate
    assert lines[0].startswith("2023-11-14T22:13:20.833Z %FW-4-HOST_TCP_ALERT_ON: ")
    assert "Session creations since subsystem startup or last reset 601" in lines
    assert re.match(r"601 packets of 130 s; ", lines[-2])
    assert "not looked at: nothing" == lines[-1]


@pytest.mark.parametrize("header_sum", [b"\0\0", b"\x12\x34"])
def test_a_packet_whose_ipv4_header_sum_is_wrong_makes_a_session(
    header_sum, tmp_path, capsys
):
    """A sending host leaves the sum to its card."""
    packet = bytearray(syn(1000))
    packet[10:12] = header_sum
    path = tmp_path / "unfinished.pcap"
    path.write_bytes(capture.header(101, 65535) + capture.record(1.0, bytes(packet)))
    status, lines, _ = run(capsys, path)
    assert status == 0
    assert "Session creations since subsystem startup or last reset 1" in lines


def test_tunables_and_rules_may_be_given(flood, tmp_path, capsys):
    """With nothing limited nothing is said."""
    _, lines, _ = run(capsys, flood, "--preset", "cbac-modern")
    assert not any("%FW" in line for line in lines)
    ios = tmp_path / "ios"
    ios.write_text("ip inspect name a udp\n")
    _, lines, _ = run(capsys, flood, "--ios", ios)
    assert "Session creations since subsystem startup or last reset 0" in lines


def test_the_audit_trail_is_an_option(flood, capsys):
    """A start for each, folded to a hundred lines a second."""
    _, lines, _ = run(capsys, flood, "--preset", "cbac-modern", "--audit")
    starts = [line for line in lines if "SESS_AUDIT_TRAIL_START" in line]
    assert 601 == len(starts)
    assert "initiator (192.0.2.1:1000) -- responder (198.51.100.5:80)" in starts[0]


def test_syslog_gets_the_same_lines(flood, tmp_path, capsys):
    """Each as a datagram."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "log"))
        _, lines, _ = run(capsys, flood, "--syslog", tmp_path / "log")
        daemon.setblocking(False)
        received = daemon.recv(4000).decode()
    assert parse(received) == parse(lines[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a FILE, or --tap IF, or --inside IF and --outside IF"),
        (("a", "--tap", "b"), "name a FILE, or --tap IF"),
        (("--inside", "a"), "--inside and --outside belong together"),
        (("--inside", "a", "--outside", "a"), "a cannot be inside and outside"),
        (("none.pcap",), "cannot read none.pcap: No such file or directory"),
        (("--tap", "no-such-if"), "no-such-if"),
        (
            ("a", "--sysctl", f"{_I}block_action=cookie"),
            "block_action cookie needs both directions: run in line",
        ),
        (
            ("--tap", "a", "--sysctl", f"{_I}block_action=intercept"),
            "block_action intercept needs both directions",
        ),
        (("a", "--sysctl", "x"), "'x' is not of the form NAME=VALUE"),
        (("--tap", "a", "--json"), "--json are of captures: name a FILE"),
        (("a", "--syslog", "/nowhere/log"), "no syslog at /nowhere/log"),
        (("a", "--syslog", "127.0.0.1", "--facility", "x"), "no facility 'x'"),
    ],
)
def test_mistakes_are_one_line_and_status_1(words, message, capsys):
    """Nothing else is printed."""
    status, lines, err = run(capsys, *words)
    assert (1, []) == (status, lines)
    assert err.startswith("syncache inspect: ")
    assert message in err
    assert 1 == err.count("\n")


def test_another_kind_of_file_leaves_nothing_half_written(flood, capsys):
    """One line, status 1."""
    flood.write_bytes(b"GIF8" + flood.read_bytes()[4:])
    status, lines, err = run(capsys, flood)
    assert (1, [], 1) == (status, lines, err.count("\n"))
    assert str(flood) in err


@pytest.mark.parametrize("spoil", ["cut", "zeros", "damage"])
def test_a_damaged_capture_gives_all_before_and_status_3(flood, capsys, spoil):
    """The results of whole packets, one line about the rest on standard error."""
    whole = flood.read_bytes()
    _, expected, _ = run(capsys, flood)
    rest = {
        "cut": whole[24:40] + b"\x45\0\0",
        "zeros": bytes(5000),
        "damage": b"\xff" * 100,
    }[spoil]
    flood.write_bytes(whole + rest)
    status, lines, err = run(capsys, flood)
    assert (3, 1) == (status, err.count("\n"))
    assert expected[:-2] == lines[:-2]
    assert lines[-2].startswith("601 packets of 130 s; ")
    assert f"{flood} is damaged: " in err


@pytest.mark.parametrize("major", [1, 2, 3])
def test_a_capture_of_an_unknown_version_is_read_and_said(flood, capsys, major):
    """Other programs refuse it; what it holds is told all the same."""
    data = bytearray(flood.read_bytes())
    data[4] = major
    flood.write_bytes(data)
    status, lines, _ = run(capsys, flood)
    assert 0 == status
    assert any(line.startswith("601 packets of 130 s; ") for line in lines)
    assert (major != 2) == ("the format is of an unknown version" in "".join(lines))


@pytest.mark.parametrize("major", [0, 1, 2])
def test_a_section_of_an_unknown_version_is_read_and_said(tmp_path, capsys, major):
    """The current version of pcapng is 1."""
    path = tmp_path / "version.pcapng"
    head = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, major, 0, -1, 28)
    head += struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
    packet = syn(1024)
    size = 16 + len(packet)
    body = struct.pack("<III", 3, size, len(packet)) + packet + struct.pack("<I", size)
    path.write_bytes(head + body)
    status, lines, _ = run(capsys, path)
    assert 0 == status
    assert (major != 1) == ("the format is of an unknown version" in "".join(lines))


def test_an_option_that_makes_no_sense_is_passed_over_and_said(tmp_path, capsys):
    """Ten to the 20th part of a second does not fit a time; the packets are there."""
    path = tmp_path / "option.pcapng"
    head = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    head += struct.pack("<IIHHIHHII", 1, 28, 101, 0, 0, 9, 1, 20, 28)
    packet = syn(1024)
    size = 16 + len(packet)
    body = struct.pack("<III", 3, size, len(packet)) + packet + struct.pack("<I", size)
    path.write_bytes(head + body)
    status, lines, _ = run(capsys, path)
    assert 0 == status
    assert any(line.startswith("1 packet of ") for line in lines)
    assert "1 option of interfaces makes no sense" in "".join(lines)


def test_an_unknown_link_type_is_counted_by_its_number(flood, capsys):
    """The file is read to its end, and the last line names the kind."""
    data = bytearray(flood.read_bytes())
    data[20] = 147
    flood.write_bytes(data)
    status, lines, _ = run(capsys, flood)
    assert 0 == status
    assert [
        "not looked at: 601 packets",
        "       601  user 0 (link type 147)",
    ] == (lines[-2:])


@pytest.mark.parametrize("begin", [0.0, 5e11])
def test_a_capture_of_any_time_is_told_whole(tmp_path, capsys, begin):
    """From time 0 on, and of a year that no calendar has: damage, yet readable."""
    path = tmp_path / "time.pcapng"
    head = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    head += struct.pack("<IIHHIHHB3xI", 1, 28, 101, 0, 0, 9, 1, 0, 28)
    body = b""
    for number in range(60):
        units, packet = int(begin) + number // 20, syn(1024 + number)
        size = 32 + len(packet)
        ends = struct.pack("<I", size)
        body += struct.pack("<I", 6) + ends
        body += struct.pack("<III", 0, units >> 32, units % 2**32)
        body += struct.pack("<II", len(packet), len(packet)) + packet + ends
    path.write_bytes(head + body)
    status, lines, _ = run(capsys, path)
    assert 0 == status
    assert "%FW-4-HOST_TCP_ALERT_ON: " in lines[0]
    assert lines[-2].startswith("60 packets of 2 s; ")


def test_a_reader_that_has_left_is_no_mistake(flood, capsys, monkeypatch):
    """`syncache inspect FILE | head` says nothing of a broken pipe."""

    def gone(line):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys.stdout, "write", gone)
    with pytest.raises(BrokenPipeError):
        inspect.run(inspect.parser().parse_args([str(flood)]))
    assert "" == capsys.readouterr().err


def test_a_million_packets_are_replayed(tmp_path, capsys):
    """Defaults, on the generated capture: the summary counts all of them."""
    truth = traffic.generate(tmp_path / "mixed.pcap")
    assert truth.packets >= 1_000_000
    status, lines, _ = run(capsys, tmp_path / "mixed.pcap")
    assert 0 == status
    summary = f"{truth.packets} packets of 1798 s; "
    assert any(line.startswith(summary) for line in lines[-3:])


def test_json_is_one_object_with_all_of_it(flood, capsys):
    """Messages, statistics, and what was not looked at."""
    data = bytearray(flood.read_bytes())
    flood.write_bytes(data + capture.record(1.7e9 + 200, b"\x50" * 40))
    status, lines, _ = run(capsys, flood, "--json")
    found = json.loads("\n".join(lines))
    assert (0, 602) == (status, found["packets"])
    assert 601 == found["statistics"]["tcp_packets"]
    assert any("%FW-4-ALERT_ON: " in each for each in found["messages"])
    assert [
        {"kind": "version", "number": 5, "name": "IP version 5", "packets": 1}
    ] == found["not_looked_at"]


def test_tables_show_everything():
    """Config, interfaces, sessions, statistics."""
    engine = Inspection(seed=bytes(16))
    engine.configure(["ip inspect name a tcp", "interface e0", " ip inspect a in"])
    engine.receive(syn(1), Side.CLIENT, 1.0)
    text = show_all(engine, 2.0)
    for line in (
        "Session alert is enabled",
        " Interface e0",
        "Half-open Sessions",
        "Current session counts (estab/half-open/terminating) [0:1:0]",
    ):
        assert f"{line}\n" in text


def test_options_become_tunables():
    """And rules, and interfaces."""
    words = ["--tap", "eth0", "--reset", "--audit", "--detect-only"]
    engine = inspect.make(inspect.parser().parse_args(words))
    names = ("audit_trail", "detect_only", "tap_reset")
    assert [1, 1, 1] == [engine.sysctl[_I + name] for name in names]
