"""`syncache sysctl`: sysctl(8) for the tunables of a configuration or a process.

Flags, output and exit status are BSD's, flag clusters included.  Without `--socket` it
works on a fresh registry: the defaults, a preset, a file given by `-f`; there a setting
edits the file.  With `--socket` it works on the running process behind it.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .. import Sysctl
from ..control import ControlError, assign
from ..textfile import read_text
from ..tunables.conf import assignment, comment_start, statement
from . import Failure, one_line, unreadable
from .processes import Processes
from .sink import say
from .tunables import load_file

if TYPE_CHECKING:
    from .. import Knob

INT_MAX = 2**31 - 1
UINT_MAX = 2**32 - 1
STATUS_MAX = 255
# What a kernel calls the types, and its letters for their form.
FORMATS = {
    "string": "A",
    "integer": "I",
    "unsigned integer": "IU",
    "uint64_t": "QU",
}


class Registry(Protocol):
    """Where values come from and go to."""

    def get(self, name: str) -> int | str:
        """Return the value of one tunable."""

    def set(self, name: str, value: str) -> tuple[int | str, int | str]:
        """Change it; return the old and the new value."""


class Offline:
    """A fresh registry, and the file that it was read from."""

    def __init__(self, sysctl: Sysctl, file: Path | None) -> None:
        self._sysctl = sysctl
        self._file = file

    def get(self, name: str) -> int | str:
        """Return the value of one tunable."""
        return self._sysctl[name]

    def set(self, name: str, value: str) -> tuple[int | str, int | str]:
        """Change it, in the file too."""
        old, new = assign(self._sysctl, name, value)
        if self._file is not None:
            edit(self._file, name, str(new))
        return old, new


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache sysctl", description="sysctl(8)", add_help=False
    )
    flag = p.add_argument
    flag("--help", action="help", help="show this message and exit")
    flag("-A", action="store_true", help="as -ao")
    flag("-a", action="store_true", help="all tunables")
    flag("-B", metavar="SIZE", help="accepted and ignored: values have one size")
    flag("-b", action="store_true", help="the value alone, as bytes")
    flag("-d", action="store_true", help="the description instead of the value")
    flag("-e", action="store_true", help="name=value")
    flag("-F", action="store_true", help="the format (A, I, IU, QU), not the value")
    flag("-f", metavar="FILE", type=Path, help="read FILE; a setting edits it")
    flag("-h", action="store_true", help="numbers with commas between the thousands")
    flag("-i", action="store_true", help="ignore unknown names")
    flag("-l", action="store_true", help="the length in bytes before the value")
    flag("-N", action="store_true", help="the name alone")
    flag("-n", action="store_true", help="the value alone")
    flag("-o", action="store_true", help="opaque values too; there are none")
    flag("-q", action="store_true", help="no messages about what went wrong")
    flag("-T", action="store_true", help="only what can be set at boot alone")
    flag("-t", action="store_true", help="the type instead of the value")
    flag("-W", action="store_true", help="only what can be set at any time")
    flag("-w", action="store_true", help="accepted and ignored, as sysctl(8) does")
    flag("-X", action="store_true", help="as -ax")
    flag("-x", action="store_true", help="numbers in hexadecimal")
    flag("--preset", metavar="NAME", help="begin with a preset")
    flag("--socket", metavar="PATH", help="ask the process behind this socket")
    flag("--json", action="store_true", help="one JSON object")
    flag("name", nargs="*", metavar="name[=value]")
    return p


def run(options: argparse.Namespace) -> int:
    """Show and set tunables by name; return the number of names that failed."""
    check(options)
    known = Sysctl()
    registry, failed = choose(options, known)
    if options.a and not options.name:
        options.name = [""]
    shown: dict[str, int | str] = {}
    for word in options.name:
        try:
            one(options, known, registry, word, shown)
        except (KeyError, ValueError, PermissionError, ControlError) as error:
            if isinstance(error, KeyError) and options.i:
                continue
            failed += 1
            if not options.q:
                say(f"syncache sysctl: {one_line(error.args[0])}")
    if options.json:
        print(json.dumps(shown, indent=1))
    return min(failed, STATUS_MAX)


def check(options: argparse.Namespace) -> None:
    """Resolve flags that stand for two; Failure for those that exclude each other."""
    options.a = options.a or options.A or options.X
    options.x = options.x or options.X
    if options.N and (options.n or options.l):
        raise Failure("-N prints names alone: leave out -n and -l")
    if options.B is not None and not options.B.isdecimal():
        raise Failure(f"-B takes a number of bytes, not {options.B!r}")
    if options.T or options.W:
        for word in options.name:
            if assignment(word)[1] is not None:
                raise Failure(f"{word!r}: -T and -W list tunables and set none")
    if not (options.a or options.name or options.f):
        raise Failure("name a tunable, or -a for all of them")


def choose(options: argparse.Namespace, known: Sysctl) -> tuple[Registry, int]:
    """Find the registry that the options mean, with preset and file applied.

    The number is that of the file's names that do not exist.
    """
    try:
        if options.socket:
            online = Processes(options.socket)
            failed = 0
            if options.preset or options.f:
                wanted = Sysctl()
                changed, failed = apply(options, wanted)
                for name in changed:
                    report(options, name, *online.set(name, str(wanted[name])))
            return online, failed
        before = {name: known[name] for name in known}
        changed, failed = apply(options, known)
        for name in changed:
            if not options.name and not options.a:
                report(options, name, before[name], known[name])
    except (KeyError, ValueError, PermissionError, ControlError) as error:
        raise Failure(str(error.args[0])) from None
    except OSError as error:
        raise unreadable(error, options.f) from None
    return Offline(known, options.f), failed


def apply(options: argparse.Namespace, sysctl: Sysctl) -> tuple[list[str], int]:
    """Load preset and file.

    Return the names that are not at their default, and the number of unknown ones.
    """
    default = {name: sysctl[name] for name in sysctl}
    failed = 0
    if options.preset:
        sysctl.preset(options.preset)
    if options.f and (options.f.exists() or not options.name):
        failed = load_file(sysctl, options.f, quiet=options.q, ignore_unknown=options.i)
    return [name for name in sysctl if sysctl[name] != default[name]], failed


def one(
    options: argparse.Namespace,
    known: Sysctl,
    registry: Registry,
    word: str,
    shown: dict[str, int | str],
) -> None:
    """Show or set the tunables of one word of the command line."""
    name, value = assignment(word)
    if value is not None and not options.d:
        knob = known.describe(name)
        report(options, knob.name, *registry.set(knob.name, value))
        return
    knobs = list(known.walk(name)) if not name or name not in known else []
    for knob in knobs or [known.describe(name)]:
        boot, always = knob.settable == "boot", knob.settable == "always"
        if (options.T and not boot) or (options.W and not always):
            continue
        shown[knob.name] = registry.get(knob.name)
        if not options.json:
            show(options, knob, shown[knob.name])


def report(
    options: argparse.Namespace, name: str, old: int | str, new: int | str
) -> None:
    """Print the change, as sysctl(8) does."""
    if options.json or options.q:
        return
    if options.n:
        print(f"{old} -> {new}")
    elif options.e:
        print(f"{name}={old} -> {new}")
    else:
        print(f"{name}: {old} -> {new}")


def show(options: argparse.Namespace, knob: Knob, value: int | str) -> None:
    """Print one tunable in the form that the flags ask for."""
    if options.b:
        sys.stdout.buffer.write(raw(knob, value))
        return
    if options.N:
        print(knob.name)
        return
    between = "=" if options.e else ": "
    text = spelled(options, knob, value)
    if options.l and not (options.t or options.d or options.F):
        text = f"{len(raw(knob, value))}{between}{text}"
    print(text if options.n else f"{knob.name}{between}{text}")


def spelled(options: argparse.Namespace, knob: Knob, value: int | str) -> str:
    """Return the text behind the name: value, type, format or description."""
    if options.F:
        return FORMATS[type_of(knob)]
    if options.t or options.d:
        unit = f" ({knob.unit})" if knob.unit else ""
        said = [type_of(knob)] if options.t else []
        said += [knob.meaning + unit] if options.d else []
        return ("=" if options.e else ": ").join(said)
    if options.x and isinstance(value, int):
        # %#0*x of printf: as wide as the type; a zero has no 0x.
        width = 2 + 2 * len(raw(knob, value))
        return f"{value:#0{width}x}" if value else "0" * width
    if options.h and isinstance(value, int):
        return f"{value:,}"
    return str(value)


def type_of(knob: Knob) -> str:
    """Name a type as sysctl(8) does."""
    if knob.type in {"enum", "text"}:
        return "string"
    if highest(knob) > UINT_MAX:
        return "uint64_t"
    return "unsigned integer" if highest(knob) > INT_MAX else "integer"


def highest(knob: Knob) -> int:
    """Return the largest legal number of a tunable that is one."""
    high = knob.legal[1]
    assert isinstance(high, int)
    return high


def raw(knob: Knob, value: int | str) -> bytes:
    """Return a value's bytes as a kernel would hand them out."""
    if isinstance(value, str):
        return value.encode() + b"\0"
    return struct.pack("=Q" if highest(knob) > UINT_MAX else "=I", value)


def edit(file: Path, name: str, value: str) -> None:
    """Set one name in a sysctl.conf, in place, keeping everything else."""
    line = f"{name}={value}"
    try:
        lines = read_text(file).splitlines() if file.exists() else []
        places = [i for i, old in enumerate(lines) if assigned(old) == name]
        if places:
            old = lines[places[-1]]
            comment = old[comment_start(old) :]
            lines[places[-1]] = f"{line}  {comment.lstrip()}" if comment else line
        else:
            lines.append(line)
        fresh = file.with_name(file.name + ".new")
        fresh.write_text("\n".join(lines) + "\n")
        if file.exists():
            fresh.chmod(file.stat().st_mode & 0o777)
        fresh.replace(file)
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}") from None


def assigned(line: str) -> str | None:
    """Return the name that a line of sysctl.conf sets, if it sets one."""
    name, value = assignment(statement(line))
    return name if value is not None else None
