"""An ACK is redeemed once in a group, also by the shield's programs (`bloom = yes`).

Packets that the programs are given, with filters of others; and a shield on a wire, in
one group with a member that runs here.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

import needs
import pytest
from namespace import wait_until
from shield_rig import SERVER, TC_NEXT
from test_shield import Shielded
from test_shield_packets import MAC, sent
from test_shield_programs import answer, linux_syn, minted
from valkey_server import ValkeyServer

from syncache import Segment
from syncache._core import bpf
from syncache._core import shield as core
from syncache.cli import main
from syncache.fleet import conf
from syncache.fleet.bloom import ITEMS_MAX, Bloom, digest_of
from syncache.fleet.member import Member
from syncache.fleet.store import Store
from syncache.links.shield_redeemed import ShieldRedeemed

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
KEY = bytes(range(100, 116))
LIVES = 64.0
PATIENT_SECONDS = 2.5
FRAME = """
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("c0", 0))
sock.send(bytes.fromhex(sys.argv[1]))
"""


def packed(last):
    """Return what the handshake of an ACK is known by."""
    kind = socket.AF_INET6 if ":" in last.src else socket.AF_INET
    ends = [socket.inet_pton(kind, end) for end in (last.src, last.dst)]
    ports = last.sport, last.dport
    numbers = (last.seq - 1) % 2**32, (last.ack - 1) % 2**32
    family = 6 if ":" in last.src else 4
    return struct.pack("!B16s16sHHII", family, *ends, *ports, *numbers)


def filler(count, begin):
    """Return digests of handshakes that nobody asks for."""
    return [digest_of(KEY, n.to_bytes(45, "big")) for n in range(begin, begin + count)]


@pytest.fixture
def rig(rig):
    rig.put(flags=core.GATE_OPEN | core.SHARED)
    return rig


@pytest.fixture
def told(rig):
    """Return the filters of others."""
    made = ShieldRedeemed(rig.object.maps)
    made.begin(KEY)
    return made


def seen(rig, last):
    """Give an ACK to tc; how it was counted."""
    rig.counters()
    assert TC_NEXT == rig.tc(last.packet())
    rig.protect()  # a test run has no listener to assign to: it was refused
    counted = rig.counters()
    assert 1 == counted["cookie_good"]
    return {name for name in ("elsewhere", "refused") if name in counted}


@pytest.mark.parametrize("others", [0, 1, 200])
@pytest.mark.parametrize("family", [4, 6])
def test_handshake_that_another_machine_has_redeemed_makes_no_connection(
    rig, told, family, others
):
    """In whichever filter it lies, of any size; another one does."""
    segments = [linux_syn(rig, family, sport=port) for port in (40_000, 40_001)]
    mine, another = (answer(each, minted(rig, each)) for each in segments)
    now = time.monotonic()
    for number in range(others):
        told.hear(Bloom.of(filler(1 + number % ITEMS_MAX, number)).bits, now, LIVES)
    assert {"refused"} == seen(rig, mine)
    digests = [digest_of(KEY, packed(mine)), *filler(others, 10_000)]
    told.hear(Bloom.of(digests).bits, now, LIVES)
    assert {"elsewhere"} == seen(rig, mine)
    assert {"refused"} == seen(rig, another)


def test_filter_counts_until_its_end(rig, told):
    """A cookie has no longer life."""
    segment = linux_syn(rig, 4)
    last = answer(segment, minted(rig, segment))
    bits = Bloom.of([digest_of(KEY, packed(last))]).bits
    told.hear(bits, time.monotonic() - LIVES - 1, LIVES)
    assert {"refused"} == seen(rig, last)
    told.hear(bits, time.monotonic(), LIVES)
    assert {"elsewhere"} == seen(rig, last)


def test_without_the_flag_filters_are_not_asked(rig, told):
    """As with `bloom = no`, or before the agent's first round."""
    segment = linux_syn(rig, 4)
    last = answer(segment, minted(rig, segment))
    told.hear(Bloom.of([digest_of(KEY, packed(last))]).bits, time.monotonic(), LIVES)
    rig.put(flags=core.GATE_OPEN)
    assert {"refused"} == seen(rig, last)


