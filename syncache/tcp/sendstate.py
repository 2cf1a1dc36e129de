"""The variables of the sending half: what `Sender` decides upon.

See RFC 9293 3.3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .scoreboard import NOTHING_MARKED
from .sendqueue import SendQueue
from .tail import Tail

if TYPE_CHECKING:
    from .congestion import NewReno
    from .rto import RetransmissionTimeout


class Plan(NamedTuple):
    """A segment to send: `size` bytes of data from `seq` on."""

    seq: int
    size: int
    syn: bool = False
    fin: bool = False


class SendState:
    """Send sequence variables, queue, congestion window and retransmission timer.

    `mss` is the payload of a full segment without further options; `gso_max` the most
    that one super-segment carries (0: the link takes none).
    """

    __slots__ = (
        "_departed",
        "_dupacks",
        "_fin_end",
        "_high_rxt",
        "_last_sent_ms",
        "_probe",
        "_recover",
        "_repaired_at",
        "_rescue",
        "_syn_again",
        "_timed",
        "_unanswered",
        "_wl1",
        "_wl2",
        "board",
        "congestion",
        "cuts",
        "deadline",
        "fin",
        "gso_max",
        "iss",
        "max_snd_wnd",
        "mss",
        "nodelay",
        "orphan",
        "persist_limits",
        "persisting",
        "queue",
        "retransmitted",
        "rto",
        "sack",
        "snd_max",
        "snd_nxt",
        "snd_una",
        "snd_wnd",
        "tail",
    )

    def __init__(
        self, iss: int, mss: int, congestion: NewReno, rto: RetransmissionTimeout
    ) -> None:
        self.iss = iss
        self.snd_una = iss
        self.snd_nxt = iss + 1
        self.snd_max = iss + 1
        self.snd_wnd = 0
        self.max_snd_wnd = 0
        self._wl1 = 0
        self._wl2 = 0
        self.mss = mss
        self.gso_max = 0
        self.cuts = False
        self.nodelay = False
        self.orphan = False
        self.queue = SendQueue()
        self.fin = False
        self._fin_end: int | None = None
        self.congestion = congestion
        self.rto = rto
        self.board = NOTHING_MARKED
        self.deadline: int | None = None
        self.persisting = False
        self.persist_limits = (5000, 60000)
        self._probe = False
        self._syn_again = False
        self._dupacks = 0
        self._departed = 0
        self._recover: int | None = None
        self._high_rxt = 0
        self._repaired_at = 0
        self._rescue = False
        self._timed: tuple[int, int] | None = None
        self.sack = False
        self.tail = Tail()
        self._last_sent_ms = 0
        self._unanswered = 0
        self.retransmitted = 0

    @property
    def end(self) -> int:
        """The sequence number behind the last byte written, where the FIN goes."""
        base = self.snd_una if self.snd_una > self.iss else self.iss + 1
        return base + self.queue.size

    @property
    def fin_owed(self) -> bool:
        """A FIN was asked for and has not been acknowledged."""
        return self.fin and not self.fin_acked

    @property
    def fin_acked(self) -> bool:
        """The peer acknowledged our FIN (its queue is empty then)."""
        return self._fin_end is not None and self.snd_una >= self._fin_end

    def close(self) -> None:
        """Send a FIN after the queued data."""
        self.fin = True
        self._fin_end = self.end + 1

    def look(self, plan: Plan) -> memoryview:
        """Return the data of a planned segment."""
        base = self.snd_una if self.snd_una > self.iss else self.iss + 1
        return self.queue.look(plan.seq - base, plan.size)
