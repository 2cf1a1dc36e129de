"""syncache/cli/log.py: log files, compressed, rotated, growing."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
from functools import partial

import pytest

from syncache.cli import main
from syncache.cli.log import follow

ON = "%FW-4-ALERT_ON: getting aggressive, count (83/500) current 1-min rate: 501"
OFF = "%FW-4-ALERT_OFF: calming down, count (3/400) current 1-min rate: 390"
LOG = (
    f"Nov 29 01:00:00 r1 1: {ON}\n"
    f"Nov 29 01:00:10 r1 2: {OFF}\n"
    "Nov 29 01:00:11 r1 3: %SYS-5-CONFIG_I: Configured from console\n"
)


@pytest.fixture
def log(capfd):
    """Run the command; return exit status, output and errors."""

    def run(*words):
        status = main(["log", *map(str, words)])
        out, err = capfd.readouterr()
        return status, out, err

    return run


@pytest.fixture
def file(tmp_path):
    """A log of one attack."""
    path = tmp_path / "messages"
    path.write_text(LOG)
    return path


def test_text_has_the_attack_and_the_totals(log, file):
    """On, off, how long, where."""
    status, out, err = log(file)
    assert (0, "") == (status, err)
    assert "3 lines, 2 messages" in out
    assert "1 attack\n" in out
    assert "-11-29 01:00:00" in out
    assert "0:00:10" in out


def test_json_is_one_object_a_line(log, file):
    """Attacks, totals, advice."""
    status, out, _ = log("--json", file)
    assert 0 == status
    attack, totals, advice = (json.loads(line) for line in out.splitlines())
    assert ("attack", "r1", 10.0) == (
        attack["type"],
        attack["router"],
        attack["duration"],
    )
    assert ("totals", 3, 1) == (totals["type"], totals["lines"], totals["attacks"])
    assert "advice" == advice["type"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_log_is_read(log, tmp_path, pack):
    """As rotation leaves them, whatever their names."""
    path = tmp_path / "messages.1"
    path.write_bytes(pack(LOG.encode()))
    assert "1 attack\n" in log(path)[1]


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, partial(lzma.compress, preset=0)]
)
def test_damaged_compressed_log_gives_what_was_before(log, tmp_path, pack):
    """A file cut short is the operator's to know: one line, and a status of its own."""
    path = tmp_path / "messages.1"
    plain = LOG.encode() + os.urandom(2_000_000).hex().encode()
    packed = pack(plain)
    path.write_bytes(packed[:-9000])
    status, out, err = log(path)
    assert 3 == status
    assert "damaged" in err
    assert 1 == err.count("\n")
    assert "1 attack\n" in out
    other = tmp_path / "messages"
    other.write_text(LOG)
    assert 3 == log(path, other)[0]
    path.write_bytes(packed[:40])
    assert 3 == log(path)[0]


@pytest.mark.parametrize(
    ("magic", "program"),
    [(b"\x28\xb5\x2f\xfd", "zstdcat"), (b"\x04\x22\x4d\x18", "lz4cat")],
)
def test_other_compression_names_the_pipe(log, tmp_path, magic, program):
    """What we cannot unpack, a pipe can."""
    path = tmp_path / "messages.z"
    path.write_bytes(magic + bytes(20))
    status, _, err = log(path)
    assert 1 == status
    assert f"{program} {path} | syncache log -" in err


def test_standard_input_is_read(log, monkeypatch):
    """`-` stands for it."""
    raw = io.BytesIO(LOG.encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(raw))
    assert "1 attack\n" in log("-")[1]


def test_rotated_logs_are_read_in_the_order_of_their_dates(log, tmp_path):
    """`messages messages.1` has the later one first."""
    late, early = tmp_path / "messages", tmp_path / "messages.1"
    early.write_text(f"Nov 29 01:00:00 r1 1: {ON}\n")
    late.write_text(f"Nov 29 01:05:00 r1 2: {OFF}\n")
    out = log(late, early)[1]
    assert "1 attack\n" in out
    assert "0:05:00" in out


def test_year_may_be_given(log, file):
    """For logs that are older than a year."""
    assert "2001-11-29 01:00:00" in log("--year", "2001", file)[1]


def test_binary_file_is_read_to_its_end(log, tmp_path):
    """What is no text holds no message."""
    path = tmp_path / "core"
    path.write_bytes(
        os.urandom(200_000) + b"\n%FW-4-ALERT_ON: \xff\xfe\n" + bytes(99_999)
    )
    status, out, err = log(path)
    assert (0, "") == (status, err)
    assert "no alerts" in out


def test_terminal_is_not_steered_by_a_log(log, tmp_path):
    """Names of hosts and reasons come from the network."""
    path = tmp_path / "messages"
    path.write_text(
        "Nov 29 01:00:00 r1 1: %FW-6-DROP_PKT: Dropping tcp session a\x1b[2J:1 b:2 "
        "due to \x1b]0;x\x07\n"
    )
    out = log(path)[1]
    assert "1 packet dropped" in out
    assert "\x1b" not in out
    assert "\x07" not in out


@pytest.mark.parametrize(
    "words",
    [
        ["/no/such/file"],
        ["--top", "0", "{file}"],
        ["--year", "12", "{file}"],
        ["-F", "-"],
        ["-F", "{file}", "{file}"],
        ["/"],
    ],
)
def test_mistake_is_one_line(log, file, words):
    """It says what to do."""
    status, out, err = log(*(word.format(file=file) for word in words))
    assert (1, "") == (status, out)
    assert 1 == err.count("\n")


