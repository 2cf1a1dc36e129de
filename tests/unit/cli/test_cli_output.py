"""syncache/cli/output.py: lines beside the packet loop, and their losses."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import needs
import ports
import pytest
from full_pipe import fill

from syncache.alarms import Alarm
from syncache.cli import Failure, sink
from syncache.cli import output as output_module
from syncache.cli.output import EVENTS_A_TURN, Budget, Handler, Output, opened

LINE = "a line of the log\n"


def words(**given):
    """The options of a log."""
    plain = {"log": None, "log_format": None, "syslog": None, "facility": "local0"}
    return argparse.Namespace(**({"user": None} | plain | given))


@pytest.fixture
def pipe():
    """A pipe that nobody reads; both ends are closed after."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def test_lines_are_written_in_order(tmp_path):
    """All of them, by the time of `close`."""
    with (tmp_path / "log").open("wb") as file:
        output = Output(file.fileno())
        for number in range(1000):
            output.write(f"{number}\n")
        assert 0 == output.close(30)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [str(number) for number in range(1000)] == lines


def test_stalled_reader_does_not_stop_the_writer_and_losses_are_counted(capfd):
    """Memory is bounded; the end is too."""
    reader, writer = os.pipe()
    fill(writer)
    output = Output(writer, name="box", limit=100 * len(LINE))
    for _ in range(100_000):
        output.write(LINE)
    assert 100_000 - 201 <= output.lost < 100_000
    assert 100_000 == output.close(0.1)
    assert "box: 100000 lines of the log are lost\n" == capfd.readouterr().err
    os.close(reader)  # which frees the thread
    output.close(30)
    os.close(writer)


def test_reader_that_comes_back_is_told_how_many_lines_it_missed(pipe):
    """In the place where they would have been."""
    fill(pipe[1])
    output = Output(pipe[1], limit=10 * len(LINE))
    for _ in range(1000):
        output.write(LINE)
    lost = output.lost
    assert lost
    copy = os.dup(pipe[0])
    os.set_blocking(copy, True)
    heard = b""
    while heard.count(LINE.encode()) + lost < 1000:
        heard += os.read(copy, 65536)
    output.write("the last\n")
    while b"the last\n" not in heard:
        heard += os.read(copy, 65536)
    os.close(copy)
    output.close(30)
    told = re.findall(r"(\d+) lines of the log are lost\n", heard.decode())
    assert lost == sum(map(int, told))
    assert 1000 == lost + heard.decode().count(LINE)


def test_lines_that_come_one_by_one_are_written_together(pipe, monkeypatch):
    """Each time the thread runs, the packet loop waits for Python's lock."""
    batches = []
    write_all = sink.write_all

    def counted(descriptor, data):
        batches.append(len(data))
        return write_all(descriptor, data)

    monkeypatch.setattr(output_module, "GATHER_SECONDS", 3600)
    monkeypatch.setattr(sink, "write_all", counted)
    output = Output(pipe[1])
    output.write("first\n")
    end = time.monotonic() + 60
    while not batches and time.monotonic() < end:
        time.sleep(0.01)
    for _ in range(100):
        output.write(LINE)
        time.sleep(0.0001)
    assert 0 == output.close(60)
    assert [6, 100 * len(LINE)] == batches


def test_reader_that_has_left_is_a_warning(capfd):
    """Once; everything after it is lost."""
    reader, writer = os.pipe()
    os.close(reader)
    output = Output(writer, name="box")
    output.write(LINE)
    output.write(LINE)
    assert 2 == output.close(30)
    os.close(writer)
    lines = capfd.readouterr().err.splitlines()
    assert "box: cannot write the log: Broken pipe; going on without" == lines[0]
    assert ["box: 2 lines of the log are lost"] == lines[1:]


