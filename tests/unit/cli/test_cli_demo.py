"""syncache/cli/demo.py: obstacles, and the flood generator's own limits.

The demonstration itself is tests/netns/test_demo.py, its stand-in
tests/unit/cli/test_cli_rehearsal.py.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from syncache.cli import Failure, demo, main
from syncache.sysctl import Sysctl


@pytest.fixture(scope="module")
def flood(tmp_path_factory):
    if shutil.which("cc") is None:
        pytest.fail("no C compiler: apt-get install gcc")
    return demo.compile_flood(tmp_path_factory.mktemp("flood"))


def run(flood, *words):
    done = subprocess.run(
        [flood, *words], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("address", ["192.0.2.1", "198.17.255.255", "198.20.0.0"])
def test_flood_refuses_real_destinations(flood, address):
    """It sends to the benchmark range alone."""
    assert (1, "flood: only to 198.18.0.0/15\n") == run(
        flood, "lo", address, "80", "1", "1"
    )


def test_flood_without_interface_is_one_line(flood):
    """An interface that is not there, or no privilege, ends it."""
    status, err = run(flood, "nosuchdevice", "198.18.0.2", "80", "1", "1")
    assert (1, 1) == (status, err.count("\n"))


def test_flood_explains_its_use(flood):
    """Wrong words get the usage."""
    assert 2 == run(flood)[0]


@pytest.mark.parametrize("settings", demo.RUNS.values(), ids=demo.RUNS)
def test_settings_of_every_run_are_legal(settings):
    """Each configuration is one that Sysctl takes."""
    sysctl = Sysctl(settings)
    assert settings == {name: sysctl[name] for name in settings}


@pytest.mark.parametrize(
    "words",
    [
        "--rate=-1",
        "--rate=99999999999",
        "--seconds=0",
        "--seconds=nan",
        "--seconds=inf",
        "--clients=0",
        "--clients=99999",
    ],
)
def test_number_without_sense_is_one_line(words, capsys):
    """Nothing is begun."""
    assert 1 == main(["demo", "--in-memory", words])
    out, error = capsys.readouterr()
    name, value = words.split("=")
    assert "" == out
    assert error.startswith(f"syncache demo: {name} is ")
    assert f", not {value}" in error


def test_missing_compiler_is_one_line(monkeypatch, tmp_path):
    """The operator is told which package to install."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(demo.shutil, "which", lambda name: None)
    with pytest.raises(Failure, match="apt-get install gcc"):
        demo.compile_flood(tmp_path)


def test_broken_compiler_is_named(monkeypatch, tmp_path):
    """What the compiler says is passed on."""
    monkeypatch.setenv("CC", "false")
    with pytest.raises(Failure, match="false cannot build"):
        demo.compile_flood(tmp_path)


def test_missing_device_is_an_obstacle(monkeypatch):
    """Where there is no TUN no namespace is tried."""
    monkeypatch.setattr(demo.Path, "exists", lambda path: False)
    assert "/dev/net/tun" in demo.enter_namespace()
