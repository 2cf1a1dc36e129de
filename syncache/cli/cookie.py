"""`syncache cookie`: make a SYN cookie, check one, or explain a captured one.

`mint` prints the ISS for a SYN; `check` takes the ACK that came back; `explain` takes
the same and tries every layout and every scale of ours, to find out who made a captured
ISN and what it says.
Keys come from a file, `-` for standard input, so that they show in no list of
processes: 32 hexadecimal digits a line, the first for parity 0, the second (or else the
first again) for parity 1.  A keyring file has a key for each time, which `--at` gives.
"""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .. import Cookie, FourTuple, SynOptions
from ..control import Client, ControlError
from ..cookies import KEY_BYTES, LAYOUTS, WSCALE_MAX
from ..keyring import WALL_MAX
from ..textfile import read_text
from . import Failure, keyopts
from .keys import read_keyring, wall_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cookies import LayoutName

UINT32_MAX = 2**32 - 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(prog="syncache cookie", description="SYN cookies")
    p.add_argument("action", choices=("mint", "check", "explain"))
    p.add_argument("--keys", metavar="FILE", help="- is standard input")
    p.add_argument(
        "--socket",
        metavar="PATH",
        help="explain, instead of --keys: a shield that runs, by its --control",
    )
    p.add_argument("--keyring", metavar="FILE", type=Path, help="instead of --keys")
    keyopts.add_passphrase(p)
    p.add_argument(
        "--at",
        metavar="SECONDS",
        type=float,
        help="keyring: the time, in seconds since 1970 [now]",
    )
    p.add_argument(
        "--lifetime",
        metavar="SECONDS",
        type=int,
        default=32,
        help="keyring: x.cookie_lifetime [%(default)s]",
    )
    p.add_argument("--foreign", metavar="ADDR:PORT", required=True, help="the peer")
    p.add_argument("--local", metavar="ADDR:PORT", required=True, help="us")
    p.add_argument("--layout", choices=[*LAYOUTS], default="wide", help="[%(default)s]")
    p.add_argument("--secmod", type=number, default=0, help="[%(default)s]")
    p.add_argument("--rcv-wscale", type=number, help="our window scale; or none")
    syn = p.add_argument_group("mint, the peer's SYN")
    syn.add_argument("--irs", type=number, help="its sequence number")
    syn.add_argument("--mss", type=number, help="its MSS option")
    syn.add_argument("--wscale", type=number, help="its window scale option")
    syn.add_argument("--sack", action="store_true", help="it said SACK-permitted")
    syn.add_argument("--parity", type=int, choices=(0, 1), default=0)
    ack = p.add_argument_group("check and explain, the peer's ACK")
    ack.add_argument("--seq", type=number, help="its sequence number")
    ack.add_argument("--ack", type=number, help="its acknowledgment number")
    return p


