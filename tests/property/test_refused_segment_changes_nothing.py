"""A segment that is refused changes nothing (RFC 9293 3.10.7.4, RFC 5961 5).

Two stacks with the same seed and the same past: one gets the refused segment, and is
then not to be told from the other by `info`, by its deadline, or by what it sends from
then on.  What the refused segment itself drew is the answer to it, and is taken away.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness import (
    close_wait,
    established,
    fin_wait_1,
    fin_wait_2,
    last_ack,
    syn_received,
    time_wait,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from syncache import Ring
from syncache.segment import ACK, FIN, PSH, RST, SYN

FAR = 1 << 30
# Without scaling, so that the window told is the same to the byte, however often.
PLAIN = "mss 1460,sackOK"
STAMPED = PLAIN + ",TS val 100 ecr 0"
STATES = {
    "syn_received": syn_received,
    "established": established,
    "close_wait": close_wait,
    "fin_wait_1": fin_wait_1,
    "fin_wait_2": fin_wait_2,
    "last_ack": last_ack,
}
# Each: flags, seq and ack as offsets from what the peer would send, bytes of data.
REASONS = {
    "no ACK": (0, 0, 0, 10),
    "no ACK, FIN": (FIN, 0, 0, 0),
    "ACK of what was never sent": (ACK, 0, 1000, 10),
    "ACK of what was never sent, FIN": (ACK | FIN, 0, 1000, 0),
    "ACK far too old": (ACK, 0, -FAR, 10),
    "ACK from before the connection": (ACK, 0, -20, 10),
    "ACK from before the connection, FIN": (ACK | FIN, 0, -20, 0),
    "old data": (ACK, -100, 0, 50),
    "old ACK alone": (ACK, -100, 0, 0),
    "keepalive": (ACK, -1, 0, 0),
    "data beyond the window": (ACK, FAR, 0, 10),
    "FIN beyond the window": (ACK | FIN, FAR, 0, 0),
    "SYN in the window": (SYN, 5, 0, 0),
    "SYN outside": (SYN, FAR, 0, 0),
    "SYN-ACK": (SYN | ACK, 5, 0, 0),
    "RST in the window": (RST, 5, 0, 0),
    "RST outside": (RST, FAR, 0, 0),
    "RST outside with ACK": (RST | ACK, -7, 0, 0),
}
PAWS = {
    "old timestamp": (ACK | PSH, 0, 0, 10),
    "old timestamp, FIN": (ACK | FIN, 0, 0, 0),
    "old timestamp, SYN": (SYN, 0, 0, 0),
}


class Twin:
    """A stack in a state, and what its peer would say next."""

    def __init__(self, build, family, burst, stamped):
        extra = {"options": STAMPED if stamped else PLAIN}
        if build is established:
            extra["sysctl"] = {"net.inet.tcp.tolerate_missing_ts": 0}
        self.hand = build(family, **({} if build is syn_received else extra))
        self.burst, self.stamped = burst, stamped and build is not syn_received
        self.connection = self.hand.connection
        self.connection.keepalive = True
        self.hand.advance(ms=100)
        self.hand.sent.clear()
        self.seq = self.connection.receiver.rcv_nxt
        self.ack = self.connection.sender.snd_max
        if build is syn_received:
            self.ack = self.connection.sender.iss + 1

    def give(self, reason, tsval, window=0):
        """Let a segment arrive whose numbers are off by so much."""
        flags, dseq, dack, size = reason
        hand = self.hand
        letters = {FIN: "F", SYN: "S", RST: "R", PSH: "P", ACK: "."}
        spelled = "".join(x for bit, x in letters.items() if flags & bit) or "-"
        isn = self.connection.receiver.irs
        iss = self.connection.sender.iss
        seq = self.seq - isn + dseq
        line = f"{spelled} {seq}:{seq + size}({size})"
        if flags & ACK:
            line += f" ack {self.ack - iss + dack}"
        line += f" win {window}"
        if self.stamped and tsval is not None:
            line += f" <TS val {tsval & 0xFFFFFFFF} ecr {hand.tsval}>"
        packet = hand.segment(line).packet()
        if not self.burst:
            hand.inject_packet(packet)
            return
        rx, tx = Ring(1), Ring(4)
        rx.push(packet)
        hand.stack.burst(rx, tx, hand.now)
        hand.collect()

    def next(self):
        """The exchange that follows, and what can be seen of the connection."""
        hand, connection = self.hand, self.connection
        hand.sent.clear()
        hand.advance(ms=1)
        info = connection.info
        if connection.receiver.wscale:
            info = replace(info, rcv_wnd=0)
        seen = [info, connection.deadline]
        if connection.sender.snd_una > connection.sender.iss:
            hand.events()
        self.give((ACK | PSH, 0, 0, 20), 200, window=400)
        seen += [str(segment) for segment in hand.sent]
        hand.sent.clear()
        hand.advance(ms=3_000)
        seen += [connection.info, connection.deadline, connection.read(100)]
        seen += [str(segment) for segment in hand.sent]
        return seen


def compare(state, family, burst, stamped, reason, tsval):
    """Give the segment to one of two, and let both go on."""
    with_it, without = (Twin(STATES[state], family, burst, stamped) for _ in range(2))
    if state == "syn_received" and reason[0] & SYN:
        return
    with_it.give(reason, tsval, window=7)
    assert without.next() == with_it.next()


@pytest.mark.parametrize("burst", [False, True], ids=["receive", "burst"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("reason", REASONS)
def test_refused_segment_changes_nothing(family, burst, state, reason):
    """With a TSval that would shut out every honest segment, and without any."""
    for stamped in (False, True):
        compare(state, family, burst, stamped, REASONS[reason], 101 + FAR)


@pytest.mark.parametrize("burst", [False, True], ids=["receive", "burst"])
@pytest.mark.parametrize("reason", PAWS)
def test_segment_refused_by_its_timestamp_changes_nothing(family, burst, reason):
    """Older than the last one; or without one at all."""
    for tsval in (50, 101 - FAR, None):
        compare("established", family, burst, True, PAWS[reason], tsval)


@settings(max_examples=60, deadline=None)
@given(
    state=st.sampled_from(sorted(STATES)),
    family=st.sampled_from((4, 6)),
    burst=st.booleans(),
    flags=st.sampled_from((0, ACK, ACK | FIN, SYN, SYN | ACK, ACK | PSH)),
    dseq=st.integers(70_000, 1 << 31) | st.integers(-(1 << 31) + 20, -500),
    dack=st.integers(-(1 << 31), 1 << 31),
    size=st.integers(0, 400),
)
def test_any_segment_outside_the_window_changes_nothing(
    state, family, burst, flags, dseq, dack, size
):
    """Wherever it lies, whatever it says."""
    compare(state, family, burst, True, (flags, dseq, dack, size), 101 + FAR)


@pytest.mark.parametrize(
    "said",
    ["ack 999", "ack -1073741000", "ack 2 win 1 <TS val 50 ecr 0>", "ack 2"],
    ids=["never sent", "far too old", "old timestamp", "the peer's"],
)
def test_time_wait_is_begun_anew_by_the_peers_fin_alone(family, said):
    """Its number can be guessed, or be that of an old duplicate."""
    hand = time_wait(family, options=STAMPED)
    before = hand.connection.deadline
    hand.advance(ms=1000)
    hand.inject(f"F. 1:1(0) {said}")
    hand.expect(". 2:2(0) ack 2")
    again = hand.connection.deadline - before
    assert (1000 if said == "ack 2" else 0) == again


@pytest.mark.parametrize("refusal", ["no listener", "drop", "old"])
def test_time_wait_outlives_a_syn_that_is_refused(family, refusal):
    """Only a SYN that the engine has answered ends it."""
    hand = time_wait(family)
    kept = hand.connection
    before = kept.info
    if refusal == "no listener":
        hand.listener.close()
    elif refusal == "drop":
        hand.stack.sysctl.update(
            {
                "net.inet.tcp.syncookies": 0,
                "net.inet.tcp.syncache.rexmtlimit": 0,
                "net.inet.tcp.syncache.x.overflow": "drop-new",
            }
        )
        hand.stack.sysctl["net.inet.tcp.blackhole"] = 3
        hand.listener.close()
    seq = 1 if refusal == "old" else 100_000
    hand.inject(f"S {seq}:{seq}(0) win 65535 <mss 1460>")
    assert "TIME-WAIT" == hand.state
    assert before == kept.info
    assert [kept] == hand.stack.connections
    hand.sent.clear()
    # It still answers its peer's FIN.
    hand.inject("F. 1:1(0) ack 2")
    hand.expect(". 2:2(0) ack 2")


@pytest.mark.parametrize("cookies", [0, 1])
def test_time_wait_ends_once_the_syn_is_answered(family, cookies):
    """And the next connection of the tuple is served."""
    sysctl = {"net.inet.tcp.syncookies_only": cookies}
    hand = time_wait(family, sysctl=sysctl)
    old, hand.iss = hand.connection, None
    hand.inject("S 100000:100000(0) win 65535 <mss 1460>")
    hand.expect("S. 0:0(0) ack 100001")
    assert "CLOSED" == str(old.state)
    hand.inject(". 100001:100001(0) ack 1")
    (new,) = hand.stack.connections
    assert "ESTABLISHED" == str(new.state)
    assert old is not new
