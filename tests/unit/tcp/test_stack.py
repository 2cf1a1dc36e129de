"""The stack: whose packet it is, bounds, timers, transfers over a bad path."""

from __future__ import annotations

import hashlib
import random

import pytest
from harness import (
    HANDSHAKE,
    SEED,
    Hand,
    close_wait,
    closing,
    established,
    fin_wait_1,
    fin_wait_2,
    last_ack,
    listen,
    syn_received,
    text,
    time_wait,
)
from peer import ADDRESSES, Peer, Wire

from syncache import FourTuple, Ring, Stack
from syncache.ring import Checksum
from syncache.segment import ACK, FIN, RST, SYN, Segment

pytestmark = pytest.mark.isa

OURS = "192.0.2.1"
BUILDERS = [
    listen,
    syn_received,
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
    time_wait,
]


def transfer(size, *, seed, rates, family=4, sysctl=None, **peer_options):
    """Send `size` bytes both ways at once, compare, return the connection."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    stack = Stack([ends[1] for ends in ADDRESSES.values()], sysctl, seed=SEED)
    listener = stack.listen(80)
    wire = Wire(stack, rng, rates=rates)
    peer = wire.add(Peer(family=family, **peer_options))
    up, down = rng.randbytes(size), rng.randbytes(size)
    peer.send(up)
    peer.finish()
    now, sent, received, connection = 1000.0, 0, hashlib.sha256(), None
    peer.connect(now)
    while now < 5000:
        now = wire.step(now)
        while stack.next_event():
            pass
        connection = connection or listener.accept()
        if connection is None:
            continue
        while data := connection.read(65536):
            received.update(data)
        if sent < size:
            sent += connection.write(memoryview(down)[sent : sent + 65536])
            if sent == size:
                connection.close()
        if peer.peer_closed and str(connection.state) in ("TIME-WAIT", "CLOSED"):
            break
    assert hashlib.sha256(up).digest() == received.digest()
    assert hashlib.sha256(down).digest() == hashlib.sha256(peer.received).digest()
    return connection


BAD_PATH = (0.02, 0.01, 0.02)


def test_transfer_both_ways_over_a_good_path(family):
    """Nothing is sent twice."""
    connection = transfer(300_000, seed=1, rates=(0, 0, 0), family=family)
    assert 0 == connection.info.retransmitted


@pytest.mark.parametrize("sack", [True, False], ids=["sack", "newreno"])
@pytest.mark.parametrize("timestamps", [True, False], ids=["ts", "nots"])
def test_transfer_both_ways_over_a_bad_path(sack, timestamps):
    """2 % lost, 1 % doubled, 2 % late: the same bytes."""
    connection = transfer(
        400_000, seed=2, rates=BAD_PATH, sack=sack, timestamps=timestamps
    )
    assert 0 < connection.info.retransmitted


def test_transfer_of_5_megabytes_both_ways_over_a_bad_path():
    """By cookie, so that nothing is left to the cache."""
    sysctl = {"net.inet.tcp.syncookies_only": 1}
    connection = transfer(5_000_000, seed=3, rates=BAD_PATH, sysctl=sysctl)
    assert "cookie" == connection.info.via


def test_transfer_over_a_terrible_path():
    """A tenth lost, and it still ends."""
    transfer(60_000, seed=4, rates=(0.1, 0.05, 0.1))


def test_same_seed_same_packets():
    """Deterministic: two stacks say the same to the same."""

    def talk():
        hand = established(4)
        hand.write(5000)
        return [segment.packet() for segment in hand.sent]

    assert talk() == talk()


@pytest.mark.parametrize("build", BUILDERS)
def test_any_packet_in_any_state_raises_nothing(build):
    """Random and mutated segments; the stack answers or does not."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(4):
        hand = build(rng.choice((4, 6)))
        for _ in range(60):
            hand.inject_packet(strange(hand, rng))
            if rng.random() < 0.1:
                hand.advance(ms=rng.choice((0, 1, 40, 1000, 70_000)))
            if rng.random() < 0.2:
                play(hand, rng)
        hand.sent.clear()


def strange(hand: Hand, rng: random.Random) -> bytes:
    """Make a segment with believable numbers, then perhaps spoil it."""
    edge = rng.choice((0, 1, 2, 3, 100, 65535, 65536, 2**31, rng.randrange(2**32)))
    flags = "".join(x for x in "FSRP.UEW" if rng.random() < 0.3) + rng.choice(("", "."))
    size = rng.choice((0, 0, 1, 10, 1400))
    options = rng.choice(
        ("", "", HANDSHAKE, "TS val 100 ecr 0", "sack 2:5 9:70000", "sack 1:2000000000")
    )
    ack = rng.choice((0, 1, 2, 3, 50, 4000, 2**31, rng.randrange(2**32)))
    window = rng.choice((1, 500, 65535))
    line = f"{flags or '-'} {edge}:0({size}) ack {ack} win {window} <{options}>"
    packet = bytearray(hand.segment(line).packet())
    if rng.random() < 0.3:
        for _ in range(rng.randrange(1, 4)):
            packet[rng.randrange(len(packet))] = rng.randrange(256)
    if rng.random() < 0.1:
        del packet[rng.randrange(len(packet)) :]
    return bytes(packet)


