"""syncache/cli/rehearsal.py: the demonstration in memory."""

from __future__ import annotations

import json

import pytest

from syncache import Segment
from syncache.cli import demo, main
from syncache.cli.rehearsal import Flood

CLIENTS = 20


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Play a small load once; return its figures by name of the run."""
    folder = tmp_path_factory.mktemp("demo")
    words = ["--in-memory", "--rate", 50_000, "--seconds", 2, "--clients", CLIENTS]
    files = ["--json", folder / "figures.json", "--picture", folder / "picture.png"]
    assert 0 == main(["demo", *map(str, [*words, *files])])
    figures = json.loads((folder / "figures.json").read_text())
    return {run["name"]: run for run in figures["runs"]}


def test_every_configuration_is_played(runs):
    """Four runs, all of them flooded at the rate asked for."""
    assert list(demo.RUNS) == list(runs)
    for run in runs.values():
        assert 100_000 <= run["syns_received"] <= 100_500


@pytest.mark.parametrize("name", ["defaults", "cache alone", "cookies alone"])
def test_defence_serves_every_client(runs, name):
    """With any defence all clients get their own bytes."""
    assert CLIENTS == runs[name]["served"]


def test_no_defence_serves_nobody(runs):
    """A table of 128 is full of spoofed entries."""
    assert 0 == runs["no defence"]["served"]
    assert 128 == runs["no defence"]["half_open_peak"]


def test_one_run_alone_can_be_played(capsys, tmp_path):
    """--only chooses; the first line says that this was in memory, and why."""
    words = ["--in-memory", "--only", "cookies alone", "--seconds", "1.2"]
    words += ["--rate", "1000", "--clients", "2"]
    assert 0 == main(["demo", *words, "--picture", str(tmp_path / "p.png")])
    out = capsys.readouterr().out
    assert out.startswith("no namespace (asked for): on an in-memory link")
    assert "2 of 2" in out


def test_flood_is_made_of_good_syns_from_many_peers():
    """The ring holds distinct SYNs whose IP checksum is right."""
    flood = Flood()
    assert 100 == flood.fill(100)
    packets = [bytes(flood.ring[i]) for i in range(100)]
    assert 100 == len({p[12:16] for p in packets})
    for packet in packets:
        words = [int.from_bytes(packet[i : i + 2], "big") for i in range(0, 20, 2)]
        assert 0 == sum(words) % 0xFFFF


def test_flood_fits_into_its_ring():
    """No more is pushed than there is room for."""
    assert 256 == Flood().fill(1000)


def test_client_ignores_what_is_no_answer():
    """A segment that brings nothing new draws no answer."""
    from syncache.cli.load import KERNEL, OURS, PORT
    from syncache.cli.rehearsal import Client
    from syncache.segment import ACK, RST

    client = Client(0, 1.0)
    bare = Segment(src=OURS, dst=KERNEL, sport=PORT, dport=client.port, flags=ACK)
    assert [] == client.hear(bare, 1.0)
    reset = Segment(src=OURS, dst=KERNEL, sport=PORT, dport=client.port, flags=RST)
    assert [] == client.hear(reset, 1.0)
    assert client.over
