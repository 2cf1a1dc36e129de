"""The options that the long-running commands share, declared once.

Contents: the words and their help, and the checks of what can be checked before
anything is opened.  What they do is the business of `tunables` and `service`.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
from functools import partial
from mmap import PAGESIZE
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..socket_path import SocketPath, check_place, unwritable
from . import Failure
from .addresses import check_endpoint, endpoint
from .log_form import FORMS
from .patience import attended, patiently
from .privileges import account
from .tunables import STRICT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

PRIORITY_MAX = 99
RING_MAX = 2**30
OUTPUTS = ("log", "pcapng", "report", "state")
OF_FILES = ("pcapng", "report", "picture")  # what commands write that read files
INPUTS = ("files", "sources", "conf", "ios", "keyring", "passphrase")
DESCRIPTORS_MIN = 128  # of links, logs, maps of the kernel and control connections


def add_tunables(p: argparse.ArgumentParser, *, ios: bool = True) -> None:
    """Add where tunables come from; each is read again at SIGHUP."""
    p.add_argument("--preset", metavar="NAME", help="tunables of a preset")
    conf = "tunables as sysctl.conf" + (", or an IOS configuration" if ios else "")
    p.add_argument(
        "--conf",
        metavar="FILE|DIR",
        type=Path,
        help=f"{conf}; of a folder all *.conf in order",
    )
    if ios:
        p.add_argument("--ios", metavar="FILE", type=Path, help="an IOS configuration")
        p.add_argument(
            "--strict",
            action="store_true",
            help=STRICT,
        )
    p.add_argument(
        "--sysctl", metavar="NAME=VALUE", action="append", default=[], help="a tunable"
    )


def add_service(p: argparse.ArgumentParser) -> None:
    """Add how a command runs as a service."""
    p.add_argument("--cpu", metavar="N", type=int, help="run on this CPU")
    p.add_argument(
        "--priority", metavar="N", type=int, help="SCHED_FIFO priority, 1 to 99"
    )
    p.add_argument(
        "--check",
        action="store_true",
        help="check options, files and interfaces, and start nothing",
    )
    add_wait(p)
    p.add_argument(
        "--user",
        metavar="NAME",
        help="run as this user, a name or number, once everything is open",
    )
    p.add_argument("--group", metavar="NAME", help="and as this group [the user's]")


def add_wait(p: argparse.ArgumentParser) -> None:
    """Add whether a command waits for its interfaces."""
    p.add_argument(
        "--wait",
        action="store_true",
        help="wait for an interface that does not exist, or is deleted",
    )


def add_socket(p: argparse.ArgumentParser) -> None:
    """Add the socket of the one process that a command asks."""
    p.add_argument(
        "--socket",
        metavar="PATH",
        default=os.environ.get("SYNCACHE_SOCKET"),
        help="of the process, as given to its --control [$SYNCACHE_SOCKET]",
    )


def add_in_line(p: argparse.ArgumentParser) -> None:
    """Add how the two sides of a bump in the wire are taken."""
    way = p.add_mutually_exclusive_group()
    way.add_argument("--tun", action="store_true", help="in line: two TUN devices")
    way.add_argument(
        "--xdp",
        action="store_true",
        help="in line: take the two interfaces by AF_XDP instead of AF_PACKET",
    )


def add_ring(p: argparse.ArgumentParser) -> None:
    """Add how the kernel hands over the frames of an interface (AF_PACKET)."""
    p.add_argument(
        "--ring",
        metavar="BYTES",
        type=int,
        help="of AF_PACKET: what the kernel may hold before it drops frames [8 MiB; "
        "of a tap 32 MiB]",
    )
    p.add_argument(
        "--block",
        metavar="BYTES",
        type=int,
        help="of AF_PACKET: have frames handed over in blocks, when one is full or a "
        "millisecond old, which is cheaper in a flood; 0: each at once [0; of a tap "
        "128 KiB]",
    )


def ring_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `Packet` that `add_ring` asks for."""
    found = {"ring": options.ring, "block": options.block}
    return {name: value for name, value in found.items() if value is not None}


