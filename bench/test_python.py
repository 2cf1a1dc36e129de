"""What the Python side costs: MACs, a ring a call, one packet a call, bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.poly1305 import Poly1305

from syncache import (
    Cookie,
    FourTuple,
    Ring,
    Segment,
    Stack,
    Syncache,
    SynOptions,
    Sysctl,
    _core,
)
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import ACK, SYN

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

KEY = bytes(range(16))
MESSAGE = bytes(25)  # as long as the MAC input of an IPv4 cookie
PEER = FourTuple("10.0.0.1", 40000, "198.18.0.2", 80)
OFFER = SynOptions(mss=1460, wscale=7, sack_permitted=True)
OPTIONS = encode((Mss(1460), SackPermitted(), Timestamps(1, 0), WindowScale(7)))
COOKIES_ONLY = {"net.inet.tcp.syncookies_only": 1}


def siphash() -> int:
    """Take the C function that cookies are made of."""
    return int(_core.lib.syncache_siphash24(KEY, MESSAGE, len(MESSAGE)))


def cmac() -> bytes:
    """Take AES-CMAC as `cryptography` has it."""
    mac = CMAC(algorithms.AES(KEY))
    mac.update(MESSAGE)
    return mac.finalize()


def hmac_sha256() -> bytes:
    """Take HMAC-SHA256 as `cryptography` has it."""
    mac = hmac.HMAC(KEY, hashes.SHA256())
    mac.update(MESSAGE)
    return mac.finalize()


def poly1305() -> bytes:
    """Take Poly1305 as `cryptography` has it."""
    return Poly1305.generate_tag(KEY + KEY, MESSAGE)


@pytest.mark.benchmark(group="one MAC of 25 bytes, from Python")
@pytest.mark.parametrize("mac", [siphash, cmac, hmac_sha256, poly1305])
def test_mac(benchmark: BenchmarkFixture, mac: Callable[[], object]) -> None:
    """A MAC a packet from Python costs more than all else that C does for a SYN."""
    assert mac() == mac()
    benchmark(mac)


@pytest.mark.benchmark(group="one cookie, from Python")
def test_cookie_mint(benchmark: BenchmarkFixture) -> None:
    """A cookie as a pure function."""
    iss = benchmark(Cookie.mint, KEY, PEER, 7, OFFER)
    assert Cookie.check(((KEY,), (KEY,)), PEER, 8, iss + 1) == OFFER


@pytest.mark.benchmark(group="one cookie, from Python")
def test_cookie_check(benchmark: BenchmarkFixture) -> None:
    """A cookie that is ours."""
    iss = Cookie.mint(KEY, PEER, 7, OFFER)
    assert benchmark(Cookie.check, ((KEY,), (KEY,)), PEER, 8, iss + 1) == OFFER


def segment(peer: int, src: str, dst: str, flags: int) -> bytes:
    """Make a packet of a peer."""
    return Segment(
        src=src.format(peer // 250, peer % 250 + 1),
        dst=dst,
        sport=1024 + peer,
        dport=80,
        seq=peer,
        flags=flags,
        window=64240,
        options_bytes=OPTIONS if flags == SYN else b"",
    ).packet()


FAMILIES = {
    "ipv4": ("10.1.{}.{}", "198.18.0.2"),
    "ipv6": ("2001:db8:1::{}:{}", "2001:db8::2"),
}
KINDS = {"syn": SYN, "ack": ACK}


def engine(family: str) -> Syncache:
    """Make an engine that stores nothing, so that every round is alike."""
    cache = Syncache(Sysctl(COOKIES_ONLY), seed=bytes(16))
    cache.listen(80, FAMILIES[family][1])
    return cache


@pytest.mark.benchmark(group="one burst through a Ring, from Python")
@pytest.mark.parametrize("size", [1, 8, 64, 256])
@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("kind", list(KINDS))
def test_burst(benchmark: BenchmarkFixture, kind: str, family: str, size: int) -> None:
    """Rings are made once and reused; no object is made for a packet."""
    cache, rx, tx = engine(family), Ring(size, 128), Ring(size, 128)
    packets = [segment(n, *FAMILIES[family], KINDS[kind]) for n in range(size)]

    def fill() -> None:
        rx.clear()
        tx.clear()
        for packet in packets:
            rx.push(packet)

    benchmark.pedantic(lambda: cache.burst(rx, tx, 1.0), setup=fill, rounds=2000)
    assert size == len(tx)
    benchmark.extra_info["packets"] = size


@pytest.mark.benchmark(group="one packet as bytes, from Python")
@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("kind", list(KINDS))
def test_packet(benchmark: BenchmarkFixture, kind: str, family: str) -> None:
    """The convenient form: a Verdict, a Segment and bytes for each packet."""
    cache = engine(family)
    packet = segment(1, *FAMILIES[family], KINDS[kind])

    def answer() -> bytes:
        reply = cache.packet(packet, 1.0).reply
        assert reply is not None
        return reply.packet()

    assert Segment.parse(answer()).flags
    benchmark(answer)


@pytest.mark.benchmark(group="one packet as bytes, from Python")
def test_stack(benchmark: BenchmarkFixture) -> None:
    """The same through Stack: receive() and packets_to_send()."""
    stack = Stack("198.18.0.2", Sysctl(COOKIES_ONLY), seed=bytes(16))
    stack.listen(80)
    packet = segment(1, *FAMILIES["ipv4"], SYN)

    def answer() -> list[bytes]:
        stack.receive(packet, 1.0)
        return stack.packets_to_send(1.0)

    assert len(answer()) == 1
    benchmark(answer)
