"""SEGMENT ARRIVES: the effect of a segment on a connection (RFC 9293 3.10.7.4).

The steps are the RFC's, in its order: sequence number (and PAWS), RST, SYN, ACK, text,
FIN.  What is acceptable and what is challenged follows RFC 5961; urgent data is data
(RFC 6093).

See RFC 9293 3.10.7.4, RFC 5961 3 to 5, RFC 7323 5.3, RFC 6191, RFC 7413 4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conn import VIA
from ..segment import ACK, FIN, RST, SYN
from .arrival import near
from .state import Happening, State

if TYPE_CHECKING:
    from ..connection import Connection
    from .arrival import Arrival
    from .sender import Sender

_FASTOPEN = VIA.index("fastopen")
RECEIVING = frozenset((State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2))


def first(connection: Connection, arrival: Arrival, now_ms: int) -> None:
    """Take the segment that completed the handshake: the ACK, or a TFO SYN."""
    if connection.conn.opening.via != _FASTOPEN:
        take(connection, arrival, now_ms)
        return
    # The engine has sent the SYN-ACK, which acknowledged the SYN's data.
    sender, receiver = connection.sender, connection.receiver
    sender.deadline = now_ms + sender.rto.timeout_ms
    connection.keepalive_timer.heard(now_ms)
    _take_text(connection, arrival, receiver.rcv_nxt, now_ms)
    receiver.acknowledged(with_data=False)


def take(connection: Connection, arrival: Arrival, now_ms: int) -> None:
    """Take a segment of a connection that is not CLOSED."""
    receiver = connection.receiver
    seq = near(arrival.seq, receiver.rcv_nxt)
    flags = arrival.flags
    if connection.state is State.TIME_WAIT:
        _take_in_time_wait(connection, arrival, seq, now_ms)
    elif not _is_acceptable(connection, arrival, seq, now_ms):
        if _is_behind_closed_window(connection, arrival, seq, now_ms):
            _take_ack(connection, arrival, seq, now_ms)
    elif flags & RST:
        _take_rst(connection, seq, now_ms)
    elif flags & SYN:
        _take_syn(connection, arrival, now_ms)
    elif flags & ACK and _take_ack(connection, arrival, seq, now_ms):
        if receiver.ecn:
            receiver.see_ecn(arrival.ecn, flags, arrival.marked)
        if arrival.size or flags & FIN:
            _take_text(connection, arrival, seq, now_ms)


def may_replace(connection: Connection, arrival: Arrival) -> bool:
    """Tell whether a SYN begins the next connection of a tuple in TIME-WAIT.

    If both have timestamps that differ, these decide: a SYN with an older one is old,
    whatever its number.  Otherwise its number has to be beyond (RFC 6191 2).
    """
    assert connection.state is State.TIME_WAIT
    if arrival.flags & (SYN | ACK | RST) != SYN:
        return False
    timestamps, tsval = connection.timestamps, arrival.tsval
    if timestamps.enabled and tsval is not None and tsval != timestamps.ts_recent:
        return timestamps.is_newer(tsval)
    rcv_nxt = connection.receiver.rcv_nxt
    return near(arrival.seq, rcv_nxt) > rcv_nxt


def _is_acceptable(
    connection: Connection, arrival: Arrival, seq: int, now_ms: int
) -> bool:
    """PAWS, then the sequence number; failures are answered here.

    The next number is good even if the window is closed: its RST and its ACK count.
    """
    receiver, timestamps = connection.receiver, connection.timestamps
    flags = arrival.flags
    good = seq == receiver.rcv_nxt or _is_in_window(connection, arrival, seq)
    if flags & RST:
        return good or _is_number_of_fin(connection, seq)
    if timestamps.enabled:
        if arrival.tsval is None:
            if not connection.settings.tolerate_missing_ts:
                return False
        elif timestamps.is_old(arrival.tsval, now_ms):
            good = False
    if not good:
        opening = connection.state is State.SYN_RECEIVED
        if flags & SYN and opening and seq == receiver.irs:
            connection.sender.repeat_syn()
        elif arrival.size:
            receiver.came_twice(seq, min(seq + arrival.size, receiver.rcv_nxt))
            receiver.owe_ack()
        else:
            # Without data there is no hurry, and two ends could go on for ever.
            connection.challenge(now_ms)
    return good


def _is_behind_closed_window(
    connection: Connection, arrival: Arrival, seq: int, now_ms: int
) -> bool:
    """Whether the ACK counts although the window is 0 (RFC 9293 3.10.7.4).

    A peer that has probed a closed window stands beyond its edge.
    """
    receiver, timestamps = connection.receiver, connection.timestamps
    if receiver.rcv_wnd or arrival.flags & (ACK | SYN | RST) != ACK:
        return False
    if timestamps.enabled and (
        arrival.tsval is None or timestamps.is_old(arrival.tsval, now_ms)
    ):
        return False
    return receiver.rcv_nxt < seq <= receiver.rcv_nxt + receiver.mss


def _is_in_window(connection: Connection, arrival: Arrival, seq: int) -> bool:
    """Tell whether a segment that is not the next one is in the window."""
    receiver = connection.receiver
    flags = arrival.flags
    size = arrival.size + (flags & FIN) + (flags & SYN != 0)
    if size:
        return seq < receiver.rcv_adv and seq + size > receiver.rcv_nxt
    # The right edge itself counts: there stands a peer that has filled the window.
    return receiver.rcv_nxt < seq <= receiver.rcv_adv


def _is_number_of_fin(connection: Connection, seq: int) -> bool:
    """Whether this is the number of the peer's FIN, the last one before RCV.NXT.

    macOS resets a connection that it has closed with this number.
    """
    receiver = connection.receiver
    return seq == receiver.fin_seq == receiver.rcv_nxt - 1


def _take_rst(connection: Connection, seq: int, now_ms: int) -> None:
    """Reset if the number is exact, challenge if it is in the window (RFC 5961 3.2)."""
    receiver = connection.receiver
    in_window = seq < receiver.rcv_adv
    exact = seq == receiver.rcv_nxt or _is_number_of_fin(connection, seq)
    if exact or (in_window and connection.settings.insecure_rst):
        connection.happen(Happening.RST, now_ms)
    elif in_window:
        connection.challenge(now_ms)


def _take_syn(connection: Connection, arrival: Arrival, now_ms: int) -> None:
    if connection.settings.insecure_syn:
        connection.refuse(arrival)
        connection.happen(Happening.RST, now_ms)
    else:
        connection.happen(Happening.SYN, now_ms)


def _take_ack(connection: Connection, arrival: Arrival, seq: int, now_ms: int) -> bool:
    """Take the ACK; False if the text is not to be looked at."""
    sender = connection.sender
    ack = near(arrival.ack, sender.snd_una)
    # Our SYN is unacknowledged, in SYN-RECEIVED or, after CLOSE, in FIN-WAIT-1.
    opening = sender.snd_una == sender.iss
    if opening and not sender.iss < ack <= sender.snd_max:
        connection.refuse(arrival)
        return False
    if not _is_believed(sender, ack):
        connection.challenge(now_ms)
        return False
    # Only now is the segment one of the peer's (RFC 5961 5).
    connection.keepalive_timer.heard(now_ms)
    if connection.timestamps.enabled and arrival.tsval is not None:
        last_ack = connection.receiver.last_ack_sent
        connection.timestamps.note(arrival.tsval, seq, last_ack, now_ms)
    news = twice = False
    if arrival.sack and sender.sack:
        una = sender.snd_una
        blocks = [(near(left, una), near(right, una)) for left, right in arrival.sack]
        twice = blocks[0][1] <= ack  # RFC 2883
        news = sender.mark(blocks)
    window = arrival.window << connection.snd_wscale
    # Of several the last has told the window.
    said = seq + arrival.size if arrival.segments > 1 else seq
    # An older ACK has no window to tell (RFC 9293 3.10.7.4).
    changed = ack >= sender.snd_una and sender.open_window(window, said, ack)
    if ack > sender.snd_una:
        rtt_ms = None
        if connection.timestamps.enabled and arrival.tsval is not None:
            rtt_ms = connection.timestamps.round_trip(arrival.tsecr, now_ms)
        sender.acknowledge(ack, now_ms, rtt_ms, twice=twice)
        connection.tell_writable()
    elif ack == sender.snd_una and (
        news or _is_duplicate(connection, arrival, changed)
    ):
        sender.duplicate(arrival.segments)
        if news:
            sender.heard(now_ms)
    if twice and ack == sender.snd_una:
        sender.tail.end = None  # the probe was not needed
    if opening:
        connection.happen(Happening.ACK, now_ms)
    if sender.fin and sender.fin_acked:
        connection.happen(Happening.ACK_OF_FIN, now_ms)
    return connection.state in RECEIVING


def _is_believed(sender: Sender, ack: int) -> bool:
    """Whether an ACK is of what was sent, and of no more than a window ago.

    RFC 5961 5.2; on a young connection a window ago would be before its beginning.
    """
    oldest = max(sender.snd_una - sender.max_snd_wnd, sender.iss)
    return oldest <= ack <= sender.snd_max


def _is_duplicate(connection: Connection, arrival: Arrival, changed: bool) -> bool:
    """RFC 5681 2; a peer with SACK says so by new blocks instead (RFC 6675 2)."""
    return not (
        connection.sender.sack or arrival.size or arrival.flags & FIN or changed
    )


def _take_text(connection: Connection, arrival: Arrival, seq: int, now_ms: int) -> None:
    """Take data and FIN."""
    receiver = connection.receiver
    data = arrival.payload
    if arrival.flags & FIN:
        end = seq + arrival.size
        if receiver.fin_seq is None and receiver.rcv_nxt <= end <= receiver.rcv_adv:
            receiver.fin_seq = end
    if receiver.fin_seq is not None:
        data = data[: max(0, receiver.fin_seq - seq)]
    if data and receiver.take(seq, data, now_ms, arrival.segments):
        connection.tell_readable()
    if receiver.rcv_nxt == receiver.fin_seq:
        receiver.take_fin()
        connection.happen(Happening.FIN, now_ms)
    elif arrival.flags & FIN and not arrival.size:
        receiver.owe_ack()


def _take_in_time_wait(
    connection: Connection, arrival: Arrival, seq: int, now_ms: int
) -> None:
    """Acknowledge all but RST and mere duplicate ACKs.

    A RST could be drawn by an old duplicate (RFC 1337), unless a SYN was challenged:
    the peer has forgotten the connection and wants another (RFC 5961 4.2).
    """
    receiver = connection.receiver
    flags = arrival.flags
    if flags & RST:
        if connection.syn_challenged and seq == receiver.rcv_nxt:
            connection.happen(Happening.RST, now_ms)
        return
    if flags & SYN:
        if connection.settings.insecure_syn:
            connection.refuse(arrival)
        else:
            connection.syn_challenged = True
            connection.happen(Happening.SYN, now_ms)
    elif not flags & ACK:
        return
    elif (
        flags & FIN
        and seq + arrival.size + 1 == receiver.rcv_nxt
        and _may_be_the_peers(connection, arrival, now_ms)
    ):
        connection.happen(Happening.FIN, now_ms)
    elif arrival.size or seq != receiver.rcv_nxt:
        connection.challenge(now_ms)


def _may_be_the_peers(connection: Connection, arrival: Arrival, now_ms: int) -> bool:
    """Whether neither timestamp nor ACK refuse it (RFC 7323 5.3, RFC 5961 5.2)."""
    sender, timestamps = connection.sender, connection.timestamps
    if timestamps.enabled:
        if arrival.tsval is None:
            if not connection.settings.tolerate_missing_ts:
                return False
        elif timestamps.is_old(arrival.tsval, now_ms):
            return False
    return _is_believed(sender, near(arrival.ack, sender.snd_una))
