"""Files of tests for xdist's workers: most of these take those that mostly wait.

Tests with real peers wait in the clock's time.  If every worker could take one, they
would soon all be at one, with the processors idle; so one worker in three takes files
that compute as long as there are any, and the others files that wait.  In a whole run
these two collect nothing else, since collecting is a tenth of the processor time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

WAITING = "netns", "fleet"


def waits(file: str) -> bool:
    """Whether the tests of a file mostly wait: those with peers of their own do."""
    return PurePosixPath(file).parent.name in WAITING


def computes(worker: str) -> bool:
    """Whether a worker, as xdist calls it, takes files that compute first."""
    return int(worker.removeprefix("gw")) % 3 == 0


def tell(node: WorkerController) -> None:
    """Tell a worker that begins which of the files it collects, and in which order.

    A worker that finds the bytecode of a file compiles none; so the second half begins
    at the other end.
    """
    options, workers = node.config.option, node.workerinput["workercount"]
    number = int(node.gateway.id.removeprefix("gw"))
    whole = node.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    chosen = options.markexpr or options.keyword or options.isa
    # One that takes the place of another that crashed has to take any file.
    node.workerinput["waits"] = (
        whole and not chosen and 2 < workers > number and not computes(node.gateway.id)
    )
    node.workerinput["backwards"] = number >= workers / 2


class Backwards(pytest.Dir):
    """A folder whose last file is collected first."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Return what is in it."""
        return reversed(list(super().collect()))


def told(config: pytest.Config, what: str) -> bool:
    """Return what `tell` told this worker; False in a process that is none."""
    return bool(getattr(config, "workerinput", {}).get(what))


def passes_over(path: Path, config: pytest.Config) -> bool:
    """Whether this worker collects a file not, since others will run it."""
    return told(config, "waits") and path.suffix == ".py" and not waits(str(path))


class Lanes(LoadFileScheduling):
    """`--dist loadfile` with a queue for each kind.

    A worker whose queue is empty goes on with the other, as far as it has collected it.
    """

    def __init__(self, config: pytest.Config, log: object) -> None:
        super().__init__(config, log)
        self._files: dict[WorkerController, set[str]] = {}

    def add_node_collection(
        self, node: WorkerController, collection: Sequence[str]
    ) -> None:
        """Note what a worker has collected, which is not the same for all."""
        self.registered_collections[node] = list(collection)
        self._files[node] = {self._split_scope(test) for test in collection}

    def _check_nodes_have_same_collection(self) -> bool:
        """Put the most complete collection first, which becomes that of the run."""
        all_of_them = sorted(
            self.registered_collections.items(), key=lambda item: -len(item[1])
        )
        self.registered_collections = dict(all_of_them)
        return True

    def _next_for(self, node: WorkerController) -> str | None:
        files = [file for file in self.workqueue if file in self._files[node]]
        lane = not computes(node.gateway.id)
        return next(
            (file for file in files if waits(file) == lane), files[0] if files else None
        )

    def _assign_work_unit(self, node: WorkerController) -> None:
        if (file := self._next_for(node)) is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)