def add_control(
    p: argparse.ArgumentParser,
    asked_by: str = "`syncache sysctl`, `netstat` and `show`",
) -> None:
    """Add the socket by which a command is seen and steered, and its metrics."""
    p.add_argument("--control", metavar="PATH", help=f"socket for {asked_by}")
    p.add_argument(
        "--metrics",
        metavar="ADDR:PORT",
        help="counters for Prometheus, by HTTP, from a process of its own",
    )


def add_log(p: argparse.ArgumentParser) -> None:
    """Add where the log is written."""
    p.add_argument(
        "--log",
        metavar="FILE",
        type=Path,
        help="append the log to FILE, opened again at SIGHUP [the standard output]",
    )
    p.add_argument(
        "--log-format",
        choices=FORMS,
        help="of the lines: text, text with the time, a JSON object, RFC 5424 [time "
        "with --log, else text]",
    )
    add_syslog(p)


def add_syslog(p: argparse.ArgumentParser) -> None:
    """Add a syslog daemon."""
    p.add_argument(
        "--syslog",
        metavar="TARGET",
        help="send the log also to HOST[:PORT], or to a socket such as /dev/log",
    )
    p.add_argument(
        "--facility",
        default="local0",
        metavar="NAME",
        help="of syslog [%(default)s]",
    )


def add_on_exit(p: argparse.ArgumentParser) -> None:
    """Add what becomes of frames when no box takes them."""
    p.add_argument(
        "--on-exit",
        choices=("leave", "bypass", "block"),
        default="leave",
        help="when the process has ended, however: the interfaces are as before, each "
        "frame goes out of the other one, or none passes [%(default)s]",
    )


def add_pcapng(p: argparse.ArgumentParser, what: str) -> None:
    """Add where packets are recorded with their verdicts."""
    p.add_argument(
        "--pcapng",
        metavar="FILE",
        type=Path,
        help=f"record {what} with their verdicts as comments, for Wireshark",
    )


def check_service(options: argparse.Namespace) -> None:
    """Refuse what cannot be.

    Raises:
        Failure: the first thing that is wrong.
    """
    if options.cpu is not None and options.cpu not in os.sched_getaffinity(0):
        known = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise Failure(f"--cpu {options.cpu}: there are {known}")
    check_descriptors()
    check_ring(options)
    if options.priority is not None and not 0 < options.priority <= PRIORITY_MAX:
        raise Failure(f"--priority is 1 to {PRIORITY_MAX}, not {options.priority}")
    if options.group and not options.user:
        raise Failure("--group needs --user")
    if options.user:
        account(options.user, options.group)
    if getattr(options, "metrics", None) is not None:
        endpoint(options.metrics, "--metrics")
    check_control(options)
    if options.check:
        check_outputs(options)
        check_places(options)


def check_places(options: argparse.Namespace) -> None:
    """Refuse places of the network that could never be; nothing is sent.

    Raises:
        Failure: the first one.
    """
    if getattr(options, "metrics", None) is not None:
        check_endpoint(options.metrics, "--metrics")
    if getattr(options, "syslog", None) is not None:
        from ..links.syslog import check_target

        try:
            check_target(options.syslog)
        except OSError as error:
            why = error.strerror
            raise Failure(f"--syslog {options.syslog}: {why}") from None


def check_control(options: argparse.Namespace) -> None:
    """Refuse a control socket that could not be made; nothing is made.

    Raises:
        Failure: it says why.
    """
    path = getattr(options, "control", None)
    count = getattr(options, "shards", 1)
    if path is None:
        return
    for each in [path] if count == 1 else [f"{path}.{n}" for n in range(count)]:
        try:
            attended(each, partial(check_place, each, is_ours=options.check))
        except OSError as error:
            raise Failure(f"--control {each}: {error.strerror or error}") from None


def control_place(path: str) -> SocketPath:
    """Make the socket of `--control`.

    Raises:
        Failure: somebody answers there, or the path cannot be made.
    """
    try:
        return SocketPath(path)
    except OSError as error:
        raise Failure(f"--control {path}: {error.strerror or error}") from None


