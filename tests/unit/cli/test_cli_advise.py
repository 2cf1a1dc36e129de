"""`syncache advise`: proposals from captures with known truth, and what-if."""

from __future__ import annotations

import gzip
import json

import pytest
import traffic

from syncache import Inspection, Segment, Sysctl, flow_event
from syncache.cli import advise, main
from syncache.cli.replay import Replay
from syncache.cli.sources import Captures
from syncache.flow_event import Kind
from syncache.ios.config import read
from syncache.links import capture

_I = "net.inet.inspect."


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A capture of a million packets, and its truth."""
    path = tmp_path_factory.mktemp("mixed") / "mixed.pcap"
    return path, traffic.generate(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A capture of the same half hour with floods of a few thousand packets."""
    path = tmp_path_factory.mktemp("small") / "small.pcap"
    return path, traffic.generate(path, packets=210_000)


def run(capsys, *words):
    status = main(["advise", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err


def test_proposal_is_silent_when_clean_and_loud_once_an_attack(mixed):
    """The generated capture of a million packets: the truth is known."""
    path, truth = mixed
    measured = advise.measure_capture(Captures((str(path),)))
    advice = advise.advise(measured.samples, measured.ages)
    assert 2 == len(advice.left_out)
    # A UDP flood of 1,850 a second takes nobody's TCP; what it raises is an alert.
    engine = Inspection(
        Sysctl({**advice.tunables(), _I + "sessions_max": advise.SESSIONS_MAX})
    )
    begins, hosts = [], []
    for _ in Replay(engine, path).seconds():
        while (event := engine.next_event()) is not None:
            if event.kind is Kind.AGGRESSIVE:
                begins.append(event.time - truth.start)
            elif event.kind is Kind.HOST_ALERT:
                hosts.append(event.time - truth.start)
    assert 2 == len(begins)
    for begin, attack in zip(begins, truth.attacks, strict=True):
        assert attack.begin <= begin < attack.begin + 2
    assert not any(truth.is_clean(time) for time in hosts)
    assert not engine.statistics().aggressive


def test_samples_follow_the_truth(mixed):
    """One a second; the flood's victim is the heaviest; handshakes are counted."""
    path, truth = mixed
    measured = advise.measure_capture(Captures((str(path),)))
    assert abs(len(measured.samples) - truth.seconds) < 20
    worst = max(measured.samples, key=lambda sample: sample.host_count)
    assert truth.attacks[0].victim == worst.host
    assert truth.completed == sum(measured.ages)


def test_all_forms_are_printed_and_tried(small, capsys):
    """Text, sysctl.conf, IOS, and what the proposal does on this capture."""
    status, lines, err = run(capsys, small[0])
    assert (0, "") == (status, err)
    text = "\n".join(lines)
    assert f"{_I}one_minute.high=" in text
    assert "ip inspect one-minute low" in text
    assert any(line.startswith("aggressive 2 times, ") for line in lines)
    assert any(line.startswith("half-open sessions deleted ") for line in lines)


@pytest.mark.parametrize("form", ["sysctl", "ios", "text"])
def test_one_form_alone_is_a_file(small, capsys, form):
    """It can be loaded as it is."""
    status, lines, _ = run(capsys, small[0], "--format", form)
    assert 0 == status
    if form == "sysctl":
        sysctl = Sysctl()
        sysctl.load(lines)
        assert sysctl[_I + "one_minute.high"] > 500
    elif form == "ios":
        assert read(lines).changes


def test_what_if_tells_what_tunables_would_have_done(
    small, tmp_path, capsys, monkeypatch
):
    """Limits far below the traffic: always aggressive, and honest victims.

    No object is made of an event: large captures have as many as packets.
    """
    monkeypatch.setattr(flow_event, "_event", None)
    conf = tmp_path / "tight.conf"
    conf.write_text(
        f"{_I}one_minute.low=50\n{_I}one_minute.high=60\n"
        f"{_I}tcp.max_incomplete_host=0\n"
    )
    status, lines, _ = run(capsys, small[0], "--with", conf)
    assert 0 == status
    assert f"with {conf}, on this capture:" in lines
    (losses,) = [line for line in lines if "would have completed" in line]
    assert int(losses.split()[2]) > 1000
    assert any("and still at the end" in line for line in lines)


def test_unlimited_tunables_do_nothing(small, tmp_path, capsys):
    """No alert, no victim."""
    conf = tmp_path / "none.conf"
    names = ("one_minute.high", "one_minute.low", "max_incomplete.high")
    names = (*names, "max_incomplete.low", "tcp.max_incomplete_host")
    conf.write_text("".join(f"{_I}{name}=0\n" for name in names))
    _, lines, _ = run(capsys, small[0], "--with", conf)
    assert [
        "aggressive 0 times, 0 s in all",
        "host alerts 0, blocks 0",
        "half-open sessions deleted 0",
        "of them 0 would have completed",
    ] == lines[lines.index("aggressive 0 times, 0 s in all") :][:4]
    assert "not looked at: nothing" == lines[-1]


def test_what_if_knows_the_rules_of_an_ios_configuration(small, tmp_path, capsys):
    """What is not inspected cannot be deleted, however tight the limits are."""
    conf = tmp_path / "router.conf"
    limits = "ip inspect one-minute low 1 high 1\n"
    for rules, alerts in (("", True), ("ip inspect name pings icmp\n", False)):
        conf.write_text(limits + rules)
        _, lines, _ = run(capsys, small[0], "--with", conf)
        (told,) = [line for line in lines if line.startswith("aggressive ")]
        assert alerts == (told != "aggressive 0 times, 0 s in all")


def test_a_capture_of_less_than_a_second_is_no_advice(small, tmp_path, capsys):
    """The message says why, and accuses nobody of an attack."""
    path = tmp_path / "short.pcap"
    syn = Segment(src="192.0.2.1", dst="192.0.2.2", sport=1, dport=2, flags=2)
    records = capture.record(1.0, syn.packet()) + capture.record(1.5, syn.packet())
    path.write_bytes(capture.header(101, 65535) + records)
    status, lines, err = run(capsys, path)
    assert (1, []) == (status, lines)
    assert "it is shorter than a second" in err


@pytest.mark.parametrize(
    ("linktype", "frames", "message"),
    [
        (1, [], "it holds no packet"),
        (
            1,
            [bytes(12) + b"\x08\x06" + bytes(28)] * 3,
            "of 3 packets none was looked at; most are ARP (EtherType 0x0806)",
        ),
    ],
)
def test_a_capture_of_nothing_that_is_read_is_no_advice(
    tmp_path, capsys, linktype, frames, message
):
    """The message names what it is full of."""
    path = tmp_path / "a.pcap"
    records = (capture.record(1.0 + 2 * i, f) for i, f in enumerate(frames))
    path.write_bytes(capture.header(linktype, 65535) + b"".join(records))
    status, lines, err = run(capsys, path)
    assert (1, []) == (status, lines)
    assert message in err


def test_a_missing_direction_and_refused_datagrams_are_named(tmp_path, capsys):
    """What makes a proposal doubtful stands behind it."""
    path = tmp_path / "a.pcap"
    udp = bytes.fromhex("4500001c0000000040110000c0000201c633640500350009000800 00")
    syn = Segment(src="192.0.2.1", dst="192.0.2.2", sport=1, dport=2, flags=2).packet()
    records = capture.record(1.0, syn)
    for i in range(9):
        port = (1000 + i).to_bytes(2, "big")
        records += capture.record(2.0 + i, udp[:22] + port + udp[24:])
    path.write_bytes(capture.header(101, 65535) + records)
    status, lines, _ = run(capsys, path)
    assert 0 == status
    assert any("were UDP without an answer" in line for line in lines)
    assert any("is one direction missing" in line for line in lines)


def test_tables_are_as_large_as_the_capture_needs(tmp_path):
    """Bounded by its bytes where they bound the packets, else by the most."""
    path, packed = tmp_path / "a.pcap", tmp_path / "a.pcap.gz"
    path.write_bytes(bytes(44 * 10_000))
    packed.write_bytes(gzip.compress(bytes(100)))
    name = _I + "sessions_max"
    assert 10_000 == advise.room(Captures((str(path),)))[name]
    most = advise.SESSIONS_MAX
    for paths in ((str(packed),), ("-",), (str(path), str(packed))):
        assert most == advise.room(Captures(paths))[name]
    path.write_bytes(bytes(100))
    assert advise.SESSIONS_MIN == advise.room(Captures((str(path),)))[name]


def test_a_part_of_too_many_deleted_sessions_stands_for_all():
    """The part is fair, and its size a known share."""
    evicted = advise.Evicted(most=100)
    for port in range(4000):
        evicted.add((6, port.to_bytes(40, "big")), float(port))
    assert 32 <= len(evicted.times) <= 100
    assert 0.5 < len(evicted.times) * evicted.share / 4000 < 2


def test_json_is_one_object_with_all_of_it(small, capsys):
    """Numbers for a program: proposal, trial, and what was not looked at."""
    _, lines, _ = run(capsys, small[0], "--json")
    found = json.loads("\n".join(lines))
    assert found["proposal"][_I + "max_incomplete.high"] > 0
    assert found["what_if"]["alerts"] >= 1
    assert ([], []) == (found["not_looked_at"], found["damaged"])
    assert any(line.startswith("ip inspect") for line in found["ios"])


def test_a_picture_is_drawn(small, tmp_path, capsys):
    """A PNG of some size, named in the end."""
    place = tmp_path / "a.png"
    status, lines, _ = run(capsys, small[0], "--picture", place)
    assert 0 == status
    assert f"picture: {place}" in lines
    assert place.read_bytes().startswith(b"\x89PNG")
    assert place.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none/x.pcap",), "cannot read none/x.pcap: No such file"),
        (("no-such-if", "--for", "1s"), "no-such-if"),
        (("eth9", "--for", "soon"), "'soon' is not a time"),
        (("eth9", "--for", "0s"), "'0s' is not a time"),
        (("eth9", "--with", "a.conf"), "--with needs a capture"),
        (("-", "--with", "a.conf"), "--with reads the capture again"),
        (("/dev/null",), "/dev/null is empty: no capture was written to it"),
        (("no-such.pcap",), "'no-such.pcap' is neither a file nor an interface"),
        (("./x", "--with", "none.conf"), "none.conf: No such file"),
    ],
)
def test_mistakes_are_one_line_and_status_1(words, message, capsys):
    """The operator learns what to change."""
    status, lines, err = run(capsys, *words)
    assert (1, []) == (status, lines)
    assert message in err
    assert 1 == err.count("\n")


def test_a_truncated_capture_gives_advice_from_what_is_whole(small, tmp_path, capsys):
    """And the exit status that says so."""
    path = tmp_path / "cut.pcap"
    path.write_bytes(small[0].read_bytes()[:100_001])
    status, lines, err = run(capsys, path)
    assert 3 == status
    assert any(line.startswith("ip inspect one-minute low") for line in lines)
    assert "is damaged: it ends within a record" in err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("1h", 3600)]
)
def test_times_have_units(text, seconds):
    """Seconds if nothing is said."""
    assert seconds == advise.seconds_of(text)
