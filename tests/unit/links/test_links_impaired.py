"""A bad network, the same one for the same seed."""

from __future__ import annotations

import pytest

from syncache.links import Link
from syncache.links.impaired import HELD_MAX, Impaired
from syncache.links.memory import pair
from syncache.ring import Checksum, Ring

HEADER = b"\x45" + bytes(18)


class Bench:
    """An impaired link, the far end of the wire below it, and a clock."""

    def __init__(self, clock, **impairments):
        near, self.far = pair(slots=1024)
        self.clock = clock
        self.link = Impaired(near, clock=lambda: clock.now, **impairments)

    def close(self):
        self.link.close()
        self.far.close()

    @staticmethod
    def ring(numbers) -> Ring:
        ring = Ring(512)
        for number in numbers:
            ring.push(HEADER + number.to_bytes(2, "big"))
        return ring

    @staticmethod
    def numbers(link) -> list[int]:
        ring = Ring(1024)
        link.receive(ring)
        return [int.from_bytes(ring[i][-2:], "big") for i in range(len(ring))]

    def sent(self, count: int) -> list[int]:
        self.link.send(self.ring(range(count)))
        return self.numbers(self.far)

    def received(self, count: int) -> list[int]:
        self.far.send(self.ring(range(count)))
        return self.numbers(self.link)


@pytest.fixture
def bench(clock):
    benches = []

    def make(**impairments):
        benches.append(Bench(clock, **impairments))
        return benches[-1]

    yield make
    for one in benches:
        one.close()


def test_no_impairment_changes_nothing(bench):
    """Without rates every packet passes at once, in order, offloads and all."""
    made = bench()
    assert isinstance(made.link, Link)
    assert made.sent(200) == list(range(200))
    assert made.received(200) == list(range(200))
    tx, rx = Ring(2), Ring(2)
    tx.push(HEADER, checksum=Checksum.PARTIAL, gso_size=7)
    made.link.send(tx)
    made.far.receive(rx)
    assert (Checksum.PARTIAL, 7) == (rx.checksum(0), rx.gso_size(0))


@pytest.mark.parametrize("direction", ["sent", "received"])
def test_same_seed_gives_the_same_misfortunes(bench, clock, direction):
    """A run can be repeated; another seed, or direction, is another network."""
    rates = {"loss": 0.1, "duplicate": 0.1, "reorder": 0.1}

    def passed(seed):
        made = bench(seed=seed, **rates)
        at_once = getattr(made, direction)(300)
        clock.advance(ms=5)
        made.link.receive(Ring(1))
        return at_once, made.numbers(made.far), made.link.counts

    assert passed(7) == passed(7)
    assert passed(7) != passed(8)


def test_loss_takes_about_its_share_and_counts_it(bench):
    """Half of 400 packets, give or take six standard deviations."""
    made = bench(seed=1, loss=0.5)
    passed = made.sent(400)
    assert passed == sorted(passed)
    assert 140 <= len(passed) <= 260
    assert made.link.counts == {
        "lost": 400 - len(passed),
        "duplicated": 0,
        "held_back": 0,
    }


def test_loss_of_everything_lets_nothing_through(bench):
    """The rate 1 is certain, and the ring is consumed."""
    made = bench(loss=1.0)
    ring = made.ring(range(3))
    assert made.link.send(ring) == 3
    assert ring.next == 3
    assert made.numbers(made.far) == []


def test_duplicate_sends_twice(bench):
    """A double follows its original."""
    made = bench(duplicate=1.0)
    assert made.sent(3) == [0, 0, 1, 1, 2, 2]


def test_reorder_lets_later_packets_overtake(bench, clock):
    """What is held back comes after `hold` seconds, behind what was sent after it."""
    made = bench(seed=3, reorder=0.3, hold=0.004)
    at_once = made.sent(100)
    assert made.link.next_deadline() == pytest.approx(clock.now + 0.004)
    clock.advance(ms=4)
    made.link.receive(Ring(1))
    late = made.numbers(made.far)
    assert sorted(at_once + late) == list(range(100))
    assert len(late) == made.link.counts["held_back"] > 0
    assert at_once[-1] > late[0]
    assert made.link.next_deadline() is None


def test_delay_holds_every_packet_and_tells_until_when(bench, clock):
    """A packet is not there before its time; the deadline is when to ask again."""
    made = bench(delay=0.02)
    assert made.received(2) == []
    assert made.link.next_deadline() == pytest.approx(clock.now + 0.02)
    clock.advance(ms=19)
    assert made.numbers(made.link) == []
    clock.advance(ms=1)
    assert made.numbers(made.link) == [0, 1]


def test_raising_one_rate_leaves_the_other_misfortunes_where_they_were(bench):
    """Each packet draws the same numbers whatever the rates."""
    some = bench(seed=5, loss=0.1).sent(300)
    fewer = bench(seed=5, loss=0.2).sent(300)
    assert set(fewer) < set(some)


def test_path_that_holds_too_much_makes_the_sender_wait(bench, clock):
    """The number of packets on the way is bounded; the rest stays in the ring."""
    made = bench(delay=1.0)
    for _ in range(HELD_MAX // 512):
        assert made.link.send(made.ring(range(512))) == 512
    ring = made.ring(range(512))
    assert made.link.send(ring) == 0
    assert ring.next == 0
    clock.advance(ms=1000)
    assert made.link.send(ring) == 512


@pytest.mark.parametrize(
    "wrong", [{"loss": 1.1}, {"duplicate": -0.1}, {"reorder": 2}, {"delay": -1.0}]
)
def test_impossible_rate_is_refused(wrong):
    """A probability is within 0 and 1, a time is not negative."""
    near, far = pair()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Impaired(near, **wrong)
    near.close()
    far.close()
