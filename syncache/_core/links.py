"""The links' part of the door to C: see `_core`, whose rules hold here too.

Rings are filled and emptied by one call each; the calls are described in
csrc/link/link.h.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from .._ffi import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Sequence
    from mmap import mmap

    from .._ffi import CData, FrameLinkStruct, TunStruct
    from . import RingCore


if not hasattr(lib, "link_copy"):  # pragma: no cover - test_other_systems.py has it
    raise ImportError("this build has no csrc/link: links and captures need Linux")

TYPES_VLAN = lib.ENCAP_VLAN, lib.ENCAP_SERVICE_VLAN, lib.ENCAP_OLD_SERVICE_VLAN


class _FrameLink:
    """The common base of the frame links; after `release` calls give -EBADF."""

    __slots__ = ("_is_open", "_link", "_memory")

    _COUNTS = ("received", "sent", "skipped", "too_large", "send_failed")
    _link: FrameLinkStruct
    _memory: tuple[CData, ...]
    _is_open: bool

    @property
    def cdata(self) -> FrameLinkStruct | None:
        """The structure, for other calls into C; None after `release`."""
        return self._link if self._is_open else None

    @property
    def send_error(self) -> int:
        """The errno of the last frame refused; 0: it went out."""
        return self._link.send_error

    @property
    def counts(self) -> dict[str, int]:
        """Frames by outcome."""
        return {name: getattr(self._link, name) for name in self._COUNTS}

    def release(self) -> None:
        """Let go of the memory, which may be unmapped then."""
        self._is_open = False
        for view in self._memory:
            ffi.release(view)


class Packet(_FrameLink):
    """An AF_PACKET socket with its mapped ring, of frames or of blocks.

    `route` are the two raw sockets (-1: none) and the index of the interface, `spare`
    the memory for super-segments that no slot holds.  A `tap` has those that no block
    holds without their payload.
    """

    __slots__ = ()

    def __init__(
        self,
        fd: int,
        route: tuple[int, int, int],
        ring: mmap,
        *,
        frame_size: int = 0,
        block_size: int = 0,
        queue: int = -1,
        forward: bool,
        tap: bool = False,
        spare: mmap | None = None,
    ) -> None:
        memory = ffi.from_buffer("uint8_t[]", ring)
        beside = ffi.from_buffer("uint8_t[]", spare or bytearray())
        self._memory = (memory, beside)
        self._is_open = True
        self._link = ffi.new(
            "struct link_packet *",
            {
                "route": (*route, 0),
                "fd": fd,
                "queue_fd": queue,
                "forward": forward,
                "frame_size": frame_size,
                "frames": len(ring) // frame_size if frame_size else 0,
                "block_size": block_size,
                "blocks": len(ring) // block_size if block_size else 0,
                "tap": tap,
                "memory": memory,
                "split": {
                    "memory": beside if spare else ffi.NULL,
                    "memory_size": len(beside),
                },
            },
        )

    @property
    def unkept(self) -> int:
        """Frames longer than those of the ring for which the kernel had no room."""
        return self._link.unkept

    def receive(self, rx: RingCore) -> int:
        """Append frames; how many, or -errno."""
        if not self._is_open:
            return -errno.EBADF
        return lib.link_packet_receive(self._link, rx.cdata)

    def send(self, tx: RingCore) -> int:
        """Send frames and packets from `next` on; how many, or -errno."""
        if not self._is_open:
            return -errno.EBADF
        return lib.link_packet_send(self._link, tx.cdata)

    def forward(self, rx: RingCore) -> int:
        """Send the passed frames of another link's ring; how many, or -errno."""
        if not self._is_open:
            return -errno.EBADF
        return lib.link_packet_forward(self._link, rx.cdata)


class XdpRing(NamedTuple):
    """One of the four rings: its mapping, its offsets, the number of its entries."""

    memory: mmap
    producer: int
    consumer: int
    entries: int
    flags: int
    size: int


