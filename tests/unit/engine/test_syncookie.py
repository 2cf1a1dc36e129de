"""The cookie vectors that the C unit of syncookie.c reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path

MAKER = Path(__file__).resolve().parents[2] / "vectors" / "make_syncookie_freebsd.py"


def test_committed_lines_are_those_of_the_json():
    """The C unit reads lines; this ties them to the file they were made from."""
    spec = importlib.util.spec_from_file_location(MAKER.stem, MAKER)
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    committed = maker.VECTORS.read_text(encoding="ascii").splitlines()
    assert maker.lines() == committed
    assert len(committed) == 300 + 100
