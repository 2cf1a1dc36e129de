"""`make test`: what is collected below the best level, and which worker runs it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from lanes import Lanes
from tidy import ROOT


@pytest.fixture
def passed_over(request):
    """Whether the hook of tests/conftest.py passes over a file, with --isa or not."""
    hooks = request.config.pluginmanager.get_plugin(str(ROOT / "tests" / "conftest.py"))

    def call(path, *, isa: bool) -> bool | None:
        config = SimpleNamespace(getoption={"--isa": isa}.get)
        return hooks.pytest_ignore_collect(path, config)

    return call


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("pytestmark = pytest.mark.isa\n", None),
        ("MARKS = [pytest.mark.isa] if KERNELS else []\n", None),
        ("@mark.isa\ndef test(): ...\n", None),
        ("def test(): ...\n", True),
        ("", True),
    ],
)
def test_file_without_a_mark_is_passed_over_at_the_lower_levels(
    tmp_path, passed_over, text, over
):
    """At the best level every file is collected, and a folder always."""
    path = tmp_path / "test_it.py"
    path.write_text(text)
    assert over is passed_over(path, isa=True)
    assert passed_over(path, isa=False) is None
    assert passed_over(tmp_path, isa=True) is None


def test_marked_files_of_the_tree_are_found(passed_over):
    """Were the marks spelled otherwise, nothing would run there."""
    files = ("c/test_c_units.py", "property/test_bad_input.py")
    assert not any(passed_over(ROOT / "tests" / name, isa=True) for name in files)
    assert passed_over(ROOT / "tests" / "tree" / "test_tidy.py", isa=True)


class Node:
    """A worker that is sent what to run."""

    shutting_down = False

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id=str(id(self)))
        self.sent: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_half_of_the_workers_take_files_that_wait_first():
    """Either kind goes to everybody when there is none of the other."""
    names = ["netns/test_a", "netns/test_b", "unit/test_c", "unit/test_d", "netns/e"]
    tests = [f"tests/{name}.py::test_{i}" for name in names for i in range(3)]
    option = SimpleNamespace(loadscopereorder=False)
    lanes = Lanes(SimpleNamespace(getvalue={"tx": ["2*popen"]}.get, option=option))
    nodes = [Node(), Node()]
    for node in nodes:
        lanes.add_node(node)
    for node in nodes:
        lanes.add_node_collection(node, tests)
    lanes.schedule()
    assert [list(range(6, 9)), list(range(3))] == [node.sent for node in nodes]
    for node, done in ((0, 6), (0, 9), (1, 0)):
        lanes.mark_test_complete(nodes[node], done)
        lanes.mark_test_complete(nodes[node], done + 1)
    assert [6, 7, 8, 9, 10, 11, 3, 4, 5] == nodes[0].sent
    assert [0, 1, 2, 12, 13, 14] == nodes[1].sent
