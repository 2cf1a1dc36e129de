"""`syncache key`: makes, shows, rotates and seals keyring files.

`init` makes a file with one master key; `rotate` adds the next one, in force from a
time by which every machine has the file, and deletes those whose cookies have expired;
`show` names the keys without telling them; `seal` encrypts a file, or encrypts it anew.
The running commands read their file again by themselves.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..keyring import DerivedKeyring, Master, fingerprint
from ..succession import LEAD_SECONDS, rotated
from ..tunables import KNOBS
from . import Failure
from .keys import read_keyring, read_passphrase, since, wall_clock, write_keyring

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LIFETIME = int(KNOBS["net.inet.tcp.syncache.x.cookie_lifetime"].default)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache key", description="Keyring files, of --keyring"
    )
    p.add_argument("action", choices=("init", "show", "rotate", "seal"))
    p.add_argument("file", metavar="FILE", type=Path)
    p.add_argument(
        "--passphrase",
        metavar="FILE",
        type=Path,
        help="a file with the passphrase; of init and seal: to seal with",
    )
    p.add_argument("--group", help="init: the name of the machines that share it")
    p.add_argument(
        "--old-passphrase",
        metavar="FILE",
        type=Path,
        help="seal: the one that it is sealed with already",
    )
    p.add_argument(
        "--lead",
        metavar="SECONDS",
        type=float,
        default=LEAD_SECONDS,
        help="rotate: the new key comes into force so much later [%(default)s]",
    )
    p.add_argument(
        "--lifetime",
        metavar="SECONDS",
        type=int,
        default=LIFETIME,
        help="rotate: x.cookie_lifetime of the machines [%(default)s]",
    )
    return p


def run(options: argparse.Namespace) -> int:
    """Do one of the four."""
    for name, action in (("group", "init"), ("old_passphrase", "seal")):
        if getattr(options, name) is not None and options.action != action:
            raise Failure(f"--{name.replace('_', '-')} is for {action} only")
    actions: dict[str, Callable[[argparse.Namespace], None]] = {
        "init": init,
        "show": show,
        "rotate": rotate,
        "seal": seal,
    }
    actions[options.action](options)
    return 0


def init(options: argparse.Namespace) -> None:
    """Make a file with one key, in force at once."""
    if options.file.exists():
        raise Failure(f"{options.file} is there already: rotate it, or remove it")
    group = options.group or ""
    if group:
        checked_group(group)
    keys = DerivedKeyring((Master.generate(),), wall_offset=0.0, group=group)
    save(options.file, keys, options.passphrase)
    print(describe(options.file, keys), end="")


def show(options: argparse.Namespace) -> None:
    """Print group, numbers, times and fingerprints."""
    keys = read_keyring(options.file, options.passphrase)
    print(describe(options.file, keys), end="")


def rotate(options: argparse.Namespace) -> None:
    """Add a key, and delete the retired ones."""
    if options.lifetime < 1 or not 0 <= options.lead < 10 * 365 * 86400:
        raise Failure("--lifetime is 1 second or more, --lead 0 seconds to ten years")
    before = read_keyring(options.file, options.passphrase)
    keys = rotated(before, wall_clock(), lifetime=options.lifetime, lead=options.lead)
    save(options.file, keys, options.passphrase)
    print(describe(options.file, keys), end="")


def seal(options: argparse.Namespace) -> None:
    """Encrypt a file under a passphrase."""
    if options.passphrase is None:
        raise Failure("seal needs --passphrase FILE, the passphrase to seal with")
    keys = read_keyring(options.file, options.old_passphrase)
    save(options.file, keys, options.passphrase)
    print(f"{options.file} is sealed")


def save(path: Path, keys: DerivedKeyring, passphrase: Path | None) -> None:
    """Write a file, sealed if there is a passphrase."""
    write_keyring(path, keys.text(passphrase=read_passphrase(passphrase)))


def checked_group(name: str) -> str:
    """Return the name of a group.

    Raises:
        Failure: it is none.
    """
    if not GROUP.fullmatch(name):
        raise Failure(
            f"{name!r} is not a group's name: letters, digits, '.', '_' and '-', at "
            "most 63, the first a letter or digit"
        )
    return name


def describe(path: Path, keys: DerivedKeyring) -> str:
    """Return the lines of `show`; no key is in them."""
    now = wall_clock()
    in_force = keys.master(int(now)).number
    lines = [f"{path}: group {keys.group or '(none)'}"]
    for master in keys.masters:
        if master.number == in_force:
            state = "in force"
        else:
            state = "published" if master.begins > now else "over"
        print_ = fingerprint(master.secret)
        lines.append(f"key {master.number}  {print_}  {state:9}  from {since(master)}")
    return "\n".join(lines) + "\n"
