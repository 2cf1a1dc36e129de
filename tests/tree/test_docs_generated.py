"""The generated pages are what the registry and the C header say today."""

from __future__ import annotations

import ast
import importlib.util

import pytest
from tidy import ROOT

from docs import mirrors


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


@pytest.mark.parametrize("path", mirrors.modules(), ids=lambda path: path.stem)
def test_block_from_c_is_up_to_date(path):
    """A header changed without the members in Python: python docs/generate.py."""
    assert mirrors.written(path) == path.read_text("utf-8")


def test_no_enumeration_of_c_is_written_by_hand():
    """A NamedNumber is one of C: its members are a block, and nothing beside it."""
    by_hand = []
    for path in (ROOT / "syncache").rglob("*.py"):
        text = mirrors.BLOCK.sub("\n", path.read_text("utf-8"))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and "NamedNumber" in map(
                ast.unparse, node.bases
            ):
                members = [n for n in node.body if isinstance(n, ast.Assign)]
                by_hand += [f"{path.name}: {ast.unparse(n)}" for n in members]
    assert [] == by_hand


def test_block_is_made_of_the_header():
    """Numbers, the comment behind or above, and none of a section."""
    made = mirrors.enumerators("flow_end")
    assert "    TIMEOUT = 0  # idle, or finwait after its end\n" in made
    assert "COUNT = 13" not in made
    made = mirrors.enumerators("syncache_verdict")
    assert "    # by a TFO cookie: SYN-RECEIVED" in made
    assert "PASS: the packet" not in made
    assert mirrors.counters("syncache_stats").startswith("    sc_added: int\n")


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
