"""What a process may do that loads programs: one line says which right it lacks."""

from __future__ import annotations

import os

import pytest
from namespace import PATIENCE, ROOT
from test_shield import COMMAND, Shielded

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
NAMES = ("bpf", "net_admin", "perfmon")


def started(wire, held, *words):
    """Run a command as a user who has these capabilities alone, and may read us.

    The tree may lie in a folder that is root's alone.
    """
    names = ("dac_read_search", *held)
    chosen = ",".join(["-all", *(f"+{name}" for name in names)])
    rights = [f"--inh-caps={chosen}", f"--ambient-caps={chosen}"]
    setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *rights]
    return wire.server.start(*setpriv, *words, cwd=ROOT)


@pytest.mark.parametrize(
    "held", [(), ("bpf",), ("bpf", "net_admin"), ("bpf", "perfmon"), NAMES[1:]]
)
def test_missing_capability_is_named_in_one_line(wire, held):
    """Also where the kernel says something else: `invalid`, of a helper."""
    process = started(wire, held, *COMMAND, "shield", "s0", "--port", "80")
    out, error = process.communicate(timeout=PATIENCE)
    assert (1, "") == (process.returncode, out)
    missing = ", ".join(f"CAP_{n.upper()}" for n in NAMES if n not in held)
    assert f": it lacks {missing}: run as root" in error
    assert 1 == error.count("\n")


def test_check_names_a_missing_capability(wire):
    """Exit status 1, and nothing else fails."""
    words = [*COMMAND, "shield", "s0", "--port", "80", "--check"]
    process = started(wire, NAMES[:2], *words)
    out, _ = process.communicate(timeout=PATIENCE)
    assert 1 == process.returncode
    assert 1 == out.count("fail ")
    assert "it lacks CAP_PERFMON" in out


def test_user_with_the_three_capabilities_shields(wire, tmp_path):
    """Root is not needed."""
    shielded = Shielded(wire, tmp_path)
    shielded.listen()
    shield = started(wire, NAMES, *COMMAND, "shield", "s0", "--port", "80")
    assert "auto on s0 (tc)" in shield.stdout.readline()
    assert 2 == shielded.connect(count=2)["served"]
    shield.terminate()
    assert 0 == shield.wait(PATIENCE)


@pytest.mark.parametrize("held", [NAMES, NAMES[:2]])
def test_check_of_intercept_tries_the_offload(wire, tmp_path, held):
    """It would run without: a line, and no failure."""
    acl = tmp_path / "acl"
    acl.write_text("permit tcp any any\n")
    tmp_path.chmod(0o755)
    words = [*COMMAND, "intercept", "--outside", "s0", "--inside", "lo"]
    words += ["--list", acl, "--offload", "--check"]
    process = wire.server.start(
        "setpriv", "--bounding-set", ",".join(["-all", *(f"+{n}" for n in held)]),
        "--inh-caps=-all", *words, cwd=ROOT,
    )  # fmt: skip
    _, error = process.communicate(timeout=PATIENCE)
    assert 0 == process.returncode, error
    said = "no offload, connections stay here: " in error
    assert said == (held != NAMES), error
    assert said == ("it lacks CAP_PERFMON" in error)
