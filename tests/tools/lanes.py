"""Files of tests for xdist's workers: half of these take those that mostly wait first.

Tests with real peers wait in the clock's time.  If every worker could take one, they
would soon all be at one, with the processors idle; so half of the workers take files
that compute as long as there are any, and the other half files that wait.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


def waits(file: str) -> bool:
    """Whether the tests of a file mostly wait: those with peers in namespaces do."""
    return PurePosixPath(file).parent.name == "netns"


class Lanes(LoadFileScheduling):
    """`--dist loadfile` with a queue for each kind; an empty one opens the other."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        lane = list(self.registered_collections).index(node) % 2 == 1
        files = (file for file in self.workqueue if waits(file) == lane)
        file = next(files, next(iter(self.workqueue)))
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)
