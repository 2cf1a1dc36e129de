"""The signals of a long-running command, from before its first change to its last.

Before `begin` a signal to stop is raised as `Stopped` wherever the start has come to,
so that what was changed is undone; from then on it is a word that the loop looks at.  A
descriptor ends the loop's wait: a handler of Python's runs only between two of its
instructions, so a signal that comes just before a wait would be seen after it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from typing_extensions import Self

STOP = (signal.SIGINT, signal.SIGTERM)
WORDS = {signal.SIGHUP: "reload", signal.SIGUSR1: "tables"}


# Commands that SIGHUP and SIGUSR1 never end, and how captures are told from links.
SERVICES = ("serve", "shield", "intercept", "inspect")
LINKS = ("--ta", "--ins", "--ou")  # and their longer forms
WAKES_MAX = 4096  # bytes read at once; what is left ends the next wait


@contextlib.contextmanager
def held(words: Sequence[str], *, for_good: bool = False) -> Iterator[None]:
    """Pass over signals to reload and to print of a command that has not begun.

    It reads its files later than that.  `Signals` takes over from here.

    Args:
        words: Of the command line.
        for_good: The process ends with the command: a signal that comes in the midst of
            that, even a second one to stop, does not change how.
    """
    is_service = words[0] in SERVICES and (
        words[0] != "inspect" or any(word.startswith(LINKS) for word in words)
    )
    if not is_service or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in WORDS}
    Signals.for_good = for_good
    try:
        yield
    finally:
        Signals.for_good = False
        if not for_good:
            for number, handler in before.items():
                signal.signal(number, handler)


class Stopped(BaseException):
    """A signal to stop came before the loop began."""


class Signals:
    """Takes the signals while it is entered; afterwards all is as before.

    With `for_good` they are passed over from then on.
    """

    for_good = False

    def __init__(self) -> None:
        self.stopping = False
        self._starting = True
        self._wanted: set[str] = set()
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1
        self._lock = threading.Lock()
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = signal.set_wakeup_fd(
            self._pipe[1], warn_on_full_buffer=False
        )
        for number in (*STOP, *WORDS):
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.for_good else handler)
        signal.set_wakeup_fd(self._wakeup_before)
        with self._lock:
            pipe, self._pipe = self._pipe, None
        for descriptor in pipe or ():
            os.close(descriptor)

    def fileno(self) -> int:
        """Return a descriptor that is readable after a signal or `wake`."""
        assert self._pipe is not None
        return self._pipe[0]

    def wake(self) -> None:
        """End the loop's wait; from any thread."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._pipe is not None:
                os.write(self._pipe[1], b"\0")

    def rest(self) -> None:
        """Let the descriptor be readable no more; to be called before a look."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fileno(), WAKES_MAX)

    def begin(self) -> None:
        """Raise no more: the loop looks at `stopping` and `take`."""
        self._starting = False

    def take(self, word: str) -> bool:
        """Return whether "reload" or "tables" was asked for since the last time."""
        if word in self._wanted:
            self._wanted.discard(word)
            return True
        return False

    def _take(self, number: int, _: FrameType | None) -> None:
        if number in STOP:
            self.stopping = True
            if self._starting:
                self._starting = False  # a second one does not end the undoing
                raise Stopped
        else:
            self._wanted.add(WORDS[signal.Signals(number)])
