"""`--user` and `--group`: another user once everything is open.

Three capabilities stay (capabilities(7)): without CAP_NET_ADMIN the interface could not
be left as it was found, without CAP_NET_RAW and CAP_BPF a link not be opened again.
"""

from __future__ import annotations

import contextlib
import ctypes
import grp
import os
import pwd
from typing import TYPE_CHECKING, NamedTuple

from . import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PR_SET_KEEPCAPS = 8
CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF = 12, 13, 39
ID_MAX = 2**32 - 2
VERSION_3 = 0x20080522


class Account(NamedTuple):
    """Who to become."""

    name: str
    uid: int
    gid: int


def account(user: str, group: str | None = None) -> Account:
    """Look a user and a group up: by name, else by number, as chown(1) does.

    A number needs no entry of the system; one without has the group that is given.

    Raises:
        Failure: the system does not know one of them.
    """
    found: pwd.struct_passwd | None = None
    try:
        found = pwd.getpwnam(user)
        uid = found.pw_uid
    except (KeyError, ValueError):  # a zero byte
        uid = _number("--user", user)
        with contextlib.suppress(KeyError):
            found = pwd.getpwuid(uid)
    if not group and found is None:
        raise Failure(f"--user {user} has no entry in passwd: --group is needed too")
    if not group:
        assert found is not None
        return Account(user, uid, found.pw_gid)
    try:
        gid = grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        gid = _number("--group", group)
    return Account(user, uid, gid)


def _number(option: str, text: str) -> int:
    """Return the number of a user or group that has no such name."""
    if not (text.isascii() and text.isdigit()):
        raise Failure(f"{option} {text}: there is no such {option[2:]}")
    # The last number means "no change" to the kernel, and would leave us root.
    if len(text) > len(str(ID_MAX)) or int(text) > ID_MAX:
        raise Failure(f"{option} {text}: numbers are 0 to {ID_MAX}")
    return int(text)


def drop(who: Account) -> None:
    """Become another user for good, but for three capabilities.

    Raises:
        Failure: we may not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    kept = [cap for cap in (CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF) if _may(cap)]
    try:
        _call(libc.prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
        _set(libc, kept)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise Failure(f"--user {who.name}: {why}: start as root") from None


def limit(capabilities: Sequence[int]) -> None:
    """Keep these capabilities alone, whoever we are.

    Raises:
        OSError: we may not.
    """
    _set(ctypes.CDLL(None, use_errno=True), list(capabilities))


def _may(capability: int) -> bool:
    """Return whether we have a capability."""
    with open("/proc/thread-self/status", encoding="ascii") as file:  # noqa: PTH123
        words = dict(line.split(":", 1) for line in file if line.startswith("Cap"))
    return bool(int(words["CapPrm"], 16) >> capability & 1)


def _set(libc: ctypes.CDLL, capabilities: list[int]) -> None:
    """Have exactly these, permitted and effective."""
    low = sum(1 << cap for cap in capabilities if cap < 32)
    high = sum(1 << (cap - 32) for cap in capabilities if cap >= 32)
    header = (ctypes.c_uint32 * 2)(VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    _call(libc.capset, header, data)


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), "refused")