def test_follow_reads_what_is_written_later(tmp_path):
    """Half a line waits for its rest."""
    path = tmp_path / "messages"
    path.write_text("one\ntw")
    steps = iter(["o\n", "three\n"])

    def again():
        text = next(steps, None)
        if text is None:
            return False
        with path.open("a") as file:
            file.write(text)
        return True

    assert ["one\n", "two\n", "three\n"] == list(follow(path, again))


def test_follow_goes_on_over_a_rotation(tmp_path):
    """The rest of the old file first; then the new one, or the emptied one."""
    path = tmp_path / "messages"
    path.write_text("old\n")

    def rotate():
        with path.open("a") as file:
            file.write("rest\n")
        path.rename(tmp_path / "messages.1")

    def create():
        path.write_text("new\nlong enough\n")

    def empty():
        path.write_text("again\n")

    steps = iter([rotate, create, empty])

    def again():
        step = next(steps, None)
        if step is not None:
            step()
        return step is not None

    expected = ["old\n", "rest\n", "new\n", "long enough\n", "again\n"]
    assert expected == list(follow(path, again))


def test_follow_goes_on_if_the_new_file_is_gone_before_it_is_opened(
    tmp_path, monkeypatch
):
    """Its name stood for another one a moment ago."""
    path = tmp_path / "log"
    path.write_text("first\n")
    monkeypatch.setattr("syncache.cli.log.is_another", lambda *_: True)
    turns = iter([path.unlink, lambda: path.write_text("second\n"), None])

    def again():
        turn = next(turns)
        return turn is not None and (turn() or True)

    assert ["first\n", "second\n"] == list(follow(path, again))


@pytest.mark.parametrize("words", [[], ["-F"]])
def test_endless_device_is_refused(words, capsys):
    """Or its lines would be counted for ever."""
    assert 1 == main(["log", "/dev/full", *words])
    assert "/dev/full is a device" in capsys.readouterr().err
    assert 0 == main(["log", "/dev/null"])


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_follow_prints_alerts_as_they_come(log, file, monkeypatch, words):
    """And the sums when it is interrupted."""

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(follow, "__defaults__", (interrupted,))
    status, out, _ = log("-F", file, *words)
    assert 0 == status
    first, second = out.splitlines()[:2]
    if words:
        assert ("alert", "ALERT_ON") == (
            json.loads(first)["type"],
            json.loads(first)["mnemonic"],
        )
    else:
        assert first.endswith(ON)
        assert second.endswith(OFF)
        assert "1 attack\n" in out


@pytest.mark.parametrize(
    "head", ["d4c3b2a1020004000000", "0a0d0d0a1c0000004d3c", "4d3cb2a102000400"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_capture_is_named_with_the_command_that_reads_it(log, tmp_path, head, pack):
    """It has lines by chance, and none of a log."""
    path = tmp_path / "syslog.pcap"
    path.write_bytes(pack(bytes.fromhex(head)))
    said = f"syncache log: {path} is a capture: syncache inspect {path}\n"
    assert (1, "", said) == log(path)


def test_fault_amid_a_file_names_the_file(log):
    """The system's error has no name then."""
    said = "syncache log: /proc/self/mem: Input/output error\n"
    assert (1, "", said) == log("/proc/self/mem")


FLOOD = "Nov 28 10:0{}:00 web1 kernel: TCP: request_sock_TCP: Possible SYN flooding on "
FLOOD += "port [::]:443. Sending cookies."


def test_what_a_kernel_says_is_in_every_output(tmp_path, capsys):
    """A row of text, an object of JSON, a row of the page; no thresholds from it."""
    log, page = tmp_path / "kern.log", tmp_path / "log.html"
    log.write_text("".join(FLOOD.format(minute) + "\n" for minute in range(3)))
    assert 0 == main(["log", str(log), "--report", str(page)])
    out = capsys.readouterr().out
    assert "3 messages of inspection, intercept, kernels or firewalls" in out
    row = next(line for line in out.splitlines() if "[::]:443(3)" in line)
    assert row.split()[4:] == [
        *("0:02:00", "kernel", "cookies", "-", "-", "web1", "Linux", "[::]:443(3)")
    ]
    assert "thresholds: none without an audit trail" in out
    assert "[::]:443(3)" in page.read_text()
    assert 0 == main(["log", "--json", str(log)])
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert ("attack", "kernel", "cookies", None) == (
        *(first["type"], first["kind"], first["reason"], first["half_open"]),
    )
    assert (120.0, {"[::]:443": 3}) == (first["duration"], first["targets"])


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_what_a_kernel_says_is_printed_as_it_comes(
    tmp_path, capsys, monkeypatch, words
):
    """With --follow."""
    log = tmp_path / "kern.log"
    lines = [FLOOD.format(1) + "\n"]
    monkeypatch.setattr("syncache.cli.log.follow", lambda _path: lines)
    assert 0 == main(["log", "-F", *words, str(log)])
    first = capsys.readouterr().out.splitlines()[0]
    if words:
        said = json.loads(first)
        assert ("alert", "KERNEL_COOKIES", "[::]:443") == (
            *(said["type"], said["mnemonic"], said["target"]),
        )
    else:
        assert first.endswith(
            "Linux: possible SYN flooding on [::]:443: cookies are sent"
        )


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_log_of_16_bit_characters_is_read(tmp_path, capsys, order):
    """As a Windows shell writes what is sent to a file."""
    path = tmp_path / "log"
    line = "2026-11-29T10:00:00Z r1 %FW-4-ALERT_ON: getting aggressive, count (5/4)"
    text = f"\ufeff{line} current 1-min rate: 5\r\n"
    path.write_bytes(text.encode(order))
    assert 0 == main(["log", str(path)])
    assert "r1" in capsys.readouterr().out
