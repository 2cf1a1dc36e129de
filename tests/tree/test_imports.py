"""What a host pays for: modules that are imported, and memory, in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_api import NAMES

import syncache

MB = 2**20
# A host that hands over segments needs none of these.
NEEDLESS = {
    "_hashlib",
    "asyncio",
    "cryptography",
    "difflib",
    "hashlib",
    "importlib.resources",
    "random",
    "secrets",
    "socket",
    "ssl",
    "tempfile",
    "threading",
}
STATUS = Path("/proc/self/status")

HOST = """
from syncache import Kind, Segment, Syncache
engine = Syncache(established_max=0)
engine.listen(80)
syn = Segment(src="192.0.2.1", dst="198.51.100.7", sport=1, dport=80, flags=2)
synack = engine.segment(syn.src, syn.dst, syn.tcp(), 0.0).reply
ack = synack.reply(0x10)
verdict = engine.segment(syn.src, syn.dst, ack.tcp(), 0.1)
assert verdict.kind is Kind.ACCEPT
engine.accepted(verdict.conn)
assert engine.poll(9.0) == []
engine.stats
"""


def run(source):
    """Return what a fresh process says about its modules and its memory, in order."""
    probe = (
        "import json, sys\n"
        "def probe():\n"
        "    rss = [l for l in open('/proc/self/status') if l[:5] == 'VmRSS']\n"
        "    size = int(rss[0].split()[1]) * 1024\n"
        "    print(json.dumps([sorted(sys.modules), size]))\n"
    )
    if not STATUS.exists():  # no memory to be read; the modules are told all the same
        probe = (
            "import json, sys\ndef probe(): print(json.dumps([[*sys.modules], 0]))\n"
        )
    done = subprocess.run(
        [sys.executable, "-c", f"{probe}probe()\n{source}\nprobe()\n"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    before, after = map(json.loads, done.stdout.splitlines())
    return set(after[0]) - set(before[0]), after[1] - before[1]


def test_import_alone_imports_nothing_of_the_package():
    """Each name comes when it is asked for."""
    modules, size = run("import syncache")
    assert {"syncache"} == {name for name in modules if name.startswith("syncache")}
    assert size <= 2 * MB


def test_host_imports_nothing_that_it_does_not_use():
    """Half-open side, drawn keys: no cryptography, no event loop, no middlebox."""
    modules, size = run(HOST)
    assert set() == modules & NEEDLESS
    rooms = ("flow", "inspection", "intercept", "ios", "stack", "aio", "tcp", "links")
    assert set() == {f"syncache.{room}" for room in rooms} & modules
    assert size <= 8 * MB


def test_middlebox_starts_without_an_event_loop_and_a_web_server():
    """Its packets go through a plain loop; the rest would slow its start."""
    modules, _ = run("import syncache.cli.inspect, syncache.cli.intercept")
    assert set() == modules & {"asyncio", "http.server", "ssl", "syncache.cli.metrics"}


@pytest.mark.parametrize(
    "source",
    [
        "syncache.Keyring.from_seed(b'seed').key(0, 32000)",
        "syncache.Syncache(seed=b'seed')",
        "repr(syncache.keyring.Master.generate())",
    ],
)
def test_cryptography_comes_with_derived_and_named_keys(source):
    """It is imported where it is used, and there only."""
    assert "cryptography" in run(f"import syncache\n{source}")[0]


def test_smallest_engine_has_two_megabytes():
    """Without a table of connections: the stack looks up its own."""
    engine = syncache.Syncache(established_max=0)
    assert engine.memory_bytes <= 2 * MB
    engine.close()


def test_every_public_name_is_found_from_the_package():
    """By attribute, by import, by star, and in dir()."""
    assert NAMES == set(syncache.__all__)
    assert set(dir(syncache)) >= NAMES
    modules, _ = run("from syncache import *\nassert Reason and Intercept and Stack")
    assert "syncache.intercept" in modules


def test_modules_are_attributes_of_the_package():
    """`import syncache` is enough for `syncache.acl.permit`."""
    modules, _ = run("import syncache\nsyncache.acl.permit\nsyncache.links.link")
    assert modules >= {"syncache.acl", "syncache.links.link"}


def test_name_that_is_none_is_an_attribute_error():
    """As of any module; what fails inside of one of ours is not hidden."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        syncache.nothing  # noqa: B018 - asking is the test
    with pytest.raises(AttributeError, match="no attribute '_nothing'"):
        syncache._nothing  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from syncache import nothing  # noqa: F401
