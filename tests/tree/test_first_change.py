"""CONTRIBUTING.md, "Your first change": its steps hold in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from needs import wanted
from tidy import ROOT, tree

NAME = "net.inet.tcp.syncache.x.ignore_unreach"
STEP = re.compile(
    r"^(?:In|The new file) `([^`]+)`"
    r"(?:, before the (?:line that begins with|row of) `([^`]+)`)?:\n\n"
    r"^```\w+\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
COPIED = ("csrc", "docs", "syncache", "tests", "setup.py", "pyproject.toml")

pytestmark = wanted(found=shutil.which("cc"), what="a C compiler: apt-get install gcc")


def steps(subject: str) -> list[tuple[str, str, str]]:
    """Return the file, the anchor and the text of each step of a walk."""
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    walk = page.partition(f"## Your first change: {subject}\n")[2].partition("\n## ")[0]
    return STEP.findall(walk)


def take(folder: Path, subject: str) -> set[str]:
    """Do what the page says; return the files that it touches."""
    for name, anchor, text in steps(subject):
        path = folder / name
        if not anchor:
            path.write_text(text, "utf-8")
            continue
        lines = path.read_text("utf-8").splitlines(keepends=True)
        begins = (anchor, f"| `{anchor}` |")
        places = [i for i, line in enumerate(lines) if line.strip().startswith(begins)]
        assert 1 == len(places), (name, anchor, places)
        lines.insert(places[0], text)
        path.write_text("".join(lines), "utf-8")
    return {name for name, _, _ in steps(subject)}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A tree with both changes, built; and a runner of commands in it."""
    folder = tmp_path_factory.mktemp("tree")
    for path in tree():
        name = path.relative_to(ROOT)
        if name.parts[0] in COPIED:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / name)
    (folder / "README.md").write_text("")
    take(folder, "a tunable")
    take(folder, "a link")

    # setup.py's own -O3 comes behind CFLAGS.
    compiler = folder / "cc"
    compiler.write_text('#!/bin/sh\nexec cc "$@" -O0 -g0\n')
    compiler.chmod(0o755)

    def run(*words: object) -> str:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=folder,
            env={**os.environ, "CC": str(compiler), "PYTHONPATH": str(folder)},
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "setup.py", "-q", "build_ext", "--inplace")
    return folder, run


def test_walks_touch_few_files():
    """At most 4 for a tunable, the table of docs/ among them, and 6 for a link."""
    assert len({name for name, _, _ in steps("a tunable")} | {"docs/tunables.md"}) <= 4
    assert len({name for name, _, _ in steps("a link")} | {"CHANGELOG.md"}) <= 6


@pytest.mark.timeout(600)
def test_row_makes_the_tunable(copy):
    """One row: sysctl shows it, C and Python check it, docs/ has it."""
    folder, run = copy
    shown = run(sys.executable, "-m", "syncache", "sysctl", "-d", NAME)
    assert "ICMP errors delete no half-open connection" in shown
    run(sys.executable, "docs/generate.py")
    page = (folder / "docs" / "tunables.md").read_text("utf-8")
    assert f"| `{NAME}` | `0` |  |  |  | 0 to 1 | any time |" in page
    use = f"""
from syncache import Syncache, Sysctl, _core
engine = Syncache(Sysctl({{"{NAME}": 1}}))
fields = engine.sysctl.fields(boot=False)
assert engine._core.set_tunables(fields | {{"ignore_unreach": 0}})
assert not engine._core.set_tunables(fields | {{"ignore_unreach": 2}})
try:
    engine.sysctl["{NAME}"] = 2
except ValueError as error:
    print(error)
"""
    assert f"{NAME} is 0 to 1, not 2" in run(sys.executable, "-c", use)


def test_example_of_a_tunable_does_what_it_says(copy):
    """Its unit passes."""
    folder, run = copy
    built = next((folder / "build").glob("temp*")) / "csrc"  # with the extension
    objects = [path for room in ("core", "simd") for path in (built / room).glob("*.o")]
    unit = folder / "unit"
    source = folder / "tests" / "c" / "test_chkrst.c"
    run("cc", "-std=c11", "-O0", source, *objects, "-o", unit)
    run(unit)


def test_example_of_a_link_is_one(copy):
    """Its test passes, and the command line knows it."""
    _, run = copy
    test = "tests/unit/links/test_links_datagrams.py"
    run(sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:xdist", test)
    assert "--datagrams FD" in run(sys.executable, "-m", "syncache", "serve", "--help")
