"""The examples of an installation: units and configuration that the commands take."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from syncache import Sysctl
from syncache.acl import AccessList

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "examples" / "systemd").glob("*.service"))
CONFIGURATION = ROOT / "examples" / "syncache"
VALUES = {
    "OUTSIDE": "eth0",
    "INSIDE": "eth1",
    "LIST": str(CONFIGURATION / "web.acl"),
    "INTERFACE": "eth0",
    "PORT": "443",
    "ADDRESS": "192.0.2.80/24",
    "DIRECTORY": str(CONFIGURATION),
}


def unit(path):
    """Read a unit; a name of it may come more than once."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(path)
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_runs_a_command_line_that_check_takes(path):
    """Before it starts, and as it starts."""
    service = unit(path)["Service"]
    for name in ("ExecStartPre", "ExecStart"):
        line = service[name]
        for key, value in VALUES.items():
            line = line.replace(f"${{{key}}}", value)
        program, command, *words = shlex.split(line)
        assert "syncache" == program
        module = import_module(f"syncache.cli.{command}")
        options = module.parser().parse_args(words)
        assert f"/etc/syncache/{command}.d" == str(options.conf)
        assert options.wait
        assert options.check == (name == "ExecStartPre")
    assert "notify" == service["Type"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_reloads_a_process_of_another_user(path):
    """Without CAP_KILL root may not: the manager itself has to send the signal."""
    service = unit(path)["Service"]
    assert service["ExecReload"].startswith("+")
    assert "bpf" in service["SystemCallFilter"].split()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_is_one_that_systemd_reads(path, tmp_path):
    """Where the program is there to ask; its word about our command does not count."""
    program = shutil.which("systemd-analyze")
    if program is None:
        assert {"Unit", "Service", "Install"} == set(unit(path).sections())
        return
    stand_in = tmp_path / path.name
    stand_in.write_text(path.read_text().replace("=syncache ", f"={sys.executable} "))
    done = subprocess.run(
        [program, "verify", "--man=no", stand_in],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert path.stem not in done.stderr, done.stderr


def test_rotation_of_logs_reloads_the_units(tmp_path):
    """And is one that logrotate reads, where it is there to ask."""
    recipe = ROOT / "examples" / "logrotate" / "syncache.conf"
    line = next(text for text in recipe.read_text().splitlines() if "systemctl" in text)
    command, verb, pattern = shlex.split(line)
    assert ("systemctl", "reload") == (command, verb)
    assert all(fnmatch(path.name, pattern) for path in UNITS)
    program = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is not None:
        words = [program, "--debug", "--state", tmp_path / "state", recipe]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, check=True
        )
        assert "error" not in done.stderr


@pytest.mark.parametrize(
    "path", sorted(CONFIGURATION.glob("*.d/*.conf")), ids=lambda path: path.stem
)
def test_configuration_loads(path):
    """Each file for itself."""
    Sysctl().load(path)


def test_access_list_protects_the_web():
    """Of the addresses for documentation."""
    lines = (CONFIGURATION / "web.acl").read_text().splitlines()
    acl = AccessList.parse(lines, name="web")
    assert acl.permits(("198.51.100.1", 1), ("192.0.2.80", 443))
    assert acl.permits(("2001:db8:1::1", 1), ("2001:db8::80", 443))
