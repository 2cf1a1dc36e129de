"""One process for each core, all of them one server to the outside.

The kernel (`Packet(fanout=...)`) or the device (a `Xdp` for each queue) gives each
process the packets of some tuples, by a hash.  The processes share nothing but their
keys: a cookie that one has made is good at every other, so a handshake survives that
its tuple moves to another process.  Connections do not: so every process has its link
before any of them serves, and all end when one ends.

    def work(shard):
        link = Packet("eth0", OURS, fanout=7, cpu=shard.cpu)
        shard.ready()
        ...                                          # Syncache(keys=shard.keys)

    sys.exit(run(2, work))
"""

from __future__ import annotations

import ctypes
import math
import os
import select
import signal
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..keyring import DerivedKeyring, Keyring, Master
from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM)
WAIT_SECONDS = 10.0  # between two turns when nothing happens
WAKES_MAX = 4096  # bytes read at once; what is left ends the next wait


@dataclass(frozen=True)
class Shard:
    """One process of several.

    Attributes:
        index: From 0 on.
        count: Of the processes.
        keys: The same for all; their clock has to be the same too, as loop.time() and
            time.monotonic() are.
        cpu: One of those that the processes may run on, another for each.
    """

    index: int
    count: int
    keys: Keyring
    cpu: int
    _ready_fd: int = field(repr=False)
    _begin_fd: int = field(repr=False)

    def ready(self) -> None:
        """Wait until every process has its link: to be called once, by each.

        Raises:
            LinkError: Another one has failed.
        """
        os.write(self._ready_fd, b".")
        os.close(self._ready_fd)
        begun = os.read(self._begin_fd, 1)
        os.close(self._begin_fd)
        if not begun:
            raise LinkError("another shard has failed to open its link")


def run(
    count: int,
    work: Callable[[Shard], object],
    *,
    keys: Keyring | None = None,
    turn: Callable[[bool], float | None] = lambda _: None,
    wakes: Sequence[int] = (),
) -> int:
    """Call `work` in processes of its own, and wait until they end.

    They are forked, so what was made before is theirs too: an `XdpProgram`, a
    `Sysctl`.  There must be no other thread.  SIGINT and SIGTERM go on to them as
    SIGTERM, and SIGHUP as it is, which they ignore unless they take it; they end with
    this process, and when one of them fails.

    Args:
        count: How many; 1 is as good as any.
        work: Returns when its share is done; an exception is a failure.
        keys: Drawn if None.  To outlive a restart they have to come from a file.
        turn: Called by this process while all of them work, after signals and in time;
            True: SIGHUP has been passed on since.  Returns in how many seconds it has
            to be called again at the latest; None: in ten.
        wakes: Descriptors whose input is a reason for a turn, which takes it.

    Returns:
        0, or the highest exit status of the processes that failed; 1 for a signal.
    """
    if count < 1:
        raise ValueError(f"there is at least one shard, not {count}")
    if keys is None:
        keys = DerivedKeyring((Master.generate(),), wall_offset=0.0)
    cpus = sorted(os.sched_getaffinity(0))
    ready, ready_fd = os.pipe()
    begin_fd, begin = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    children: dict[int, int] = {}  # the end of a pipe that each reads
    parent = os.getpid()
    before_hup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for index in range(count):
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            for descriptor in (ready, begin, told, *children.values()):
                os.close(descriptor)
            cpu = cpus[index % len(cpus)]
            shard = Shard(index, count, keys, cpu, ready_fd, begin_fd)
            _end(work, shard, parent, heard)
        os.close(heard)
        children[child] = told
    os.close(ready_fd)
    os.close(begin_fd)

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        _terminate(children)

    reloads = [False]

    def pass_hup(number: int, _frame: FrameType | None) -> None:
        _send(children, number)
        reloads[0] = True

    def look() -> float | None:
        was, reloads[0] = reloads[0], False
        return turn(was)

    before = [signal.signal(number, pass_on) for number in ENDING]
    signal.signal(signal.SIGHUP, pass_hup)
    try:
        with _signals_wake() as woken:
            begun = _let_begin(ready, begin, count)
            wait = _Wait(woken, wakes)
            return _wait_for(children, look if begun else lambda: None, wait)
    finally:
        for number, handler in zip(ENDING, before, strict=True):
            signal.signal(number, handler)
        signal.signal(signal.SIGHUP, before_hup)


