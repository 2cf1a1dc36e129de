"""The links' door to C: what needs no device.  See test_links_* for the rest."""

from __future__ import annotations

import mmap

import pytest

from syncache import Ring
from syncache._core import links as _core_links


def packet_link(fd=-1):
    ring = mmap.mmap(-1, 2 * 4096)
    return ring, _core_links.Packet(
        fd, (-1, -1, 1), ring, frame_size=2048, forward=False
    )


def test_packet_link_finds_no_frame_in_a_ring_that_is_the_kernels():
    """An empty ring asks the socket why: it is not a socket here."""
    ring, link = packet_link()
    assert link.receive(Ring()) < 0
    assert link.counts == {
        "received": 0,
        "sent": 0,
        "skipped": 0,
        "too_large": 0,
        "send_failed": 0,
    }
    link.release()
    ring.close()


def test_packet_without_a_socket_for_its_family_is_refused():
    """It counts as lost; the next ones go on."""
    ring, link = packet_link()
    tx = Ring()
    tx.push(b"\x45" + bytes(39))
    assert link.send(tx) == 1
    assert (1, 0) == (link.counts["send_failed"], link.counts["sent"])
    assert link.send_error != 0
    link.release()
    ring.close()


def test_link_that_is_closed_touches_no_memory():
    """Its ring is unmapped; whoever still asks is told that it is gone."""
    ring, link = packet_link()
    link.release()
    ring.close()
    assert {link.receive(Ring()), link.send(Ring()), link.forward(Ring())} == {-9}
    assert link.counts["received"] == 0


def test_tun_without_linux_raises(monkeypatch):
    """A build without the link says so."""
    monkeypatch.setattr(_core_links, "lib", object())
    with pytest.raises(OSError, match="needs Linux"):
        _core_links.Tun(0, vnet_hdr=False)