def test_full_disk_is_a_warning(capfd):
    """As /dev/full plays it."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        output = Output(full.fileno(), name="box")
        output.write(LINE)
        assert 1 == output.close(30)
    assert "No space left on device; going on without\n" in capfd.readouterr().err


def test_descriptor_that_does_not_block_is_waited_for(pipe):
    """The shell may have left it so."""
    fill(pipe[1])
    os.set_blocking(pipe[1], False)
    output = Output(pipe[1])
    output.write(LINE)
    heard = b""
    while LINE.encode() not in heard:
        heard += os.read(pipe[0], 65536)
    assert 0 == output.close(30)


def test_records_of_logging_are_queued(tmp_path):
    """So that a link's warning cannot block either."""
    with (tmp_path / "log").open("wb") as file:
        output = Output(file.fileno())
        record = logging.makeLogRecord(
            {"msg": "eth0: %s", "args": ("sending again",), "levelno": logging.INFO}
        )
        Handler(output).emit(record)
        assert 0 == output.close(30)
    assert "eth0: sending again\n" == (tmp_path / "log").read_text()


def test_budget_is_a_rate_and_a_bound_for_one_turn():
    """Nothing is left after a second's worth; time earns it again."""
    budget = Budget(8 * EVENTS_A_TURN)
    assert EVENTS_A_TURN == budget.refill(0.0)
    budget.spend(EVENTS_A_TURN)
    budget.spend(budget.refill(0.0))
    assert 0 == budget.refill(0.0)
    assert EVENTS_A_TURN // 2 == budget.refill(1 / 16)
    assert EVENTS_A_TURN == budget.refill(1000.0)


