"""The generated pages are what the registry and the C header say today."""

from __future__ import annotations

import importlib.util

import pytest
from tidy import ROOT


def generator():
    spec = importlib.util.spec_from_file_location("gen", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = generator()


@pytest.mark.parametrize("name", list(GENERATOR.PAGES))
def test_page_is_up_to_date(name):
    """A tunable or counter that changed without its page: python docs/generate.py."""
    page = (ROOT / "docs" / name).read_text("utf-8")
    assert GENERATOR.PAGES[name]() == page


def test_every_counter_and_verdict_has_a_meaning():
    """The C header says what each member counts."""
    for line in GENERATOR.counters_page().splitlines():
        if line.startswith("| `"):
            assert line.rsplit("|", 2)[1].strip(), line


def test_check_tells_a_stale_page(tmp_path, monkeypatch, capsys):
    """--check writes nothing and exits 1 if a page is missing or old."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "csrc").mkdir()
    header = (ROOT / "csrc" / "syncache.h").read_text("utf-8")
    (tmp_path / "csrc" / "syncache.h").write_text(header, "utf-8")
    monkeypatch.setattr(GENERATOR, "ROOT", tmp_path)
    assert 1 == GENERATOR.main(["--check"])
    assert "tunables.md: stale" in capsys.readouterr().out
    assert 0 == GENERATOR.main([])
    assert 0 == GENERATOR.main(["--check"])
