"""The `syncache` command: one module a subcommand, each imported only when called.

Contents: the entry point and the one way in which a command fails.  An
operator's mistake, a missing privilege or a missing library is one line that says what
to do and exit status 1; a traceback means that we did something wrong.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import errno
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Protocol, cast

from .signals import Stopped, held
from .sink import forget_errors, open_standard, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "sysctl": "show or set tunables, of a file or of a running process",
    "netstat": "show the counters and half-open connections of a running process",
    "show": "show a running intercept or inspect in the words of IOS",
    "top": "show running processes live in a terminal",
    "metrics": "give the counters of running processes to Prometheus",
    "serve": "serve files, an echo or an ASGI application on our own TCP",
    "shield": "answer SYN floods in the kernel, for servers that stay as they are",
    "intercept": "shield servers behind us, as Cisco's TCP Intercept does",
    "inspect": "count and bound half-open sessions, live or in a capture",
    "log": "add up the alerts and sessions of log files",
    "advise": "measure traffic, and propose thresholds for inspect",
    "key": "make, show, rotate or seal the keyring that machines share",
    "fleet": "share cookie keys between machines, through Valkey",
    "man": "print the manual page of a command",
    "completion": "print completion for bash, zsh or fish",
    "cookie": "make, check or explain a SYN cookie",
    "demo": "serve real clients through a real SYN flood",
}


# Of a write to the standard output that has no room, or is no more.
OUTPUT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


NO_MEMORY = "not enough memory: look at `ulimit -v`, MemoryMax= of the unit, and `free`"
PROCESSES = (
    "look at `ulimit -u`, TasksMax= of the unit, and how many processes there are"
)
NO_THREAD = f"cannot start a thread: no memory, or {PROCESSES}"
# Of which a process, or the machine, has no more.
SCARCE = {
    errno.ENOMEM: "look at `ulimit -v`, MemoryMax= of the unit, and `free`",
    errno.EAGAIN: PROCESSES,
    errno.EMFILE: "look at `ulimit -n` and LimitNOFILE= of the unit",
    errno.ENFILE: "look at fs.file-max",
}


class Failure(Exception):  # noqa: N818  the operator erred
    """The change that the operator has to make, in one line."""


class Command(Protocol):
    """The contents of each module of this package holds."""

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser of the subcommand."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it; return the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    atexit.unregister(forget_errors)
    atexit.register(forget_errors)
    if not words:
        say(f"usage: syncache COMMAND ...\n\n{usage()}")
        return 2
    if words[0] not in COMMANDS:
        top = argparse.ArgumentParser(prog="syncache", description=usage())
        top.formatter_class = argparse.RawDescriptionHelpFormatter
        named = f"syncache {version()}"
        top.add_argument("--version", action="version", version=named)
        top.add_argument("command", choices=COMMANDS, metavar="COMMAND")
        top.parse_args(words[:1])
        return 2
    open_standard()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may be of any bytes
            stream.reconfigure(errors="backslashreplace")

    def work() -> int:
        with held(words, for_good=arguments is None):
            module = importlib.import_module(f"syncache.cli.{words[0]}")
            command = cast("Command", module)
            status = command.run(parsed(command.parser(), words[1:]))
        if sys.stdout is not None:
            sys.stdout.flush()
        return status

    return guarded(f"syncache {words[0]}", work)


def parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Return the options in the words of a command line; exit if there are no such.

    Of `--port=--`, and of a second `--`, argparse makes an empty list, whatever the
    type is, and an error quotes a word as it is.
    """
    refuse = parser.error
    parser.error = lambda message: refuse(one_line(message))  # type: ignore[method-assign]
    if any("\0" in word for word in words):  # of a program: execve(2) passes none
        parser.error("an argument holds a zero byte")
    options = parser.parse_intermixed_args(words)
    for action in parser._actions:  # noqa: SLF001 - there is no other way
        if action.nargs is not None:
            continue
        found = getattr(options, action.dest, None)
        if found == [] != action.default or (isinstance(found, list) and [] in found):
            name = "/".join(action.option_strings) or action.metavar or action.dest
            parser.error(f"argument {name}: expected one argument")
    return options


def guarded(name: str, work: Callable[[], int]) -> int:
    """Do some work; return its exit status, or that of a failure, which is one line.

    Args:
        name: Of who says the line.
        work: Returns the status.
    """
    try:
        return work()
    except Failure as failure:
        say(f"{name}: {one_line(failure)}")
        return 1
    except BrokenPipeError:  # `syncache sysctl -a | head`
        _give_up_output()
        return 1
    except (OSError, MemoryError, RuntimeError, ImportError) as error:
        if (why := _explained(error)) is None:
            raise
        if isinstance(error, OSError) and error.errno in OUTPUT_ERRORS:
            _give_up_output()
        say(f"{name}: {one_line(why)}")
        return 1
    except (KeyboardInterrupt, Stopped):
        return 130


def _explained(error: Exception) -> str | None:
    """Return an operator's fault in words; None if it is one of ours."""
    if isinstance(error, MemoryError) or "failed to map segment" in str(error):
        return NO_MEMORY
    if isinstance(error, RuntimeError):
        return NO_THREAD if str(error).startswith("can't start new thread") else None
    if not isinstance(error, OSError):
        return None
    if error.strerror is None:  # a link says what to do in its text
        return str(error)
    if error.filename is not None:  # a path of the operator's that cannot be
        return str(unreadable(error))
    if error.errno in OUTPUT_ERRORS:
        return f"cannot write the output: {error.strerror}"
    if (remedy := SCARCE.get(error.errno or 0)) is not None:
        return f"{error.strerror}: {remedy}"
    return None


def _give_up_output() -> None:
    """Have the rest of the standard output thrown away, or the end would fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(text: object) -> str:
    """Return a text, which may quote a file's name, as one harmless line."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in str(text)
    )


def usage() -> str:
    """List the commands with a line of meaning each."""
    lines = [f"  {name:10} {meaning}" for name, meaning in COMMANDS.items()]
    return "\n".join(
        ["A SYN cache and SYN cookies for any TCP stack.", "", "commands:", *lines]
    )


def version() -> str:
    """Name the distribution's version."""
    from importlib.metadata import version as of

    return of("tcp-syncache")


def unreadable(error: OSError, *names: object) -> Failure:
    """Name a file that cannot be read; a fault amid one bears no name itself."""
    name = error.filename or ", ".join(str(name) for name in names if name)
    return Failure(f"{name}: {error.strerror}" if name else str(error))


def needs(extra: str, library: str) -> Failure:
    """Say which extra brings a library that is missing."""
    return Failure(f"{library} is missing: pip install 'tcp-syncache[{extra}]'")
