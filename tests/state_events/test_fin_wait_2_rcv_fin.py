"""FIN-WAIT-2: the rest of the peer's data, its FIN, or nothing."""

from __future__ import annotations

from harness import fin_wait_2


def test_fin_wait_2_rcv_fin_enters_time_wait(family):
    """An orderly end: the application is told now, the tuple waits 2 MSL."""
    hand = fin_wait_2(family)
    hand.inject("F. 1:1(0) ack 2")
    hand.expect(". 2:2(0) ack 2")
    assert "TIME-WAIT" == hand.state
    assert ["EndOfStream", "Closed"] == hand.events()


def test_fin_wait_2_rcv_data_is_delivered(family):
    """The other half is still open."""
    hand = fin_wait_2(family)
    hand.inject("P. 1:101(100) ack 2")
    assert ["Readable"] == hand.events()


def test_fin_wait_2_lasts_while_the_application_reads(family):
    """A half-closed connection has no limit."""
    hand = fin_wait_2(family)
    hand.advance(ms=3_600_000)
    assert "FIN-WAIT-2" == hand.state


def test_fin_wait_2_after_release_ends_at_its_timeout(family):
    """Nobody is there to read: net.inet.tcp.finwait2_timeout."""
    hand = fin_wait_2(family)
    hand.connection.release()
    hand.collect()
    hand.advance(ms=59_990)
    assert "FIN-WAIT-2" == hand.state
    hand.advance(ms=10)
    assert "CLOSED" == hand.state
    assert ["Closed"] == hand.events()
    assert [] == hand.stack.connections


def test_fin_wait_2_rcv_rst_closes(family):
    """The peer gave up."""
    hand = fin_wait_2(family)
    hand.inject("R 1:1(0)")
    assert ["Closed connection reset by peer"] == hand.events()
