"""A source build for a Python without the stable ABI."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tidy import ROOT

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
