"""syncache/cli/memory.py: the limit of a control group beside full tables."""

from __future__ import annotations

import pytest

from syncache import Inspection, Syncache
from syncache.cli.memory import MIB, shortage

RESIDENT = "9 1280 5 1 0 7 0\n"  # pages


@pytest.fixture
def machine(tmp_path):
    """Write files of /proc and of /sys; what is said of an engine there."""

    def look(group, files, engine):
        for name, text in (
            {"proc/cgroup": group, "proc/statm": RESIDENT} | files
        ).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return shortage(engine, tmp_path / "proc", tmp_path / "sys")

    return look


V1 = "5:pids:/\n4:cpu,memory:/a/b:c\n0::/\n"
LIMIT = "memory.limit_in_bytes"


@pytest.mark.parametrize(
    ("group", "files", "said"),
    [
        ("0::/a/b\n", {"sys/a/b/memory.max": "41943040"}, "40 MiB (memory.max of"),
        ("0::/a/b\n", {"sys/a/memory.max": "41943040"}, "40 MiB (memory.max of"),
        ("0::/a/b\n", {"sys/memory.max": "41943040"}, "40 MiB (memory.max of"),
        (
            "0::/a\n",
            {"sys/a/memory.max": "99999999", "sys/a/memory.high": "41943040"},
            "raise MemoryHigh= of the unit",
        ),
        ("0::/a\n", {"sys/unified/a/memory.max": "41943040"}, "raise MemoryMax= of"),
        (V1, {f"sys/memory/a/b:c/{LIMIT}": "41943040"}, f"40 MiB ({LIMIT} of"),
        (V1, {f"sys/memory/{LIMIT}": "41943040"}, f"40 MiB ({LIMIT} of"),
    ],
)
def test_limit_of_the_group_or_of_one_around_it_is_less_than_full_tables(
    machine, group, files, said
):
    """Version 2, version 1, both; a container sees the group at the root."""
    engine = Inspection(seed=bytes(16))
    (text,) = machine(group, files, engine)
    assert said in text
    assert f"needs {engine.memory_bytes // MIB + 6} MiB once" in text
    assert text.endswith("lower net.inet.inspect.sessions_max")


@pytest.mark.parametrize(
    ("group", "files"),
    [
        ("", {}),
        ("0::/\n", {"sys/memory.max": "max\n"}),
        ("0::/\n", {"sys/memory.max": "999999999\n"}),
        (V1, {f"sys/memory/{LIMIT}": "9223372036854771712\n"}),
        ("0::/../x\n", {"sys/x/memory.max": "?"}),
    ],
)
def test_enough_or_nothing_known_is_no_word(machine, group, files):
    assert [] == machine(group, files, Inspection(seed=bytes(16)))


def test_syn_cache_has_a_tunable_of_its_own(machine):
    (text,) = machine("0::/\n", {"sys/memory.max": "1"}, Syncache(seed=bytes(16)))
    assert text.endswith("lower net.inet.tcp.syncache.cachelimit")


def test_this_machine_can_be_asked():
    """Whatever it is."""
    assert isinstance(shortage(Syncache(seed=bytes(16))), list)
