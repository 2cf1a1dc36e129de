"""The accept queue."""

from __future__ import annotations

import pytest
from harness import HANDSHAKE, Hand, listen


def connect(hand: Hand, number: int) -> None:
    """Complete a handshake from another port."""
    hand.port, hand.iss = 41000 + number, None
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject(". 1:1(0) ack 1")


@pytest.mark.parametrize(
    ("backlog", "room"), [(0, 1), (1, 1), (2, 3), (3, 4), (10, 15)]
)
def test_queue_holds_one_and_a_half_times_the_backlog(backlog, room):
    """3 * backlog // 2, and one at least."""
    hand = listen(4, listen={"backlog": backlog})
    for number in range(room + 2):
        connect(hand, number)
    assert room == len(hand.listener)
    assert room == len(hand.stack.connections)
    assert 2 == hand.stack.stats.listendrop


def test_full_queue_keeps_the_handshake_which_then_completes(family):
    """A client that waits is served when there is room."""
    hand = listen(family, listen={"backlog": 1})
    connect(hand, 0)
    connect(hand, 1)
    hand.expect_nothing()
    assert hand.listener.accept() is not None
    hand.inject("P. 1:11(10) ack 1")
    assert 10 == hand.listener.accept().info.unread


def test_full_queue_with_rst_on_sock_fail_sends_rst(family):
    """FreeBSD's way."""
    name = "net.inet.tcp.syncache.rst_on_sock_fail"
    hand = listen(family, listen={"backlog": 1}, sysctl={name: 1})
    connect(hand, 0)
    connect(hand, 1)
    hand.expect("R 1:1(0)" if hand.sent[0].flags == 4 else "R. 1:1(0)")


def test_accept_takes_them_in_order():
    """First come, first served; nothing when there is nothing."""
    hand = listen(4)
    for number in range(3):
        connect(hand, number)
    ports = [hand.listener.accept().peername[1] for _ in range(3)]
    assert [41000, 41001, 41002] == ports
    assert hand.listener.accept() is None


def test_backlog_is_bounded_by_somaxconn():
    """kern.ipc.somaxconn."""
    hand = listen(4, listen={"backlog": 1000}, sysctl={"kern.ipc.somaxconn": 7})
    assert 7 == hand.listener.backlog


def test_close_resets_what_waits_and_keeps_what_was_accepted(family):
    """Accepted connections are the application's."""
    hand = listen(family)
    connect(hand, 0)
    kept = hand.listener.accept()
    connect(hand, 1)
    hand.listener.close()
    hand.expect("R. 1:1(0) ack 1")
    assert [kept] == hand.stack.connections
    hand.iss = None
    hand.port += 10
    hand.inject("S 0:0(0) win 65535")
    assert 0x14 == hand.sent.pop().flags  # RST|ACK: nobody listens


def test_close_leaves_half_open_entries_whose_ack_is_refused(family):
    """The listener is gone when the handshake ends."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.listener.close()
    hand.inject(". 1:1(0) ack 1")
    hand.expect("R 1:1(0)")


def test_port_can_be_listened_on_again(family):
    """A new listener inherits the entries, not the queue."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.listener.close()
    hand.listener = hand.stack.listen(80)
    hand.inject(". 1:1(0) ack 1")
    assert 1 == len(hand.listener)
    assert "1 of 128 waiting" in repr(hand.listener)


def test_listener_is_true_even_when_nothing_waits():
    """`if listener` asks whether there is one."""
    hand = listen(4)
    assert hand.listener
    assert 0 == len(hand.listener)