@contextmanager
def _signals_wake() -> Iterator[int]:
    """Give a descriptor that every signal makes readable, the end of a child too."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    child_before = signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        yield reader
    finally:
        signal.signal(signal.SIGCHLD, child_before)
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)


class _Wait:
    """Waits for signals, for other descriptors, and no longer than it is told."""

    def __init__(self, woken: int, wakes: Sequence[int]) -> None:
        self._woken = woken
        self._poll = select.poll()
        for descriptor in (woken, *wakes):
            self._poll.register(descriptor, select.POLLIN)

    def wait(self, seconds: float | None) -> None:
        wanted = WAIT_SECONDS if seconds is None else max(seconds, 0.0)
        self._poll.poll(math.ceil(min(wanted, WAIT_SECONDS) * 1000))
        with suppress(BlockingIOError):
            os.read(self._woken, WAKES_MAX)


def _end(
    work: Callable[[Shard], object], shard: Shard, parent: int, heard: int
) -> None:
    """Do the work of a child, and end it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    threading.Thread(target=_listen, args=[heard], daemon=True).start()
    status = 1
    try:
        if os.getppid() == parent:
            work(shard)
            status = 0
    except KeyboardInterrupt:
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except LinkError as error:
        print(f"shard {shard.index}: {error}", file=sys.stderr)  # noqa: T201 - a child's last word
    except BaseException:  # noqa: BLE001 - whatever it is, the others have to know
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _listen(heard: int) -> None:
    """Take signals that the parent may not send, and its end, for what they are.

    Who becomes another user is out of reach of a parent without CAP_KILL, and is sent
    nothing any more when that dies.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while number := os.read(heard, 1):
        os.kill(os.getpid(), number[0])
    os.kill(os.getpid(), signal.SIGTERM)


def _let_begin(ready: int, begin: int, count: int) -> bool:
    """Let the children go on once all are ready; if one ends before, none does."""
    waiting = 0
    while said := os.read(ready, count):  # until nobody is left who may say it
        waiting += len(said)
    if waiting == count:
        with suppress(BrokenPipeError):
            os.write(begin, b"." * count)
    os.close(ready)
    os.close(begin)
    return waiting == count


def _wait_for(
    children: dict[int, int], look: Callable[[], float | None], wait: _Wait
) -> int:
    """Wait for all; the first failure ends the others."""
    failed = 0
    numbers = {child: index for index, child in enumerate(children)}
    while children:
        seconds = look()
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            wait.wait(seconds)
        if child not in children:
            continue
        os.close(children.pop(child))
        if status != 0:
            if not failed:
                _tell_signal(numbers[child], status)
                _terminate(children)
            failed = max(failed, os.waitstatus_to_exitcode(status), 1)
    return failed


def _tell_signal(index: int, status: int) -> None:
    """Say which signal has ended a process that could not say so itself."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) not in ENDING:
        number = os.WTERMSIG(status)
        name = signal.strsignal(number) or str(number)
        hint = ": was memory short? (dmesg)" if number == signal.SIGKILL else ""
        print(f"shard {index}: ended by a signal, {name}{hint}", file=sys.stderr)  # noqa: T201 - its last word


def _terminate(children: Mapping[int, int]) -> None:
    _send(children, signal.SIGTERM)


def _send(children: Mapping[int, int], number: int) -> None:
    for child, told in list(children.items()):
        with suppress(ProcessLookupError, BrokenPipeError):
            try:
                os.kill(child, number)
            except PermissionError:
                os.write(told, bytes([number]))
