"""The programs that carry spliced connections, packet by packet (tools/offload_rig.py).

No interface and no network is there: the kernel runs the programs on packets that it is
given.  Needs root itself.
"""

from __future__ import annotations

import contextlib
import os
import random
import struct
from dataclasses import replace

import pytest
from namespace import wait_until
from offload_rig import (
    ACK,
    FIN,
    KEY,
    LEAVE,
    LOOPBACK,
    OTHER,
    PSH,
    RST,
    SACK,
    STAMPS,
    SYN,
    TAGS,
    TAKE,
    TC_NEXT,
    TC_REDIRECT,
    Connection,
    Rig,
    compare,
    connection,
    frame,
    segment,
)

from syncache import Segment
from syncache._core import bpf as _core_bpf
from syncache._core.offload import config
from syncache.flow import Side
from syncache.flow_session import State

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
VERIFIED_MAX = 100_000  # a tenth of what the verifier's patience is
COUNT = 2000
NEAR = 1 << 22  # OFFLOAD_NEAR


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.close()


def plain(family=4, **fields):
    """Return a connection with an ordinary splice."""
    size = 4 if family == 4 else 16
    client = b"\x0a" + bytes(size - 2) + b"\1"
    server = b"\xc6" + bytes(size - 2) + b"\2"
    made = Connection(
        family, client, server, 2000, 7, 9, 0, (1000, 5000), STAMPS | SACK, (7, 7, 7)
    )
    return made._replace(**fields)


def said(of, side, **fields):
    """Return a segment of one end."""
    mine = side is Side.SERVER
    ends = (of.server, of.client) if mine else (of.client, of.server)
    ports = (80, of.port) if mine else (of.port, 80)
    from_server = (of.seq[1], of.seq[0])
    seq, ack = from_server if mine else (of.seq[0], of.seq[1] + of.delta)
    made = Segment(
        src=ends[0], dst=ends[1], sport=ports[0], dport=ports[1], seq=seq, ack=ack,
        flags=ACK, window=100,
    )  # fmt: skip
    return replace(made, **fields)


def begun(rig, of, side=Side.CLIENT):
    """Have one connection carried, and look from one side."""
    rig.begin([of])
    rig.point(side)
    return of


def view(rig):
    """Return what the engine lists of its only connection."""
    (one,) = rig.engines[0].connections()
    return one


def test_random_segments_are_translated_as_the_engine_translates_them(rig):
    """Families, tags, deltas, windows, floors, SACK in any place or taken away."""
    assert [] == compare(rig, random.Random(1), COUNT)


def test_comparison_finds_a_splice_that_is_wrong_by_one(rig):
    """The test above can fail."""
    chosen = random.Random(2)
    rig.begin([connection(chosen, n) for n in range(1)])
    of = connection(random.Random(2), 0)
    maps = rig.object.maps
    name = f"carried{of.family}"
    (key,) = keys(rig, of.family)
    entry = _core_bpf.lookup(maps[name], key, 56)
    delta = (int.from_bytes(entry[:4], "little") + 1) % 2**32
    _core_bpf.update(maps[name], key, delta.to_bytes(4, "little") + entry[4:])
    packet = segment(chosen, of, rig.side, ACK)
    assert rig.carry(frame(packet)).packet[14:] != rig.engine_says(packet, rig.side)


