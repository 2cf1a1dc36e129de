"""syncache/cli/processes.py: the shards of a command asked as if they were one."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncache import Syncache
from syncache.cli import main
from syncache.cli.processes import expanded
from syncache.control import Control
from syncache.control_socket import ControlSocket
from syncache.segment import SYN, Segment

COOKIES = "net.inet.tcp.syncookies_only"


@pytest.fixture
def shards():
    """Two engines, of which one has one half-open connection and the other two."""
    engines = [Syncache(seed=bytes(16)) for _ in range(2)]
    for number, engine in enumerate(engines):
        engine.listen(80, "192.0.2.1")
        for port in range(number + 1):
            syn = Segment(
                src="198.51.100.7",
                dst="192.0.2.1",
                sport=5000 + 10 * number + port,
                dport=80,
                flags=SYN,
            )
            engine.packet(syn.packet(), 2.0 - number)
    return engines


@pytest.fixture
def ask(shards, tmp_path, capsys):
    """Run a command against both, by the path that they share."""
    path = str(tmp_path / "control")
    with contextlib.ExitStack() as stack:
        served = [
            stack.enter_context(
                contextlib.closing(ControlSocket(f"{path}.{n}", Control(engine)))
            )
            for n, engine in enumerate(shards)
        ]

        def run(*words):
            with ThreadPoolExecutor(1) as pool:
                future = pool.submit(main, [*words, "--socket", path])
                while not future.done():
                    for one in served:
                        one.turn()
            return future.result(), *capsys.readouterr()

        yield run


def test_path_of_shards_is_all_of_them(tmp_path):
    """`--control PATH` of `--shards` is PATH.0, PATH.1 and so on."""
    path = str(tmp_path / "web")
    assert [path] == expanded(path)
    for number in range(3):
        (tmp_path / f"web.{number}").touch()
    assert [f"{path}.{n}" for n in range(3)] == expanded(path)
    (tmp_path / "web").touch()
    assert [path] == expanded(path)


def test_counters_of_shards_are_added_up(ask):
    """Half-open connections are one list."""
    status, out, _ = ask("netstat", "--json")
    assert (0, 3) == (status, json.loads(out)["sc_added"])
    assert "\t3 syncache entries added\n" in ask("netstat", "-s")[1]
    ports = [row["fport"] for row in json.loads(ask("netstat", "-a", "--json")[1])]
    assert [5000, 5010, 5011] == sorted(ports)
    status, out, _ = ask("netstat", "-w", "0.01", "-q", "1")
    assert (0, 2) == (status, out.count("\n"))


def test_tunable_is_set_in_every_shard(ask, shards):
    """One that cannot be is set in none; counts are added up."""
    assert (0, f"{COOKIES}: 0 -> 1\n", "") == ask("sysctl", f"{COOKIES}=1")
    assert [1, 1] == [engine.sysctl[COOKIES] for engine in shards]
    assert (0, "1\n", "") == ask("sysctl", "-n", COOKIES)
    assert 1 == ask("sysctl", f"{COOKIES}=9")[0]
    assert [1, 1] == [engine.sysctl[COOKIES] for engine in shards]
    count = "net.inet.tcp.syncache.count"
    assert (0, "3\n", "") == ask("sysctl", "-n", count)


def test_shards_that_differ_are_said(ask, shards):
    """Somebody has set one of them by its own path."""
    shards[1].sysctl[COOKIES] = 1
    status, _, error = ask("sysctl", COOKIES)
    said = f"syncache sysctl: {COOKIES}: the shards have 0, 1: set it to one value\n"
    assert (1, said) == (status, error)


def test_tables_of_a_router_are_of_one_process(ask):
    """Shards are of `serve`, which has none."""
    status, _, error = ask("show", "tcp", "intercept", "statistics")
    assert (1, 1) == (status, error.count("\n"))
    assert ": this is 2 shards: ask " in error
