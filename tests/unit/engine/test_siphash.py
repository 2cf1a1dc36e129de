"""The SipHash vectors that C is tested with are what the paper's algorithm gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def test_vectors_match_independent_implementation() -> None:
    """The committed file is what its generator writes, line for line."""
    path = VECTORS / "make_siphash24.py"
    spec = importlib.util.spec_from_file_location("make_siphash24", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (VECTORS / "siphash24.txt").read_text(encoding="ascii")
    assert module.lines() == text.splitlines()
    assert "15 a129ca6149be45e5" in text.splitlines()
