"""
The demonstration itself, short: each configuration keeps what docs/demo.md says.

    kernel clients (198.18.0.1) --+
                                  +--> TUN --> our TCP (198.18.0.2)
    flood from 10.0.0.0/8 --------+
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from namespace import ROOT

pytestmark = pytest.mark.slow
CLIENTS = 60
SECONDS = 4
RATE = 30_000
# Clients of the runs that serve them wait for as long as a busy machine takes.
PATIENT = """
import sys
from syncache.cli import demo, main
demo.CLIENT_TIMEOUT = 60.0
sys.exit(main(sys.argv[1:]))
"""
STARTED = {
    "served": (["-c", PATIENT], ("defaults", "cookies alone")),
    "starved": (["-m", "syncache.cli"], ("no defence", "cache alone")),
}


def played(folder, how, names):
    """Play some runs of the demonstration; return their figures by name."""
    load = ["--seconds", SECONDS, "--clients", CLIENTS, "--rate", RATE]
    load += [word for name in names for word in ("--only", name)]
    files = ["--json", "figures.json", "--picture", "picture.png"]
    done = subprocess.run(
        [sys.executable, *how, "demo", *map(str, load), *files],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert "in-memory" not in done.stdout, done.stdout
    assert (folder / "picture.png").stat().st_size > 10_000
    figures = json.loads((folder / "figures.json").read_text())
    return {run["name"]: run for run in figures["runs"]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Play the demonstration once; return its figures by name of the run."""
    found = {}
    for name, (how, names) in STARTED.items():
        found |= played(tmp_path_factory.mktemp(name), how, names)
    return found


@pytest.mark.parametrize("name", ["defaults", "cookies alone"])
def test_clients_are_served_through_the_flood(runs, name):
    """Kernel clients get their own bytes while spoofed SYNs pour in."""
    assert CLIENTS == runs[name]["served"]


def test_without_defence_clients_starve(runs):
    """A backlog of 128 that nothing evicts serves next to nobody."""
    assert runs["no defence"]["served"] < CLIENTS / 4


def test_flood_reaches_the_engine(runs):
    """The rate is counted where SYNs are looked at."""
    for run in runs.values():
        # What a busy machine does not take in time is lost on the way.
        assert run["syns_sent"] > 5_000
        assert run["syns_received"] > 5_000


def test_half_open_connections_stay_within_cachelimit(runs):
    """The table is as large as it was said to be, and no larger."""
    assert runs["defaults"]["half_open_peak"] <= 15_360
    assert runs["no defence"]["half_open_peak"] <= 128
    assert 0 == runs["cookies alone"]["half_open_peak"]


def test_memory_is_flat_after_warm_up(runs):
    """A flood costs the process no memory: a few bytes a SYN would be more."""
    assert {} == {
        name: run["rss_growth_bytes"]
        for name, run in runs.items()
        if run["rss_growth_bytes"] >= 3 * 2**20
    }
