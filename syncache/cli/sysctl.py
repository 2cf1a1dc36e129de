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
from ..control import Client, ControlError, assign
from . import Failure

if TYPE_CHECKING:
    from .. import Knob

INT_MAX = 2**31 - 1
UINT_MAX = 2**32 - 1


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


class Online:
    """The registry of a running process."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, name: str) -> int | str:
        """Return the value of one tunable."""
        value: int | str = self._client.request("get", name=name)
        return value

    def set(self, name: str, value: str) -> tuple[int | str, int | str]:
        """Change it in the process."""
        old, new = self._client.request("set", name=name, value=value)
        return old, new


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(prog="syncache sysctl", description="sysctl(8)")
    flag = p.add_argument
    flag("-a", action="store_true", help="all tunables")
    flag("-b", action="store_true", help="the value alone, as bytes")
    flag("-d", action="store_true", help="the description instead of the value")
    flag("-e", action="store_true", help="name=value")
    flag("-i", action="store_true", help="ignore unknown names")
    flag("-N", action="store_true", help="the name alone")
    flag("-n", action="store_true", help="the value alone")
    flag("-o", action="store_true", help="opaque values too; there are none")
    flag("-q", action="store_true", help="no messages about what went wrong")
    flag("-T", action="store_true", help="only what can be set at boot alone")
    flag("-t", action="store_true", help="the type instead of the value")
    flag("-W", action="store_true", help="only what can be set at any time")
    flag("-w", action="store_true", help="accepted and ignored, as sysctl(8) does")
    flag("-x", action="store_true", help="numbers in hexadecimal")
    flag("-f", metavar="FILE", type=Path, help="read FILE; a setting edits it")
    flag("--preset", metavar="NAME", help="begin with a preset")
    flag("--socket", metavar="PATH", help="ask the process behind this socket")
    flag("--json", action="store_true", help="one JSON object")
    flag("name", nargs="*", metavar="name[=value]")
    return p


def run(options: argparse.Namespace) -> int:
    """Show and set what was named; return the number of names that failed."""
    known = Sysctl()
    registry = choose(options, known)
    if options.a:
        options.name = [""]
    elif not options.name:
        if options.f is None:
            raise Failure("name a tunable, or -a for all of them")
        return 0
    failed = 0
    shown: dict[str, int | str] = {}
    for word in options.name:
        try:
            one(options, known, registry, word, shown)
        except (KeyError, ValueError, PermissionError, ControlError) as error:
            if isinstance(error, KeyError) and options.i:
                continue
            failed += 1
            if not options.q:
                print(f"syncache sysctl: {error.args[0]}", file=sys.stderr)
    if options.json:
        print(json.dumps(shown, indent=1))
    return min(failed, 255)


def choose(options: argparse.Namespace, known: Sysctl) -> Registry:
    """Find the registry that the options mean, with preset and file applied."""
    try:
        if options.socket:
            online = Online(Client(options.socket))
            if options.preset or options.f:
                wanted = Sysctl()
                changed = apply(options, wanted)
                for name in changed:
                    report(options, name, *online.set(name, str(wanted[name])))
            return online
        before = {name: known[name] for name in known}
        for name in apply(options, known):
            if not options.name and not options.a:
                report(options, name, before[name], known[name])
    except (KeyError, ValueError, PermissionError, ControlError) as error:
        raise Failure(str(error.args[0])) from None
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None
    return Offline(known, options.f)


def apply(options: argparse.Namespace, sysctl: Sysctl) -> list[str]:
    """Load preset and file; return the names that are not at their default."""
    default = {name: sysctl[name] for name in sysctl}
    if options.preset:
        sysctl.preset(options.preset)
    if options.f and (options.f.exists() or not options.name):
        sysctl.load(options.f)
    return [name for name in sysctl if sysctl[name] != default[name]]


def one(
    options: argparse.Namespace,
    known: Sysctl,
    registry: Registry,
    word: str,
    shown: dict[str, int | str],
) -> None:
    """Show or set what one word of the command line names."""
    name, is_setting, value = word.partition("=")
    name = name.strip()
    if is_setting:
        report(options, known.describe(name).name, *registry.set(name, value.strip()))
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
    """Print what a setting changed, as sysctl(8) does."""
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
    text = str(value)
    if options.t:
        text = type_of(knob)
    elif options.d:
        unit = f" ({knob.unit})" if knob.unit else ""
        text = knob.meaning + unit
    elif options.x and isinstance(value, int):
        text = hex(value)
    if options.n:
        print(text)
    else:
        print(f"{knob.name}{'=' if options.e else ': '}{text}")


def type_of(knob: Knob) -> str:
    """Name a type as sysctl(8) does."""
    if knob.type == "enum":
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
        lines = file.read_text().splitlines() if file.exists() else []
        places = [i for i, old in enumerate(lines) if assigned(old) == name]
        if places:
            comment = lines[places[-1]].partition("#")[2]
            lines[places[-1]] = f"{line}  #{comment}" if comment else line
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
    name, is_setting, _ = line.partition("#")[0].partition("=")
    return name.strip() if is_setting else None
