"""What a cookie restores is what the table kept, up to the layout's loss.

Invariant: for any SYN, the connection made from its entry and the one made from its
cookie differ in nothing but what tests.model.cookie.quantise() and the list LOST say.
"""

from __future__ import annotations

from dataclasses import fields

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.conformance.hand import LOCAL, PEER, PEER_PORT, PORT, Hand
from tests.model import cookie

LOST = {"via", "rxmits", "ecn"}
QUANTISED = {"mss", "snd_wscale", "rcv_wscale", "peer_window", "sack_permitted"}
mss = st.none() | st.integers(1, 65535) | st.sampled_from((216, 536, 1300, 1460, 8960))
scale = st.none() | st.integers(0, 14)


def connection(*, cookies_only, family, layout, syn, listen, timestamps):
    """The connection that a SYN leads to, and its handshake's hand."""
    tune = {"syncookies_only": int(cookies_only), "x.cookie_layout": layout}
    hand = Hand(None, tune, family=family, listen=listen)
    sent = hand.syn(**syn).sent
    opts = ()
    if timestamps:
        opts = (("ts", 101, int.from_bytes(sent.options[-8:-4], "big")),)
    answer = hand.ack(opts=opts, window=4000)
    assert ("ACCEPT_COOKIE" if cookies_only else "ACCEPT_CACHE") == answer.reason
    return answer.made


@pytest.mark.parametrize("layout", ["wide", "freebsd", "mss"])
@given(
    family=st.sampled_from((4, 6)),
    offered=st.tuples(mss, scale, st.booleans()),
    timestamps=st.booleans(),
    seq=st.integers(0, 2**32 - 1),
    mtu=st.sampled_from((1500, 9000, 1300, 0)),
    flags=st.sampled_from(("S", "SEW")),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_cookie_restores_entry(layout, family, offered, timestamps, seq, mtu, flags):
    """Entry and cookie agree up to the stated loss."""
    opts = []
    if offered[0] is not None:
        opts.append(("mss", offered[0]))
    if offered[1] is not None:
        opts.append(("ws", offered[1]))
    if offered[2]:
        opts.append(("sack_ok",))
    if timestamps:
        opts.append(("ts", 100, 0))
    how = {
        "family": family,
        "layout": layout,
        "syn": {"opts": tuple(opts), "seq": seq, "flags": flags},
        "listen": {"mtu": mtu},
        "timestamps": timestamps,
    }
    entry = connection(cookies_only=False, **how)
    restored = connection(cookies_only=True, **how)
    skip = LOST | QUANTISED | {"endpoint"}
    # The ISS is the same cookie, unless what was offered differs with the layout.
    for name in {f.name for f in fields(entry)} - skip:
        assert getattr(entry, name) == getattr(restored, name), name
    tup = (PEER[family], PEER_PORT + 1, LOCAL[family], PORT)
    kept = cookie.quantise(layout, tup, cookie.Options(*offered))
    # The entry's own bounds: minmss and the path's MTU, if it is known.
    bound = mtu - (40 if family == 4 else 60) if mtu else 65535
    assert min(max(kept.mss, 216), bound) == restored.mss
    assert restored.mss <= max(entry.mss, 216)
    assert kept.ws == restored.snd_wscale
    assert kept.sack == restored.sack_permitted
    assert (6 if kept.ws is not None else None) == restored.rcv_wscale
    assert 4000 << (kept.ws or 0) == restored.peer_window