def test_oldest_filters_go_when_there_is_no_room(rig, told):
    """Those that came later count on."""
    segments = [linux_syn(rig, 6, sport=port) for port in (40_000, 40_001)]
    first, second = (answer(each, minted(rig, each)) for each in segments)
    now = time.monotonic()
    told.hear(Bloom.of([digest_of(KEY, packed(first))]).bits, now, LIVES)
    told.hear(Bloom.of([digest_of(KEY, packed(second))]).bits, now, LIVES)
    assert [{"elsewhere"}] * 2 == [seen(rig, each) for each in (first, second)]
    for _ in range(core.FILTERS - 1):
        told.hear(bytes(16), now, LIVES)
    assert {"refused"} == seen(rig, first)
    assert {"elsewhere"} == seen(rig, second)
    assert core.FILTERS == len(bpf.keys(rig.object.maps["filters"], 4))


@pytest.fixture
def other(tmp_path):
    """Return a member of the group that runs here, and the shield's configuration."""
    try:
        server = ValkeyServer(tmp_path)
    except FileNotFoundError as error:
        needs.lacks(str(error))
    for name, action in (("A", "init"), ("B", "join")):
        path = tmp_path / f"{name}.conf"
        path.write_text(
            f"group = web\nvalkey = {server.url}\nkey = {tmp_path}/key\nbloom = yes\n"
            f"keyring = {tmp_path}/ring-{name}\nname = edge-{name}\n"
        )
        assert 0 == main(["fleet", action, str(path)])
    chosen = conf.read(tmp_path / "B.conf")
    member = Member(chosen, Store(chosen))
    member.start()
    wait_until(lambda: member.redeemed is not None)
    yield member, tmp_path / "A.conf"
    member.close()
    server.close()


SOURCES = {4: "198.18.0.77", 6: "fd00:18::77"}
TYPES = {4: "0800", 6: "86dd"}


class Attempts:
    """Handshakes from an address that is nobody's, each from another port."""

    def __init__(self, shielded, member, family):
        self.shielded, self.member, self.family = shielded, member, family
        self.port = 40_000

    def begin(self, acks):
        """Send a SYN, and so many ACKs; the ACK, and its digest."""
        self.port += 1
        source = SOURCES[self.family]
        words = {"sport": self.port, "source": source, "acks": acks}
        found = sent(self.shielded, self.family, **words)
        last = Segment(
            src=source,
            dst=SERVER[self.family],
            sport=self.port,
            dport=80,
            seq=found["irs"] + 1,
            ack=(found["iss"] + 1) % 2**32,
            flags=16,
        )
        return last, packed(last)

    def is_told(self):
        """Let the shield redeem one: whether the member hears of it in time."""
        _, known = self.begin(acks=1)
        end = time.monotonic() + PATIENT_SECONDS
        while time.monotonic() < end and not self.member.redeemed.knows(known):
            time.sleep(0.05)
        return self.member.redeemed.knows(known)

    def is_refused(self):
        """Let the member redeem one: whether the shield takes the ACK no more."""
        last, known = self.begin(acks=0)
        self.member.redeemed.note(digest_of(self.member.redeemed.key, known))
        time.sleep(PATIENT_SECONDS)
        before = self.shielded.counters()
        head = MAC.replace(":", "") + "020000000099" + TYPES[self.family]
        frame = head + last.packet().hex()
        self.shielded.wire.client.run(sys.executable, "-c", FRAME, frame)
        wait_until(lambda: self.shielded.counters()["cookie_good"] > good(before))
        counted = self.shielded.counters()
        moved = {n: counted[n] - before[n] for n in ("elsewhere", "redeemed")}
        assert 1 == sum(moved.values()), moved
        return moved["elsewhere"] == 1


def good(counted):
    return counted["cookie_good"]


@pytest.mark.parametrize("family", [4, 6])
def test_shield_tells_others_of_handshakes_and_hears_of_theirs(
    wire, tmp_path, other, family
):
    """About a second later; however slow all is, one of some attempts shows it."""
    member, path = other
    wire.server.link("mac", "s0", MAC)
    shielded = Shielded(wire, tmp_path)
    shielded.listen()
    shielded.start("--mode", "always", "--xdp", "tc", "--fleet", path)
    attempts = Attempts(shielded, member, family)
    wait_until(attempts.is_told)
    wait_until(attempts.is_refused)
    shielded.until("1 ACKs refused that another has redeemed")
