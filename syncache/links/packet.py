"""AF_PACKET: frames of an interface that the kernel uses too (Linux).

The ring is filled and emptied in C (csrc/link/packet.c).  Here: the socket and its
receive ring, the kernel kept from answering what we answer, and the way back to how
the interface was.

Two uses.  As an end of connections the link has addresses; the kernel keeps answering
ARP and neighbour discovery for them, and everything else that is not TCP or ICMP to
them stays the kernel's.  As half of a forwarder (`forward=True`) it takes every frame,
the kernel gets none, and `forward` sends what another link received.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import socket
import struct
from typing import TYPE_CHECKING

from .._core import links as _core_links
from ..ring import PACKET_MAX
from . import bpf
from .frames import (
    HEADERS_MAX,
    SOL_PACKET,
    Drop,
    Interface,
    Route,
    enlarge,
    enter_promiscuous,
    raw_socket,
)
from .link import LinkError
from .refusals import Refusals, gone
from .schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..ring import Ring
    from .rtnetlink import Changes


# 80 ms of 50,000 frames a second; more would leave the processor's caches.
RING_BYTES = 8 * 1024 * 1024
TAP_RING_BYTES = 32 * 1024 * 1024  # a super-segment may take a block of its own
BLOCK_BYTES = 128 * 1024  # holds a super-segment; a multiple of any page size
FRAME_BYTES = (2048, 4096, 8192, 16384)  # longer frames wait in the socket's queue
FRAME_EXTRA = 128  # the kernel's header, the tag and the offloads in front of a frame
BLOCK_EXTRA = 256  # likewise, and that in front of a block: 140 bytes as of Linux 6
QUEUE_BYTES = 8 * 1024 * 1024
SPARE_BYTES = 640 * 1024  # holds the longest super-segment of BIG TCP, 512 KiB
RETIRE_MS = 1
FANOUT_ID_MAX = 65535

# <linux/if_packet.h>, <linux/if_ether.h>, <asm/socket.h>
PACKET_RX_RING, PACKET_STATISTICS = 5, 6
PACKET_COPY_THRESH, PACKET_AUXDATA = 7, 8
PACKET_VERSION, PACKET_VNET_HDR, PACKET_FANOUT = 10, 15, 18
PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING = 20, 23
PACKET_FANOUT_HASH = 0
TPACKET_V2, TPACKET_V3 = 1, 2
ETH_P_ALL = 3
SO_DETACH_FILTER, SO_RCVBUFFORCE, SO_ATTACH_BPF = 27, 33, 50

FRAMES_REQUEST = struct.Struct("=4I")  # struct tpacket_req
BLOCKS_REQUEST = struct.Struct("=7I")  # struct tpacket_req3
STATISTICS = struct.Struct("=2I")  # struct tpacket_stats


class Packet:
    """Frames of one interface, which is left as it was found.

    Args:
        name: Of the interface.
        addresses: Ours, of which at least one.  One with a length ("192.0.2.2/24") is
            given to the interface while the link is open; one without it has already.
        forward: Take every frame, promiscuously; the kernel gets none of them.  There
            are no addresses then.
        tap: See every frame of both directions, promiscuously; the kernel goes on as
            if we were not there.  There are no addresses then.
        ring: Bytes that the kernel may fill before it drops frames.  None: 8 MiB, for a
            tap 32 MiB.
        block: 0: the kernel hands over each frame at once.  Else bytes that it hands
            over together, a multiple of the page size: when they are full or a
            millisecond old, which is cheaper in a flood; of a frame longer than a
            block a tap gets no payload.  None: 0, for a tap 128 KiB.
        cpu: To run the calling thread on; see `Schedule`.
        priority: Of the calling thread.
        threaded_napi: Run the driver's part below it.
        fanout: Number of a group of links, in any processes, that share the frames of
            the interface by a hash of the tuple; both directions of a connection have
            one hash.

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
        tap: bool = False,
        ring: int | None = None,
        block: int | None = None,
        cpu: int | None = None,
        priority: int | None = None,
        threaded_napi: bool = False,
        fanout: int | None = None,
    ) -> None:
        if bool(addresses) + forward + tap != 1:
            raise ValueError("a link either has addresses or forwards or is a tap")
        if fanout is not None and not 0 <= fanout <= FANOUT_ID_MAX:
            raise ValueError(f"a fanout group is 0 to {FANOUT_ID_MAX}, not {fanout}")
        if block is None:
            block = BLOCK_BYTES if tap else 0
        if ring is None:
            ring = TAP_RING_BYTES if tap else RING_BYTES
        if block < 0 or block % mmap.PAGESIZE:
            raise ValueError(f"a block is pages of {mmap.PAGESIZE} bytes, not {block}")
        self.name = name
        self.logs_condition = True
        self._tap = tap
        self._block = block
        self._undo: list[Callable[[], object]] = []
        self._refusals = Refusals()
        self._selected = False
        self._kernel_dropped = 0
        try:
            claim = not tap and fanout is None
            interface = Interface(name, addresses, claim=claim)
            self._interface = interface
            self._open(interface, forward or tap, ring, fanout)
            schedule = Schedule(
                name, cpu=cpu, priority=priority, threaded_napi=threaded_napi
            )
            self._undo.append(schedule.restore)
        except BaseException:
            self.close()
            raise

    def _open(
        self, interface: Interface, forward: bool, ring: int, fanout: int | None
    ) -> None:
        self._undo.append(interface.restore)
        self._mtu = interface.mtu()
        self._socket = sock = raw_socket(socket.AF_PACKET, 0)
        self._undo.append(sock.close)
        frame = 0 if self._block else _frame_size(self._mtu)
        memory = self._configure(sock, ring, frame)
        self._addresses = addresses = None if forward else interface.addresses
        if addresses is not None:
            _attach_filter(sock, addresses)
        if not self._tap:
            # The kernel is silent before the first frame is ours.
            drop = Drop(interface, addresses)
            self._undo.append(drop.close)
        route = Route(interface)
        self._undo.append(route.close)
        queue = self._open_queue() if self._block and not self._tap else None
        # Anonymous: nothing is spent on it before the first such frame.
        spare = mmap.mmap(-1, SPARE_BYTES)
        self._link = _core_links.Packet(
            sock.fileno(),
            route.numbers,
            memory,
            frame_size=frame,
            block_size=self._block,
            queue=-1 if queue is None else queue.fileno(),
            forward=forward,
            tap=self._tap,
            spare=spare,
        )
        self._undo.append(memory.close)
        self._undo.append(spare.close)
        self._undo.append(self._link.release)
        sock.bind((interface.name, ETH_P_ALL))
        if queue is not None:
            # After the ring's, so that a frame is here before its beginning is there.
            queue.bind((interface.name, ETH_P_ALL))
        if forward:
            enter_promiscuous(sock, interface)
        if fanout is not None:
            self._join(sock, fanout)

    def _open_queue(self) -> socket.socket:
        """Open the socket in whose queue frames wait that are longer than a block."""
        queue = raw_socket(socket.AF_PACKET, 0)
        self._undo.append(queue.close)
        for option in (PACKET_VNET_HDR, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING):
            queue.setsockopt(SOL_PACKET, option, 1)
        with contextlib.suppress(OSError):
            queue.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES)
        _attach_filter(queue, self._addresses, longer=self._block - BLOCK_EXTRA)
        return queue

    def _configure(self, sock: socket.socket, ring: int, frame: int) -> mmap.mmap:
        """Set the socket up, and map its ring: of frames of a size, or of blocks."""
        for option in (PACKET_VNET_HDR, PACKET_QDISC_BYPASS, PACKET_AUXDATA):
            sock.setsockopt(SOL_PACKET, option, 1)
        sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, not self._tap)
        version = TPACKET_V2 if frame else TPACKET_V3
        sock.setsockopt(SOL_PACKET, PACKET_VERSION, version)
        enlarge(sock)
        block = self._block or BLOCK_BYTES
        blocks = max(2, -(-ring // block))
        try:
            if frame:
                _keep_long_frames(sock)
                frames = blocks * block // frame
                request = FRAMES_REQUEST.pack(block, blocks, frame, frames)
            else:
                # Of bookkeeping only: frames in a block have any size.
                unit = FRAME_BYTES[0]
                sizes = (block, blocks, unit, blocks * block // unit)
                request = BLOCKS_REQUEST.pack(*sizes, RETIRE_MS, 0, 0)
            sock.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
            return mmap.mmap(sock.fileno(), blocks * block)
        except (OSError, struct.error, OverflowError) as error:
            why = getattr(error, "strerror", None) or "too large"
            message = f"cannot have a receive ring of {ring} bytes: {why}"
            raise LinkError(message, getattr(error, "errno", None)) from None

    def _join(self, sock: socket.socket, group: int) -> None:
        try:
            sock.setsockopt(SOL_PACKET, PACKET_FANOUT, group | PACKET_FANOUT_HASH << 16)
        except OSError as error:
            message = (
                f"cannot join fanout group {group} of {self.name}: {error.strerror}: "
                "take another number, it may be another interface's"
            )
            raise LinkError(message, error.errno) from None

    @property
    def index(self) -> int:
        """The interface's number."""
        return self._interface.index

    def select(self, program: int) -> None:
        """Take only the frames that a program of the kernel (its descriptor) takes.

        Raises:
            LinkError: The kernel refused it.
        """
        _select(self._socket, program)
        self._selected = True

    @property
    def mtu(self) -> int:
        """Largest ordinary packet in bytes, as of opening."""
        return self._mtu

    @property
    def counts(self) -> dict[str, int]:
        """Frames by outcome.

        received; sent; skipped, without IP; too_large, for a slot or a block;
        send_failed, refused by the kernel; kernel_dropped, since the ring or the
        queue of long frames was full.
        """
        dropped = self._count_dropped() + self._link.unkept
        return self._link.counts | {"kernel_dropped": dropped}

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
        no link header goes by the kernel's routes and neighbours; a forwarder sends
        frames as they are.
        """
        return self.done(self._link.send(tx))

    @property
    def core(self) -> _core_links.Packet:
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
        """Send the passed frames of a ring that another link filled, as they are.

        Returns:
            How many the kernel took; the others are lost.
        """
        count = self._link.forward(rx)
        if count < 0:
            raise gone(self.name, -count)
        return count

    def block(self, networks: Sequence[str]) -> None:
        """Have the kernel drop SYNs from some networks, from now on; (): from none.

        Connections that there are go on.  No more than bpf.BLOCKED_MAX networks.

        Raises:
            LinkError: the kernel refuses it, or `select` has chosen another filter.
        """
        if self._selected:
            raise LinkError(f"{self.name}: the kernel carries connections (--offload)")
        if networks or self._addresses is not None:
            _attach_filter(self._socket, self._addresses, networks)
            return
        with contextlib.suppress(FileNotFoundError):  # there was no filter
            self._socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

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

    def _count_dropped(self) -> int:
        """Add the kernel's counts since the last call."""
        if self._socket.fileno() < 0:
            return self._kernel_dropped
        counted = self._socket.getsockopt(
            SOL_PACKET, PACKET_STATISTICS, STATISTICS.size
        )
        self._kernel_dropped += STATISTICS.unpack(counted)[1]
        return self._kernel_dropped


def relay(source: Packet, target: Packet, rx: Ring) -> int:
    """Forward arrived packets unchanged: a middlebox without an engine.

    The yardstick of those with one.  `rx` has slots of gso_max + headroom bytes.

    Returns:
        How many frames were received.
    """
    rx.clear()
    count = source.receive(rx)
    if count > 0:
        _core_links.pass_all(rx)
        target.forward(rx)
    return count


def _frame_size(mtu: int) -> int:
    """Return the size of a ring's frames: ordinary ones fit, unless they are huge."""
    fitting = (size for size in FRAME_BYTES if mtu + HEADERS_MAX + FRAME_EXTRA <= size)
    return next(fitting, FRAME_BYTES[-1])


def _keep_long_frames(sock: socket.socket) -> None:
    """Have frames that do not fit into the ring's kept whole in the socket's queue."""
    sock.setsockopt(SOL_PACKET, PACKET_COPY_THRESH, 1)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES)


def _attach_filter(
    sock: socket.socket,
    addresses: Sequence[str] | None,
    blocked: Sequence[str] = (),
    *,
    longer: int = 0,
) -> None:
    """Have the socket take nothing but our packets, and no SYNs of some networks."""
    code = bpf.filter_program(addresses, blocked, longer=longer)
    program = bpf.load(bpf.PROG_SOCKET_FILTER, 0, code)
    try:
        _select(sock, program)
    finally:
        os.close(program)


def _select(sock: socket.socket, program: int) -> None:
    """Put a program in front of a socket."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, program)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise LinkError(
                "no memory for a socket filter: raise net.core.optmem_max", error.errno
            ) from None
        raise