def check_descriptors() -> None:
    """Raise the limit of descriptors to the highest there may be, if it is low.

    Raises:
        Failure: that is too low; each thing opened later would fail in its own way.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS_MIN if hard == resource.RLIM_INFINITY else hard
    if 0 <= soft < min(DESCRIPTORS_MIN, most):
        soft = min(DESCRIPTORS_MIN, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if 0 <= soft < DESCRIPTORS_MIN:
        raise Failure(
            f"{soft} descriptors are too few: `ulimit -n {DESCRIPTORS_MIN}`, or "
            f"LimitNOFILE={DESCRIPTORS_MIN} of the unit"
        )


def check_ring(options: argparse.Namespace) -> None:
    """Refuse a receive ring that cannot be.

    Raises:
        Failure: it says what can.
    """
    ring, block = getattr(options, "ring", None), getattr(options, "block", None)
    if ring is not None and not 0 < ring <= RING_MAX:
        raise Failure(f"--ring {ring}: a ring has 1 to {RING_MAX} bytes")
    if block is not None and not (0 <= block <= RING_MAX and block % PAGESIZE == 0):
        raise Failure(f"--block {block}: it is pages of {PAGESIZE} bytes, or 0")


def check_interfaces(options: argparse.Namespace, interfaces: Iterable[str]) -> None:
    """Refuse an interface that does not exist and is not waited for.

    Raises:
        Failure: the first one.
    """
    if options.wait:
        return
    for name in interfaces:
        if not exists(name):
            raise Failure(
                f"no interface {name!r}: `ip link` shows those there are, and "
                "--wait waits for one"
            )


def checked(sources: Sequence[str]) -> str:
    """Return the name of an interface that is given where a file may be.

    Raises:
        Failure: it is neither.
    """
    if not exists(sources[0]):
        raise Failure(
            f"{sources[0]!r} is neither a file nor an interface: `ip link` shows those"
        )
    return sources[0]


def logs_loss(options: argparse.Namespace) -> bool:
    """Return whether the loss of a link is to be logged, besides being our failure.

    The standard error has the failure; a log elsewhere has it from `keep_open`, if the
    interface is waited for.
    """
    is_apart = options.log or options.syslog or options.log_format not in {None, "text"}
    return bool(is_apart) and not options.wait


def exists(name: str) -> bool:
    """Return whether there is an interface of this name now.

    There is one if that cannot be asked, for want of descriptors.
    """
    try:
        socket.if_nametoindex(name)
    except OSError:
        try:
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close()
        except OSError:
            return True
        return False
    return True


def check_outputs(options: argparse.Namespace, words: Iterable[str] = OUTPUTS) -> None:
    """Refuse files that could not be written, or are read; nothing is made.

    Raises:
        Failure: the first one.
    """
    read = [each for word in INPUTS for each in _files(options, word)]
    written: dict[Path, str] = {}
    for word in words:
        path = getattr(options, word, None)
        if path is None:
            continue
        if str(path) == "-":
            raise Failure(
                f"--{word} -: the standard output has lines of text; name a file"
            )
        try:
            why = patiently(partial(_obstacle, path))
        except OSError as error:  # it may answer later
            if not getattr(options, "check", True):
                continue
            why = str(error.strerror)
        if why:
            raise Failure(f"--{word} {path}: {why}")
        if any(_is_same(path, other) for other in read):
            raise Failure(f"--{word} {path}: it is read too; name another file")
        other = written.setdefault(path.resolve(), word)
        if other != word and not path.is_char_device():
            raise Failure(f"--{word} {path}: --{other} has it; name another file")


def _files(options: argparse.Namespace, word: str) -> Sequence[object]:
    named = getattr(options, word, None)
    return named if isinstance(named, list) else [] if named is None else [named]


def _is_same(path: Path, other: object) -> bool:
    """Would writing to a file change the other, under whatever name?"""
    try:
        found = path.stat()
        wanted = os.fstat(0) if other == "-" else Path(str(other)).stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and os.path.samestat(found, wanted)


def _obstacle(path: Path) -> str:
    """Return why a file cannot be written; nothing if it can."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return os.strerror(errno.EISDIR)
        why = unwritable(path)
    except FileNotFoundError:
        folder = path.resolve().parent  # a name may lead to no file as yet
        if not folder.is_dir():
            return f"there is no folder {folder}"
        why = unwritable(folder, os.W_OK | os.X_OK)
    except OSError as error:
        return error.strerror or str(error)
    return os.strerror(why) if why else ""
