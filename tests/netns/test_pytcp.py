"""
pmd-pytcp behind our adapter, on a TUN device: syncache.adapters.pytcp.

    +------------------ a network namespace ------------------+
    | kernel sockets, 198.18.0.1 == tun0 == 198.18.0.2, PyTCP |
    | spoofed SYNs                                            |
    +---------------------------------------------------------+

It is PyTCP for any Python; `make check hosts` installs it in build/pmd-pytcp.
On a TUN device it answers no SYN over IPv6, so that is left to the unit tests.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from namespace import PATIENCE, PEERS, ROOT

FOLDER = ROOT / "build" / "pmd-pytcp"
OURS = "198.18.0.2"
RATE = 500
SECONDS = 6

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no pmd-pytcp: make check hosts"
)


class Host:
    """A running host, shielded or plain."""

    def __init__(self, namespace, how: str) -> None:
        namespace.link("add", "tun0", "198.18.0.1/24")
        words = (sys.executable, "-O", PEERS / "pmd_pytcp_host.py", FOLDER, how)
        self.process = namespace.start(
            *words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> int:
        """End it; return how many connections our engine gave it."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        return int(out)


def visit(namespace, **changed) -> int:
    """How many of the clients got back what they sent."""
    spec = {"host": OURS, "port": 7, "count": 10, "every": 0.1, "timeout": 25}
    return namespace.python("echo_clients", spec | changed)["served"]


def flood(namespace, folder: Path) -> subprocess.Popen[str]:
    """SYNs from nowhere."""
    program = folder / "spoof"
    subprocess.run(
        ["gcc", "-O2", PEERS / "spoof.c", "-o", program], check=True, timeout=60
    )
    return namespace.start(program, OURS, 7, RATE, SECONDS)


def test_listeners_work_unchanged(namespace) -> None:
    """Whole segments both ways."""
    host = Host(namespace, "shielded")
    assert (visit(namespace, words=500), host.end()) == (10, 10)


def test_flood_costs_no_client(namespace, tmp_path: Path) -> None:
    """500 spoofed SYNs a second."""
    host = Host(namespace, "shielded")
    attack = flood(namespace, tmp_path)
    served = visit(namespace, count=20)
    attack.communicate(timeout=PATIENCE)
    assert (served, host.end()) == (20, 20)


def test_flood_without_us_costs_every_client(namespace, tmp_path: Path) -> None:
    """The same flood at PyTCP alone, so that the test above means something."""
    host = Host(namespace, "plain")
    flood(namespace, tmp_path).communicate(timeout=PATIENCE)
    assert visit(namespace, every=0.01, timeout=4) < 5
    host.end()
