"""Everything here needs a network namespace, and the programs of .ci/tools."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from functools import cache
from pathlib import Path

import needs
import pytest
from namespace import Namespace, Wire
from shield_rig import Rig

from syncache.links.bpf_object import BpfObject

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.netns)


@cache
def lacking() -> str:
    """Tell what these tests cannot do without; "" if it is all there."""
    if missing := needs.missing():
        return f"{' '.join(missing)}: apt-get install {' '.join(missing.values())}"
    if os.geteuid() != 0:  # that of a user namespace may load no program of the kernel
        return "root for tests in network namespaces: sudo make test"
    try:
        Namespace().close()
    except OSError as error:
        return str(error)
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.path.is_relative_to(HERE) and (what := lacking()):
        needs.lacks(what)


@pytest.fixture
def namespace():
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def queues():
    """Of the veth pair of `wire`; a module with another number overrides it."""
    return 1


@pytest.fixture
def wire(queues):
    made = Wire(queues)
    yield made
    made.close()


@pytest.fixture(scope="session")
def programs():
    """The shield's programs, which the kernel takes a while to verify."""
    made = BpfObject("shield")
    yield made
    made.close()


@pytest.fixture
def rig(programs):
    """The same as if nothing had happened yet, with keys, an engine and listeners."""
    with closing(Rig(programs=programs)) as made:
        yield made


@pytest.fixture
def pins(tmp_path):
    """A folder of a BPF file system of its own."""
    root = tmp_path / "bpf"
    root.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", root], check=True)
    yield root / "shield"
    subprocess.run(["umount", "--lazy", root], check=True)
