"""syncache/cli/netstat.py: the counters of a running process in netstat(1)'s words."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncache import Inspection, Intercept, Syncache
from syncache.cli import main
from syncache.cli.netstat import RATES, rates_of
from syncache.control import FlowControl, start_control
from syncache.control_socket import ControlSocket
from syncache.segment import SYN, Segment


@pytest.fixture
def netstat(tmp_path, capsys):
    """Run the command against an engine with one half-open connection."""
    engine = Syncache(seed=bytes(16))
    engine.listen(80, "192.0.2.1")
    syn = Segment(src="198.51.100.7", dst="192.0.2.1", sport=5000, dport=80, flags=SYN)
    engine.packet(syn.packet(), 1.0)
    path = tmp_path / "sc.sock"

    async def serve(words):
        async with await start_control(path, engine):
            return await asyncio.to_thread(main, ["netstat", *words])

    def run(*words):
        status = asyncio.run(serve(["--socket", str(path), *words]))
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_s_prints_freebsds_lines(netstat):
    """The labels are those that scripts look for."""
    status, out, err = netstat("-s", "--profile", "freebsd")
    assert (0, "") == (status, err)
    lines = out.splitlines()
    assert ["tcp:", "\t1 syncache entry added", "\t\t0 retransmitted"] == lines[:3]
    assert "\t1 cookie sent" in lines
    assert "\t0 cookies received" in lines


def test_s_is_the_default_and_has_our_counters(netstat):
    """Without a flag the counters are printed, ours below."""
    assert netstat("-s") == netstat()
    assert "evicted" in netstat()[1]


def test_ss_prints_no_zeroes(netstat):
    """-ss leaves out what is zero."""
    assert [] == [line for line in netstat("-ss")[1].splitlines() if " 0 " in line]
    assert "\t1 syncache entry added" in netstat("-ss")[1]


def test_a_lists_half_open_connections(netstat):
    """-a has a row for each half-open connection."""
    rows = netstat("-a")[1].splitlines()
    assert 2 == len(rows)
    assert ["192.0.2.1.80", "198.51.100.7.5000", "SYN_RCVD"] == rows[1].split()[:3]


def test_json_has_plain_names(netstat):
    """--json is for machines."""
    assert 1 == json.loads(netstat("--json")[1])["sc_added"]
    assert 5000 == json.loads(netstat("-a", "--json")[1])[0]["fport"]


def test_libxo_has_freebsds_keys(netstat):
    """Scripts for FreeBSD find their keys, the misspelt one too."""
    keys = json.loads(netstat("--libxo", "json")[1])["statistics"]["tcp"]["syncache"]
    assert 1 == keys["entries-added"]
    assert 0 == keys["receivd-cookies"]


def test_without_socket_says_what_to_do(capsys, monkeypatch):
    """Offline there is nothing to count."""
    monkeypatch.delenv("SYNCACHE_SOCKET", raising=False)
    assert 1 == main(["netstat", "-s"])
    assert "--socket" in capsys.readouterr().err


def test_without_process_is_one_line(capsys, tmp_path):
    """A process that is not there is named by its socket."""
    assert 1 == main(["netstat", "--socket", str(tmp_path / "none")])
    err = capsys.readouterr().err
    assert str(tmp_path / "none") in err
    assert 1 == err.count("\n")


def test_a_reports_what_it_leaves_out(netstat):
    """A list that ends early has a line on stderr that names the whole number."""
    engine_rows = netstat("-a", "--json")
    assert "" == engine_rows[2]
    status, _, err = netstat("-a", "--limit", "0")
    assert 1 == status
    assert "--limit 0" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-a", "--libxo", "json"], "--libxo has the counters"),
        (["-w", "1", "--libxo", "json"], "--libxo has the counters"),
        (["-as", "--json"], "--json prints one document"),
    ],
)
def test_form_that_is_not_there_is_refused(netstat, words, said):
    """A program that asked for JSON would have got text, or two documents."""
    status, out, err = netstat(*words)
    assert (1, "") == (status, out)
    assert said in err


def test_a_with_a_limit_below_the_number_names_both(tmp_path, capsys):
    """Three half-open connections, two rows."""
    engine = Syncache(seed=bytes(16))
    engine.listen(80, "192.0.2.1")
    for port in (5000, 5001, 5002):
        syn = Segment(
            src="198.51.100.7", dst="192.0.2.1", sport=port, dport=80, flags=SYN
        )
        engine.packet(syn.packet(), 1.0)
    path = tmp_path / "sc.sock"

    async def serve():
        async with await start_control(path, engine):
            words = ["netstat", "-a", "--limit", "2", "--socket", str(path)]
            return await asyncio.to_thread(main, words)

    assert 0 == asyncio.run(serve())
    out, err = capsys.readouterr()
    assert 3 == out.count("\n")
    assert "2 of 3 half-open connections shown; --limit 3 lists all" in err


def test_w_prints_a_line_of_rates_every_so_often(netstat):
    """A heading, then so many lines as -q asks for."""
    status, out, _ = netstat("-w", "0.01", "-q", "2")
    heading, *lines = out.splitlines()
    assert 0 == status
    assert ["syns", "syn-acks", "cookies"] == heading.split()[:3]
    assert [["0"] * len(RATES)] * 2 == [line.split() for line in lines]


def test_rates_add_up_counters_of_either_kind_of_engine():
    """Names that end in _ stand for all that begin so; seconds divide."""
    before = {"requests": 10, "verdict_drop_early": 1, "verdict_drop_rst": 0}
    now = {"requests": 30, "verdict_drop_early": 4, "verdict_drop_rst": 5}
    rates = rates_of(before, now, 2.0)
    assert (10, 4, 0) == (rates["syns"], rates["dropped"], rates["evicted"])
    assert 7 == rates_of({}, {"sc_added": 7, "inside_kernel_dropped": 3}, 1.0)["syns"]


def test_every_rate_is_of_counters_that_an_engine_has():
    """A counter that was renamed would be drawn as 0 for ever."""
    known = {*Syncache(seed=bytes(16)).stats.as_dict(), *Intercept(acl=None).stats()}
    known |= {"outside_kernel_dropped", "inside_kernel_dropped"}
    for name in (name for names in RATES.values() for name in names):
        fits = [
            counter
            for counter in known
            if counter == name
            or (name.endswith("_") and counter.startswith(name))
            or (name.startswith("_") and counter.endswith(name))
        ]
        assert fits, name


def test_time_between_lines_that_cannot_be_is_one_line(netstat):
    """Nor is the processor kept busy."""
    status, _, error = netstat("-w", "0")
    assert 1 == status
    assert "-w is up to 86400 seconds, not 0" in error


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 0, "\t0 table full\n"),
        (["--libxo", "json"], 1, "FreeBSD has no names for its counters"),
    ],
)
def test_counters_of_a_box_have_their_plain_names(
    tmp_path, capsys, words, status, said
):
    """And no others."""
    path = str(tmp_path / "control")
    served = ControlSocket(path, FlowControl(Intercept(acl=None), lambda: 1.0))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(main, ["netstat", "--socket", path, *words])
        while not future.done():
            served.turn()
    served.close()
    assert status == future.result()
    assert said in "".join(capsys.readouterr())


@pytest.mark.parametrize("words", [["-a"], ["-a", "--json"], ["-as"]])
def test_half_open_of_a_middlebox_is_one_line(words, tmp_path, capsys):
    """It has sessions, which another command shows."""
    path = str(tmp_path / "control")
    served = ControlSocket(path, FlowControl(Inspection(seed=bytes(16))))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(main, ["netstat", "--socket", path, *words])
        while not future.done():
            served.turn()
    served.close()
    out, error = capsys.readouterr()
    said = "syncache netstat: inspection has sessions: `syncache show` lists them\n"
    assert (1, "", said) == (future.result(), out, error)


def test_rates_are_objects_for_programs(netstat):
    """One a line, no heading."""
    status, out, _ = netstat("-w", "0.01", "-q", "2", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (0, [list(RATES)] * 2) == (status, [list(row) for row in rows])


@pytest.mark.parametrize("count", ["0", "-3"])
def test_number_of_lines_that_cannot_be_is_one_line(netstat, count):
    """It printed nothing, and called that a success."""
    status, out, error = netstat("-w", "0.01", "-q", count)
    assert (1, "", 1) == (status, out, error.count("\n"))
    assert f"-q {count}: it ends after one line at least" in error
