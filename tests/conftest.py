"""Fixtures that every test may use; tools/ is on the path of all of them."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))

import needs

# Files that tests write have the same mode whatever the shell's mask: with 002, which
# many systems give their users, a state file would be refused as writable by others.
os.umask(0o022)

# A busy machine is no fault of an example.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


class Clock:
    """Time that moves only when a test says so; seconds as a float."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def advance(self, *, ms: float) -> float:
        self.now += ms / 1000
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seed() -> bytes:
    """A seed that makes an engine or a stack deterministic."""
    return bytes(range(16))


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    """Address family: a test that takes it runs for both."""
    return request.param


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --isa, which goes together with any -m and -k."""
    parser.addoption("--isa", action="store_true", help="run only what is marked `isa`")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over the files without a mark, if only what is marked `isa` shall run.

    To read one is cheaper than to import it, which every worker does at every level.
    """
    if "workerinput" in vars(config):
        import lanes

        if lanes.passes_over(collection_path, config):
            return True
    if not config.getoption("--isa") or collection_path.suffix != ".py":
        return None
    return b"mark.isa" not in collection_path.read_bytes() or None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Deselect what does not depend on instructions, if asked; order the files."""
    if config.getoption("--isa"):
        config.hook.pytest_deselected(
            items=[item for item in items if item.get_closest_marker("isa") is None]
        )
        items[:] = [item for item in items if item.get_closest_marker("isa")]
    items[:] = longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker what it need not collect, where whole files are handed out."""
    if node.config.getoption("dist") == "loadfile":
        import lanes

        lanes.tell(node)


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> object:
    """Collect a folder from its end, where a worker has been told so."""
    if "workerinput" not in vars(parent.config) or (path / "__init__.py").exists():
        return None
    import lanes

    if not lanes.told(parent.config, "backwards"):
        return None
    return lanes.Backwards.from_parent(parent, path=path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out files in two lanes, where whole files are handed out."""
    if config.getoption("dist") != "loadfile":
        return None
    from lanes import Lanes

    return Lanes(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Seek no rubbish among what is collected and imported, then or later.

    That is a million objects which live until the end.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def longest_first(items: list[pytest.Item]) -> list[pytest.Item]:
    """Order files: long ones first, so that in the end no processor waits for one."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    long = {path: _is_long(path, of) for path, of in files.items()}
    paths = sorted(files, key=lambda path: (not long[path], -len(files[path]), path))
    return [item for path in paths for item in files[path]]


def _is_long(path: Path, items: list[pytest.Item]) -> bool:
    return path.parent.name in {"c", "fuzz"} or any(
        item.get_closest_marker("slow") for item in items
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with one line about the tests that this machine could not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    if line := needs.summary([str(report.longrepr[-1]) for report in skipped]):
        terminalreporter.write_line(line)