def test_verifier_walks_less_than_a_tenth_of_its_limit(rig):
    """Of the programs as shipped, so that the next kernel has room."""
    walked = {name: rig.object.info(name).verified for name in rig.programs}
    assert VERIFIED_MAX > max(walked.values()), walked


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("side", [Side.CLIENT, Side.SERVER])
@pytest.mark.parametrize("flags", [SYN, FIN | ACK, RST, RST | ACK, SYN | ACK])
def test_segment_that_may_change_a_state_gives_the_connection_back(
    rig, family, side, flags
):
    """It goes to the process, and so does whatever comes behind it."""
    of = begun(rig, plain(family), side)
    packet = frame(said(of, side, flags=flags).packet())
    assert TAKE == rig.take(packet)
    assert TC_NEXT == rig.carry(packet).verdict
    behind = frame(said(of, side).packet())
    assert TAKE == rig.take(behind)
    assert TC_NEXT == rig.carry(behind).verdict
    assert 1 == rig.carried.take_events(rig.now)
    assert 0 == rig.carried.take_events(rig.now)


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("family", [4, 6])
def test_packet_that_is_not_carried_is_the_process_s_and_unchanged(rig, family, tags):
    """Other tuples, other protocols, fragments, IP options, extension headers."""
    of = begun(rig, plain(family))
    good = said(of, Side.CLIENT).packet()
    at = 9 if family == 4 else 6
    other = [replace(said(of, Side.CLIENT), sport=2001).packet()]
    others = (1, 17, 58, 0, 43, 44, 51, 60)
    other += [good[:at] + bytes([one]) + good[at + 1 :] for one in others]
    if family == 4:
        other.append(b"\x46" + good[1:20] + b"\1\1\1\0" + good[20:])
        other += [good[:6] + word + good[8:] for word in (b"\x20\0", b"\0\1")]
    for packet in other:
        whole = frame(packet, tags)
        assert TAKE == rig.take(whole)
        run = rig.carry(whole)
        assert (TC_NEXT, whole) == (run.verdict, run.packet)
    assert LEAVE == rig.take(frame(good, tags))
    assert TC_REDIRECT == rig.carry(frame(good, tags)).verdict


def test_packet_on_the_wrong_side_is_the_process_s(rig):
    of = begun(rig, plain(), Side.SERVER)
    assert TAKE == rig.take(frame(said(of, Side.CLIENT).packet()))


@pytest.mark.parametrize("cut", range(24, 60, 3))
def test_short_frame_is_the_process_s(rig, cut):
    """The programs read nothing that is not there."""
    of = begun(rig, plain())
    whole = frame(said(of, Side.CLIENT, payload=b"data!").packet())[: 14 + cut]
    want = LEAVE if cut >= 40 else TAKE
    assert want == rig.take(whole)


def test_switched_off_everything_is_the_process_s(rig):
    of = begun(rig, plain())
    _core_bpf.update(
        rig.object.maps["config_map"], bytes(4), config(KEY, 1, 2, off=True)
    )
    assert TAKE == rig.take(frame(said(of, Side.CLIENT).packet()))


def test_packet_left_alone_by_the_filter_is_carried_though_its_connection_comes_back(
    rig,
):
    """It was under way between the two programs: it has no other way."""
    of = begun(rig, plain())
    packet = frame(said(of, Side.CLIENT).packet())
    assert LEAVE == rig.take(packet)
    fin = frame(said(of, Side.CLIENT, flags=FIN | ACK).packet())
    # As on another processor: its word for tc is not this one's.
    assert TAKE == rig.take(fin)
    rig.carry(fin)
    assert TC_REDIRECT == rig.carry(packet).verdict


