"""Options of the segments that leave."""

from __future__ import annotations

from syncache.options import Mss, Sack, SackPermitted, WindowScale, decode
from syncache.tcp.departure import sack_option, syn_options


def test_sack_option_is_aligned_and_wraps_its_numbers():
    """Two NOPs, kind 5, blocks modulo 2^32."""
    option = sack_option([(2**32 + 5, 2**32 + 9), (1, 3)])
    assert 0 == len(option) % 4
    assert (Sack(((5, 9), (1, 3))),) == decode(option)
    assert b"" == sack_option([])


def test_syn_options_are_those_that_were_negotiated():
    """A SYN-ACK sent again says what the first one said."""
    full = decode(syn_options(1460, 6, sack_permitted=True))
    assert (Mss(1460), WindowScale(6), SackPermitted()) == full
    assert (Mss(536),) == decode(syn_options(536, None, sack_permitted=False))
