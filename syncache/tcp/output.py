"""The output of a connection: resets, data, ACKs (RFC 9293 3.8, 3.10).

Segments are made here and nowhere else, with the time at which they leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conn import Numbers
from ..options import OPTIONS_MAX
from ..segment import ACK, FIN, PSH, SYN
from .departure import Departure, sack_option, syn_options
from .segment_arrives import RECEIVING
from .signature import OPTION_BYTES as SIGNATURE_BYTES
from .state import State

if TYPE_CHECKING:
    from ..connection import Connection
    from ..ring import Ring
    from .sendstate import Plan

# One connection sends this many segments before it is the next one's turn.
QUANTUM = 32
_MASK = 0xFFFFFFFF


def transmit(connection: Connection, ring: Ring, now_ms: int, gso_max: int) -> bool:
    """Write segments; False if the ring is full or this was enough for a turn."""
    if connection.reset is not None:
        if not ring.free:
            return False
        connection.writer.write(ring, connection.reset)
        connection.reset = None
    if connection.state is State.CLOSED:
        return True
    sender = connection.sender
    sender.gso_max = gso_max
    left, free = QUANTUM, ring.free
    cuts = sender.cuts = gso_max == 0
    while left:
        if cuts:
            # What is new goes out in one train, which is cut into segments below.
            is_new = sender.snd_nxt == sender.snd_max
            sender.gso_max = min(left, free) * sender.mss if is_new else 0
        plan = sender.plan(now_ms)
        if plan is None:
            break
        if not free:
            return False
        sent = _send(connection, ring, plan, now_ms, cuts=cuts)
        left -= sent
        free -= sent
    else:
        return False
    sender.settle(now_ms)
    return _acknowledge(connection, ring, now_ms)


def numbers(connection: Connection) -> Numbers:
    """Return the connection's limits in the engine's form."""
    sender, receiver = connection.sender, connection.receiver
    timestamps = connection.timestamps
    return Numbers(
        receiver.rcv_nxt & _MASK,
        receiver.rcv_adv & _MASK,
        sender.snd_una & _MASK,
        sender.snd_max & _MASK,
        timestamps.ts_recent,
        timestamps.enabled,
        not connection.conn.md5,
    )


def _send(
    connection: Connection, ring: Ring, plan: Plan, now_ms: int, *, cuts: bool
) -> int:
    """Send what was planned; return how many packets that is."""
    sender, receiver = connection.sender, connection.receiver
    seq, size = plan.seq, plan.size
    flags = ACK if receiver.ecn is None else ACK | receiver.ecn_flags()
    if plan.syn:
        options, window = _syn_options(connection, now_ms), receiver.syn_window()
        flags = SYN | ACK
    else:
        options = _options(connection, now_ms, sender.mss - size)
        window = receiver.window_field()
        if size and seq + size == sender.end:
            flags |= PSH
        if plan.fin:
            flags |= FIN
    departure = Departure(
        seq & _MASK,
        receiver.rcv_nxt & _MASK,
        flags,
        window,
        options,
        sender.look(plan) if size else b"",
        sender.mss if size > sender.mss else 0,
    )
    sent = 1
    if cuts and departure.gso_size:
        sent = connection.writer.cut(ring, departure)
    else:
        connection.writer.write(ring, departure)
    sender.sent(plan, now_ms)
    receiver.acknowledged(with_data=size > 0, count=sent)
    return sent


def _acknowledge(connection: Connection, ring: Ring, now_ms: int) -> bool:
    """Send the ACKs, the window update and the keepalive probe that are due."""
    sender, receiver = connection.sender, connection.receiver
    seq = sender.snd_nxt
    if connection.probe_owed:
        # A byte that the peer has: its answer is an ACK (RFC 9293 3.8.4).
        connection.probe_owed = False
        receiver.owe_ack()
        seq = sender.snd_una - 1
    if not receiver.acks_owed:
        if connection.state not in RECEIVING or not receiver.window_opened():
            return True
        receiver.owe_ack()
    while receiver.acks_owed:
        if not ring.free:
            return False
        window = receiver.window_field()
        departure = Departure(
            seq & _MASK,
            receiver.rcv_nxt & _MASK,
            ACK | receiver.ecn_flags(),
            window,
            _options(connection, now_ms, 1 << 16),
        )
        connection.writer.write(ring, departure)
        receiver.acknowledged(with_data=False)
    return True


def _options(connection: Connection, now_ms: int, room: int) -> bytes:
    """Return timestamps, and SACK blocks if there are holes and room."""
    timestamps, receiver = connection.timestamps, connection.receiver
    options = timestamps.option(now_ms) if timestamps.enabled else b""
    if receiver.has_blocks and connection.conn.sack_permitted:
        room = min(room, OPTIONS_MAX - len(options))
        room -= SIGNATURE_BYTES if connection.conn.md5 else 0
        count = (room - 4) // 8
        if count > 0:
            options += sack_option(receiver.sack_blocks(count))
    return options


def _syn_options(connection: Connection, now_ms: int) -> bytes:
    conn, timestamps = connection.conn, connection.timestamps
    options = timestamps.option(now_ms) if timestamps.enabled else b""
    return options + syn_options(
        connection.mss_announced, conn.rcv_wscale, sack_permitted=conn.sack_permitted
    )
