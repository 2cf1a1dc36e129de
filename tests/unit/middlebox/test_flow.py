"""Tests of what the middlebox modes have in common: packets, rings, events, time."""

from __future__ import annotations

import threading

import pytest

from syncache import Keyring, Ring, Segment, Sysctl, flow_event
from syncache.acl import AccessList, permit
from syncache.flow import Side, Verdict, verdict
from syncache.flow_event import Kind
from syncache.inspection import Inspection
from syncache.intercept import Intercept
from syncache.segment import ACK, RST, SYN

CLIENT, SERVER = Side.CLIENT, Side.SERVER
DEBUG = {"net.inet.tcp.intercept.debug": 1}


def engine(seed=b"seed", **options):
    acl = AccessList("100", [permit(dport=80)])
    return Intercept(Sysctl(DEBUG), acl=acl, seed=seed, **options)


def syn(number=1, dport=80, **members):
    return Segment(
        src=f"192.0.2.{number}",
        dst="198.51.100.5",
        sport=40000,
        dport=dport,
        seq=1000,
        flags=SYN,
        window=64240,
        **members,
    )


def test_other_side_is_where_a_packet_goes():
    """What comes from one side goes to the other."""
    assert (SERVER, CLIENT) == (CLIENT.other, SERVER.other)


def test_received_packets_come_out_in_order():
    """Forwarded ones and ours together, each with the side it goes to."""
    intercept = engine()
    intercept.receive(syn(1, dport=443).packet(), CLIENT, 0.0)
    intercept.receive(syn(2).packet(), CLIENT, 0.0)
    intercept.receive(syn(3, dport=443).packet(), CLIENT, 0.0)
    out = intercept.packets_to_send(0.0)
    assert [SERVER, CLIENT, SERVER] == [side for side, _ in out]
    assert syn(1, dport=443).packet() == out[0][1]
    assert SYN | ACK == Segment.parse(out[1][1]).flags
    assert [] == intercept.packets_to_send(0.0)


@pytest.mark.parametrize(
    "packet",
    [b"", b"\x00", b"\x45", b"\x60" + bytes(39), bytes(65_535), bytes(70_000)],
    ids=len,
)
def test_what_is_no_packet_raises_nothing(packet):
    """It goes on as it came, unless no packet is that long."""
    intercept = engine()
    intercept.receive(packet, CLIENT, 0.0)
    out = intercept.packets_to_send(0.0)
    assert [packet] * (len(packet) < 70_000) == [data for _, data in out]


def test_buffers_of_any_kind_are_taken():
    """bytearray and memoryview as well as bytes; the caller's stays as it was."""
    intercept = engine()
    data = bytearray(syn().packet())
    intercept.receive(memoryview(data), CLIENT, 0.0)
    assert syn().packet() == data
    assert 1 == len(intercept.packets_to_send(0.0))


def test_burst_lists_what_passes_and_fills_the_rings():
    """The same by rings: verdict, passed, replies."""
    intercept = engine()
    rx, client_tx, server_tx = Ring(8), Ring(8), Ring(8)
    for packet in (syn(1, dport=443), syn(2), syn(3)):
        rx.push(packet.packet())
    assert 3 == intercept.burst(rx, CLIENT, client_tx, server_tx, 0.0)
    assert [0] == rx.passed
    assert (2, 0) == (len(client_tx), len(server_tx))
    assert Verdict.FORWARD == verdict(rx, 0)
    assert Verdict.CONSUMED == verdict(rx, 1)


def test_burst_stops_where_answers_might_not_fit():
    """Four free slots are needed; the rest waits for the next call."""
    intercept = engine()
    rx, client_tx, server_tx = Ring(8), Ring(5), Ring(5)
    for number in range(1, 5):
        rx.push(syn(number).packet())
    assert 2 == intercept.burst(rx, CLIENT, client_tx, server_tx, 0.0)
    client_tx.clear()
    assert 2 == intercept.burst(rx, CLIENT, client_tx, server_tx, 0.0)


def test_one_ring_in_two_parts_raises():
    """Packets would overwrite one another."""
    intercept = engine()
    rx, tx = Ring(8), Ring(8)
    for rings in ((rx, tx, tx), (rx, rx, tx), (rx, tx, rx)):
        with pytest.raises(ValueError, match="three rings"):
            intercept.burst(rings[0], CLIENT, rings[1], rings[2], 0.0)


def test_small_slots_raise_before_c_writes():
    """What the engine makes has up to 256 bytes."""
    intercept = engine()
    with pytest.raises(ValueError, match="at least 256"):
        intercept.burst(Ring(8), CLIENT, Ring(8, 128), Ring(8), 0.0)
    with pytest.raises(ValueError, match="at least 256"):
        intercept.poll(Ring(8), Ring(8, 128), 0.0)


def test_poll_goes_on_while_rings_are_filled():
    """Retransmissions of more entries than a ring holds."""
    intercept = engine()
    for number in range(1, 21):
        intercept.receive(syn(number).packet(), CLIENT, 0.0)
    intercept.packets_to_send(0.0)
    client_tx, server_tx = Ring(8), Ring(8)
    sent = 0
    while count := intercept.poll(client_tx, server_tx, 1.0):
        sent += count
        client_tx.clear()
    assert 20 == sent
    assert intercept.next_deadline() > 1.0


