"""
PyTCP 3.0.9 and pmd-pytcp behind our adapter: syncache.adapters.pytcp.

    +------------------ a network namespace ------------------+
    | kernel sockets, 198.18.0.1 == tun0 == 198.18.0.2, PyTCP |
    | spoofed SYNs    fd00:18::1    tap0    fd00:18::2        |
    +---------------------------------------------------------+

`make check hosts` installs them in build: PyTCP with the Python 3.14 that it needs
(tests/netns/pytcp/source.sh), pmd-pytcp for ours.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from namespace import PATIENCE, PEERS, ROOT, Namespace
from needs import wanted

PYTCP = ROOT / "build" / "pytcp"
PMD_PYTCP = ROOT / "build" / "pmd-pytcp"
OURS = "198.18.0.2", "fd00:18::2"
RATE = {"pytcp": 1500, "pmd-pytcp": 500}
SECONDS = 6

STACKS = [
    pytest.param(
        folder.name,
        marks=wanted(found=folder.is_dir(), what=f"{folder.name}: make check hosts"),
    )
    for folder in (PYTCP, PMD_PYTCP)
]


class Host:
    """A running host, shielded or plain; pmd-pytcp is there on tun0 alone."""

    def __init__(
        self,
        namespace,
        name: str,
        how: str,
        device: str = "tun0",
        kernel: tuple[str, ...] = ("198.18.0.1/24", "fd00:18::1/64"),
    ) -> None:
        namespace.link("add", device, *kernel)
        words: tuple[str | Path, ...]
        if name == "pytcp":
            words = (PYTCP / "python", "-O", PEERS / "pytcp_host.py", device, how)
        else:
            program = PEERS / "pmd_pytcp_host.py"
            words = (sys.executable, "-O", program, PMD_PYTCP, how)
        self.process = namespace.start(
            *words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> int:
        """End it; return how many connections our engine gave it."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        return int(out)


def visit(namespace, host: str = OURS[0], **changed) -> int:
    """How many of the clients got back what they sent."""
    spec = {"host": host, "port": 7, "count": 10, "every": 0.1, "timeout": 100}
    return namespace.python("echo_clients", spec | changed)["served"]


def flood(namespace, rate: int, folder: Path) -> subprocess.Popen[str]:
    """SYNs from nowhere."""
    program = folder / "spoof"
    subprocess.run(
        ["gcc", "-O2", PEERS / "spoof.c", "-o", program], check=True, timeout=PATIENCE
    )
    return namespace.start(program, OURS[0], 7, rate, SECONDS)


@pytest.mark.parametrize("name", STACKS)
def test_listeners_work_unchanged(namespace, name: str) -> None:
    """Whole segments both ways."""
    host = Host(namespace, name, "shielded")
    assert (visit(namespace, words=500), host.end()) == (10, 10)


@pytest.mark.parametrize("name", STACKS[:1])
def test_listeners_of_both_families_work_unchanged(namespace, name: str) -> None:
    """With a link layer; on a TUN device neither PyTCP takes SYNs over IPv6."""
    host = Host(namespace, name, "shielded", "tap0")
    served = [visit(namespace, address, words=500) for address in OURS]
    assert (served, host.end()) == ([10, 10], 20)


@pytest.mark.parametrize("name", STACKS[:1])
def test_clients_are_served_through_intercept(
    namespace, name: str, tmp_path: Path
) -> None:
    """By a box between them and PyTCP alone, whose own numbers it translates."""
    client = Namespace()
    try:
        client.join("c0", namespace, "s0", "198.18.0.1/24", "fd00:18::1/64")
        namespace.link("up", "s0")
        host = Host(namespace, name, "plain", "tap0", kernel=())
        control = tmp_path / "control"
        words = ("--outside", "s0", "--inside", "tap0", "--control", control)
        program = Path(sys.executable).with_name("syncache")
        box = namespace.start(program, "intercept", *words, stderr=None)
        while not control.exists():
            assert box.poll() is None
            time.sleep(0.05)
        served = [visit(client, address, words=500) for address in OURS]
        assert (served, host.end()) == ([10, 10], 0)
    finally:
        client.close()


@pytest.mark.parametrize("name", STACKS)
def test_flood_costs_no_client(namespace, name: str, tmp_path: Path) -> None:
    """1,500 spoofed SYNs a second, for pmd-pytcp 500."""
    host = Host(namespace, name, "shielded")
    attack = flood(namespace, RATE[name], tmp_path)
    served = visit(namespace, count=30)
    attack.communicate(timeout=PATIENCE)
    assert (served, host.end()) == (30, 30)


@pytest.mark.parametrize("name", STACKS[1:])
def test_flood_without_us_costs_every_client(
    namespace, name: str, tmp_path: Path
) -> None:
    """The same flood at pmd-pytcp alone, so that the test above means something."""
    host = Host(namespace, name, "plain")
    flood(namespace, RATE[name], tmp_path).communicate(timeout=PATIENCE)
    assert visit(namespace, every=0.01, timeout=4) < 5
    host.end()
