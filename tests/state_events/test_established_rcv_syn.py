"""ESTABLISHED, a SYN arrives (RFC 5961 4.2)."""

from __future__ import annotations

import pytest
from harness import established


@pytest.mark.parametrize("seq", [-100, 0, 1, 1000, 100000])
def test_established_rcv_syn_sends_challenge_ack(family, seq):
    """Whatever its number."""
    hand = established(family)
    hand.inject(f"S {seq}:{seq}(0) win 65535 <mss 1460>")
    hand.expect(". 1:1(0) ack 1")
    hand.expect_nothing()
    assert "ESTABLISHED" == hand.state


def test_established_rcv_syn_in_window_with_insecure_syn_resets(family):
    """net.inet.tcp.insecure_syn=1: as before RFC 5961."""
    hand = established(family, sysctl={"net.inet.tcp.insecure_syn": 1})
    hand.inject("S 1000:1000(0) win 65535 <mss 1460>")
    hand.iss = 0
    hand.expect("R. 0:0(0) ack 1001")
    assert "CLOSED" == hand.state
    assert [] == hand.stack.connections