def test_numbers_come_back_to_the_engine(rig):
    """Bytes of both ends, and the end of what they sent, by which a RST is measured."""
    of = begun(rig, plain())
    far = of.seq[0] + 100_000
    before = view(rig)
    data = said(of, Side.CLIENT, seq=far, payload=bytes(1000), flags=ACK | PSH)
    assert TC_REDIRECT == rig.carry(frame(data.packet())).verdict
    rig.point(Side.SERVER)
    answer = said(of, Side.SERVER, payload=bytes(1200), ack=far + 1000)
    assert TC_REDIRECT == rig.carry(frame(answer.packet())).verdict
    assert TAKE == rig.take(frame(replace(answer, flags=FIN | ACK).packet()))
    assert 1 == rig.carried.take_events(rig.now)
    after = view(rig)
    assert 1000 == after.client_bytes - before.client_bytes
    assert 1200 == after.server_bytes - before.server_bytes
    # Only the exact number ends it.
    for seq, state in ((far + 999, State.ESTAB), (far + 1000, State.CLOSING)):
        rst = said(of, Side.CLIENT, seq=seq, flags=RST).packet()
        rig.engines[0].receive(rst, Side.CLIENT, rig.now)
        assert state == view(rig).state


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("side", [Side.CLIENT, Side.SERVER])
def test_numbers_of_an_end_move_on_and_not_back(rig, family, side):
    """As the server counts; not by an old packet, a wild one, or one without ACK."""
    of = begun(rig, plain(family), side)
    mine = int(side is Side.SERVER)
    base = said(of, side)

    def send(seq, ack, flags=ACK):
        numbers = {"seq": (base.seq + seq) % 2**32, "ack": (base.ack + ack) % 2**32}
        packet = replace(base, flags=flags, payload=bytes(100), **numbers).packet()
        assert TC_REDIRECT == rig.carry(frame(packet)).verdict
        (key,) = keys(rig, family)
        entry = _core_bpf.lookup(rig.object.maps[f"carried{family}"], key, 56)
        nxt, acked = struct.unpack_from("=2I2I", entry, 32)[mine::2]
        return nxt - of.seq[mine], acked - of.seq[1 - mine]

    assert (10_100, 10_000) == send(10_000, 10_000)
    for odd in ((9000, 9000), (20_000, 2 * NEAR), (2 * NEAR, 20_000)):
        assert (10_100, 10_000) == send(*odd)
    assert (10_100, 10_000) == send(20_000, 20_000, flags=PSH)
    assert (11_100, 11_000) == send(11_000, 11_000)


@pytest.mark.parametrize("family", [4, 6])
def test_bytes_of_a_packet_are_those_that_ip_tells(rig, family):
    """None if it is too short for its headers; 0 stands for a length beyond 65,535."""
    of = begun(rig, plain(family))
    packet = said(of, Side.CLIENT, payload=bytes(100)).packet()
    at, head = (2, 20) if family == 4 else (4, 0)
    for told, counted in ((head + 20 + 7, 7), (head + 19, 0), (0, 100)):
        before = view(rig).client_bytes
        odd = packet[:at] + told.to_bytes(2, "big") + packet[at + 2 :]
        assert TC_REDIRECT == rig.carry(frame(odd)).verdict
        look(rig, rig.now)
        assert counted == view(rig).client_bytes - before


@pytest.mark.parametrize("what", ["seq", "ack"])
def test_blind_sender_does_not_move_the_numbers(rig, what):
    """His packets pass, as they do in the engine; what they say is not noted."""
    of = begun(rig, plain())
    blind = said(of, Side.CLIENT, payload=bytes(100))
    blind = replace(blind, **{what: (getattr(blind, what) + NEAR + 2000) % 2**32})
    assert TC_REDIRECT == rig.carry(frame(blind.packet())).verdict
    maps = rig.object.maps
    (key,) = keys(rig, 4)
    entry = _core_bpf.lookup(maps["carried4"], key, 56)
    nxt = struct.unpack_from("=2I", entry, 32)
    assert nxt[0] < of.seq[0] + 3000


def test_full_queue_loses_the_packet_that_has_to_be_told_of():
    """As a full ring would; it is sent again, and meanwhile all goes on."""
    rig = Rig(events=2)
    made = [plain(port=2000 + i) for i in range(3)]
    rig.begin(made)
    fins = [frame(said(of, Side.CLIENT, flags=FIN | ACK).packet()) for of in made]
    assert [TAKE, TAKE, LEAVE] == [rig.take(fin) for fin in fins]
    assert TC_NEXT == rig.carry(fins[2]).verdict
    assert LEAVE == rig.take(frame(said(made[2], Side.CLIENT).packet()))
    assert 2 == rig.carried.take_events(rig.now)
    assert TAKE == rig.take(fins[2])
    rig.close()


