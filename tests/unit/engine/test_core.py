"""Tests of the door to C: the two sides agree on names, sizes, defaults and ranges."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import fields

import pytest
from tidy import ROOT

from syncache import Keyring, Kind, Reason, Stats, Syncache, Sysctl, _core
from syncache.conn import CONN_BYTES, ECN, VIA
from syncache.cookies import LAYOUTS
from syncache.fourtuple import TUPLE_BYTES
from syncache.halfopen import ENTRY_BYTES
from syncache.ring import Checksum
from syncache.segment import FIELDS_BYTES
from syncache.tunables import KNOBS

pytestmark = pytest.mark.isa

ffi, lib = _core.ffi, _core.lib
FIELDS = [k for k in KNOBS.values() if k.field and k.engine == "syncache"]
NOT_TUNABLES = {"struct_size", "established_max", "ts_base", "ts_hz", "ts_per_tuple"}


def members(struct):
    return [name for name, _ in ffi.typeof(f"struct {struct}").fields]


def c_enum(name):
    """Names without the common prefix, in order."""
    numbers = ffi.typeof(f"enum {name}").elements
    return [numbers[number] for number in sorted(numbers)]


@pytest.mark.parametrize(
    ("struct", "size"),
    [
        ("syncache_conn", CONN_BYTES),
        ("syncache_tuple", TUPLE_BYTES),
        ("syncache_half_open", ENTRY_BYTES),
        ("syncache_fields", FIELDS_BYTES),
        ("syncache_slot", 24),
    ],
)
def test_struct_has_the_size_that_python_reads(struct, size):
    """The values unpack whole structures."""
    assert size == ffi.sizeof(f"struct {struct}")


def test_reasons_are_the_verdicts_of_c():
    """Names and numbers of Reason are those of the header, and so are the kinds."""
    verdicts = c_enum("syncache_verdict")
    assert verdicts.pop() == "SYNCACHE_VERDICT_COUNT"
    assert verdicts == [f"SYNCACHE_{reason.name}" for reason in Reason]
    kinds = [name.removeprefix("SYNCACHE_") for name in c_enum("syncache_kind")]
    for reason in Reason:
        assert kinds[lib.syncache_kind(reason)] == reason.kind.name
    assert kinds == [kind.name for kind in Kind]


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        ("syncache_pause_policy", KNOBS["net.inet.tcp.syncache.x.pause_policy"].legal),
        ("syncache_gate", KNOBS["net.inet.tcp.syncache.x.cookie_gate"].legal),
        ("syncache_layout", KNOBS["net.inet.tcp.syncache.x.cookie_layout"].legal),
        ("syncache_cookie_ts", KNOBS["net.inet.tcp.syncache.x.cookie_ts"].legal),
        ("syncache_overflow", KNOBS["net.inet.tcp.syncache.x.overflow"].legal),
        ("syncache_layout", tuple(LAYOUTS)),
        ("syncache_ecn", ECN),
        ("syncache_via", VIA),
        ("syncache_checksum", tuple(name.lower() for name in Checksum.__members__)),
    ],
)
def test_words_are_in_the_order_of_the_enumeration(enum, words):
    """A word's place is its number in C."""
    names = c_enum(enum)
    assert len(names) == len(words)
    for name, word in zip(names, words, strict=True):
        assert name.endswith(word.upper().replace("-", "_"))


def test_stats_has_the_counters_of_c_in_order():
    """Counters are read by place."""
    assert members("syncache_stats") == [field.name for field in fields(Stats)]


def test_every_member_of_c_has_one_tunable():
    """Nothing that C can be told is out of reach, and nothing is said twice."""
    boot = [k.field for k in FIELDS if k.settable == "boot"]
    live = [k.field for k in FIELDS if k.settable == "always"]
    config = set(members("syncache_config")) - NOT_TUNABLES
    tunables = set(members("syncache_tunables")) - NOT_TUNABLES
    assert (sorted(config), sorted(tunables)) == (sorted(boot), sorted(live))


