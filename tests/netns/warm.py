"""Python programs that begin at once: forks of an interpreter which has the modules.

Most of what a test with a command of ours in a namespace takes is the start of the
command: the interpreter, and two hundred modules.  Here one process a test process
imports them and forks for each program.  What is started is a child of the test process
as any other: it has its process ID, standard streams, environment, folder and status.

`begin` is used as subprocess.Popen is.  Of a program that is not Python's, with options
of the interpreter, or with options of Popen beyond those, it is a Popen; and where the
start itself is what a test is about, the test starts a new interpreter.

    python tests/netns/warm.py FD    serves orders from a socket
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDER_MAX = 1 << 17  # bytes; a socket's buffer takes it whole
# What commands and their peers import, all that is not theirs alone.
MODULES = (
    "encodings.ascii",
    "encodings.idna",
    "hashlib",
    "http.client",
    "importlib.readers",
    "pyroute2",
    "syncache.aio",
    "syncache.cli.demo",
    "syncache.cli.fleet",
    "syncache.cli.inspect",
    "syncache.cli.intercept",
    "syncache.cli.serve",
    "syncache.cli.shards",
    "syncache.cli.shield",
    "syncache.fleet.member",
    "syncache.links.impaired",
    "syncache.links.shard",
    "syncache.links.tun",
    "syncache.links.xdp",
    "syncache.ring",
)
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None, use_errno=True)


class Starter:
    """The process that forks for this one, once it is needed."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def fork(self, order: dict[str, object], files: list[int]) -> int:
        """Have a program started with three standard streams; its process ID.

        It is an orphan for a moment, and then it is ours.
        """
        with self._lock:
            if self._socket is None:
                self._start()
            LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._socket, [json.dumps(order).encode()], files)
                pid = int(self._socket.recv(ORDER_MAX))
                self._socket.recv(ORDER_MAX)  # it is ours
            finally:
                LIBC.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        return pid

    def _start(self) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            process = subprocess.Popen(
                [sys.executable, __file__, str(other.fileno())],
                pass_fds=[other.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
        atexit.register(process.wait)
        atexit.register(self._socket.close)  # which ends it; handlers run backwards


STARTER = Starter()


class _Fork(subprocess.Popen):
    """A Popen whose process is a fork of the starter's."""

    def __init__(self, words: list[str], inside: int | None, **options) -> None:
        self._inside = inside
        super().__init__(words, **options)

    def _execute_child(self, words, *given) -> None:
        """Take the place of what starts a process; Popen has made the pipes."""
        cwd, env = given[4:6]
        ends = given[9:15]  # of the three pipes, those for the child first; -1: none
        order = {
            "words": words[1:],
            "inside": self._inside,
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
        }
        own = ends[0], ends[3], ends[5]
        files = [number if end == -1 else end for number, end in enumerate(own)]
        self.pid = STARTER.fork(order, files)
        self._child_created = True
        self._close_pipe_fds(*ends)


def begin(
    words: Sequence[object], inside: int | None = None, **options
) -> subprocess.Popen[str]:
    """Start a program, in the network namespace of a process or in ours.

    Args:
        words: The program and its arguments.
        inside: A process in a namespace.
        options: Those of Popen.
    """
    command = [str(word) for word in words]
    if (
        command[0] == sys.executable
        and (command[1] in {"-m", "-c"} or command[1].endswith(".py"))
        and options.keys() <= {"stdin", "stdout", "stderr", "text", "cwd", "env"}
    ):
        return _Fork(command, inside, **options)
    before = [] if inside is None else nsenter(inside, *spaces())
    return subprocess.Popen([*before, *command], **options)


def spaces() -> list[str]:
    """Return the kinds of namespaces to enter; without root the user's too, first."""
    return ["net"] if os.geteuid() == 0 else ["user", "net"]


def nsenter(pid: int, *kinds: str) -> list[str]:
    """Return the beginning of a command that runs in namespaces of a process."""
    words = ["nsenter", f"--target={pid}", *(f"--{kind}" for kind in kinds)]
    return [*words, *["--preserve-credentials"] * ("user" in kinds), "--"]


def enter(pid: int) -> None:
    """Become a member of the namespaces of a process."""
    files = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in spaces()]
    for file in files:
        if LIBC.setns(file, 0):
            raise OSError(ctypes.get_errno(), "setns(2)")
        os.close(file)


def serve(asks: socket.socket) -> list[str]:
    """Carry out orders until there are no more; return in each program, its words."""
    while True:
        text, files, *_ = socket.recv_fds(asks, ORDER_MAX, 3)
        if not text:
            os._exit(0)
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid == 0:
                break
            asks.send(str(pid).encode())
            os._exit(0)
        for file in files:
            os.close(file)
        os.waitpid(between, 0)
        asks.send(b"yours")
    asks.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    return become(json.loads(text))


def become(order: dict) -> list[str]:
    """Take the place where an order's program shall run; return the program's words."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    missing = set(os.environ.get("PYTHONPATH", "").split(os.pathsep)) - {"", *sys.path}
    sys.path[:0] = sorted(missing)
    if order["inside"] is not None:
        enter(order["inside"])
    return order["words"]


def run(words: list[str]) -> None:
    """Run a program as the interpreter does, with these words behind its name."""
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    if words[0] == "-c":
        name, code, sys.argv = "<string>", words[1], ["-c", *words[2:]]
        sys.path.insert(0, "")
    else:
        name, code, sys.argv = words[0], Path(words[0]).read_bytes(), words
        sys.path.insert(0, str(Path(name).parent))
        module.__file__ = name
    exec(compile(code, name, "exec", dont_inherit=True), module.__dict__)


def end(status: int) -> None:
    """End a program that is done, without taking a hundred modules apart.

    That is what takes most of the time of a short one.
    """
    threading._shutdown()
    atexit._run_exitfuncs()
    gc.collect()  # what complains when it goes, such as a task that nobody awaited
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # it is none, or closed
            stream.flush()
    os._exit(status & 0xFF)


def main(file: int) -> None:
    """Serve a socket; what is forked comes back from there, and becomes a program."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal's Ctrl-C
    del sys.path[0]  # the folder of this file, which a program does not see
    for name in MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    words = serve(socket.socket(fileno=file))
    status = None
    try:
        run(words)
    except SystemExit as ended:
        status = ended.code
        if not isinstance(status, int | None):
            raise  # a text for the interpreter to print; as it does with any error
    end(status or 0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