def test_connection_without_room_in_the_map_stays_with_the_engine():
    """And the others are carried."""
    rig = Rig(carried4=2)
    made = [plain(port=2000 + i) for i in range(4)]
    rig.begin(made, room=2)
    takes = [rig.take(frame(said(of, Side.CLIENT).packet())) for of in made]
    assert [LEAVE, LEAVE, TAKE, TAKE] == sorted(takes)
    # The others are offered again behind their next packets.
    for of in made:
        packet = said(of, Side.CLIENT).packet()
        rig.engines[0].receive(packet, Side.CLIENT, rig.now)
    rig.carried.drop_all()
    given, failed = rig.carried.put(rig.now)
    assert (2, 0) == (given, failed)
    rig.close()


@pytest.mark.parametrize("family", [4, 6])
def test_look_brings_what_the_kernel_counted_and_removes_what_is_over(rig, family):
    """An entry whose session the engine ended is gone after the next look."""
    of = begun(rig, plain(family))
    before = view(rig)
    data = said(of, Side.CLIENT, seq=of.seq[0] + 50_000, payload=bytes(700))
    assert TC_REDIRECT == rig.carry(frame(data.packet())).verdict
    look(rig, rig.now)
    assert 700 == view(rig).client_bytes - before.client_bytes
    # A RST that found no way to the kernel's map.
    end = said(of, Side.CLIENT, seq=of.seq[0] + 50_700, flags=RST).packet()
    rig.engines[0].receive(end, Side.CLIENT, rig.now)
    rig.engines[0].handle_timer(rig.now + 60)
    assert [] == rig.engines[0].connections()
    wait_until(lambda: entry_is_gone(rig, rig.now + 60, family))


@pytest.mark.parametrize("family", [4, 6])
def test_everything_is_taken_back_and_its_numbers_with_it(rig, family):
    """What the kernel counted is the engine's, which then carries it."""
    of = begun(rig, plain(family))
    before = view(rig)
    data = said(of, Side.CLIENT, payload=bytes(300))
    assert TC_REDIRECT == rig.carry(frame(data.packet())).verdict
    rig.carried.offer(on=False)
    assert 1 == rig.carried.take_all(rig.now)
    assert 300 == view(rig).client_bytes - before.client_bytes
    rig.carried.drop_all()
    assert [] == keys(rig, family)
    assert TAKE == rig.take(frame(data.packet()))


def test_names_of_ipv6_connections_need_the_key(rig):
    """With another one than the process put it in by, a connection is not found."""
    of = begun(rig, plain(6))
    whole = frame(said(of, Side.CLIENT).packet())
    assert LEAVE == rig.take(whole)
    told = config(bytes(16), LOOPBACK, OTHER)
    _core_bpf.update(rig.object.maps["config_map"], bytes(4), told)
    assert TAKE == rig.take(whole)


def look(rig, now):
    """Look at all that the kernel has."""
    walk = rig.carried.look(now)
    with contextlib.suppress(StopIteration):
        next(walk)
        while True:
            walk.send(now)


def keys(rig, family):
    """Return the keys of a family's map."""
    size = 12 if family == 4 else 16
    return _core_bpf.keys(rig.object.maps[f"carried{family}"], size)


def entry_is_gone(rig, now, family):
    """Look once more; tell whether the map is empty."""
    look(rig, now)
    return [] == keys(rig, family)


def test_any_bytes_are_survived(rig):
    """Random frames, and random changes of good ones."""
    chosen = random.Random(3)
    made = [connection(chosen, n) for n in range(8)]
    rig.begin(made)
    for _ in range(2000):
        whole = bytearray(frame(segment(chosen, chosen.choice(made), rig.side, ACK)))
        for _ in range(chosen.randrange(4)):
            whole[chosen.randrange(12, len(whole))] = chosen.getrandbits(8)
        cut = bytes(whole[: chosen.choice([len(whole), chosen.randrange(54, 80)])])
        rig.take(cut)
        rig.carry(cut)
        rig.carried.take_events(rig.now)
