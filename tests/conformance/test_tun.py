"""The cases and scripts again, over a real TUN in a namespace of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import needs
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NAMESPACE = ["unshare", "--net"]
AS_USER = ["--user", "--map-root-user"]


@pytest.mark.netns
def test_every_case_and_script_passes_through_the_kernel():
    """Byte for byte through AF_PACKET, kernel and TUN, to the same end."""
    command = NAMESPACE + AS_USER * (os.geteuid() != 0) + ["true"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        needs.lacks("no network namespaces: run as root, or allow user namespaces")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        needs.lacks("no /dev/net/tun to open: run as root, or modprobe tun")
    files = [HERE / "cases" / "handshake.json", *sorted(HERE.glob("scripts/*.pkt"))]
    run = subprocess.run(
        [sys.executable, "-m", "tests.conformance", "--tun", "-v", *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = run.stdout.splitlines()
    assert 0 == run.returncode, run.stdout[-2000:] + run.stderr[-2000:]
    assert lines[-1].endswith(" passed, 0 failed")
    assert 145 < sum(line.startswith("pass ") for line in lines)
