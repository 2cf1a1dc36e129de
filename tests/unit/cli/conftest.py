"""Commands with keys that nobody shall guess."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _light(light_seals):
    """Keyrings are sealed with little work."""