def test_budget_is_a_quarter_while_there_is_more_than_it_allows():
    """Until a turn has found the end of what there was."""
    budget = Budget(4 * EVENTS_A_TURN)
    budget.spend(budget.refill(0.0), more=True)
    assert EVENTS_A_TURN // 4 == budget.refill(0.25)
    budget.spend(EVENTS_A_TURN // 4, more=True)
    budget.spend(budget.refill(0.5), more=False)
    assert EVENTS_A_TURN == budget.refill(0.75)


def test_events_that_a_turn_has_left_are_waiting_while_the_budget_lasts():
    """The loop takes them after the next packets, however few there are."""
    budget = Budget(8 * EVENTS_A_TURN)
    assert not budget.is_waiting
    budget.spend(budget.refill(0.0), more=True)
    assert budget.is_waiting
    budget.spend(budget.refill(0.0), more=True)
    assert not budget.is_waiting
    budget.refill(1000.0)
    assert budget.is_waiting
    budget.spend(1)
    assert not budget.is_waiting


def test_file_is_opened_again_where_it_was_renamed(tmp_path):
    """Lines of before are in the old one, lines of after in the new one."""
    path = tmp_path / "log"
    made = Output(path=path)
    made.write("before\n")
    wait_for(lambda: path.read_text() == "before\n")
    path.rename(tmp_path / "log.1")
    made.reopen()
    wait_for(path.exists)
    made.write("after\n")
    assert 0 == made.close()
    assert "before\n" == (tmp_path / "log.1").read_text()
    assert "after\n" == path.read_text()


def test_file_that_cannot_be_opened_again_goes_on_where_it_was(tmp_path, capfd):
    """One warning, and no line is lost."""
    path = tmp_path / "folder" / "log"
    path.parent.mkdir()
    made = Output(path=path, name="box")
    path.parent.rename(tmp_path / "moved")
    made.reopen()
    made.write("after\n")
    assert 0 == made.close()
    assert "after\n" == (tmp_path / "moved" / "log").read_text()
    assert f"box: {path}: No such file or directory; the log goes on" in (
        capfd.readouterr().err
    )


def test_pipe_without_a_reader_is_no_reason_to_wait(tmp_path):
    """At the start nor later; a reader that comes gets the lines that fitted."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with opened("x", words(log=path, log_format="text")) as output:
        output.write("first\n")
        output.reopen()
        wait_for(lambda: not output._reopening)
        output.write("second\n")
        with path.open("rb") as file:
            assert [b"first\n", b"second\n"] == [file.readline(), file.readline()]
        assert 0 == output.lost


def test_log_on_a_full_disk_is_opened_when_there_is_room(tmp_path, monkeypatch, capfd):
    """The box starts without; the reason is a warning, and the loss is in the log."""
    monkeypatch.setattr(output_module, "RETRY_SECONDS", 0.01)
    is_full = threading.Event()
    is_full.set()
    append = sink.open_append

    def full(path, owner):
        if is_full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return append(path, owner)

    monkeypatch.setattr(sink, "open_append", full)
    path = tmp_path / "log"
    with opened("x", words(log=path, log_format="text")) as output:
        output.write("first\n")
        wait_for(lambda: output.lost)
        is_full.clear()
        output.write("second\n")
    assert "1 line of the log is lost\nsecond\n" == path.read_text()
    said = capfd.readouterr().err
    assert f"x: {path}: No space left on device; going on without a log" in said


def test_log_that_cannot_be_opened_is_one_line(tmp_path):
    """At the start, with its path."""
    path = tmp_path / "none" / "log"
    with (
        pytest.raises(Failure, match=f"--log {path}: No such file"),
        opened("x", words(log=path)),
    ):
        pass


def wait_for(condition, seconds=60.0):
    """Ask again until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


ALARM = Alarm(time=0.0, kind="flood", text="SYN flood on x", facts={"prefixes": 9})
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def logged(tmp_path, form, **given):
    """What a run of three lines leaves in its log."""
    path = tmp_path / "log"
    options = words(log=path, log_format=form, **given)
    with opened("syncache serve", options) as output:
        output.write("serving\n")
        output.alarm(ALARM)
        output.write("session\n", kind="sess", time=time.monotonic(), has_time=True)
        logging.getLogger("links").warning("eth0: not sending")
    return path.read_text().splitlines()


@pytest.mark.parametrize("form", [None, "time", "json", "rfc5424"])
def test_journal_is_told_the_severity_of_each_line(form, monkeypatch, capfd):
    """Which it takes off again; nobody else sees it."""
    found = os.fstat(1)
    for place, is_there in (
        (f"{found.st_dev}:{found.st_ino}", form != "rfc5424"),
        (f"{found.st_dev}:{found.st_ino + 1}", False),
        ("x", False),
        ("", False),
    ):
        monkeypatch.setenv("JOURNAL_STREAM", place)
        with opened("syncache serve", words(log_format=form)) as output:
            output.write("serving\nmore\n")
            output.alarm(ALARM)
        lines = capfd.readouterr().out.splitlines()
        heads = [line[:3] for line in lines]
        assert is_there == (["<6>", "<6>", "<4>"] == heads), lines


def test_journal_is_told_that_what_goes_to_the_standard_error_warns(monkeypatch, capfd):
    """Of an interface that is down, of a mistake at the start; nobody else sees it."""
    found = os.fstat(2)
    for number, head in ((found.st_ino, "<4>"), (found.st_ino + 1, "")):
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{number}")
        with opened("syncache serve", words(log_format=None)):
            logging.getLogger("links").warning("eth0 is down")
        sink.say("syncache serve: no interface")
        lines = capfd.readouterr().err.splitlines()
        assert [f"{head}eth0 is down", f"{head}syncache serve: no interface"] == lines


def test_text_is_as_it_was_and_a_file_has_the_time(tmp_path, capfd):
    """The lines of libraries are on the standard error, or in the file."""
    text = logged(tmp_path, "text")
    assert ["serving", "SYN flood on x"] == text[:2]
    assert re.fullmatch(f"{STAMP} session", text[2])
    assert "eth0: not sending\n" == capfd.readouterr().err
    (tmp_path / "log").unlink()
    lines = logged(tmp_path, None)
    assert 4 == len(lines)
    assert all(re.match(STAMP, line) for line in lines)
    assert lines[3].endswith("eth0: not sending")


def test_json_lines_are_objects_with_the_time_of_the_event(tmp_path):
    """And the command, the kind, the severity, the numbers."""
    rows = [json.loads(line) for line in logged(tmp_path, "json")]
    assert {"serve"} == {row["command"] for row in rows}
    assert ["message", "flood", "sess", "library"] == [row["kind"] for row in rows]
    assert ["info", "warning", "info", "warning"] == [row["severity"] for row in rows]
    assert 9 == rows[1]["prefixes"]
    assert rows[1]["time"] < rows[0]["time"]  # it was at the clock's beginning


def test_rfc5424_lines_have_a_header(tmp_path):
    """Priority, version, time, host, application, process, kind."""
    lines = logged(tmp_path, "rfc5424", facility="daemon")
    who = rf"\S+ syncache {os.getpid()}"
    assert re.fullmatch(rf"<30>1 \S+Z {who} MESSAGE - serving", lines[0])
    assert re.fullmatch(rf"<28>1 \S+Z {who} FLOOD - SYN flood on x", lines[1])


def test_syslog_gets_each_line_beside_the_log(tmp_path):
    """Whatever the form of the log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "dev"))
        logged(tmp_path, "json", syslog=str(tmp_path / "dev"))
        daemon.settimeout(60)
        heard = [daemon.recv(2000).decode() for _ in range(4)]
    assert re.fullmatch(
        rf"<132>\w{{3}} [ \d]\d [\d:]{{8}} syncache\[{os.getpid()}\]: SYN flood on x",
        heard[1],
    )


def test_syslog_socket_gets_rfc5424_if_the_log_has_that_form(tmp_path):
    """For a daemon that is set to read it there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "dev"))
        logged(tmp_path, "rfc5424", syslog=str(tmp_path / "dev"))
        daemon.settimeout(60)
        heard = [daemon.recv(2000).decode() for _ in range(4)]
    assert heard == (tmp_path / "log").read_text().splitlines()