def play(hand: Hand, rng: random.Random) -> None:
    """Do what an application may do at any time."""
    for connection in hand.stack.connections:
        connection.read(rng.choice((1, 100, 100_000)))
        if not connection.sender.fin:
            connection.write(bytes(rng.choice((1, 3000))))
        if rng.random() < 0.1:
            rng.choice((connection.close, connection.release))()
    hand.collect()


def test_burst_delivers_segments_behind_the_one_that_completes():
    """A ring may hold the third segment, a request, and a FIN."""
    hand = listen(4)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    rx, tx = Ring(8, 2048), Ring(8, 2048)
    for line in (". 1:1(0) ack 1", "P. 1:11(10) ack 1", "F. 11:11(0) ack 1"):
        rx.push(hand.segment(line).packet())
    assert 3 == hand.stack.burst(rx, tx, hand.now)
    assert ["Accepted", "Readable", "EndOfStream"] == hand.events()
    assert "CLOSE-WAIT" == hand.state


def test_padding_of_ethernet_frames_is_never_data(family):
    """Third ACK, data and FIN with six bytes behind the IP packet, one at a time."""
    hand = syn_received(family)
    hand.inject_packet(hand.segment(". 1:1(0) ack 1").packet() + bytes(6))
    hand.inject_packet(hand.segment("P. 1:6(5) ack 1").packet() + bytes(6))
    hand.inject_packet(hand.segment("F. 6:6(0) ack 1").packet() + bytes(6))
    assert text(0, 5) == hand.connection.read(100)
    assert "CLOSE-WAIT" == hand.state
    hand.sent.clear()
    hand.inject("P. 1:6(5) ack 1")
    hand.expect(". 1:1(0) ack 7")


def test_padding_in_a_burst_is_never_data(family):
    """The same through rings."""
    hand = syn_received(family)
    rx, tx = Ring(8, 2048), Ring(8, 2048)
    for line in (". 1:1(0) ack 1", "P. 1:6(5) ack 1", "F. 6:6(0) ack 1"):
        rx.push(hand.segment(line).packet() + bytes(6))
    assert 3 == hand.stack.burst(rx, tx, hand.now)
    assert text(0, 5) == hand.connection.read(100)
    assert "CLOSE-WAIT" == hand.state


def test_burst_ends_and_begins_a_connection_of_one_tuple():
    """A SYN for TIME-WAIT in a ring: the old one goes, the SYN-ACK follows."""
    hand = time_wait(4)
    rx, tx = Ring(8, 2048), Ring(8, 2048)
    rx.push(hand.segment(f"S 70000:70000(0) win 65535 <{HANDSHAKE}>").packet())
    hand.stack.burst(rx, tx, hand.now)
    hand.stack.transmit(tx, hand.now)
    assert 1 == len(tx)
    assert 0x12 == Segment.parse(bytes(tx[0])).flags


def test_burst_takes_a_syn_behind_the_end_of_its_tuple():
    """The last ACK of one connection and the SYN of the next in one ring."""
    hand = last_ack(4)
    rx, tx = Ring(8, 2048), Ring(8, 2048)
    rx.push(hand.segment(". 2:2(0) ack 2").packet())
    rx.push(hand.segment(f"S 70000:70000(0) win 65535 <{HANDSHAKE}>").packet())
    hand.stack.burst(rx, tx, hand.now)
    hand.stack.transmit(tx, hand.now)
    assert 1 == len(tx)
    assert 0x12 == Segment.parse(bytes(tx[0])).flags


def test_burst_takes_partial_checksums_of_a_reused_tuple():
    """What a local client sends is complete only on the wire."""
    hand = time_wait(4)
    packet = bytearray(hand.segment("S 70000:70000(0) win 65535").packet())
    packet[36:38] = b"\0\0"
    rx, tx = Ring(8, 2048), Ring(8, 2048)
    rx.push(packet, checksum=Checksum.PARTIAL)
    hand.stack.burst(rx, tx, hand.now)
    assert 1 == hand.stack.transmit(tx, hand.now)


