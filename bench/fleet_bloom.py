"""The exchange of redeemed handshakes (`bloom = yes`): `python -m bench.fleet_bloom`.

Three members with a real Valkey complete RATE handshakes a second each.  Measured are
the bytes of a member, both ways, which the server counts; how long after one member
another refuses the same ACK; how many handshakes that nobody has seen are refused, by
trial and from the bits that are set; and the time of a look at all filters of a
cookie's life.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from syncache.fleet.bloom import HASHES, Bloom, Redeemed, digest_of
from syncache.fleet.conf import Conf
from syncache.fleet.document import Document
from syncache.fleet.member import Member
from syncache.fleet.store import Store
from syncache.keyring import Master

from .fleet import LIFETIME, ROOT, WATCH_SECONDS, traffic

RATES = (0, 100, 372)  # handshakes a second of a member; the last is all that is told
MEMBERS = 3
PROBES = 12
TRIALS = 20_000


def start(folder: Path, url: str) -> list[Member]:
    """Make a group of members that run."""
    key = folder / "key"
    key.write_text("a secret of the benchmark")
    key.chmod(0o600)
    members = []
    for number in range(MEMBERS):
        name = f"edge-{number}"
        conf = Conf("web", url, key, folder / f"ring-{number}", name, bloom=True)
        members.append(Member(conf, Store(conf)))
    document = Document(
        version=1,
        group="web",
        lifetime=LIFETIME,
        skew_ms=1000,
        ts_key=bytes(16),
        masters=(Master.generate(),),
    )
    members[0].publish(document)
    for member in members:
        member.start()
    end = time.monotonic() + 30
    while any(member.redeemed is None for member in members):
        assert time.monotonic() < end, "the members do not exchange"
        time.sleep(0.05)
    return members


class Crowd:
    """Handshakes at all members, so many a second."""

    def __init__(self, members: list[Member], rate: int) -> None:
        def feed() -> None:
            for member in members:
                assert member.redeemed is not None
                for _ in range(rate):
                    packed = random.randbytes(44)
                    member.redeemed.admit(packed, by_cookie=False)

        for member in members:
            member.after = lambda: None
        members[0].after = feed  # once a round, which is a second


def exposure(one: Member, other: Member) -> float:
    """Return how long an ACK that one has redeemed is taken by another."""
    assert one.redeemed is not None
    assert other.redeemed is not None
    time.sleep(random.random())
    packed = random.randbytes(44)
    assert one.redeemed.admit(packed, by_cookie=True)
    began = time.monotonic()
    while not other.redeemed.knows(packed):
        assert time.monotonic() - began < 30, "it is never refused"
        time.sleep(0.005)
    return time.monotonic() - began


def errors() -> tuple[int, float, float]:
    """Return wrong hits of TRIALS, the expected share, and the seconds of a look."""
    seen = Redeemed(bytes(16), 2.0 * LIFETIME)
    share = 0.0
    for _ in range((MEMBERS - 1) * 2 * LIFETIME):
        bits = Bloom.of(digest_of(b"k", random.randbytes(44)) for _ in range(372)).bits
        share += (int.from_bytes(bits, "little").bit_count() / len(bits) / 8) ** HASHES
        seen.hear(bits)
    began = time.perf_counter()
    for _ in range(TRIALS):
        seen.admit(random.randbytes(44), by_cookie=True)
    return seen.refused, share, (time.perf_counter() - began) / TRIALS


def main() -> int:
    """Measure and print."""
    sys.path.insert(0, str(ROOT / "tests" / "tools"))
    from valkey_server import ValkeyServer

    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder))
        members = start(Path(folder), server.url)
        try:
            for rate in RATES:
                Crowd(members, rate)
                time.sleep(2.0)
                size = traffic(server.client(), WATCH_SECONDS) / MEMBERS
                print(f"{rate} handshakes a second of each: {size:.0f} bytes a second")
            times = [exposure(*members[:2]) for _ in range(PROBES)]
        finally:
            for member in members:
                member.conf = replace(member.conf, bloom=False)
                member.close()
            server.close()
    print(
        f"an ACK is taken elsewhere for {statistics.median(times):.2f} s, "
        f"at most {max(times):.2f} s, instead of {LIFETIME} to {2 * LIFETIME} s"
    )
    wrong, share, seconds = errors()
    print(
        f"of {TRIALS:,} new handshakes {wrong} refused, {share:.0e} of them expected; "
        f"a look at {(MEMBERS - 1) * 2 * LIFETIME} filters: {seconds * 1e6:.0f} us"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
