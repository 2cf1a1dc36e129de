"""syncache/cli/worker.py: jobs of one thread that is there from the start."""

from __future__ import annotations

import os
import threading

from syncache.cli.worker import Worker


def test_job_is_done_beside_and_the_next_one_behind_it():
    """Whoever asks sees when it is done, and who waits is woken."""
    seen = []
    worker = Worker(lambda: seen.append(worker.busy))
    assert not worker.busy
    gate, done = threading.Event(), []
    worker.begin(lambda: (gate.wait(60), done.append(1)))
    assert worker.busy
    assert not worker.wait(0)
    gate.set()
    assert worker.wait(60)
    worker.begin(lambda: done.append(2))
    assert worker.wait(60)
    assert [1, 2] == done
    worker.close()
    while len(seen) < 2:
        os.sched_yield()
    assert [False, False] == seen


def test_job_that_fails_is_told_and_the_next_one_is_done(capsys):
    """Whatever it was."""
    worker = Worker()
    worker.begin(lambda: 1 // 0)
    assert worker.wait(60)
    assert "ZeroDivisionError" in capsys.readouterr().err
    done = []
    worker.begin(lambda: done.append(1))
    assert worker.wait(60)
    assert [1] == done
    worker.close()
