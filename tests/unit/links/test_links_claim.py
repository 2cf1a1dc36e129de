"""syncache/links/claim.py: one process an interface, and what a killed one left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from syncache.links import LinkError
from syncache.links.claim import Claim


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNCACHE_RUN", str(tmp_path / "run"))
    return tmp_path / "run"


def test_second_claim_of_an_interface_is_one_line_with_the_process(folder):
    """Until the first one is given up; then nothing is left of it."""
    first = Claim("lo")
    with pytest.raises(LinkError, match=f"lo is in use by process {os.getpid()}: stop"):
        Claim("lo")
    first.release()
    first.release()
    assert [] == list(folder.iterdir())
    Claim("lo").release()


def test_claim_ends_with_a_killed_process_and_its_record_stays(folder):
    """The next one has the steps, whatever else it is asked to do."""
    program = (
        "import os, signal\n"
        "from syncache.links.claim import Claim\n"
        "Claim('lo').record([['mtu', 1500]])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert -9 == done.returncode
    claim = Claim("lo")
    assert [["mtu", 1500]] == claim.steps
    claim.release()
    assert [["mtu", 1500]] == Claim("lo").steps
    (path,) = folder.iterdir()
    assert 0o600 == path.stat().st_mode & 0o777
    assert 0o700 == folder.stat().st_mode & 0o777


def test_records_of_ended_processes_are_removed_if_nothing_is_to_be_undone(folder):
    """A killed process leaves one, and one that has become another user."""
    mine = Claim("lo")
    (path,) = folder.iterdir()
    mine.release()
    (folder / "3c-2").write_text('{"pid": 1, "steps": []}')
    (folder / "i40-2").write_text('{"pid": 1, "steps": []}')
    kept = {"3c-3": '{"pid": 1, "steps": [["down"]]}', "3c-4": "", "keys": "{}"}
    for name, text in kept.items():
        (folder / name).write_text(text)
    claim = Claim("lo")
    assert {*kept, path.name} == {one.name for one in folder.iterdir()}
    with pytest.raises(LinkError, match="in use"):
        Claim("lo")
    claim.release()
    assert {*kept} == {one.name for one in folder.iterdir()}


def test_record_of_a_living_process_is_left_alone(folder):
    """It is locked, so nobody else may remove it."""
    claim = Claim("lo")
    (path,) = folder.iterdir()
    other = path.with_name("3c-9")
    path.rename(other)
    Claim("lo").release()
    assert other.exists()
    claim.release()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '{"steps": 5}', '{"steps": [5, []]}', "[" * 60_000]
)
def test_record_that_is_none_is_none(folder, text):
    """A disk that was full, another version, anything."""
    claim = Claim("lo")
    claim.record([["down"]])
    claim.release()
    (path,) = folder.iterdir()
    path.write_text(text)
    claim = Claim("lo")
    assert [] == claim.steps
    claim.release()


def test_folder_that_cannot_be_made_keeps_nobody_out(monkeypatch):
    """As in a user namespace: there is no lock, and nothing fails."""
    monkeypatch.setenv("SYNCACHE_RUN", "/proc/none")
    first, second = Claim("lo"), Claim("lo")
    first.record([["down"]])
    first.release()
    second.release()


def test_interface_that_does_not_exist_is_an_error():
    """Its index is part of the name."""
    with pytest.raises(OSError, match=r"interface|device"):
        Claim("syncache-none")
