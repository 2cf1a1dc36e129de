"""README and docs: their Python runs, their links lead somewhere, their sizes hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tidy import ROOT, tree

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]
IMPORT = ast.Import | ast.ImportFrom
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
SENTENCE_END = re.compile(r"[a-z)`\]]{2}[.!?] (?=[A-Z`])")

# Documents that are not here: sections of a design, of "the spec".
ABSENT = re.compile(r"\bDESIGN\b|\bspec(?:ification)? (?:section )?\d|\bsee spec\b")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> list[str]:
    """Lines outside code and tables."""
    text = FENCE.sub("", path.read_text())
    return [line for line in text.splitlines() if not line.startswith("|")]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if "```python" in p.read_text()], ids=name
)
def test_python_blocks_run_in_order(page, tmp_path, monkeypatch):
    """A reader can paste every block of a page, one after the other.

    A block that opens an interface of the machine is only compiled, and its imports
    are tried: other people's traffic is not a test's.
    """
    monkeypatch.chdir(tmp_path)  # some write files
    scope: dict[str, object] = {"__name__": "__docs__"}
    for language, code in FENCE.findall(page.read_text()):
        if language != "python":
            continue
        block = ast.parse(code, name(page))
        if '"eth0"' in code:
            block.body = [n for n in block.body if isinstance(n, IMPORT)]
        exec(compile(block, name(page), "exec"), scope)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page):
    """A relative link names a file or folder of the tree."""
    targets = LINK.findall(FENCE.sub("", page.read_text()))
    assert [] == [t for t in targets if not (page.parent / t).exists()]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_one_sentence_per_line(page):
    """A change of a sentence is a change of a line."""
    assert [] == [line for line in prose(page) if SENTENCE_END.search(line)]


def test_texts_refer_only_to_documents_of_the_repository():
    """A reader can look up whatever a comment or a page refers to."""
    texts = [p for p in tree() if p.suffix in {".c", ".h", ".py", ".md", ".pkt"}]
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in texts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ABSENT.search(line) and path.name != "test_docs.py"
    ]
    assert [] == found


def test_readme_has_at_most_150_lines():
    """The first page stays one."""
    assert (ROOT / "README.md").read_text().count("\n") <= 150


def test_make_targets_in_docs_exist():
    """A page names no command that is not there."""
    makefile = (ROOT / "Makefile").read_text()
    stages = re.search(r"^STAGES := (.*(?:\\\n.*)?)$", makefile, re.MULTILINE)[1]
    targets = {
        *stages.split(),
        *re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE),
    }
    named = {
        match
        for page in PAGES
        for match in re.findall(
            r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE
        )
    }
    assert {"demo", "test", "check"} <= named
    assert set() == named - targets


def test_changelog_begins_with_unreleased():
    """What users will notice is written down before it is released."""
    heads = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert "[Unreleased]" == heads[0]
