"""Does the kernel have the connections of the handshakes that were redeemed?

The programs remember each with its time; the kernel lists its sockets in
/proc/net/tcp.  Both may be long, so this is for a suspicion.
"""

from __future__ import annotations

import struct
from socket import htons
from typing import TYPE_CHECKING, NamedTuple

from .._core import bpf as _core_bpf
from .._core import shield as core
from . import host_settings
from .shield_services import SERVICE4, SERVICE6

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RECENT_NS = 600 * 10**9
STAMP = struct.Struct("=Q")
V4_WORDS = 2
MAPPED = "0000000000000000FFFF0000"


class Handshake(NamedTuple):
    """One that was redeemed."""

    service: bytes  # key of its map
    paths: tuple[tuple[str, str], ...]  # as /proc/net/tcp or tcp6 would have it


def recent(maps: Mapping[str, int], now_ns: int) -> list[Handshake]:
    """List those of the last ten minutes."""
    found = []
    sizes = (core.REDEEMED.size, STAMP.size)
    for key, value in _core_bpf.entries(maps["redeemed"], *sizes):
        (stamp,) = STAMP.unpack(value)
        if now_ns - stamp < RECENT_NS:
            found.append(read_handshake(key))
    return found


def read_handshake(raw: bytes) -> Handshake:
    """Read a key of the programs' memory."""
    *words, ports, _, _ = core.REDEEMED.unpack(raw)
    peer_port, our_port = struct.unpack("!HH", struct.pack("=I", ports))
    if any(words[V4_WORDS:]):
        peer, ours = (
            "".join(f"{word:08X}" for word in words[at : at + 4]) for at in (0, 4)
        )
        service = SERVICE6.pack(*words[4:], htons(our_port))
        forms = [(ours, peer)]
    else:
        peer, ours = (f"{word:08X}" for word in words[:V4_WORDS])
        service = SERVICE4.pack(words[1], htons(our_port))
        forms = [(ours, peer), (MAPPED + ours, MAPPED + peer)]
    paths = ((f"{a}:{our_port:04X}", f"{b}:{peer_port:04X}") for a, b in forms)
    return Handshake(service, tuple(paths))


def are_held(handshakes: Iterable[Handshake]) -> bool:
    """Return whether the kernel has a connection of any of them."""
    known = host_settings.connections()
    return any(path in known for each in handshakes for path in each.paths)