def test_handle_timer_keeps_what_it_sends():
    """`packets_to_send` has it, however much it is."""
    intercept = engine()
    for number in range(1, 201):
        intercept.receive(syn(number).packet(), CLIENT, 0.0)
    assert 200 == len(intercept.packets_to_send(0.0))
    intercept.handle_timer(1.0)
    assert 200 == len(intercept.packets_to_send(1.0))


def test_time_never_goes_back():
    """An earlier time counts as the last; one that is not finite raises."""
    intercept = engine()
    intercept.receive(syn(1).packet(), CLIENT, 100.0)
    intercept.receive(syn(2).packet(), CLIENT, 50.0)
    assert {100.0} == {row.created for row in intercept.connections()}
    with pytest.raises(ValueError, match="finite"):
        intercept.receive(syn(3).packet(), CLIENT, float("nan"))


def test_events_come_oldest_first_and_once():
    """More of them than one call of C takes out."""
    intercept = engine()
    for number in range(1, 201):
        intercept.receive(syn(number).packet(), CLIENT, float(number) / 1000)
    events = []
    while (event := intercept.next_event()) is not None:
        events.append(event)
    assert 400 == len(events)
    assert {Kind.NEW, Kind.SYN_ACK} == {event.kind for event in events}
    assert sorted(e.time for e in events) == [e.time for e in events]
    assert intercept.next_event() is None


def test_a_slice_of_events_has_the_number_asked_for():
    """As C keeps them, oldest first."""
    intercept = engine()
    for number in range(1, 4):
        intercept.receive(syn(number).packet(), CLIENT, 1.0)
    slices = [intercept.event_slice(most) for most in (1, 256, 256)]
    kinds = [[event.kind for event in flow_event.read(part)] for part in slices]
    assert [[Kind.NEW], [Kind.SYN_ACK, *[Kind.NEW, Kind.SYN_ACK] * 2], []] == kinds


def test_stats_have_a_name_for_every_counter():
    """Ends and verdicts by their names."""
    intercept = engine()
    intercept.receive(syn().packet(), CLIENT, 0.0)
    reset = Segment(
        src="192.0.2.1",
        dst="198.51.100.5",
        sport=40000,
        dport=80,
        seq=1001,
        flags=RST,
    )
    intercept.receive(reset.packet(), CLIENT, 0.0)
    stats = intercept.stats()
    assert (1, 1, 1) == (
        stats["ended_rst"],
        stats["verdict_consumed"],
        stats["verdict_drop_rst"],
    )
    assert all(isinstance(value, int) for value in stats.values())


def test_stats_before_any_packet_start_no_clock():
    """Learning time counts from the first packet, whatever the clock says."""
    intercept = engine()
    assert 0 == intercept.stats()["sessions_created"]
    unknown = Segment(
        src="192.0.2.1",
        dst="198.51.100.5",
        sport=40000,
        dport=80,
        seq=1001,
        ack=1,
        flags=ACK,
    )
    intercept.receive(unknown.packet(), CLIENT, 1_000_000.0)
    assert 1 == len(intercept.packets_to_send(1_000_000.0))


def test_same_seed_makes_the_same_packets():
    """Deterministic with a seed, not without."""

    def answer(**options):
        intercept = engine(**options)
        intercept.receive(syn().packet(), CLIENT, 5.0)
        return intercept.packets_to_send(5.0)

    assert answer() == answer()
    assert answer(seed=None) != answer(seed=None)


def test_keys_of_the_callers_are_used():
    """Another ring makes another cookie; what is no ring raises."""
    keys = Keyring.fixed((bytes(16), bytes(range(16))))
    first, second = engine(keys=keys), engine(keys=keys)
    second.rekey(Keyring.from_seed(b"other"))
    for intercept in (first, second):
        intercept.receive(syn().packet(), CLIENT, 5.0)
    assert first.packets_to_send(5.0) != second.packets_to_send(5.0)
    with pytest.raises(TypeError, match="keys is a Keyring"):
        first.rekey(b"0123456789abcdef")
    with pytest.raises(TypeError, match="keys is a Keyring"):
        engine(keys=b"0123456789abcdef")


@pytest.mark.parametrize("wrong", [{}, "intercept", 5])
def test_tunables_of_another_class_are_refused(wrong):
    """Both boxes name what they want."""
    with pytest.raises(TypeError, match="sysctl is a Sysctl, not "):
        Intercept(wrong, acl=None)
    with pytest.raises(TypeError, match="sysctl is a Sysctl, not "):
        Inspection(wrong)


@pytest.mark.parametrize("method", ["sliding", "fixed", "ewma"])
def test_statistics_without_a_time_are_read_while_another_call_runs(method):
    """Any thread may look; the numbers are those of a call that tells the time."""
    intercept = engine()
    intercept.sysctl["net.inet.tcp.intercept.rate_method"] = method
    for number in range(1, 41):
        intercept.receive(syn(number).packet(), CLIENT, 0.5 * number)
    seen = []

    def look():
        seen.append(intercept.stats())
        seen.append(intercept.statistics())
        seen.append(intercept.memory_bytes)

    with intercept._core:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert [intercept.stats(20.0), intercept.statistics(20.0)] == seen[:2]
    assert intercept.memory_bytes == seen[2]
    assert seen[0]["one_minute"] > 0


def test_close_wipes_and_every_later_call_raises():
    """Memory goes back to the system."""
    intercept = engine()
    assert intercept.memory_bytes > 2**20
    intercept.close()
    with pytest.raises(RuntimeError, match="closed"):
        intercept.receive(b"", CLIENT, 0.0)
    with pytest.raises(RuntimeError, match="closed"):
        intercept.stats()
