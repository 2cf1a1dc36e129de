"""AF_XDP: frames taken before the kernel makes packets of them (Linux 5.9).

The rings are filled and emptied in C (csrc/link/xdp.c).  Here: the program that
redirects our packets, the socket with its memory and its rings, and the way back.

The program sends TCP and ICMP to our addresses to the socket of the queue that they
came by; the rest goes on to the kernel, which answers ARP and neighbour discovery.  A
queue without a socket goes on to the kernel too, which refuses what we would accept.
So an interface of several queues gets a link for each, which share an `XdpProgram`
(see `shard`), or one queue: `ethtool -L NAME combined 1`.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import socket
import struct
from typing import TYPE_CHECKING

from .._core import bpf as _core_bpf
from .._core import links as _core_links
from ..ring import PACKET_MAX
from . import bpf, ethtool
from .frames import (
    AF_XDP,
    HEADERS_MAX,
    Interface,
    Route,
    enlarge,
    promiscuous,
    raw_socket,
)
from .link import LinkError
from .refusals import Refusals, gone
from .schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..ring import Ring
    from .rtnetlink import Changes


FRAMES = 2048  # each way
FRAME_BYTES = (2048, 4096)  # the kernel takes 256 of each for itself
KERNEL_HEADROOM = 256
QUEUES_MAX = 64
BATCH = 64

# <linux/if_xdp.h>, <linux/if_link.h>, <asm/socket.h>
SOL_XDP = 283
XDP_STATISTICS = 7
# struct xdp_statistics; a buffer of less gets its first three members alone, as one
# before Linux 5.9 does.
STATISTICS = struct.Struct("=6Q")
XDP_MMAP_OFFSETS, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_REG = 1, 2, 3, 4
XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING = 5, 6
XDP_MAX_TX_SKB_BUDGET = 9
XDP_USE_NEED_WAKEUP = 1 << 3
PGOFF = {
    XDP_RX_RING: 0,
    XDP_TX_RING: 0x80000000,
    XDP_UMEM_FILL_RING: 0x100000000,
    XDP_UMEM_COMPLETION_RING: 0x180000000,
}
MODES = {"generic": 1 << 1, "native": 1 << 2}
SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET = 46, 69, 70

UMEM = struct.Struct("=QQIIII")  # struct xdp_umem_reg
OFFSETS = struct.Struct("=16Q")  # struct xdp_mmap_offsets
DESCRIPTOR_BYTES = {XDP_RX_RING: 16, XDP_TX_RING: 16}  # of the others 8


class XdpProgram:
    """The redirecting program on an interface, and the sockets that it knows.

    It hangs on a link descriptor: it goes with `close`, or with the last process that
    has it.  One for each interface; links of several queues share it, also those that
    processes make which were forked after it.

    Args:
        name: Of the interface.
        addresses: Ours, without lengths.  None: every frame is redirected.
        mode: "native" in the driver, "generic" before the kernel's own receiving, or
            "auto": native where the driver can.

    Raises:
        LinkError: One line that states the remedy.
    """

    def __init__(
        self, name: str, addresses: Sequence[str] | None, *, mode: str = "auto"
    ) -> None:
        if mode not in {"auto", *MODES}:
            raise ValueError(f"mode is auto, native or generic, not {mode!r}")
        interface = Interface(name, addresses or ())
        ours = None if addresses is None else interface.addresses
        self._fds: list[int] = []
        try:
            self._map = self._hold(lambda: _core_bpf.bpf_map(bpf.MAP_XSKMAP, 64))
            self._ours = ours
            code = bpf.redirect_program(ours, self._map)
            program = bpf.load(bpf.PROG_XDP, bpf.ATTACH_XDP, code)
            self._fds.append(program)
            self.mode = self._attach(program, interface, mode)
        except BaseException:
            self.close()
            raise

    def serve(self, queue: int, fd: int) -> None:
        """Send our packets of a queue to a socket."""
        _core_bpf.bpf_map_set(self._map, queue, fd)

    def block(self, networks: Sequence[str]) -> None:
        """Have the kernel drop SYNs from some networks, from now on; (): from none.

        Raises:
            LinkError: the kernel refuses it.
        """
        code = bpf.redirect_program(self._ours, self._map, networks)
        program = bpf.load(bpf.PROG_XDP, bpf.ATTACH_XDP, code)
        try:
            _core_bpf.bpf_replace(self._fds[-1], program)
        except OSError as error:
            message = f"cannot change the XDP program: {os.strerror(error.errno or 0)}"
            raise LinkError(message, error.errno) from None
        finally:
            os.close(program)

    def close(self) -> None:
        """Take the program off, unless another process holds it too."""
        while self._fds:
            os.close(self._fds.pop())

    def _hold(self, make: Callable[[], int]) -> int:
        try:
            fd = make()
        except OSError as error:
            message = (
                f"cannot make a BPF map: {os.strerror(error.errno or 0)}: run as root "
                "(CAP_BPF and CAP_NET_ADMIN, not in a user namespace), on a kernel "
                "with CONFIG_XDP_SOCKETS"
            )
            raise LinkError(message, error.errno) from None
        self._fds.append(fd)
        return fd

    def _attach(self, program: int, interface: Interface, mode: str) -> str:
        """Attach the program in the first mode that goes; which one it was."""
        error: OSError | None = None
        for name in ("native", "generic") if mode == "auto" else (mode,):
            try:
                fd = _core_bpf.bpf_attach(
                    program, interface.index, bpf.ATTACH_XDP, MODES[name]
                )
            except OSError as refusal:
                error = refusal
                if refusal.errno == errno.EBUSY:
                    break
                continue
            self._fds.append(fd)
            return name
        assert error is not None
        advice = {
            errno.EBUSY: "another XDP program is on it: `ip link set dev "
            f"{interface.name} xdp off` removes one that nobody holds",
            errno.EINVAL: "needs Linux 5.9; veth in native mode also an MTU below 3500",
            errno.EOPNOTSUPP: "the driver has no XDP: mode='generic'",
        }.get(error.errno or 0, "see dmesg")
        why = os.strerror(error.errno or 0)
        message = f"cannot attach XDP to {interface.name}: {why}: {advice}"
        raise LinkError(message, error.errno) from None


class Xdp:
    """Frames of one queue of an interface, which is left as it was found.

    Args:
        name: Of the interface.
        addresses: Ours; as of `Packet`.
        forward: Take every frame, promiscuously; the kernel gets none of them.  There
            are no addresses then.
        queue: Of the interface.
        mode: As of `XdpProgram`.
        program: One that is there already, for links of several queues.
        frames: To receive into, and as many to send from; a power of two.
        busy_poll: Microseconds; receiving drives the device's queue then, in this
            thread and at its priority.  None: interrupts do.
        cpu: To run the calling thread on; see `Schedule`.
        priority: Of the calling thread.
        threaded_napi: Run the driver's part below it.

    `logs_condition` is False where another link on the interface says that it is down.

    Raises:
        LinkError: One line that states the remedy.
        ValueError: An argument is not legal.
    """

    headroom = HEADERS_MAX
    gso_max = PACKET_MAX

    def __init__(
        self,
        name: str,
        addresses: Sequence[str] = (),
        *,
        forward: bool = False,
        queue: int = 0,
        mode: str = "auto",
        program: XdpProgram | None = None,
        frames: int = FRAMES,
        busy_poll: int | None = None,
        cpu: int | None = None,
        priority: int | None = None,
        threaded_napi: bool = False,
    ) -> None:
        if bool(addresses) + forward != 1:
            raise ValueError("a link either has addresses or forwards")
        if frames < BATCH or frames & (frames - 1):
            raise ValueError(f"frames is a power of two from {BATCH} on, not {frames}")
        if not 0 <= queue < QUEUES_MAX:
            raise ValueError(f"queue is 0 to {QUEUES_MAX - 1}, not {queue}")
        self.name = name
        self.logs_condition = True
        self._undo: list[Callable[[], object]] = []
        self._refusals = Refusals()
        try:
            interface = Interface(name, addresses, claim=program is None)
            self._interface = interface
            self._undo.append(interface.restore)
            if program is None:
                _one_queue(name)
                ours = None if forward else interface.addresses
                program = XdpProgram(name, ours, mode=mode)
                self._undo.append(program.close)
            self.mode = program.mode
            self.block = program.block  # of all links that share it
            self._forward = forward
            self._open(interface, queue, frames, busy_poll)
            if forward:
                self._undo.append(promiscuous(interface).close)
            program.serve(queue, self._socket.fileno())
            schedule = Schedule(
                name, cpu=cpu, priority=priority, threaded_napi=threaded_napi
            )
            self._undo.append(schedule.restore)
        except BaseException:
            self.close()
            raise

    def _open(
        self, interface: Interface, queue: int, frames: int, busy_poll: int | None
    ) -> None:
        self._mtu = interface.mtu()
        self._kernel_dropped = 0
        frame_size = _frame_size(interface.name, self._mtu)
        if self._forward:
            self.gso_max = frame_size  # no super-segment comes
        self._socket = sock = _socket()
        self._undo.append(sock.close)
        route = Route(interface)
        self._undo.append(route.close)
        umem = mmap.mmap(-1, 2 * frames * frame_size)
        self._undo.append(umem.close)
        rings = self._rings(sock, umem, frame_size, frames)
        _bind(sock, interface, queue)
        if busy_poll is not None:
            _poll_busily(sock, busy_poll)
        self._link = _core_links.Xdp(
            sock.fileno(),
            route.numbers,
            umem,
            frame_size,
            rings,
            busy_poll=busy_poll is not None,
            partial=ethtool.driver(interface.name) == "veth",
            forward=self._forward,
        )
        self._undo.append(self._link.release)

    def _rings(
        self, sock: socket.socket, umem: mmap.mmap, frame_size: int, frames: int
    ) -> list[_core_links.XdpRing]:
        """Give the kernel the memory, and map its four rings."""
        area = _core_links.address_of(umem)
        try:
            region = UMEM.pack(area, len(umem), frame_size, 0, 0, 0)
            sock.setsockopt(SOL_XDP, XDP_UMEM_REG, region)
            for ring in PGOFF:
                sock.setsockopt(SOL_XDP, ring, frames)
            found = sock.getsockopt(SOL_XDP, XDP_MMAP_OFFSETS, OFFSETS.size)
        except OSError as error:
            message = f"cannot have {frames} frames of AF_XDP: {error.strerror}"
            if error.errno == errno.ENOBUFS:  # xdp_umem.c: too much memory is locked
                message += ": look at `ulimit -l`, or LimitMEMLOCK= of the unit"
            raise LinkError(message, error.errno) from None
        numbers = OFFSETS.unpack(found)
        rings = []
        for i, (ring, offset) in enumerate(PGOFF.items()):
            producer, consumer, entries, flags = numbers[4 * i : 4 * i + 4]
            size = entries + frames * DESCRIPTOR_BYTES.get(ring, 8)
            memory = mmap.mmap(sock.fileno(), size, offset=offset)
            self._undo.append(memory.close)
            place = (producer, consumer, entries, flags, frames)
            rings.append(_core_links.XdpRing(memory, *place))
        return rings

    @property
    def mtu(self) -> int:
        """Largest ordinary packet in bytes, as of opening."""
        return self._mtu

    @property
    def counts(self) -> dict[str, int]:
        """Frames by outcome.

        received; sent; skipped, without IP; too_large, for a slot; send_failed,
        refused by the kernel; kernel_dropped, since a ring was full.
        """
        if self._socket.fileno() >= 0:
            size = STATISTICS.size
            found = self._socket.getsockopt(SOL_XDP, XDP_STATISTICS, size)
            dropped, _, _, full, *_ = STATISTICS.unpack(found.ljust(size, b"\0"))
            self._kernel_dropped = dropped + full
        return self._link.counts | {"kernel_dropped": self._kernel_dropped}

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._socket.fileno()

    def receive(self, rx: Ring) -> int:
        """Append frames to `rx`; none come while the interface is down."""
        count = self._link.receive(rx)
        if count < 0:
            raise gone(self.name, -count)
        return count

    def send(self, tx: Ring) -> int:
        """Send the packets in `tx`.

        A reply goes back where its request came from, through the same VLANs; what has
        no link header goes by the kernel's routes and neighbours.
        """
        return self.done(self._link.send(tx))

    @property
    def core(self) -> _core_links.Xdp:
        """The link in C, for who receives and sends there; `done` is told of it."""
        return self._link

    def done(self, count: int) -> int:
        """Log if packets begin to be refused; -errno of a call raises LinkError."""
        if count < 0:
            raise gone(self.name, -count)
        if count > 0:
            self._refusals.tell(
                self.name, self._link.send_error, outages=self.logs_condition
            )
        return count

    def forward(self, rx: Ring) -> int:
        """Send the passed frames of a ring that another link filled.

        As they are, but that unfinished checksums are finished and super-segments cut.

        Returns:
            How many slots went out; the others are lost.
        """
        count = self._link.forward(rx)
        if count < 0:
            raise gone(self.name, -count)
        self._refusals.tell(
            self.name, self._link.send_error, outages=self.logs_condition
        )
        return count

    @property
    def changes(self) -> Changes:
        """Whether `check` may have something to say."""
        return self._interface.changes

    def check(self) -> None:
        """Raise LinkError if the interface was deleted: its socket stays silent."""
        self._interface.check(logs=self.logs_condition)

    def close(self) -> None:
        """Close the link; everything is as it was."""
        while self._undo:
            self._undo.pop()()


def _socket() -> socket.socket:
    try:
        sock = raw_socket(AF_XDP, 0)
    except LinkError as error:
        if error.errno != errno.EAFNOSUPPORT:
            raise
        message = "this kernel has no AF_XDP (CONFIG_XDP_SOCKETS): use a Packet link"
        raise LinkError(message, error.errno) from None
    enlarge(sock)
    with contextlib.suppress(OSError):  # before 6.17 the kernel sends 32 a call
        sock.setsockopt(SOL_XDP, XDP_MAX_TX_SKB_BUDGET, BATCH)
    return sock


def _bind(sock: socket.socket, interface: Interface, queue: int) -> None:
    try:
        _core_links.xdp_bind(sock.fileno(), interface.index, queue, XDP_USE_NEED_WAKEUP)
    except OSError as error:
        advice = {
            errno.EBUSY: "another socket is bound to it",
            errno.EINVAL: f"`ethtool -l {interface.name}` shows the queues there are",
            errno.ENETDOWN: f"ip link set {interface.name} up",
        }.get(error.errno or 0, "see dmesg")
        why = os.strerror(error.errno or 0)
        message = f"cannot bind to queue {queue} of {interface.name}: {why}: {advice}"
        raise LinkError(message, error.errno) from None


def _poll_busily(sock: socket.socket, microseconds: int) -> None:
    """Let receiving drive the device's queue."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_PREFER_BUSY_POLL, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_BUSY_POLL, microseconds)
        sock.setsockopt(socket.SOL_SOCKET, SO_BUSY_POLL_BUDGET, BATCH)
    except OSError as error:
        message = f"cannot poll busily: {error.strerror}: it needs Linux 5.11 and root"
        raise LinkError(message, error.errno) from None


def _frame_size(name: str, mtu: int) -> int:
    """Return the smallest frame of umem that holds a packet of this size."""
    for size in FRAME_BYTES:
        if mtu + HEADERS_MAX + KERNEL_HEADROOM <= size:
            return size
    most = FRAME_BYTES[-1] - HEADERS_MAX - KERNEL_HEADROOM
    advice = f"`ip link set {name} mtu {most}`"
    raise LinkError(f"the MTU of {name} is {mtu}, AF_XDP takes {most}: {advice}")


def _one_queue(name: str) -> None:
    """Refuse to serve one queue of several."""
    count = ethtool.queues(name)
    if count > 1:
        raise LinkError(
            f"{name} has {count} queues, and the kernel would get what comes by the "
            f"others: `ethtool -L {name} combined 1`, or serve with a shard for each"
        )
