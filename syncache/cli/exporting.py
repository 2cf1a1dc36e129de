"""`--metrics ADDR:PORT` of a command whose packets pass through its process.

A process of its own answers the scrapes, and asks this one on its control socket, so
that no scrape costs the packet loop more than one answer.  It has no privileges, ends
with the command, and its end is not that of the command.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..links.claim import FOLDER
from . import Failure, privileges
from .addresses import endpoint

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from .metrics import Exporter

END_SECONDS = 2.0


@contextlib.contextmanager
def exporting(options: argparse.Namespace) -> Iterator[None]:
    """Answer scrapes meanwhile, if that was asked for.

    Call it before there are threads and links.  Without `--control` the socket is one
    in /run/syncache, and the options name it from then on.

    Raises:
        Failure: the address cannot be had.
    """
    if options.metrics is None:
        yield
        return
    from .metrics import Exporter  # with Python's server, which is slow to load

    where = endpoint(options.metrics, "--metrics")
    if options.control is None:
        options.control = _own_socket(options.metrics)
    exporter = Exporter(where, [options.control])
    # Its end is that of the last process that holds the other end; a signal to a
    # process of root a command of another user may not send.
    alive, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        _serve(exporter, alive)
    exporter.server_close()
    os.close(alive)
    try:
        yield
    finally:
        os.close(end)
        _wait_for(child)


def _own_socket(name: str) -> str:
    folder = Path(os.environ.get("SYNCACHE_RUN") or FOLDER)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = f"{folder}: {error.strerror}"
        raise Failure(f"--metrics needs --control PATH here: {why}") from None
    return str(folder / f"{name.replace('/', '_')}.control")


def _serve(exporter: Exporter, alive: int) -> None:
    """Answer until a pipe is closed; never return."""
    try:
        # A terminal's signal is for the command, which takes it first.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with contextlib.suppress(OSError):
            privileges.limit(())
        exporter.start()
        os.read(alive, 1)
    finally:
        os._exit(0)


def _wait_for(child: int) -> None:
    """Wait a moment for the end of a process, so that its address is free."""
    deadline = time.monotonic() + END_SECONDS
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