def test_syslog_that_cannot_be_is_one_line(tmp_path):
    """Before anything is opened."""
    with (
        pytest.raises(Failure, match="no facility 'x'"),
        opened("x", words(facility="x")),
    ):
        pass
    given = words(syslog=str(tmp_path / ("x" * 200)))
    text = "--syslog: no syslog at .*too long"
    with pytest.raises(Failure, match=text), opened("x", given):
        pass


def test_syslog_that_starts_later_gets_the_lines_from_then_on(tmp_path, capsys):
    """Its absence is a warning at the start; what it missed is counted."""
    path = tmp_path / "dev-log"
    with opened("x", words(syslog=str(path))) as output:
        assert f"x: --syslog: no syslog at {path}: No" in capsys.readouterr().err
        output.write("before\n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(str(path))
            daemon.settimeout(30)
            output.syslog._again = 0.0
            output.write("after\n")
            assert daemon.recv(2000).endswith(b"]: after")
            assert daemon.recv(2000).endswith(b"]: 1 line of the log is lost")


def test_lines_that_syslog_never_got_are_reported_at_the_end(tmp_path, capfd):
    """On the standard error."""
    with opened("box", words(syslog=str(tmp_path / "none"))) as output:
        output.write("one\ntwo\n")
    assert "box: 2 lines to syslog are lost\n" in capfd.readouterr().err


CONF = """
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
input(type="imuxsock" Socket="{0}/dev" CreatePath="off")
input(type="imudp" address="127.0.0.1" port="{1}")
template(name="row" type="list" option.jsonf="on") {{
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="kind" name="msgid" format="jsonf")
  property(outname="pid" name="procid" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
}}
action(type="omfile" file="{0}/rows" template="row")
"""


def test_rsyslog_reads_every_field(tmp_path):
    """Debian's rsyslog: its own socket, and over UDP."""
    needs.need("rsyslogd")
    rsyslogd = shutil.which("rsyslogd", path=needs.PATH)
    port = ports.free(socket.SOCK_DGRAM)
    (tmp_path / "conf").write_text(CONF.format(tmp_path, port))
    rows = tmp_path / "rows"
    given = ["-n", "-f", tmp_path / "conf", "-i", tmp_path / "pid"]
    with subprocess.Popen([rsyslogd, *given], stderr=subprocess.DEVNULL) as daemon:
        try:
            wait_for((tmp_path / "dev").exists)
            logged(tmp_path, "text", syslog=str(tmp_path / "dev"))
            wait_for(lambda: rows.exists() and rows.read_text().count("\n") >= 4)
            logged(tmp_path, "text", syslog=f"127.0.0.1:{port}")
            wait_for(lambda: rows.read_text().count("\n") >= 8)
        finally:
            daemon.terminate()
    read = [json.loads(line) for line in rows.read_text().splitlines()]
    floods = [row for row in read if row["text"].strip() == "SYN flood on x"]
    expected = {"severity": "warning", "facility": "local0", "app": "syncache"}
    expected |= {"pid": str(os.getpid())}
    for flood in floods:
        assert expected == {name: flood[name] for name in expected}
    assert ["-", "FLOOD"] == [flood["kind"] for flood in floods]
    assert floods[1]["time"] < read[4]["time"]  # it was at the clock's beginning