def test_defaults_of_registry_and_c_are_the_same():
    """A C stack that sets nothing behaves as a Python one that sets nothing."""
    tunables = ffi.new("struct syncache_tunables *")
    lib.syncache_tunables_default(tunables)
    for name, value in Sysctl().fields(boot=False).items():
        assert getattr(tunables, name) == value, name


@pytest.mark.parametrize("knob", FIELDS, ids=str)
def test_edges_of_the_registry_are_legal_in_c(knob):
    """C takes what the registry takes: no legal write fails behind the check."""
    edges = knob.legal if knob.type == "enum" else (knob.legal[0], knob.legal[-1])
    for edge in edges:
        sysctl = Sysctl()
        if knob.settable == "boot":
            config = sysctl.fields(boot=True) | {knob.field: knob.to_c(edge)}
            settings = ffi.new("struct syncache_config *", config)
            settings.struct_size = ffi.sizeof("struct syncache_config")
            settings.ts_hz = 1000
            assert lib.syncache_size(settings) > 0
            continue
        core = core_of(sysctl)
        changed = sysctl.fields(boot=False) | {knob.field: knob.to_c(edge)}
        partners = {
            "minmss": ("mssdflt", "v6mssdflt"),
            "rexmit_min_ms": ("rexmit_max_ms",),
        }
        for partner in partners.get(knob.field, ()):
            changed[partner] = max(changed[partner], changed[knob.field])
        if knob.field == "rexmit_max_ms":
            changed["rexmit_min_ms"] = min(changed["rexmit_min_ms"], knob.to_c(edge))
        if knob.field in {"mssdflt", "v6mssdflt"}:
            changed["minmss"] = min(changed["minmss"], knob.to_c(edge))
        if knob.field == "clock_skew_ms":
            changed["cookie_lifetime_ms"] = max(32_000, 2 * knob.to_c(edge))
        if knob.field == "cookie_lifetime_ms":
            changed["clock_skew_ms"] = 0
        assert core.set_tunables(changed), (knob.name, edge)


def core_of(sysctl):
    config = sysctl.fields(boot=True) | {
        "hashsize": 1,
        "cachelimit": 1,
        "replay_entries": 0,
        "established_max": 0,
        "ts_base": 0,
        "ts_hz": 1000,
        "ts_per_tuple": 1,
    }
    return _core.Core(config, bytes(16), Keyring.ephemeral())


def test_impossible_configuration_raises():
    """What C cannot size is no engine."""
    with pytest.raises(ValueError, match="no engine"):
        _core.Core({"hashsize": 3}, bytes(16), Keyring.ephemeral())


def test_siphash_reference():
    """SipHash-2-4 of its own paper."""
    assert 0xA129CA6149BE45E5 == _core.lib.syncache_siphash24(
        bytes(range(16)), bytes(range(15)), 15
    )


def test_keys_leave_the_block_after_rotation_and_close():
    """No key outlives two periods, and none outlives the engine."""
    keys = Keyring.ephemeral()
    core = core_of(Sysctl())
    core.set_tunables(Sysctl().fields(boot=False))
    core.set_keys(keys)
    core.packet(b"", 0)
    first = keys.key(0, 32_000)
    assert first in core._memory[:]
    core.packet(b"", 33)
    assert first in core._memory[:]
    core.packet(b"", 66)
    assert first not in core._memory[:]
    assert keys.key(2, 32_000) in core._memory[:]
    memory = core._memory
    core.close()
    assert memory.closed


def test_shared_keys_are_given_for_the_neighbours_too():
    """With common keys the period before and the one after are there in time."""
    keys = Keyring.from_seed(b"s")
    keys.shared = True
    asked = []
    keys.key = lambda epoch, _: asked.append(epoch) or bytes(16)
    keys.begin = lambda now_ms, _: (7, now_ms)
    core = core_of(Sysctl())
    core.set_tunables(Sysctl().fields(boot=False))
    core.set_keys(keys)
    core.packet(b"", 0)
    assert [5, 6, 7, 8] == asked
    core.packet(b"", 31)
    assert [5, 6, 7, 8] == asked
    core.packet(b"", 32)
    assert [5, 6, 7, 8, 9] == asked