def test_timers_of_connections_that_are_gone_are_forgotten():
    """Keepalive looks two hours ahead; what it looks at does not stay that long."""
    hand = listen(4, sysctl={"net.inet.tcp.always_keepalive": 1})
    for number in range(2000):
        connect(hand, number)
        hand.inject("R 1:1(0)")
        hand.listener.accept()
    hand.events()
    assert [] == hand.stack.connections
    assert 300 > len(hand.stack._timers)


def connect(hand: Hand, number: int) -> None:
    hand.port, hand.iss, hand._connection = 42000 + number, None, None
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject(". 1:1(0) ack 1")


def test_connections_are_bounded_by_maxsockets():
    """kern.ipc.maxsockets: one more is kept half open."""
    hand = listen(4, sysctl={"kern.ipc.maxsockets": 3})
    for number in range(4):
        connect(hand, number)
    assert 3 == len(hand.stack.connections)
    assert 1 == hand.stack.stats.listendrop


def test_next_handshake_obeys_a_tunable_that_changed():
    """What connections obey is kept, and read anew after a change."""
    hand = listen(4)
    connect(hand, 0)
    hand.stack.sysctl["kern.ipc.maxsockets"] = 2
    hand.stack.sysctl["net.inet.tcp.keepidle"] = 1234
    for number in range(1, 3):
        connect(hand, number)
    first, second = hand.stack.connections
    assert 1234 == second.settings.keepidle != first.settings.keepidle


def test_time_wait_gives_way_to_a_new_connection():
    """The oldest of those that only wait."""
    hand = listen(4, sysctl={"kern.ipc.maxsockets": 3})
    connect(hand, 0)
    old = hand.connection
    hand.close()
    hand.sent.clear()
    hand.inject("F. 1:1(0) ack 2")
    hand.sent.clear()
    assert "TIME-WAIT" == hand.state
    for number in range(1, 4):
        connect(hand, number)
    assert old not in hand.stack.connections
    assert 3 == len(hand.stack.connections)


def test_time_wait_takes_a_fifth_of_the_sockets():
    """Beyond it the oldest is forgotten."""
    hand = listen(4, sysctl={"kern.ipc.maxsockets": 10})
    kept = []
    for number in range(3):
        connect(hand, number)
        kept.append(hand.connection)
        hand.close()
        hand.sent.clear()
        hand.inject("F. 1:1(0) ack 2")
        hand.sent.clear()
    assert kept[1:] == hand.stack.connections


def test_listen_refuses_what_is_not_ours_and_what_is_taken():
    """The caller's mistakes; nothing is left behind."""
    stack = Stack(["192.0.2.9", "2001:db8::9"], seed=SEED)
    with pytest.raises(ValueError, match=r"192\.0\.2\.8"):
        stack.listen(80, "192.0.2.8")
    with pytest.raises(ValueError, match="backlog"):
        stack.listen(80, backlog=-1)
    first = stack.listen(80, "2001:db8::9")
    with pytest.raises(ValueError, match="taken"):
        stack.listen(80)
    first.close()
    assert 2 == len(stack.listen(80).endpoints)


def test_wildcard_listener_answers_on_our_addresses_alone():
    """A host does not answer for others."""
    stack = Stack("192.0.2.9", seed=SEED)
    stack.listen(80)
    for dst, answers in (("192.0.2.9", 1), ("192.0.2.10", 0)):
        syn = Segment(src="192.0.2.1", dst=dst, sport=5, dport=80, flags=2)
        stack.receive(syn.packet(), 1.0)
        assert answers == len(stack.packets_to_send(1.0))


def test_segment_of_no_connection_draws_rst(family):
    """To a closed port of ours."""
    hand = listen(family)
    syn = Segment(src=hand.src, dst=hand.dst, sport=5, dport=81, flags=2, seq=7)
    hand.inject_packet(syn.packet())
    assert RST | 0x10 == hand.sent[0].flags
    assert 8 == hand.sent[0].ack


def test_oversized_and_empty_packets_are_ignored():
    """Nothing that comes in raises."""
    stack = Stack("192.0.2.9", seed=SEED)
    for packet in (b"", b"\x45", bytes(70_000)):
        stack.receive(packet, 1.0)
    assert [] == stack.packets_to_send(1.0)


def test_deadline_fed_back_is_due():
    """No spinning: each one changes something."""
    hand = established(4)
    hand.write(100)
    for _ in range(12):
        due = hand.stack.next_deadline()
        hand.stack.handle_timer(due)
        hand.stack.packets_to_send(due)
        after = hand.stack.next_deadline()
        assert after is None or after > due


def test_time_never_goes_back():
    """An earlier now counts as the last one."""
    hand = established(4)
    hand.now -= 500
    hand.inject("P. 1:11(10) ack 1")
    assert hand.stack.next_deadline() >= 1000.0


