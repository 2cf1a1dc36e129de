"""Fixtures that every test may use; the harness of the state tests is harness.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


class Clock:
    """Time that moves only when a test says so; seconds as a float."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def advance(self, *, ms: float) -> float:
        self.now += ms / 1000
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seed() -> bytes:
    """A seed that makes an engine or a stack deterministic."""
    return bytes(range(16))


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    """Address family: a test that takes it runs for both."""
    return request.param