def test_own_keys_are_asked_for_only_when_they_mint():
    """Keys of this engine alone are drawn one a period."""
    keys = Keyring.from_seed(b"s")
    asked = []
    keys.key = lambda epoch, _: asked.append(epoch) or bytes(16)
    core = core_of(Sysctl())
    core.set_tunables(Sysctl().fields(boot=False))
    core.set_keys(keys)
    for now in (100, 131, 132, 400):
        core.packet(b"", now)
    assert [0, 1, 9] == asked


def run(code, folder):
    return subprocess.run(
        # -S: an editable install would find the extension all the same.
        [sys.executable, "-S", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def package_without_extension(folder):
    """Make the door to C alone; return the package."""
    package = folder / "syncache"
    package.mkdir()
    door = package / "_core"
    door.mkdir()
    for name in ("__init__", "block", "keyfeed"):
        source = (ROOT / "syncache" / "_core" / f"{name}.py").read_text()
        (door / f"{name}.py").write_text(source)
    (package / "__init__.py").write_text('__distribution__ = "tcp-syncache"\n')
    return package


def test_missing_extension_says_what_to_do(tmp_path):
    """Without the compiled module the first import says how to get it."""
    package_without_extension(tmp_path)
    done = run("import syncache._core", tmp_path)
    assert "ImportError: the compiled core syncache._ffi is missing" in done.stderr
    assert "pip install tcp-syncache" in done.stderr


def test_isolated_interpreter_says_what_to_do(tmp_path):
    """It refuses the module; to install it again would not help."""
    package = package_without_extension(tmp_path)
    refusal = "module syncache._ffi does not support loading in subinterpreters"
    (package / "_ffi.py").write_text(f"raise ImportError({refusal!r})\n")
    done = run("import syncache._core", tmp_path)
    assert "subinterpreters that share its lock" in done.stderr
    assert "pip install" not in done.stderr


def test_zip_file_says_that_it_is_none_for_compiled_modules(tmp_path):
    """Whether its module is in there or not."""
    package_without_extension(tmp_path)
    archive = shutil.make_archive(tmp_path / "app", "zip", tmp_path, "syncache")
    shutil.rmtree(tmp_path / "syncache")
    code = f"import sys; sys.path.insert(0, {archive!r}); import syncache._core"
    done = run(code, tmp_path)
    assert f"out of a zip file: unpack {archive}, or pip" in done.stderr


def test_shadowing_package_is_named(tmp_path):
    """Where the unrelated distribution wrote its own __init__, the import says so."""
    package = tmp_path / "syncache"
    package.mkdir()
    door = package / "_core"
    door.mkdir()
    for name in ("__init__", "block", "keyfeed"):
        source = (ROOT / "syncache" / "_core" / f"{name}.py").read_text()
        (door / f"{name}.py").write_text(source)
    (package / "__init__.py").write_text("class Grid: ...\n")
    done = run("import syncache._core", tmp_path)
    assert "unrelated distribution" in done.stderr
    assert "pip uninstall syncache" in done.stderr


def test_memory_is_aligned_and_wiped_memory_is_zero():
    """C asks for cache lines."""
    core = core_of(Sysctl())
    assert 0 == int(ffi.cast("uintptr_t", core._cache)) % 64


def test_tunables_that_c_refuses_are_told_and_not_kept(monkeypatch):
    """Two owners of a range would disagree aloud."""
    sysctl = Sysctl()
    core = core_of(sysctl)
    assert not core.set_tunables(sysctl.fields(boot=False) | {"rexmtlimit": 99})
    engine = Syncache(sysctl, seed=bytes(16))
    monkeypatch.setattr(_core.Core, "set_tunables", lambda self, fields: False)
    name = "net.inet.tcp.syncache.rexmtlimit"
    with pytest.raises(ValueError, match="combination"):
        engine.sysctl[name] = 4
    assert 3 == engine.sysctl[name]