def chosen_keys(options: argparse.Namespace) -> tuple[bytes, bytes]:
    """Return the keys of parity 0 and 1.

    Those of a keyring are of the epoch of the time and of the one before; mint takes
    the parity of the former.
    """
    if (options.keys is None) == (options.keyring is None):
        raise Failure("give --keys FILE or --keyring FILE")
    if options.keys is not None:
        return read_keys(options.keys)
    ring = read_keyring(options.keyring, options.passphrase)
    at = wall_clock() if options.at is None else options.at
    if not 0 <= at < WALL_MAX or options.lifetime < 1:
        raise Failure("--at is a time since 1970, --lifetime is 1 second or more")
    epoch = int(at // options.lifetime)
    options.parity = epoch & 1
    pair = {
        one & 1: ring.key(one, options.lifetime * 1000)
        for one in (epoch, max(epoch - 1, 0))
    }
    return pair[0], pair.get(1, pair[0])


def run(options: argparse.Namespace) -> int:
    """Do one of the three."""
    if options.socket is not None:
        return ask(options)
    keys = chosen_keys(options)
    (foreign, fport), (local, lport) = (
        endpoint(options.foreign),
        endpoint(options.local),
    )
    path = FourTuple(foreign, fport, local, lport)
    try:
        if options.action == "mint":
            return mint(options, keys, path)
        if options.seq is None or options.ack is None:
            raise Failure(f"{options.action} needs --seq and --ack of the ACK")
        return check(options, keys, path)
    except ValueError as error:
        raise Failure(str(error)) from None


def ask(options: argparse.Namespace) -> int:
    """Have a shield explain a cookie, whose keys no file has."""
    if options.action != "explain" or options.keys or options.keyring:
        raise Failure("--socket is for explain, without --keys and --keyring")
    if options.seq is None or options.ack is None:
        raise Failure("explain needs --seq and --ack of the ACK")
    ends = [*endpoint(options.foreign), *endpoint(options.local)]
    asked = dict(zip(("foreign", "fport", "local", "lport"), ends, strict=True))
    asked |= {"seq": options.seq, "ack": options.ack}
    try:
        found = Client(options.socket).request("explain", **asked)
    except ControlError as error:
        raise Failure(str(error)) from None
    except ValueError as error:
        raise Failure(f"{options.socket}: {error}; a shield explains") from None
    if found is None:
        print("not ours: no key of now or of the period before makes this number")
        return 1
    options_ = SynOptions(found["mss"], found["wscale"], found["sack_permitted"])
    print(describe(options, found["layout"], found["rcv_wscale"], options_))
    return 0


def mint(options: argparse.Namespace, keys: Sequence[bytes], path: FourTuple) -> int:
    """Print the ISS that answers a SYN."""
    if options.irs is None:
        raise Failure("mint needs --irs, the sequence number of the SYN")
    iss = Cookie.mint(
        keys[options.parity],
        path,
        options.irs,
        SynOptions(options.mss, options.wscale, options.sack),
        parity=options.parity,
        secmod=options.secmod,
        layout=options.layout,
        rcv_wscale=options.rcv_wscale,
    )
    print(f"{iss} {iss:#010x}")
    return 0


def check(options: argparse.Namespace, keys: Sequence[bytes], path: FourTuple) -> int:
    """Print the contents of the cookie in an ACK; 1 if the cookie is not ours."""
    layouts: Sequence[LayoutName] = (options.layout,)
    scales: Sequence[int | None] = (options.rcv_wscale,)
    if options.action == "explain":
        layouts = tuple(LAYOUTS)
        if options.rcv_wscale is None:
            scales = (None, *range(WSCALE_MAX + 1))
    for layout, scale in itertools.product(layouts, scales):
        found = Cookie.check(
            (keys[0], keys[1]),
            path,
            options.seq,
            options.ack,
            secmod=options.secmod,
            layout=layout,
            rcv_wscale=scale,
        )
        if found is not None:
            print(describe(options, layout, scale, found))
            return 0
    print("not ours: no key and layout given makes this sequence number")
    return 1


def describe(
    options: argparse.Namespace, layout: str, scale: int | None, found: SynOptions
) -> str:
    """Describe a cookie in lines."""
    iss, irs = (options.ack - 1) & UINT32_MAX, (options.seq - 1) & UINT32_MAX
    lines = {
        "layout": layout,
        "parity": (iss ^ iss >> 24) & 1,
        "iss": f"{iss} {iss:#010x}",
        "irs": f"{irs} {irs:#010x}",
        "mss": "none" if found.mss is None else found.mss,
        "wscale": "none" if found.wscale is None else found.wscale,
        "sack_permitted": "yes" if found.sack_permitted else "no",
        "rcv_wscale": "none" if scale is None else scale,
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


def read_keys(name: str) -> tuple[bytes, bytes]:
    """Read one or two keys."""
    try:
        text = sys.stdin.read() if name == "-" else read_text(name)
        keys = [bytes.fromhex(word) for word in text.split()]
    except OSError as error:
        raise Failure(f"{name}: {error.strerror}") from None
    except ValueError:
        raise Failure(f"{name}: a key is 32 hexadecimal digits") from None
    if not 1 <= len(keys) <= 2 or any(len(key) != KEY_BYTES for key in keys):
        raise Failure(f"{name}: it is to hold one or two keys of 32 hexadecimal digits")
    return keys[0], keys[-1]


def endpoint(word: str) -> tuple[str, int]:
    """Read 192.0.2.1:80 or [2001:db8::1]:80."""
    address, _, port = word.rpartition(":")
    try:
        number_ = int(port)
        ip = ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise Failure(f"{word!r} is not ADDR:PORT") from None
    if not 0 < number_ < 2**16:
        raise Failure(f"{word!r} has no port between 1 and 65535")
    return str(ip), number_


def number(word: str) -> int:
    """Read a number, decimal or 0x...; argparse describes the fault."""
    value = int(word, 0)
    if value < 0:
        raise ValueError(word)
    return value