def test_events_that_nobody_takes_end_the_accepting(monkeypatch):
    """Everything is bounded."""
    monkeypatch.setattr("syncache.stack._EVENTS_MAX", 2)
    hand = listen(4)
    for number in range(3):
        connect(hand, number)
    assert 2 == len(hand.stack.connections)
    hand.events()
    connect(hand, 4)
    assert 3 == len(hand.stack.connections)


def test_tuple_that_the_engine_alone_knows_is_nobodys(family):
    """Opened or offered behind the stack's back: its segments go nowhere."""
    hand = listen(family)
    ends = FourTuple(hand.src, 7, hand.dst, 80)
    assert hand.stack.syncache.opened(ends, 999)
    hand.port = 7
    hand.inject(". 1:1(0) ack 1")
    hand.port = 8
    hand.inject(f"S 0:0(0) <{HANDSHAKE}>")
    hand.iss = hand.sent.pop().seq
    ack = hand.segment("P. 1:5(4) ack 1").packet()
    hand.stack.syncache.packet(ack, hand.now)
    hand.inject_packet(ack)
    hand.expect_nothing()
    assert [] == hand.stack.connections


def test_answers_without_a_connection_are_bounded(monkeypatch):
    """What does not fit between two calls is not sent."""
    monkeypatch.setattr("syncache.stack._LOOSE_MAX", 2)
    hand = listen(4)
    for port in range(1, 5):
        syn = Segment(src=hand.src, dst=hand.dst, sport=port, dport=81, flags=2)
        hand.stack.receive(syn.packet(), hand.now)
    assert 2 == len(hand.stack.packets_to_send(hand.now))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"address": []}, "at least one address"),
        ({"address": OURS, "mtu": 67}, "mtu is 68 to 65535"),
        ({"address": OURS, "mtu": 65536}, "mtu is 68 to 65535"),
        ({"address": OURS, "mtu": 1500.0}, "mtu is 68 to 65535"),
    ],
)
def test_stack_refuses_what_it_could_not_work_with(arguments, message):
    """A stack without address or with no room for a header would serve nobody."""
    with pytest.raises(ValueError, match=message):
        Stack(**arguments)


def test_stack_address_spelled_twice_listens_once():
    """Its listener has one endpoint, not a quarrel with itself."""
    stack = Stack(["2001:db8::1", "2001:0DB8:0::1"])
    assert 1 == len(stack.listen(80).endpoints)


@pytest.mark.parametrize("backlog", [-1, 1.5, "5", None])
def test_listen_refuses_a_backlog_that_is_none(backlog):
    """And nothing listens afterwards."""
    stack = Stack(OURS)
    with pytest.raises(ValueError, match="backlog is 0"):
        stack.listen(80, backlog=backlog)
    assert 80 == stack.listen(80).port


@pytest.mark.parametrize("burst", [False, True], ids=["receive", "burst"])
def test_cookie_peer_whose_first_data_is_lost_is_never_reset(family, burst):
    """Its second segment, FIN and ACK come first: silence, until it repeats itself."""
    src, dst = ADDRESSES[family]
    stack = Stack(dst, {"net.inet.tcp.syncookies_only": 1}, seed=SEED)
    listener = stack.listen(80)
    rx, tx = Ring(4, 2048), Ring(4, 2048)

    def exchange(flags, seq, ack=0, payload=b""):
        packet = Segment(
            src=src,
            dst=dst,
            sport=40000,
            dport=80,
            seq=seq,
            ack=ack,
            flags=flags,
            window=65535,
            payload=payload,
        ).packet()
        if not burst:
            stack.receive(packet, 1.0)
            return [Segment.parse(p) for p in stack.packets_to_send(1.0)]
        rx.clear()
        tx.clear()
        rx.push(packet)
        assert 1 == stack.burst(rx, tx, 1.0)
        stack.transmit(tx, 1.0)
        return [Segment.parse(bytes(tx[i])) for i in range(len(tx))]

    (syn_ack,) = exchange(SYN, 1000)
    ack = syn_ack.seq + 1 & 0xFFFFFFFF
    assert [] == exchange(ACK, 2001, ack, b"b" * 1000)
    assert [] == exchange(FIN | ACK, 3001, ack)
    assert [] == exchange(ACK, 3002, ack)
    exchange(ACK, 1001, ack, b"a" * 1000)
    exchange(FIN | ACK, 2001, ack, b"b" * 1000)
    connection = listener.accept()
    assert b"a" * 1000 + b"b" * 1000 == connection.read(4000)
    assert "CLOSE-WAIT" == str(connection.state)
