"""The bench's listeners on its veth pair: each starts, answers and lets go.

The pair is drawn in bench/wire.py.  It needs real-time priorities and bpf(2), hence
root itself and not a user namespace of its own.
"""

from __future__ import annotations

import os

import needs
import pytest

from bench import wire
from bench.rivals import ECHO, IN_PLACE, KERNEL, OURS, SERVING, serving

OF_A_CHROOT = ("cannot create /sys/class/net/", "cannot change root filesystem")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        pytest.skip("the bench's pair needs root itself, and two processors")
    try:
        made = wire.Wire(tmp_path_factory.mktemp("wire"))
    except wire.WireError as error:
        if any(text in str(error) for text in OF_A_CHROOT):
            needs.lacks("no /sys of a namespace's own, as in a chroot")
        pytest.fail(str(error), pytrace=False)
    with made:
        yield made


@pytest.mark.parametrize("rival", [*KERNEL, *OURS, *ECHO, *SERVING])
def test_rival_answers_the_flood(pair, rival):
    """Each listener starts, answers SYNs of flood.c and lets go of the interface."""
    with serving(pair, rival):
        window = pair.window(rate=5000, warm=0.1, seconds=0.2)
    assert window.generated > 0
    assert window.answered > 0
    assert 0 == window.others


@pytest.mark.parametrize("rival", IN_PLACE)
def test_flood_sends_only_syns_when_its_pages_come_back_changed(pair, rival):
    """A frame that XDP_TX turned into an answer is written anew, all of it."""
    with serving(pair, rival):
        window = pair.window(rate=20_000, warm=0.4, seconds=0.3)
    assert window.answered > 0
    assert 0 == window.others


@pytest.mark.parametrize("rival", ["cookies2", *SERVING])
def test_clients_are_served_beside_a_small_flood(pair, rival):
    """Kernel clients get their byte back from whoever serves."""
    with serving(pair, rival), pair.flood(1000, 0.1, 5):
        crowd = pair.crowd(count=5, interval_ms=10, timeout_ms=30_000)
    assert 5 == len(crowd.served_ms)
