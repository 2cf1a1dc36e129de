"""
`syncache intercept` as an operator runs it, between kernels: tests/netns/shielded.py.
"""

from __future__ import annotations

import hashlib
import os

import pytest
from shielded import ADDRESS, HOST, shielding

BULK = os.urandom(1_000_000) * 100


@pytest.fixture
def shielded(tmp_path):
    with shielding(tmp_path) as made:
        yield made


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_bulk_both_ways_arrives_whole(shielded, tmp_path):
    """100 MB down and up, IPv4 and IPv6, through learned options; nothing is lost."""
    shielded.nginx(bulk=BULK, tiny=b"x")
    before = [shielded.us.show(name) for name in ("o0", "i0")]
    shielded.intercept()
    expected = hashlib.sha256(BULK).hexdigest()
    for family in ADDRESS:
        url = f"http://{HOST[family]}"
        for _ in range(2):  # the server's options are learned from the first
            assert "x" == shielded.curl("-m", "10", f"{url}/tiny")
        down = tmp_path / "down"
        shielded.curl("-m", "60", "-o", down, f"{url}/bulk")
        assert expected == sha(down)
        shielded.curl("-m", "60", "-T", tmp_path / "root" / "bulk", f"{url}/up{family}")
        assert expected == sha(tmp_path / "root" / f"up{family}")
    assert [] == shielded.stop()
    assert before == [shielded.us.show(name) for name in ("o0", "i0")]
