"""A copy of the tree, compiled: CONTRIBUTING.md's "Your first change", another system.

The steps of the page hold in it.  What does not ask for the system is compiled there as
anywhere, so these objects serve a source build where there is no csrc/link, too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
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
ROOMS = ("core", "simd", "flow")
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

    def run(*words: object, cwd: Path = folder) -> str:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=cwd,
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


EMIT = """
import runpy, sys, sysconfig
sysconfig.get_config_vars()  # kept, and this Python's
here, sys.platform = sys.platform, "darwin"
made = runpy.run_path("csrc/build_ffi.py")
sys.platform = here  # cffi asks about the Python that it runs in
made["ffibuilder"].emit_c_code(sys.argv[1])
assert "link" not in made["rooms"]
"""

USE = """
from syncache import AccessList, Inspection, Intercept, Kind, Ring, Segment, Side
from syncache import Stack, Syncache
from syncache.acl import permit

engine = Syncache(established_max=0)
engine.listen(80)
syn = Segment(src="192.0.2.1", dst="198.51.100.7", sport=1, dport=80, flags=2)
synack = engine.segment(syn.src, syn.dst, syn.tcp(), 0.0).reply
ack = Segment.parse(synack.packet()).reply(0x10)
assert engine.packet(ack.packet(), 0.1).kind is Kind.ACCEPT
rx, tx = Ring(), Ring()
rx.push(syn.packet())
assert engine.burst(rx, tx, 0.2) == 1
shield = Intercept(acl=AccessList("web", [permit(dport=80)]))
shield.receive(syn.packet(), Side.CLIENT, 0.0)
assert len(shield.packets_to_send(0.0)) == 1
Inspection().receive(syn.packet(), Side.CLIENT, 0.0)
Stack("198.51.100.7").receive(syn.packet(), 0.0)

for name in ("memory", "replay"):
    try:
        __import__(f"syncache.links.{name}")
    except ImportError as error:
        assert "links and captures need Linux" in str(error), error
    else:
        raise AssertionError("a link without C")
"""


def test_source_build_of_another_system_serves_a_host(copy):
    """Everything but the links is there, and a link says that it needs Linux.

    The compiler is told that this is no Linux, and so is the script that chooses the
    sources; what comes out serves a host and both middlebox modes.
    """
    folder, run = copy
    there = folder / "elsewhere"
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(folder / "syncache", there / "syncache", ignore=ignored)
    glue = there / "glue.c"
    run(sys.executable, "-c", EMIT, glue)
    built = next((folder / "build").glob("temp*"))
    words = ["cc", "-std=c11", "-fPIC", f"-I{folder}/csrc"]
    nowhere = ["-U__linux__", "-Ulinux"]
    headers = (
        path for room in (".", *ROOMS) for path in (folder / "csrc" / room).glob("*.h")
    )
    assert [] == [path for path in headers if "linux" in path.read_text("utf-8")]
    made = []
    sources = (path for room in ROOMS for path in (folder / "csrc" / room).glob("*.c"))
    for path in sources:
        made.append(built / path.relative_to(folder).with_suffix(".o"))
        if "linux" in path.read_text("utf-8"):
            made[-1] = there / f"{path.stem}.o"
            run(*words, *nowhere, "-c", path, "-o", made[-1])
    # Python's own headers are those of this system, and ask for its name.
    python = [f"-I{sysconfig.get_paths()['include']}", "-DPy_LIMITED_API=0x030a0000"]
    run(*words, *python, "-c", glue, "-o", there / "glue.o")
    extension = there / "syncache" / "_ffi.abi3.so"
    run("cc", "-shared", there / "glue.o", *made, "-o", extension)
    run("env", f"PYTHONPATH={there}", sys.executable, "-c", USE, cwd=there)
