"""`make test`: what is collected below the best level, and which worker runs it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import lanes
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

    def __init__(self, number: int, **of_the_run: object) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.config = SimpleNamespace(**of_the_run)
        self.workerinput: dict[str, object] = {"workercount": 6}
        self.sent: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


NAMES = ["netns/test_a", "netns/test_b", "unit/test_c", "unit/test_d", "netns/e"]
TESTS = [f"tests/{name}.py::test_{i}" for name in NAMES for i in range(3)]


def handed_out(*collections):
    """Return a scheduler of workers with these collections, and the workers."""
    option = SimpleNamespace(loadscopereorder=False)
    workers = {"tx": [f"{len(collections)}*popen"]}
    made = Lanes(SimpleNamespace(getvalue=workers.get, option=option), None)
    nodes = [Node(number) for number in range(len(collections))]
    for node in nodes:
        made.add_node(node)
    for node, collection in zip(nodes, collections, strict=True):
        made.add_node_collection(node, collection)
    made.schedule()
    return made, nodes


def test_one_worker_in_three_takes_files_that_compute_first():
    """Either kind goes to everybody when there is none of the other."""
    made, nodes = handed_out(TESTS, TESTS)
    assert [list(range(6, 9)), list(range(3))] == [node.sent for node in nodes]
    for node, done in ((0, 6), (0, 9), (1, 0)):
        made.mark_test_complete(nodes[node], done)
        made.mark_test_complete(nodes[node], done + 1)
    assert [6, 7, 8, 9, 10, 11, 3, 4, 5] == nodes[0].sent
    assert [0, 1, 2, 12, 13, 14] == nodes[1].sent


def test_worker_runs_only_files_that_it_has_collected():
    """It ends with the last of these, and the others run what is left."""
    waiting = [test for test in TESTS if "netns" in test]
    made, nodes = handed_out(TESTS, waiting[3:], waiting)
    assert [[6, 7, 8], [0, 1, 2], [0, 1, 2]] == [node.sent for node in nodes]
    assert set(TESTS) == set(made.collection)
    made.mark_test_complete(nodes[2], 0)
    assert [6, 7, 8] == nodes[2].sent[3:]
    made.mark_test_complete(nodes[1], 0)
    assert nodes[1].shutting_down
    assert 3 == len(nodes[1].sent)
    made.mark_test_complete(nodes[0], 6)
    assert [6, 7, 8, 9, 10, 11] == nodes[0].sent


@pytest.mark.parametrize(
    ("number", "option", "waits"),
    [(1, {}, True), (3, {}, False), (7, {}, False), (1, {"markexpr": "slow"}, False)],
)
def test_worker_that_waits_is_told_so_in_a_whole_run(number, option, waits):
    """One that replaces another has to take any file, and a choice may have none."""
    options = {"markexpr": "", "keyword": "", "isa": False} | option
    node = Node(
        number,
        option=SimpleNamespace(**options),
        args_source=pytest.Config.ArgsSource.TESTPATHS,
    )
    lanes.tell(node)
    assert (waits, number >= 3) == (
        node.workerinput["waits"],
        node.workerinput["backwards"],
    )
    told = SimpleNamespace(workerinput=node.workerinput)
    files = ("tests/unit/tcp/test_a.py", "tests/netns/test_b.py", "tests/netns")
    assert [waits, False, False] == [lanes.passes_over(Path(f), told) for f in files]
    node.config.args_source = pytest.Config.ArgsSource.ARGS
    lanes.tell(node)
    assert not node.workerinput["waits"]
