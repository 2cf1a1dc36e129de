"""The two halves of a connection as the handshake and the tunables make them.

See RFC 5681 3.1 (initial window), RFC 6298 5.7, RFC 9293 3.7.1 (MSS).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ..conn import ECN, WSCALE_NONE
from .congestion import NewReno, initial_window
from .receiver import Receiver
from .rto import AFTER_SYN_ACK_LOSS_MS, RetransmissionTimeout
from .sender import Sender

if TYPE_CHECKING:
    from ..conn import Opening
    from .settings import Settings

HEADERS = {4: 40, 6: 60}
# Below this a path is not believed to be that narrow (RFC 8200 5; RFC 791: minmss).
_MTU_MIN = {4: 0, 6: 1280}


def make_sender(opening: Opening, settings: Settings, mss: int) -> Sender:
    """Return the sending half; `mss` is the payload of a full segment."""
    again = opening.rxmits > 1
    initial = settings.rexmit_initial
    rto = RetransmissionTimeout(
        max(initial, AFTER_SYN_ACK_LOSS_MS) if again else initial,
        (settings.rexmit_min, settings.rexmit_max),
        settings.rexmit_slop,
    )
    # RFC 5681 3.1: one segment if the SYN-ACK was sent again.
    segments = settings.initcwnd_segments
    window = mss if again else initial_window(mss, segments)
    sender = Sender(opening.iss, mss, NewReno(window), rto)
    sender.sack = opening.sack_permitted != 0
    sender.persist_limits = (settings.persmin, settings.persmax)
    sender.open_window(opening.snd_wnd, opening.irs, opening.iss)
    return sender


def make_receiver(
    opening: Opening, settings: Settings, window: int | None, mss: int
) -> Receiver:
    """Return the receiving half; a `window` that a listener names does not grow."""
    wscale = shift(opening.rcv_wscale)
    told = opening.rcv_wnd
    receiver = Receiver(opening.irs, told, wscale, mss)
    low = settings.recvspace if window is None else window
    high = settings.recvbuf_max if window is None else window
    receiver.limit_max = _buffer(high, told, wscale)
    receiver.limit = _buffer(low, told, wscale)
    receiver.delack_ms = settings.delacktime if settings.delayed_ack else 0
    receiver.sack = opening.sack_permitted != 0
    receiver.ecn = ECN[opening.ecn] if opening.ecn else None
    return receiver


def shift(wscale: int) -> int:
    """Return the shift of a window scale that may not have been negotiated."""
    return 0 if wscale == WSCALE_NONE else wscale


@lru_cache(maxsize=256)
def path_mss(mtu: int, family: int, minmss: int) -> int:
    """Return the payload that a path carries without options."""
    return max(max(mtu, _MTU_MIN[family]) - HEADERS[family], minmss)


@lru_cache(maxsize=256)
def _buffer(size: int, told: int, wscale: int) -> int:
    """Return a receive buffer: no less than was told, no more than can be."""
    return min(max(size, told), 0xFFFF << wscale)
