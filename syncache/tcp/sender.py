"""The sending half of a connection: the next segment, and the meaning of an ACK.

`plan()` names the next segment, `sent()` notes that it left, `acknowledge()` takes the
peer's answer, `expire()` the time-out.  Headers are built elsewhere.

Theory: one inequality decides, pipe + segment <= cwnd.  The pipe is what is thought to
be under way: sent, minus what SACK blocks (or, without SACK, duplicate ACKs) say has
arrived, minus what is deemed lost and not sent again.  So NewReno (RFC 6582) and SACK
recovery (RFC 6675) are one path that differs in how losses are located, and limited
transmit (RFC 3042) follows by itself.

Before the time-out, silence of two round trips means loss (tail.py).  A segment that
was sent again is lost again if what was first sent after it has arrived.

See RFC 9293 3.8; RFC 5681; RFC 6298; RFC 6582; RFC 6675; RFC 2018 8 (reneging).
"""

from __future__ import annotations

from .rto import RETRANSMISSIONS_MAX
from .scoreboard import DUP_THRESH, NOTHING_MARKED, Scoreboard
from .sendstate import Plan, SendState

# RFC 9293 3.8.6.2.1: how long a small window holds back data.
OVERRIDE_MS = 200


class Sender(SendState):
    """Send sequence variables, queue, congestion window and retransmission timer.

    `mss` is the payload of a full segment without further options; `gso_max` the most
    that one super-segment carries (0: the link takes none); one that `cuts` has full
    segments only, so that the peer sees what it would see without.
    """

    __slots__ = ()

    # What goes out next.

    def pipe(self) -> int:
        """Return the bytes thought to be under way."""
        under_way = self.snd_nxt - self.snd_una - self._departed
        if self.board.total:
            under_way -= self.board.marked(self.snd_una, self.snd_nxt)
            if self._recover is not None:
                low = max(self._high_rxt, self.snd_una)
                high = self._lost_below()
                if high > low:
                    under_way -= high - low - self.board.marked(low, high)
        return under_way

    def plan(self, now_ms: int) -> Plan | None:
        """Return the next segment that may go out, or None."""
        if self._syn_again:
            return Plan(self.iss, 0, syn=True)
        if self._probe:
            return self._plan_probe()
        if self.tail.owed:
            tail = self._plan_tail()
            self.tail.owed = tail is not None
            return tail
        if self.snd_nxt == self.snd_una and self.snd_nxt == self.snd_max:
            if self.queue.size == 0 and not self.fin_owed:
                return None
            if now_ms - self._last_sent_ms > self.rto.timeout_ms:
                self.congestion.idle()
        room = self.congestion.cwnd - self.pipe()
        if self._recover is not None:
            lost = self._plan_lost(room)
            if lost is not None:
                return lost
        return self._plan_next(room)

    def _plan_probe(self) -> Plan | None:
        # RFC 9293 3.8.6.1: what the window takes, or one byte beyond a closed one.
        seq, rest = self.snd_una, self.end - self.snd_una
        if rest > 0:
            return Plan(seq, max(1, min(rest, self.snd_wnd, self.mss)))
        return Plan(seq, 0, fin=True)

    def _plan_tail(self) -> Plan | None:
        # RFC 8985 7.3: a new segment, or the last one again.
        rest = min(self.end, self.snd_una + self.snd_wnd) - self.snd_max
        if rest > 0:
            return self._clip(self.snd_max, min(rest, self.mss))
        data_end = min(self.snd_max, self.end)
        seq = max(self.snd_una, data_end - self.mss)
        return self._clip(seq, data_end - seq)

    def _plan_lost(self, room: int) -> Plan | None:
        """Return a retransmission of fast recovery."""
        low = max(self._high_rxt, self.snd_una)
        if self._rescue:
            # RFC 5681 3.2, step 3: the first one goes out whatever the pipe holds.
            low = self.snd_una
            limit = low + self.mss
        elif room >= self.mss and self.board.total:
            limit = self._lost_below()
        else:
            return None
        hole = self.board.hole(low, min(limit, self.snd_max))
        if hole is None:
            self._rescue = False
            return None
        seq, stop = hole
        return self._clip(seq, min(stop - seq, self.mss))

    def _plan_next(self, room: int) -> Plan | None:
        """Return a segment from SND.NXT on: new, or again after a time-out."""
        seq = self.snd_nxt
        stop = self.end
        if seq < self.snd_max and self.board.total:
            hole = self.board.hole(seq, stop)
            if hole is None:
                seq = min(stop, self.snd_max)
            else:
                seq, stop = hole
        window = self.snd_una + self.snd_wnd - seq
        rest = stop - seq
        size = min(rest, window, room)
        full = self.mss
        if size > full:
            size = min(size, max(self.gso_max - self.gso_max % full, full))
            if self.cuts or size < rest or not self._may_send_small():
                size -= size % full
        elif size < full and not self._worth_sending(size, rest, window):
            return None
        if not self.fin:
            return Plan(seq, size) if size > 0 else None
        return self._clip(seq, max(size, 0), window)

    def _worth_sending(self, size: int, rest: int, window: int) -> bool:
        """Tell whether a small segment avoids silly windows (RFC 9293 3.8.6.2.1)."""
        if size == rest:
            if rest > 0:
                return self._may_send_small() or self.fin
            return self.fin_owed and self.snd_nxt <= self.end
        if size <= 0:
            return False
        if self.snd_nxt < self.snd_max:
            # Sent before, and the window has shrunk (RFC 9293 3.8.6): what fits.
            return True
        return size == window and 2 * size >= self.max_snd_wnd

    def _may_send_small(self) -> bool:
        # Nagle (RFC 9293 3.7.4), and never for what was sent before.
        nothing_under_way = self.snd_nxt <= max(self.snd_una, self.iss + 1)
        return self.nodelay or nothing_under_way or self.snd_nxt < self.snd_max

    def _clip(self, seq: int, size: int, window: int = 1 << 30) -> Plan | None:
        """Make a plan, with the FIN where it belongs."""
        end = self.end
        size = min(size, end - seq)
        fin = self.fin_owed and seq + size == end and size < window
        if size <= 0 and not fin:
            return None
        return Plan(seq, max(size, 0), fin=fin)

    def sent(self, plan: Plan, now_ms: int) -> None:
        """Note that a planned segment left."""
        stop = plan.seq + plan.size + plan.fin + plan.syn
        self._last_sent_ms = now_ms
        if plan.syn:
            self._syn_again = False
        elif self._probe and not self.snd_wnd:
            self._probe = False
            self.snd_max = max(self.snd_max, stop)
            return
        elif self.tail.owed:
            self._tail_sent(plan, stop)
        elif plan.seq < self.snd_nxt:
            self._high_rxt = max(self._high_rxt, stop)
            self._rescue = False
            self._repaired_at = self.snd_max
            self.retransmitted += 1
        else:
            if stop <= self.snd_max:
                self.retransmitted += 1
            else:
                self.snd_max = stop
                if self._timed is None and self._recover is None:
                    first = min(stop, plan.seq + self.mss) if self.cuts else stop
                    self._timed = (first, now_ms)
            self.snd_nxt = stop
        self._probe = False
        if self.deadline is None or self.persisting:
            self.persisting = False
            self._arm(now_ms)
        elif self.tail.is_due and self.tail.armed_ms != now_ms:
            self._arm_quiet(now_ms)

    def _tail_sent(self, plan: Plan, stop: int) -> None:
        self.tail.owed = False
        self._timed = None
        if plan.seq < self.snd_max:
            self.retransmitted += 1
            self.tail.end = self.snd_max
        self.snd_nxt = self.snd_max = max(self.snd_max, stop)

    def _arm(self, now_ms: int) -> None:
        """Start the time-out, and before it the wait for a sign of life."""
        self.tail.timeout_at = self.deadline = now_ms + self.rto.timeout_ms
        self._arm_quiet(now_ms)

    def _arm_quiet(self, now_ms: int) -> None:
        self.tail.is_due = (
            self.sack
            and self.rto.srtt_ms is not None
            and self.rto.shift == 0
            and self.snd_nxt == self.snd_max
            and self.snd_wnd > 0
        )
        if self.tail.is_due and self.rto.srtt_ms is not None:
            lone = self.snd_max - self.snd_una <= self.mss
            # Another segment at this time waits as long, if one waits already.
            self.tail.armed_ms = None if lone else now_ms
            self.deadline = self.tail.wait_until(
                now_ms, self.rto.srtt_ms, holes=self.board.total > 0, lone=lone
            )

    def settle(self, now_ms: int) -> None:
        """Arm the persist timer if the window alone holds back data.

        A small one does so for a shorter time than a closed one, and however often it
        changes meanwhile (RFC 9293 3.8.6.2.1).
        """
        quiet = self.deadline is None and self.snd_nxt == self.snd_una
        if quiet and (self.queue.size or self.fin_owed):
            self.persisting = True
            self._arm_persist(now_ms)
        if self.persisting and self.snd_wnd and self.deadline is not None:
            self.deadline = min(self.deadline, now_ms + OVERRIDE_MS)

    def _arm_persist(self, now_ms: int) -> None:
        low, high = self.persist_limits
        wait = self.rto.base_ms << min(self.rto.shift, RETRANSMISSIONS_MAX)
        self.deadline = now_ms + max(low, min(wait, high))

    # What the peer says.

    def open_window(self, window: int, seq: int, ack: int) -> bool:
        """Take the peer's window if it is news; tell whether it changed."""
        self._unanswered = 0
        if self._wl1 < seq or (self._wl1 == seq and self._wl2 <= ack):
            changed = window != self.snd_wnd
            self.snd_wnd = window
            self._wl1 = seq
            self._wl2 = ack
            self.max_snd_wnd = max(self.max_snd_wnd, window)
            if changed and self.persisting and window:
                self._probe = False
                self.rto.progress()
            return changed
        return False

    def mark(self, blocks: list[tuple[int, int]]) -> bool:
        """Take SACK blocks; tell whether they said anything new."""
        news = False
        for left, right in blocks:
            if self.snd_una < right <= self.snd_max and left < right:
                if self.board is NOTHING_MARKED:
                    self.board = Scoreboard()
                news |= self.board.add(max(left, self.snd_una), right)
        return news

    def heard(self, now_ms: int) -> None:
        """SACK blocks said something new, without an ACK that moves SND.UNA."""
        if self.deadline is None or self.persisting:
            return
        if self.tail.end is not None and self._recover is None:
            # The probe shows what is missing before it.
            self.tail.end = None
            self._lose_holes()
        elif self._recover is not None:
            self._repair_again()
        # Also behind a probe with new data, which told of the holes before it.
        self._arm_quiet(now_ms)

    def _repair_again(self) -> None:
        """Repeat the first segment if it was lost when it was sent again.

        What was first sent after it has arrived, of more than reordering can explain
        (RFC 6675 4, IsLost).  Two losses halve the window twice (RFC 5681 4.3).
        """
        if self._rescue or self._high_rxt <= self.snd_una:
            return
        behind = self.board.marked(self._repaired_at, self.snd_max)
        if behind > (DUP_THRESH - 1) * self.mss:
            self.congestion.lost(self.congestion.cwnd, self.mss)
            self._rescue = True

    def _lost_below(self) -> int:
        """Return the edge below which unmarked data is lost; 0 if none is."""
        return max(self.board.lost_below(self.mss), self.tail.late)

    def _lose_holes(self) -> None:
        """Deem lost what is unmarked below the last mark; begin to repair it."""
        self.tail.late = self.board.last_start
        if self._recover is None:
            self._enter_recovery()
        else:
            self._high_rxt = self.snd_una
            self._rescue = True

    def acknowledge(
        self, ack: int, now_ms: int, rtt_ms: int | None, *, twice: bool = False
    ) -> None:
        """Take an ACK that moves SND.UNA; `twice`: with a D-SACK."""
        count = ack - self.snd_una
        full_window = 2 * self.pipe() >= self.congestion.cwnd
        base = self.snd_una if self.snd_una > self.iss else self.iss + 1
        if ack > base:  # not of our SYN alone
            self.queue.discard(min(ack - base, self.queue.size))
        self.snd_una = ack
        self._syn_again = self._probe = False
        self._take_sample(ack, now_ms, rtt_ms)
        self.rto.progress()
        if self.board.total:
            self.board.advance(ack)
            if self.board.begins_at(ack):
                self.board.clear()
        if self._recover is None:
            self._dupacks = self._departed = 0
            if full_window:
                self.congestion.acked(count, self.mss)
        elif ack >= self._recover:
            self._leave_recovery()
        else:
            # A partial ACK: the next hole is lost too (RFC 6582 3.2, step 3).
            self._departed = max(0, self._departed - max(0, count - self.mss))
            self._rescue = self._high_rxt <= ack
            self._repair_again()
        self.snd_nxt = max(self.snd_nxt, ack)
        self.persisting = False
        self.tail.owed = False
        if (
            self.tail.end is not None
            and self.tail.repaired(ack, twice=twice)
            and self._recover is None
        ):
            self.congestion.lost(max(self.snd_max - ack, self.mss), self.mss)
        if self.snd_max > ack:
            self._arm(now_ms)
        else:
            self.deadline = None
        if self.board.total and self._recover is None and self._is_lost():
            self._enter_recovery()

    def duplicate(self, count: int = 1) -> None:
        """Take so many ACKs that repeat the last one (RFC 5681 2)."""
        if self.snd_nxt == self.snd_una:
            return
        self._dupacks += count
        if not self.board.total:
            # Each one means that a segment has left the network.
            under_way = self.snd_nxt - self.snd_una
            self._departed = min(self._departed + count * self.mss, under_way)
        if self._recover is None and self._is_lost():
            self._enter_recovery()

    def _is_lost(self) -> bool:
        if self.snd_nxt < self.snd_max:
            # RFC 6582 3.2: after a time-out these may be echoes of what it resent.
            return False
        if self.board.total:
            return self._lost_below() > self.snd_una or self._dupacks >= DUP_THRESH
        return self._dupacks >= DUP_THRESH

    def _enter_recovery(self) -> None:
        self.congestion.lost(self.snd_nxt - self.snd_una, self.mss)
        self._recover = self.snd_max
        self._high_rxt = self.snd_una
        self._rescue = True
        self._timed = None

    def _leave_recovery(self) -> None:
        self._recover = None
        self._rescue = False
        self.tail.late = 0
        self._dupacks = self._departed = 0
        # RFC 6582 3.2, step 3 (1): no burst when the window opens at once, that is, no
        # larger one than any path is sent at first.
        flight = self.snd_max - self.snd_una
        burst = max(max(flight, self.mss) + self.mss, self.congestion.initial)
        self.congestion.cwnd = min(self.congestion.ssthresh, burst)

    def _take_sample(self, ack: int, now_ms: int, rtt_ms: int | None) -> None:
        if rtt_ms is not None:
            self.rto.sample(rtt_ms)
            self._timed = None
        elif self._timed is not None and ack >= self._timed[0]:
            self.rto.sample(now_ms - self._timed[1])
            self._timed = None

    # Time-outs.

    def repeat_syn(self) -> None:
        """The peer repeats its SYN: our SYN-ACK was lost."""
        self._syn_again = True

    def expire(self, now_ms: int) -> bool:
        """Take the time-out; False if the peer has been silent for too long."""
        if self.persisting or (self.snd_wnd == 0 and self.snd_una > self.iss):
            return self._expire_persist(now_ms)
        if self.tail.is_due:
            self._expire_quiet(now_ms)
            return True
        alive = self.rto.back_off()
        flight = self.snd_max - self.snd_una
        again = self.rto.shift > 1
        if self.snd_una == self.iss:
            self._syn_again = True
        self.congestion.timed_out(flight, self.mss, again=again)
        self._recover = None
        self._rescue = False
        self._dupacks = self._departed = 0
        self.tail.clear()
        self._timed = None
        if self.board.begins_at(self.snd_una):
            self.board.clear()
        self.snd_nxt = max(self.snd_una, self.iss + 1)
        self.deadline = now_ms + self.rto.timeout_ms
        return alive

    def _expire_quiet(self, now_ms: int) -> None:
        """Nothing came back for two round trips: look for a loss."""
        self.tail.is_due = False
        self.deadline = self.tail.next_timeout(now_ms)
        if self.board.total:
            self._lose_holes()
        elif self._recover is None:
            self.tail.owed = True
        else:
            self._rescue = True
            self._high_rxt = self.snd_una

    def _expire_persist(self, now_ms: int) -> bool:
        if self.snd_wnd:
            # What fits leaves as any data; it has time-outs of its own.
            self.persisting = self.tail.owed = False
            self.deadline = None
            self._probe = True
            return True
        # A peer that answers with a closed window may do so for ever (RFC 9293
        # 3.8.6.1): only silence counts, unless our application has gone.
        self._unanswered += 1
        self.rto.back_off()
        self.persisting = True
        self.snd_nxt = self.snd_una
        self._probe = bool(self.queue.size or self.fin_owed)
        self._arm_persist(now_ms)
        tries = self.rto.shift if self.orphan else self._unanswered
        return tries <= RETRANSMISSIONS_MAX

    def lower_mss(self, mss: int) -> None:
        """Use smaller segments, and resend the ones that were too large at once."""
        self.mss = mss
        self._recover = None
        self.tail.clear()
        self._dupacks = self._departed = 0
        self._timed = None
        self.snd_nxt = max(self.snd_una, self.iss + 1)
        self.congestion.cwnd = max(self.congestion.cwnd, mss)

    def stop(self) -> None:
        """Forget queue and timer: the connection is over."""
        self.queue.clear()
        self.board.clear()
        self.fin = False
        self.deadline = None
        self.persisting = False
        self._probe = False
        self._syn_again = False