class Xdp(_FrameLink):
    """A bound AF_XDP socket; `rings` are rx, tx, fill and completion."""

    __slots__ = ()

    def __init__(
        self,
        fd: int,
        route: tuple[int, int, int],
        umem: mmap,
        frame_size: int,
        rings: Sequence[XdpRing],
        *,
        busy_poll: bool,
        partial: bool,
        forward: bool = False,
    ) -> None:
        frames = len(umem) // frame_size // 2
        views = [ffi.from_buffer("uint8_t[]", ring.memory) for ring in rings]
        memory = ffi.from_buffer("uint8_t[]", umem)
        unused = ffi.new("uint64_t[]", frames)
        self._memory = (memory, unused, *views)
        self._is_open = True
        rx, tx, fill, completion = (
            {
                "producer": ffi.cast("uint32_t *", view + ring.producer),
                "consumer": ffi.cast("uint32_t *", view + ring.consumer),
                "flags": ffi.cast("uint32_t *", view + ring.flags),
                "entries": view + ring.entries,
                "mask": ring.size - 1,
            }
            for view, ring in zip(views, rings, strict=True)
        )
        self._link = ffi.new(
            "struct link_xdp *",
            {
                "route": (*route, 0),
                "rx": rx,
                "tx": tx,
                "fill": fill,
                "completion": completion,
                "fd": fd,
                "frame_size": frame_size,
                "frames": frames,
                "busy_poll": busy_poll,
                "partial": partial,
                "forward": forward,
                "umem": memory,
                "unused": unused,
            },
        )
        lib.link_xdp_begin(self._link)

    def receive(self, rx: RingCore) -> int:
        """Append frames; how many, or -errno."""
        if not self._is_open:
            return -errno.EBADF
        return lib.link_xdp_receive(self._link, rx.cdata)

    def send(self, tx: RingCore) -> int:
        """Send frames and packets from `next` on; how many, or -errno."""
        if not self._is_open:
            return -errno.EBADF
        return lib.link_xdp_send(self._link, tx.cdata)

    def forward(self, rx: RingCore) -> int:
        """Send the passed frames of another link's ring; how many, or -errno."""
        if not self._is_open:
            return -errno.EBADF
        return lib.link_xdp_forward(self._link, rx.cdata)


def xdp_bind(fd: int, ifindex: int, queue: int, flags: int) -> None:
    """Bind an AF_XDP socket to a queue of an interface.

    Raises:
        OSError: The kernel refused.
    """
    result = lib.link_xdp_bind(fd, ifindex, queue, flags)
    if result < 0:
        raise OSError(-result, "bind")


def address_of(memory: mmap | bytearray) -> int:
    """Return where memory lies, for calls that take pointers in structures."""
    with ffi.from_buffer("uint8_t[]", memory) as view:
        return int(ffi.cast("uintptr_t", view))


def pass_all(rx: RingCore) -> None:
    """Consume the packets in `rx`, and say that all of it is to be forwarded."""
    lib.link_pass(rx.cdata)


class Tun:
    """A TUN device that C fills rings from and empties rings into."""

    __slots__ = ("_tun",)

    def __init__(self, fd: int, *, vnet_hdr: bool) -> None:
        if not hasattr(lib, "link_tun_receive"):
            raise OSError("this build has no TUN; it needs Linux")
        self._tun: TunStruct = ffi.new(
            "struct link_tun *", {"fd": fd, "vnet_hdr": vnet_hdr}
        )

    @property
    def cdata(self) -> TunStruct:
        """The structure, for other calls into C."""
        return self._tun

    def receive(self, rx: RingCore) -> int:
        """Append packets; how many, or -errno."""
        return lib.link_tun_receive(self._tun, rx.cdata)

    def send(self, tx: RingCore) -> int:
        """Send packets from `next` on; how many, or -errno."""
        return lib.link_tun_send(self._tun, tx.cdata)

    @property
    def send_error(self) -> int:
        """The errno of the last packet refused; 0: it went out."""
        return self._tun.send_error

    @property
    def counts(self) -> dict[str, int]:
        """Packets received, sent, too_large and send_failed."""
        names = ("received", "sent", "too_large", "send_failed")
        return {name: getattr(self._tun, name) for name in names}


def copy(source: RingCore, target: RingCore) -> tuple[int, int]:
    """Copy packets from `next` on; how many were consumed, how many of them dropped."""
    dropped = ffi.new("uint32_t *")
    count = lib.link_copy(source.cdata, target.cdata, dropped)
    return count, dropped[0]
