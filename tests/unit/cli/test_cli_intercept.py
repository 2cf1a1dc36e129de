"""syncache/cli/intercept.py: options, lists, and the loop between two links.

Real interfaces: tests/netns/test_intercept_bulk.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncache import Ring, Segment, acl
from syncache.cli import intercept, main
from syncache.cli.intercept import Box, Relay
from syncache.flow import Side
from syncache.intercept import LIST, MODE
from syncache.ring import Checksum
from syncache.segment import ACK, SYN

LINKS = ["--outside", "o0", "--inside", "i0"]


def options(*words):
    return intercept.parser().parse_args([*LINKS, *map(str, words)])


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "web.acl"
    path.write_text("permit tcp any any eq www\n")
    return path


def test_list_is_a_file_of_rules(rules):
    """Its name is the file's, and it is in force."""
    engine = intercept.make(options("--list", rules))
    assert "web" == engine.sysctl[LIST]
    assert engine.acl.permits(("192.0.2.1", 1), ("198.51.100.5", 80))


def test_list_is_a_file_of_one_ios_list(tmp_path):
    """With the commands around the rules."""
    path = tmp_path / "router.conf"
    path.write_text("!\naccess-list 101 permit tcp any any eq 443\n")
    assert "101" == intercept.make(options("--list", path)).sysctl[LIST]
    path.write_text(
        "access-list 101 permit ip any any\naccess-list 102 deny ip any any\n"
    )
    with pytest.raises(intercept.Failure, match="has 2 access lists; it needs one"):
        intercept.make(options("--list", path))


def test_list_is_a_name_of_the_configuration(tmp_path):
    """`--conf` tells an IOS configuration by its content."""
    path = tmp_path / "router.conf"
    path.write_text(
        "ip tcp intercept mode watch\n"
        "access-list 101 permit tcp any any eq 443\n"
        "access-list 102 permit tcp any any eq 80\n"
        "ip tcp intercept list 101\n"
    )
    engine = intercept.make(options("--conf", path))
    assert ("101", "watch") == (engine.sysctl[LIST], engine.sysctl[MODE])
    engine = intercept.make(options("--ios", path, "--list", "102"))
    assert "102" == engine.sysctl[LIST]


def test_reload_leaves_the_packet_loop_no_work_of_a_long_list(rules, monkeypatch):
    """Its rules are in C's form, and what is doubtful is known, before that."""
    given = options("--list", rules, "--tun")
    engine = intercept.make(given)
    rules.write_text("permit tcp any any eq 81\n")
    said = []
    words = (given, None, engine, lambda acl: lambda: said.append(acl))
    apply = intercept.prepare(*words)
    assert [] == said

    def refuse(_):
        raise AssertionError

    monkeypatch.setattr(acl, "_compiled", refuse)
    apply()
    assert [engine.acl] == said
    assert engine.acl.permits(("192.0.2.1", 1), ("198.51.100.5", 81))


def test_words_go_before_files_and_files_before_presets(tmp_path, rules):
    """What is said more exactly wins."""
    path = tmp_path / "sysctl.conf"
    path.write_text("net.inet.tcp.intercept.connection_timeout=60\n")
    preset = ("--preset", "intercept-article", "--conf", path, "--list", rules)
    words = (*preset, "--sysctl", "net.inet.tcp.intercept.watch_timeout=7", "--debug")
    sysctl = intercept.make(options(*words, "--mode", "watch")).sysctl
    assert ("watch", 60, 7, 1, "random") == tuple(
        sysctl[f"net.inet.tcp.intercept.{name}"]
        for name in (
            "mode",
            "connection_timeout",
            "watch_timeout",
            "debug",
            "drop_mode",
        )
    )


def test_without_list_nothing_is_protected():
    """And the first line says so."""
    assert intercept.make(options()).acl is None


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            ["--list", "nowhere"],
            "nowhere is neither a file nor one of the access lists",
        ),
        (["--sysctl", "net.inet.tcp.intercept.mode=drop"], "intercept, watch"),
        (["--sysctl", "mode"], "not of the form NAME=VALUE"),
        (["--sysctl", "net.inet.tcp.intercept.list=5"], "no access list 5"),
        (["--preset", "cisco"], "no preset"),
        (["--conf", "/nowhere/at/all"], "/nowhere/at/all: No such file"),
        (["--outside", "a", "--inside", "a"], "a cannot be inside and outside"),
    ],
)
def test_operators_mistake_is_one_line(capsys, words, hint):
    """Exit status 1, and what to do."""
    assert 1 == main(["intercept", *LINKS, *words])
    error = capsys.readouterr().err
    assert 1 == error.count("\n")
    assert hint in error


def test_malformed_file_is_one_line_with_its_number(capsys, tmp_path):
    """Of rules, and of a configuration."""
    for text in ("permit tcp any any\npermit tcp\n", "! ios\nip tcp intercept\n"):
        path = tmp_path / "file"
        path.write_text(text)
        assert 1 == main(["intercept", *LINKS, "--list", str(path)])
        error = capsys.readouterr().err
        assert str(path) in error
        assert "2: " in error


