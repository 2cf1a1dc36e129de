"""syncache/cli/show.py: a router's words, of what a process handed over."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncache import Inspection, Syncache
from syncache.cli import main
from syncache.cli.show import SHOWN, chosen
from syncache.control import Control, FlowControl
from syncache.control_socket import ControlSocket
from syncache.flow import Side
from syncache.segment import SYN, Segment
from tests.conformance.shield import Shield


def inspection():
    engine = Inspection(seed=bytes(16))
    syn = Segment(
        src="192.0.2.1", dst="198.51.100.5", sport=4000, dport=80, seq=1, flags=SYN
    )
    engine.receive(syn.packet(), Side.CLIENT, 1.0)
    return engine


def intercept():
    shield = Shield()
    shield.established()
    return shield.engine


def show(engine, tmp_path, capsys, *words):
    """Run the command against a loop that answers it; status and text."""
    path = str(tmp_path / "control")
    served = ControlSocket(path, FlowControl(engine, lambda: 2.0))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(main, ["show", "--socket", path, *words])
        while not future.done():
            served.turn()
    served.close()
    out, err = capsys.readouterr()
    return future.result(), out + err


def test_words_may_be_short():
    """But not mean two things."""
    for words, what in SHOWN.items():
        assert what == chosen(list(words))
    assert "connections" == chosen(["tcp", "int", "conn"])
    assert "configuration" == chosen(["RUN"])


@pytest.mark.parametrize("words", [["tcp"], ["ip", "inspect", "s"], ["x"]])
def test_words_that_mean_nothing_or_two_things_are_one_line(words, capsys):
    """With what there is."""
    assert 1 == main(["show", *words])
    error = capsys.readouterr().err
    assert 1 == error.count("\n")
    assert ": there are: " in error


def test_tables_of_intercept(tmp_path, capsys):
    """Connections, statistics and the configuration."""
    engine = intercept()
    status, text = show(engine, tmp_path, capsys, "tcp", "intercept", "connections")
    assert 0 == status
    assert "Established:" in text
    assert " ESTAB " in text
    _, text = show(engine, tmp_path, capsys, "tcp", "intercept", "statistics")
    assert "0 incomplete, 1 established connections (total 1)\n" in text
    _, text = show(engine, tmp_path, capsys, "running-config")
    assert "ip tcp intercept list" in text
    status, text = show(engine, tmp_path, capsys, "ip", "inspect", "statistics")
    assert (1, True) == (status, "show tcp intercept statistics" in text)


def test_tables_of_inspection(tmp_path, capsys):
    """Sessions, with detail or without, and statistics."""
    engine = inspection()
    _, text = show(engine, tmp_path, capsys, "ip", "inspect", "sessions")
    assert "Half-open Sessions" in text
    _, text = show(engine, tmp_path, capsys, "ip", "inspect", "sessions", "detail")
    assert "192.0.2.1:4000" in text
    _, text = show(engine, tmp_path, capsys, "ip", "inspect", "statistics")
    assert "Session creations since subsystem startup or last reset 1" in text
    status, text = show(engine, tmp_path, capsys, "tcp", "intercept", "statistics")
    assert (1, True) == (status, "show ip inspect statistics" in text)


def test_sessions_are_named_by_the_rules_of_the_process(tmp_path, capsys):
    """Configuration and interfaces are shown in the words of IOS, and all at once."""
    engine = inspection()
    engine.configure(
        [
            "ip inspect name FW http timeout 99",
            "interface GigabitEthernet0/1",
            " ip inspect FW in",
        ]
    )
    _, text = show(engine, tmp_path, capsys, "ip", "inspect", "sessions")
    assert "=>(198.51.100.5:80) http SIS_OPENING\n" in text
    _, config = show(engine, tmp_path, capsys, "ip", "inspect", "config")
    assert "max-incomplete sessions thresholds are [400 : 500]\n" in config
    assert "    http alert is on audit-trail is off timeout 99\n" in config
    _, interfaces = show(engine, tmp_path, capsys, "ip", "inspect", "interfaces")
    assert "  Inbound inspection rule is FW\n" in interfaces
    _, text = show(engine, tmp_path, capsys, "ip", "inspect", "all")
    assert text.startswith(config + interfaces + "Half-open Sessions\n")
    status, text = show(engine, tmp_path, capsys, "ip", "inspect", "all", "--json")
    found = json.loads(text)
    assert (0, config, interfaces) == (status, found["config"], found["interfaces"])
    assert ["192.0.2.1", 4000] == found["sessions"][0]["client"]
    _, text = show(engine, tmp_path, capsys, "running-config")
    assert text.endswith("\n")
    assert "ip inspect name FW http timeout 99\n" in text


@pytest.mark.parametrize("what", ["config", "interfaces", "all"])
def test_intercept_has_no_inspection_to_show(what, tmp_path, capsys):
    """One line says so."""
    status, text = show(intercept(), tmp_path, capsys, "ip", "inspect", what)
    assert 1 == status
    assert 1 == text.count("\n")
    assert "syncache show: intercept has no " in text


def test_serve_has_no_tables_of_a_router(tmp_path, capsys):
    """One line says what it has."""
    path = str(tmp_path / "control")
    served = ControlSocket(path, Control(Syncache()))
    for words in (["tcp", "intercept", "statistics"], ["tcp", "int", "conn"], ["run"]):
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(main, ["show", "--socket", path, *words])
            while not future.done():
                served.turn()
        error = capsys.readouterr().err
        assert (1, 1) == (future.result(), error.count("\n"))
        assert "syncache show: `serve` has no " in error
    served.close()


def test_json_has_everything(tmp_path, capsys):
    """One object; a session's ends are address and port."""
    engine = inspection()
    words = ("ip", "inspect", "sessions", "--json")
    _, text = show(engine, tmp_path, capsys, *words)
    (session,) = json.loads(text)["sessions"]
    assert ["192.0.2.1", 4000] == session["client"]
    _, text = show(engine, tmp_path, capsys, "ip", "inspect", "statistics", "--json")
    assert 1 == json.loads(text)["sessions_created"]
