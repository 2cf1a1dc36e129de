"""Plain English (docs/style.md): ceilings on the habits that readers stumble over."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from tidy import ROOT

WORD = re.compile(r"[A-Za-z']+")
WHAT = re.compile(r"\bwhat\b", re.IGNORECASE)
WHAT_MAX = 5  # in 1,000 words
BANNED = re.compile(
    r"\b(?:in earnest|comes right|by lot|of before|is let go|packets? of ours"
    r"|an address is none|(?:is|are) no (?:address|error|file|message|mistake|number"
    r"|packet|port|rule)s?)\b"
)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NAMED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def docstrings() -> str:
    """Return every docstring of the package."""
    nodes = [
        node
        for path in sorted((ROOT / "syncache").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
    ]
    found = [ast.get_docstring(node) for node in nodes if isinstance(node, NAMED)]
    return "\n".join(text for text in found if text)


def pages() -> str:
    """Return the prose of the documentation."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md"]
    paths += sorted((ROOT / "docs").glob("*.md"))
    return "\n".join(FENCE.sub("", path.read_text()) for path in paths)


@cache
def headers() -> str:
    """Return the comments of the C headers."""
    paths = sorted(ROOT.glob("csrc/**/*.h"))
    return "\n".join("\n".join(COMMENT.findall(path.read_text())) for path in paths)


@pytest.mark.parametrize("text", [docstrings, pages, headers])
def test_what_is_seldom_a_noun(text):
    """Name the thing: "the packets that are due", not "what is due"."""
    words, found = len(WORD.findall(text())), len(WHAT.findall(text()))
    assert words > 10_000
    assert found * 1000 <= WHAT_MAX * words, f"{found * 1000 / words:.1f} in 1,000"


def test_banned_phrases_are_not_used():
    """They are previous, at random, in production, evicted, generated, "is not a"."""
    paths = [*ROOT.glob("csrc/**/*.c"), *ROOT.glob("syncache/**/*.py")]
    sources = "".join(p.read_text() for p in sorted(paths))
    for text in (docstrings(), pages(), headers(), sources):
        assert [] == BANNED.findall(text)


def test_measures_find_what_they_count():
    """The patterns are themselves right."""
    assert 2 == len(WHAT.findall("What is due is what comes; whatever."))
    assert BANNED.search("the key of before")
    assert BANNED.search("'x' is no port")
    assert not BANNED.search("before")
