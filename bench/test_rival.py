"""The rivals do what they are held up as: real SYN-ACKs, real lists, a real pause."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import pytest

from syncache import Cookie, FourTuple, Segment, SynOptions
from syncache.options import (
    Mss,
    Option,
    SackPermitted,
    Timestamps,
    WindowScale,
    encode,
)
from syncache.segment import ACK, SYN

from . import native

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY = b"sixteen bytes !\0"  # world.c's
LOCAL = "198.18.0.2"
REPLY_MAX = 64


class Rival:
    """The straightforward path, over lists if it has entries."""

    def __init__(
        self, entries: int = 0, limit: int = 30, *, pauses: bool = False
    ) -> None:
        self.now = 1000
        self._lib = native.library()
        make = self._lib.bench_rival_make
        make.restype = ctypes.c_void_p
        self._lib.bench_rival_syn.restype = ctypes.c_size_t
        self._path = ctypes.c_void_p(make(entries, limit, pauses))

    def syn(self, packet: bytes) -> bytes:
        """Answer a packet; nothing is b''."""
        reply = ctypes.create_string_buffer(REPLY_MAX)
        size = self._lib.bench_rival_syn(
            self._path,
            ctypes.c_uint64(self.now),
            packet,
            ctypes.c_size_t(len(packet)),
            reply,
        )
        return reply.raw[:size]

    def poll(self) -> int:
        """Run the callouts; return how many entries were due."""
        return int(self._lib.bench_rival_poll(self._path, ctypes.c_uint64(self.now)))

    def counts(self) -> dict[str, int]:
        """Return entries, evictions, duplicates and SYNs answered by cookie alone."""
        numbers = (ctypes.c_uint64 * 4)()
        self._lib.bench_rival_count(self._path, numbers)
        names = ("entries", "evicted", "duplicates", "cookies_only")
        return dict(zip(names, numbers, strict=True))

    def close(self) -> None:
        """Free it."""
        self._lib.bench_rival_free(self._path)


@pytest.fixture
def rival() -> Iterator[Rival]:
    """Yield one that stores nothing."""
    made = Rival()
    yield made
    made.close()


@pytest.fixture
def lists() -> Iterator[Rival]:
    """Yield one with a single bucket of three."""
    made = Rival(3, 3)
    yield made
    made.close()


LINUX = (Mss(1460), SackPermitted(), Timestamps(77, 0), WindowScale(7))


def syn(
    peer: int = 1,
    *,
    options: Sequence[Option] = LINUX,
    flags: int = SYN,
    dport: int = 80,
) -> Segment:
    """Make a SYN of a peer."""
    return Segment(
        src=f"10.0.0.{peer}",
        dst=LOCAL,
        sport=40000 + peer,
        dport=dport,
        seq=0x12345678,
        flags=flags,
        window=64240,
        options_bytes=encode(tuple(options)),
    )


@pytest.mark.parametrize(
    "options",
    [
        (),
        (Mss(1460),),
        (Mss(536), WindowScale(0)),
        (Mss(1460), SackPermitted()),
        (Mss(1200), SackPermitted(), Timestamps(77, 0)),
        (Mss(9000), WindowScale(14), SackPermitted(), Timestamps(1, 0)),
        LINUX,
    ],
)
def test_answer_is_a_good_syn_ack_with_freebsds_cookie(
    rival: Rival, options: tuple[Option, ...]
) -> None:
    """Its checksums hold, and it offers what the SYN offered."""
    request = syn(options=options)
    answer = Segment.parse(rival.syn(request.packet()))
    assert answer.flags == SYN | ACK
    assert (request.dst, request.src) == (answer.src, answer.dst)
    assert (request.dport, request.sport) == (answer.sport, answer.dport)
    assert request.seq + 1 == answer.ack
    assert answer.mss == 1460
    assert (request.wscale is None) == (answer.wscale is None)
    assert request.sack_permitted == answer.sack_permitted
    assert (request.timestamps is None) == (answer.timestamps is None)
    if request.timestamps is not None:
        assert request.timestamps.tsval == answer.timestamps.tsecr
    offered = SynOptions(
        mss=request.mss, wscale=request.wscale, sack_permitted=request.sack_permitted
    )
    names = FourTuple(request.src, request.sport, request.dst, request.dport)
    iss = Cookie.mint(KEY, names, request.seq, offered, layout="freebsd")
    assert iss == answer.seq


def test_what_is_no_good_syn_has_no_answer(rival: Rival) -> None:
    """Wrong checksums, other ports, pieces, other flags."""
    good = syn().packet()
    assert rival.syn(good)
    for place in (10, 12, 22, 36, 41):
        spoiled = bytearray(good)
        spoiled[place] ^= 1
        assert rival.syn(bytes(spoiled)) == b""
    assert rival.syn(good[:-1]) == b""
    assert rival.syn(syn(flags=SYN | ACK).packet()) == b""
    assert rival.syn(syn(dport=81).packet()) == b""


def test_full_bucket_evicts_its_oldest(lists: Rival) -> None:
    """The first of four peers is new again, the others are duplicates."""
    for peer in (1, 2, 3, 4):
        assert lists.syn(syn(peer).packet())
    assert (lists.counts()) == {
        "entries": 3,
        "evicted": 1,
        "duplicates": 0,
        "cookies_only": 0,
    }
    for peer in (2, 3, 4):
        lists.syn(syn(peer).packet())
    assert lists.counts()["duplicates"] == 3
    lists.syn(syn(1).packet())
    assert lists.counts()["duplicates"] == 3
    assert lists.counts()["evicted"] == 2


def test_timers_fire_when_they_are_due(lists: Rival) -> None:
    """A second after each SYN, and a second after that."""
    for peer in (1, 2, 3):
        lists.syn(syn(peer).packet())
        lists.now += 100
    fired = []
    while lists.now < 3300:
        if count := lists.poll():
            fired.append((lists.now, count))
        lists.now += 100
    expected = [(at, 1) for at in (2000, 2100, 2200, 3000, 3100, 3200)]
    assert expected == fired


def test_pause_answers_by_cookie_for_fifteen_seconds() -> None:
    """From the overflow on; then the next one doubles it."""
    pausing = Rival(3, 3, pauses=True)
    for peer in range(1, 8):
        assert pausing.syn(syn(peer).packet())
    assert pausing.counts()["cookies_only"] == 3
    assert pausing.counts()["entries"] == 3
    pausing.now += 14_000
    pausing.syn(syn(9).packet())
    assert pausing.counts()["cookies_only"] == 4
    pausing.now += 1000
    pausing.syn(syn(9).packet())
    assert pausing.counts()["cookies_only"] == 4
    pausing.now += 29_000
    pausing.syn(syn(10).packet())
    assert pausing.counts()["cookies_only"] == 5
    pausing.close()
