"""The way of frames between two interfaces when no box takes them.

A filter of tc on each interface, behind the program of the box, which drops every frame
while the box is alive and goes with its process, however that ends.  So the filter acts
from the moment the box is gone, also after a kill: it sends each frame out of the other
interface (bypass), or drops it (block).  It stays until a box starts again.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, Literal

from . import bpf, rtnetlink
from .frames import CLSACT_INGRESS, CLSACT_PRIORITY, ETH_P_ALL
from .link import LinkError
from .netdev import by_netlink, error_number, reason

if TYPE_CHECKING:
    from collections.abc import Iterator

Action = Literal["leave", "bypass", "block"]
PRIORITY = CLSACT_PRIORITY + 1  # behind the box's, on kernels without TCX
CLSACT_EGRESS = 0xFFFFFFF3
# The name of a filter says what is to be undone with it.
BLOCK, BYPASS, BYPASS_PROMISC = "syncache_block", "syncache_bypass", "syncache_bypass_p"
OURS = {BLOCK, BYPASS, BYPASS_PROMISC}
# <linux/sockios.h>, <linux/if.h>
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_PROMISC = 0x100
IFREQ_FLAGS = struct.Struct("16sh22x")


def stand_by(outside: str, inside: str, action: Action) -> None:
    """Have both interfaces act so when the box is gone; `leave`: as if it never was.

    Call it when the links are open: their programs come first.

    Raises:
        LinkError: pyroute2 is missing, or the kernel refuses.
    """
    if action == "leave" and not _may_have_filters((outside, inside)):
        return
    try:
        import pyroute2
    except ImportError:
        if action == "leave":
            return  # so nobody has placed any
        raise LinkError(
            "--on-exit needs pyroute2: pip install 'tcp-syncache[cli]'"
        ) from None
    try:
        by_netlink(lambda ip: _place(ip, (outside, inside), action))
    except (OSError, pyroute2.NetlinkError) as error:
        message = f"--on-exit {action} of {outside} and {inside}: {reason(error)}"
        raise LinkError(message, error_number(error)) from None


def _may_have_filters(names: tuple[str, ...]) -> bool:
    """Return whether there is something to undo.

    As a rule there is nothing, and to load pyroute2 would be a quarter of the start.
    """
    try:
        found = rtnetlink.have_clsact()
        return any(socket.if_nametoindex(name) in found for name in names)
    except OSError:
        return True


def _place(ip: Any, names: tuple[str, str], action: Action) -> None:
    for name, other in (names, names[::-1]):
        index, target = socket.if_nametoindex(name), socket.if_nametoindex(other)
        _remove(ip, name, index)
        if action == "leave":
            _tidy(ip, index)
            continue
        if not _has_clsact(ip, index):
            ip.tc("add", "clsact", index)
        kind = BLOCK
        if action == "bypass":
            kind = BYPASS_PROMISC if _set_promiscuous(name, True) else BYPASS
        code = (
            bpf.pass_on_program(target)
            if action == "bypass"
            else bpf.drop_program(None)
        )
        program = bpf.load(bpf.PROG_SCHED_CLS, 0, code)
        try:
            words = {"fd": program, "name": kind, "direct_action": True}
            ip.tc("add-filter", "bpf", **_where(index), **words)
        finally:
            os.close(program)


def _where(index: int) -> dict[str, int]:
    return {
        "index": index,
        "parent": CLSACT_INGRESS,
        "prio": PRIORITY,
        "protocol": ETH_P_ALL,
    }


def _has_clsact(ip: Any, index: int) -> bool:
    found = ip.get_qdiscs(index=index)
    return any(each.get_attr("TCA_KIND") == "clsact" for each in found)


def _filters(ip: Any, index: int) -> Iterator[str]:
    """Yield the names of the filters of an interface; "": it has none of bpf's."""
    for parent in (CLSACT_INGRESS, CLSACT_EGRESS):
        for each in ip.get_filters(index=index, parent=parent):
            options = each.get_attr("TCA_OPTIONS")
            name = options.get_attr("TCA_BPF_NAME") if options else None
            yield name or ""


def _remove(ip: Any, name: str, index: int) -> None:
    """Remove the filter of an earlier box, and undo its changes."""
    if not _has_clsact(ip, index):
        return
    found = OURS & set(_filters(ip, index))
    if found:
        ip.tc("del-filter", "bpf", **_where(index))
    if BYPASS_PROMISC in found:
        _set_promiscuous(name, False)


def _tidy(ip: Any, index: int) -> None:
    """Remove the qdisc if nobody has a filter there."""
    if _has_clsact(ip, index) and not list(_filters(ip, index)):
        ip.tc("del", "clsact", index)


def _set_promiscuous(name: str, on: bool) -> bool:
    """Have an interface take frames for others; False if it does already."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = IFREQ_FLAGS.pack(name.encode(), 0)
        flags = IFREQ_FLAGS.unpack(fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        if bool(flags & IFF_PROMISC) == on:
            return False
        request = IFREQ_FLAGS.pack(name.encode(), flags ^ IFF_PROMISC)
        fcntl.ioctl(sock, SIOCSIFFLAGS, request)
    return True
