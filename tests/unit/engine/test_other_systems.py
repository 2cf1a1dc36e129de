"""A source build where there is no csrc/link: any system but Linux.

The compiler is told that this is no Linux, and so is the script that chooses the
sources; what comes out serves a host and both middlebox modes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest
from needs import wanted
from tidy import ROOT

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


def run(*words, **options):
    done = subprocess.run(
        [str(word) for word in words],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr


GIL = """
import runpy, setuptools, sys, sysconfig
get = sysconfig.get_config_var
disabled = int(sys.argv[1])
sysconfig.get_config_var = (
    lambda name: disabled if name == "Py_GIL_DISABLED" else get(name)
)
extension = runpy.run_path("csrc/build_ffi.py")["ffibuilder"]._assigned_source[3]
macros = extension["define_macros"]
words = {}
setuptools.setup = words.update
runpy.run_path("setup.py")
print(extension["py_limited_api"], bool(macros), bool(words["options"]))
"""


@pytest.mark.parametrize("gil", [True, False])
def test_free_threaded_python_gets_a_module_of_its_own_version(gil):
    """It has no stable ABI; in everything else the build is the same."""
    done = subprocess.run(
        [sys.executable, "-c", GIL, str(int(not gil))],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == [str(gil)] * 3


@wanted(found=shutil.which("cc"), what="a C compiler: apt-get install gcc")
def test_source_build_of_another_system_serves_a_host(tmp_path):
    """Everything but the links is there, and a link says that it needs Linux."""
    shutil.copytree(
        ROOT / "syncache",
        tmp_path / "syncache",
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    glue = tmp_path / "glue.c"
    run(sys.executable, "-c", EMIT, glue, cwd=ROOT)
    sources = [
        path
        for room in ("core", "simd", "flow")
        for path in (ROOT / "csrc" / room).glob("*.c")
    ]
    include = [ROOT / "csrc", sysconfig.get_paths()["include"]]
    extension = tmp_path / "syncache" / "_ffi.abi3.so"
    words = ["cc", "-std=c11", "-O0", "-fPIC", *(f"-I{folder}" for folder in include)]
    # Python's own headers are those of this system, and ask for its name.
    run(*words, "-DPy_LIMITED_API=0x030a0000", "-c", glue, "-o", tmp_path / "glue.o")
    nowhere = ("-U__linux__", "-Ulinux")
    run(*words, "-shared", *nowhere, tmp_path / "glue.o", *sources, "-o", extension)
    run(
        sys.executable,
        "-c",
        USE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
