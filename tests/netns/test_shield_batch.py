"""What TCP may drop behind a shield, and the client's data that come then.

The kernel answers data for a listener that has no connection of them with a RST, and
the client is refused; given a request, or dropped, they are sent again at worst.  As in
test_shield_listeners.py the kernel runs the programs on packets that it is given.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest
from shield_rig import FAMILIES, TC_DROP, TC_NEXT, XDP_DROP
from test_shield_programs import answer, linux_syn, minted

from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache.links.bpf_object import document
from syncache.links.shield_counters import ZERO, processors

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
ACK, RST, PSH_ACK = 16, 4, 24
TAKES, PROCESSOR_SHIFT, TIME_MASK = 1, 2, ~1023  # of a stamp, as shield_ack.c has it
LATER_NS = range(0, 600_000, 2000)
LONG_NS, BATCH_NS = 10**9, 10**5


def seen_by_tc(rig, packet_ns, batch_ns, taken=0):
    """Have tc seen its last packet then, in a batch that began then."""
    size = document("shield")["maps"]["scratches"][2]
    tail = struct.pack("=QQI4xQ64x", packet_ns, batch_ns, taken, packet_ns)
    value = bytes(size - len(tail)) + tail
    _core_bpf.update(rig.object.maps["scratches"], ZERO, value * processors())


def redeemed(rig, last, stamp_ns, processor):
    """Have a handshake been redeemed once, then and there."""
    kind = FAMILIES[6 if ":" in last.src else 4]
    ends = b"".join(socket.inet_pton(kind, end) for end in (last.src, last.dst))
    words = struct.unpack("=8I", ends.ljust(32, b"\0"))
    ports = struct.unpack("=I", struct.pack("!HH", last.sport, last.dport))
    numbers = (last.ack - 1) % 2**32, (last.seq - 1) % 2**32
    key = core.REDEEMED.pack(*words, *ports, *numbers)
    stamp = stamp_ns & TIME_MASK | processor << PROCESSOR_SHIFT | TAKES
    _core_bpf.update(rig.object.maps["redeemed"], key, struct.pack("=Q", stamp))


@pytest.fixture
def processor():
    """Keep this thread on one processor, which is returned."""
    before = os.sched_getaffinity(0)
    one = min(before)
    os.sched_setaffinity(0, {one})
    yield one
    os.sched_setaffinity(0, before)


def data_behind(rig, last, processor, *, batch_ns=0, taken=1):
    """Give tc the data behind an ACK; the verdict, and what was counted.

    The machine may take its time: the batch is over then, and another is tried.
    """
    data = replace(last, flags=PSH_ACK, payload=b"GET /").packet()
    for later_ns in LATER_NS:
        now = time.monotonic_ns()
        seen_by_tc(rig, now + later_ns, now + batch_ns - BATCH_NS // 2, taken)
        redeemed(rig, last, now - BATCH_NS // 4, processor)
        rig.counters()
        verdict, counted = rig.tc(data), rig.counters()
        rig.protect()  # a test run has no listener to assign to: it was refused
        if "again" in counted:
            break
    return verdict, {"again", "refused"} & set(counted)


@pytest.mark.parametrize("family", [4, 6])
def test_data_of_one_batch_pass_and_of_another_ask_again(rig, family, processor):
    """TCP has not seen the ACK yet; or it has, and made no connection of it."""
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment))
    assert (TC_NEXT, {"again"}) == data_behind(rig, last, processor)
    elsewhere = processor + 1
    assert (TC_NEXT, {"refused"}) == data_behind(rig, last, elsewhere)
    later = data_behind(rig, last, processor, batch_ns=BATCH_NS)
    assert (TC_NEXT, {"refused"}) == later


@pytest.mark.parametrize("family", [4, 6])
def test_data_whose_ack_may_find_no_room_are_sent_again(rig, family, processor):
    """Other processors make connections too: a quarter of the backlog is theirs."""
    (one,) = [each for each in rig.listeners if each.family == FAMILIES[family]]
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment))
    for backlog, taken, verdict in (
        (1, 1, TC_DROP),
        (8, 6, TC_NEXT),
        (8, 7, TC_DROP),
    ):
        one.listen(backlog)
        seen = data_behind(rig, last, processor, taken=taken)
        assert (verdict, {"again"}) == seen, backlog


@pytest.mark.parametrize("family", [4, 6])
def test_rest_of_a_request_is_dropped_like_its_beginning(rig, family):
    """The listener is full: TCP would reset the client for its second segment."""
    (one,) = [each for each in rig.listeners if each.family == FAMILIES[family]]
    address = {4: "127.0.0.1", 6: "::1"}[family]
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment))
    rest = replace(last, seq=last.seq + 1400, payload=b"the rest")
    assert TC_NEXT == rig.tc(rest.packet())
    with ExitStack() as stack:
        one.listen(1)
        for _ in range(2):
            stack.enter_context(socket.create_connection((address, rig.port)))
        assert XDP_DROP == rig.xdp(segment.packet()).verdict
        rig.counters()
        for part in (last, rest):
            assert TC_DROP == rig.tc(part.packet())
        assert 2 == rig.counters()["ack_queue_full"]
        assert TC_NEXT == rig.tc(replace(rest, flags=RST | ACK).packet())