def test_missing_interface_is_one_line(capsys, rules):
    """Or a missing privilege."""
    words = ["--outside", "nowhere0", "--inside", "nowhere1", "--list", str(rules)]
    assert 1 == main(["intercept", *words])
    assert 1 == capsys.readouterr().err.count("\n")


class Wire:
    """A link of lists: what comes is given, what is sent is kept."""

    mtu = 1500

    def __init__(self):
        self.coming, self.sent = [], []

    def receive(self, rx):
        for packet in self.coming:
            rx.push(packet)
        count, self.coming = len(self.coming), []
        return count

    def send(self, tx):
        self.sent += [bytes(tx[index]) for index in range(len(tx))]
        return len(tx)

    def fileno(self):
        return -1

    def close(self):
        pass


@pytest.fixture
def box(rules):
    engine = intercept.make(options("--list", rules, "--debug"))
    outside, inside = Wire(), Wire()
    now, lines = [0.0], []
    made = Box(engine, Relay(outside), Relay(inside), lambda: now[0], lines.append)
    made.outside, made.inside, made.now, made.lines = outside, inside, now, lines
    return made


def syn(dport=80):
    return Segment(
        src="192.0.2.1",
        dst="198.51.100.5",
        sport=40000,
        dport=dport,
        seq=1000,
        flags=SYN,
        window=64240,
    )


def test_box_forwards_answers_and_tells(box):
    """One turn: what passes goes inside, what we answer goes outside."""
    box.outside.coming = [syn(443).packet(), syn().packet()]
    box.turn([Side.CLIENT])
    assert [syn(443).packet()] == box.inside.sent
    (answer,) = map(Segment.parse, box.outside.sent)
    assert SYN | ACK == answer.flags
    assert "new connection (192.0.2.1:40000 SYN -> 198.51.100.5:80)" in box.lines[0]


def test_box_sends_what_is_due(box):
    """Retransmissions come by the clock alone."""
    box.outside.coming = [syn().packet()]
    box.turn([Side.CLIENT])
    box.now[0] = 1.0
    box.turn([])
    assert 2 == len(box.outside.sent)
    assert any("SYNRCVD retransmit 1" in line for line in box.lines)


def test_tables_are_those_of_the_original(box):
    """Connections, then statistics."""
    box.outside.coming = [syn().packet()]
    box.turn([Side.CLIENT])
    text = box.tables(0.5)
    assert "192.0.2.1:40000       198.51.100.5:80       SYNRCVD  00:00:00" in text
    assert "intercepting new connections using access-list web\n" in text


def test_relay_takes_more_than_its_ring_holds():
    """And passes on what is known of checksums and super-segments."""
    wire = Wire()
    wire.gso_max = 65_535
    relay = Relay(wire)
    assert 65_535 == relay.gso_max  # so the ring that it fills is made for these
    rx = Ring(600)
    kept = []
    wire.send = lambda tx: kept.extend(
        (bytes(tx[i]), tx.checksum(i), tx.gso_size(i)) for i in range(len(tx))
    )
    for number in range(600):
        rx.push(number.to_bytes(2, "big"), checksum=Checksum.PARTIAL, gso_size=number)
    engine = intercept.make(options())
    engine.burst(rx, Side.CLIENT, None, None, 0.0)
    assert 600 == relay.forward(rx)
    assert [
        (number.to_bytes(2, "big"), Checksum.PARTIAL, number) for number in range(600)
    ] == kept


def test_large_table_is_printed_in_parts_that_are_short(box):
    """Each row once, some at a turn; the statistics come last."""
    from syncache.cli.intercept import ROWS_A_PART

    ports = range(1000, 1200)
    for port in ports:
        box.engine.receive(replace(syn(), sport=port).packet(), Side.CLIENT, 0.0)
    *parts, last = box.table_parts(0.5)
    assert max(part.count("SYNRCVD") for part in parts) <= ROWS_A_PART
    text = "".join(parts)
    assert all(text.count(f"192.0.2.1:{port} ") == 1 for port in ports)
    assert "intercepting new connections using access-list web" in last


def test_box_without_traffic_sleeps_until_its_next_look(box):
    """A descriptor tells of signals; more events than a turn takes are not left."""

    class Service:
        def wait(self, now):
            return 5.0 - now

    box._service = Service()
    box.turn([])
    assert 1.0 == box.wait()
    box.now[0] = 0.5
    assert 0.5 == box.wait()
    box._budget.spend(500, more=True)
    assert 0.2 == box.wait()
    box.now[0] = 4.75
    box._budget.spend(0)
    box.turn([])
    assert 0.25 == box.wait()


def test_table_waits_while_the_log_has_no_room(box):
    """A reader that stalls holds up the table alone."""

    class Full:
        has_room = False

    box._output = output = Full()
    box._table = iter(["a\n", "b\n"])
    box.engine.poll(None, None, box.now[0])
    box._print_table()
    assert box.wait() > 0
    output.has_room = True
    assert 0 == box.wait()
    for _ in range(3):
        box._print_table()
    assert ["a\n", "b\n"] == box.lines
    assert box._table is None
