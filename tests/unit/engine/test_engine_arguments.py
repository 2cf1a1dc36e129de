"""Tests of `Syncache`: what the caller did wrong raises and changes nothing."""

from __future__ import annotations

import math
import threading
from array import array

import pytest
from test_engine import CLIENT, SERVER, X, engine, handshake, syn

from syncache import Keyring, Kind, Reason, Ring, Syncache, Sysctl
from syncache.segment import ACK


def test_overlapping_call_raises_and_changes_nothing(seed):
    """A call while another one runs is refused by every entrance."""
    syncache = engine(seed)
    endpoint = syncache.listen(80)
    conn = handshake(syncache, 1.0)[1].conn
    before = syncache.stats
    rx, tx = Ring(), Ring()
    rx.push(syn(sport=9).packet())
    calls = [
        lambda: syncache.packet(syn(sport=9).packet(), 1.0),
        lambda: syncache.segment(CLIENT[4], SERVER[4], syn().packet()[20:], 1.0),
        lambda: syncache.burst(rx, tx, 1.0),
        lambda: syncache.poll(2.0, tx),
        lambda: syncache.accepted(conn),
        lambda: syncache.closed(conn),
        lambda: syncache.opened(conn.four_tuple),
        lambda: syncache.listen(81),
        endpoint.close,
        syncache.half_open,
        syncache.next_deadline,
        lambda: syncache.sysctl.update({"net.inet.tcp.syncookies": 0}),
    ]
    refused = []

    def call_all():
        for call in calls:
            try:
                call()
            except RuntimeError as error:
                refused.append(str(error))

    with syncache._core:
        thread = threading.Thread(target=call_all)
        thread.start()
        thread.join()
    assert ["this engine is in use by another call"] * len(calls) == refused
    assert before == syncache.stats
    assert (0, 0, 1) == (rx.next, len(tx), syncache.sysctl["net.inet.tcp.syncookies"])
    assert not endpoint.closed
    assert syncache.listen(81).port == 81


def test_statistics_are_read_while_another_call_runs(seed):
    """Numbers need no token: neither the reader nor the other call is refused."""
    syncache = engine(seed)
    syncache.listen(80)
    syncache.packet(syn().packet(), 1.0)
    seen = []

    def read_all():
        seen.append(syncache.stats.sc_added)
        seen.append(syncache.sysctl["net.inet.tcp.syncache.count"])
        seen.append((syncache.paused, syncache.isa, syncache.memory_bytes))

    with syncache._core:
        thread = threading.Thread(target=read_all)
        thread.start()
        thread.join()
    assert [1, 1, (syncache.paused, syncache.isa, syncache.memory_bytes)] == seen


def test_packets_are_served_while_another_thread_reads_statistics(seed):
    """However often somebody looks, the packet path never raises."""
    syncache = engine(seed)
    syncache.listen(80)
    done = threading.Event()
    seen = []

    def watch():
        while not done.is_set():
            seen.append(syncache.stats.verdicts[Reason.REPLY_SYN_ACK])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for sport in range(1, 3001):
            assert Kind.REPLY is syncache.packet(syn(sport=sport).packet(), 1.0).kind
    finally:
        done.set()
        thread.join()
    assert sorted(seen) == seen
    assert 3000 == sum(
        count
        for reason, count in syncache.stats.verdicts.items()
        if reason.kind is Kind.REPLY
    )


def test_close_while_another_thread_reads_leaves_the_memory_to_it(seed):
    """Who is reading finds zeros, not a hole; who comes later is refused."""
    syncache = engine(seed)
    with syncache._core.pinned() as view:
        syncache.close()
        assert bytes(64) == view[:64]
    for read in (
        lambda: syncache.stats,
        lambda: syncache.paused,
        lambda: syncache.memory_bytes,
        lambda: syncache.sysctl["net.inet.tcp.syncache.count"],
    ):
        with pytest.raises(RuntimeError, match="closed"):
            read()


def test_token_comes_back_after_an_error(seed):
    """A refused argument does not lock the engine."""
    syncache = engine(seed)
    for _ in range(2):
        with pytest.raises(ValueError, match="finite"):
            syncache.packet(b"", math.nan)
    assert Kind.DROP is syncache.packet(b"", 1.0).kind


def test_closed_engine_raises(seed):
    """close() wipes and ends it."""
    syncache = engine(seed)
    syncache.close()
    with pytest.raises(RuntimeError, match="closed"):
        syncache.packet(b"", 1.0)
    with pytest.raises(RuntimeError, match="closed"):
        syncache.close()


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_time_that_is_none_raises(now, seed):
    """A time is a finite number."""
    syncache = engine(seed)
    tx = Ring()
    with pytest.raises(ValueError, match="finite"):
        syncache.packet(b"", now)
    with pytest.raises(ValueError, match="finite"):
        syncache.poll(now, tx)


@pytest.mark.parametrize("now", ["12", "", None, b"1", [1]])
def test_time_that_is_no_number_raises_and_says_so(now, seed):
    """A text or nothing is the caller's mistake, and the engine goes on."""
    syncache = engine(seed)
    syncache.listen(80)
    rx, tx = Ring(), Ring()
    rx.push(syn(sport=9).packet())
    for call in (
        lambda: syncache.packet(b"", now),
        lambda: syncache.segment(CLIENT[4], SERVER[4], bytes(20), now),
        lambda: syncache.burst(rx, tx, now),
        lambda: syncache.poll(now),
        lambda: syncache.poll(now, tx),
    ):
        with pytest.raises(TypeError, match="now is a number of seconds, not"):
            call()
    assert 1 == syncache.burst(rx, tx, 1.0)


@pytest.mark.parametrize("now", [-5, 0, 1e300, -1e308, 1e308, 10**400, 2.0**70])
def test_time_out_of_range_is_clamped(now, seed):
    """Any finite time is one; an earlier one counts as the last."""
    syncache = engine(seed)
    syncache.listen(80)
    assert Kind.REPLY is syncache.packet(syn().packet(), now).kind
    assert Kind.REPLY is syncache.packet(syn(sport=1).packet(), now - 10).kind


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": 0}, "a port is 1 to 65535"),
        ({"port": 65536}, "a port is 1 to 65535"),
        ({"port": "http"}, "a port is 1 to 65535"),
        ({"address": "198.51.100.256"}, "198.51.100.256"),
        ({"address": "fe80::1%eth0"}, "zone"),
        ({"mtu": 67}, "mtu is 0"),
        ({"mtu": 65536}, "mtu is 0"),
        ({"mtu": 1500.5}, "mtu is 0"),
        ({"mtu": "1500"}, "mtu is 0"),
        ({"mss_max": 0}, "mss_max is 1 to 65535"),
        ({"rcv_window": -1}, "rcv_window is 0"),
        ({"rcv_wscale": 15}, "rcv_wscale is 0 to 14"),
        ({"hop_limit": 0}, "hop_limit is 1 to 255"),
        ({"tos": 256}, "tos is 0 to 255"),
        ({"fastopen": -1}, "fastopen is 0"),
        ({"md5_keys": {CLIENT[4]: b""}}, "1 to 80 bytes"),
        ({"md5_keys": {"nobody": b"k"}}, "nobody"),
        ({"port": 443}, "port 443 is taken"),
    ],
)
def test_listen_refuses_wrong_arguments(arguments, message, seed):
    """The caller's mistake is named, and nothing listens."""
    syncache = engine(seed)
    syncache.listen(443)
    with pytest.raises(ValueError, match=message):
        syncache.listen(**({"port": 80} | arguments))
    assert syncache.listen(80).number == 1


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        (None, "0.0.0.0", True),
        (None, "::", True),
        ("::", None, True),
        ("0.0.0.0", "::", False),
        (None, "192.0.2.1", False),
        ("192.0.2.1", None, False),
    ],
)
def test_listen_knows_what_any_address_takes(first, second, taken, seed):
    """Any address is any of both families; an exact one has a place of its own."""
    syncache = engine(seed)
    one = syncache.listen(80, first)
    if taken:
        with pytest.raises(ValueError, match="port 80 is taken"):
            syncache.listen(80, second)
        one.close()
    assert not syncache.listen(80, second).closed


def test_listen_full_raises_runtime_error(seed):
    """Endpoints and MD5 keys are bounded; a listen that failed leaves nothing."""
    sysctl = Sysctl({X + "endpoint_max": 2, X + "md5_max": 1})
    syncache = engine(seed, sysctl=sysctl)
    two = {"192.0.2.1": b"one", "192.0.2.2": b"two"}
    with pytest.raises(RuntimeError, match="md5_max"):
        syncache.listen(80, md5_keys=two)
    syncache.listen(80, md5_keys={"192.0.2.1": b"one"})
    syncache.listen(81)
    with pytest.raises(RuntimeError, match="endpoint_max"):
        syncache.listen(82)


def test_address_full_raises_runtime_error(seed):
    """Own addresses are bounded."""
    syncache = engine(seed, sysctl=Sysctl({X + "address_max": 1}))
    syncache._address("192.0.2.1")
    with pytest.raises(RuntimeError, match="address_max"):
        syncache._address("192.0.2.2")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"seed": "text"}, TypeError),
        ({"seed": b""}, ValueError),
        ({"keys": bytes(16)}, TypeError),
        ({"established_max": -1}, ValueError),
        ({"ts_base": 2**32}, ValueError),
        ({"ts_hz": 0}, ValueError),
        ({"ts_hz": 1_000_001}, ValueError),
    ],
)
def test_constructor_refuses_wrong_arguments(arguments, error):
    """An engine that cannot be is refused, and its Sysctl stays free."""
    sysctl = Sysctl()
    with pytest.raises(error):
        Syncache(sysctl, **arguments)
    assert sysctl is Syncache(sysctl).sysctl


def test_calls_refuse_wrong_arguments(seed):
    """Handles, sizes and tuples are checked before C sees them."""
    syncache = engine(seed)
    syncache.listen(80)
    conn = handshake(syncache, 1.0)[1].conn
    with pytest.raises(ValueError, match="handle"):
        syncache.accepted(conn, -1)
    with pytest.raises(ValueError, match="handle"):
        syncache.opened(conn.four_tuple, 2**64)
    with pytest.raises(ValueError, match="payload_size"):
        syncache.segment(CLIENT[4], SERVER[4], b"", 1.0, payload_size=-1)
    with pytest.raises(ValueError, match="different families"):
        syncache.segment(CLIENT[4], SERVER[6], b"", 1.0)
    with pytest.raises(TypeError):
        syncache.packet("text", 1.0)


def test_md5_key_that_is_text_raises(seed):
    """A key is bytes: nobody guesses an encoding."""
    with pytest.raises(TypeError, match="an MD5 key is bytes, not str"):
        engine(seed).listen(80, md5_keys={CLIENT[4]: "secret"})


def test_rekey_with_what_is_no_keyring_changes_nothing(seed):
    """The engine goes on with the keys that it has."""
    syncache = engine(seed)
    syncache.listen(80)
    keys = syncache.keys
    for wrong in (None, bytes(16)):
        with pytest.raises(TypeError, match="keys is a Keyring"):
            syncache.rekey(wrong)
    assert keys is syncache.keys
    assert Kind.REPLY is syncache.packet(syn().packet(), 1.0).kind


def test_argument_of_another_class_is_named(seed):
    """Not by what it lacks."""
    syncache = engine(seed)
    syncache.listen(80)
    wrongs = ("text", 5, b"", None, object())
    for wrong in wrongs:
        with pytest.raises(TypeError, match="conn is a Conn, not "):
            syncache.accepted(wrong)
        with pytest.raises(TypeError, match="what was sent is a Segment, not "):
            syncache.unsent(wrong)
        with pytest.raises(TypeError, match="what was sent is a Segment, not "):
            syncache.icmp_error(wrong, 1.0)
        with pytest.raises(TypeError, match="is not a Ring"):
            syncache.burst(Ring(1), wrong, 1.0)
    for wrong in wrongs[:3]:
        with pytest.raises(TypeError, match="is not a Ring"):
            syncache.poll(1.0, wrong)
        with pytest.raises(TypeError, match="sysctl is a Sysctl, not "):
            Syncache(wrong)
    assert Kind.REPLY is syncache.packet(syn().packet(), 1.0).kind


@pytest.mark.parametrize("flag", [-1, 7, 10**30, "yes"])
def test_flag_of_the_engine_is_whatever_is_true(seed, flag):
    """As an if takes it."""
    syncache = Syncache(seed=seed, ts_per_tuple=flag)
    syncache.listen(80)
    assert Kind.REPLY is syncache.packet(syn().packet(), 1.0).kind


def test_keyring_of_the_callers_with_short_keys_raises(seed):
    """C reads 16 bytes, so 8 never get there."""

    class Short(Keyring):
        def key(self, epoch, lifetime_ms):
            return b"8 bytes!"

    syncache = engine(seed, keys=Short())
    with pytest.raises(ValueError, match="too small"):
        syncache.packet(b"", 1.0)


def test_accepted_with_another_engines_conn_raises(seed):
    """Endpoints are numbered by their engine; a closed one is still its own."""
    syncache, other = engine(seed), engine(seed)
    endpoint = syncache.listen(80)
    conn = handshake(syncache, 1.0)[1].conn
    other.listen(80)
    before = other.stats
    for ok in (True, False):
        with pytest.raises(ValueError, match="not one of this engine"):
            other.accepted(conn, ok=ok)
    assert before == other.stats
    endpoint.close()
    syncache.accepted(conn, 7)
    assert 1 == syncache.stats.sc_completed


def test_burst_into_its_own_ring_raises(seed):
    """A reply must not become a packet to consume."""
    ring = Ring()
    ring.push(syn().packet())
    with pytest.raises(ValueError, match="a ring of their own"):
        engine(seed).burst(ring, ring, 1.0)
    assert (1, 0) == (len(ring), ring.next)


@pytest.mark.parametrize("names", ["sack", {"sack", "mss"}, ["Scale"]])
def test_unknown_options_of_an_endpoint_are_refused(seed, names):
    """A stack that can do less names what it can do."""
    syncache = engine(seed)
    with pytest.raises(ValueError, match="scale, sack, timestamps"):
        syncache.listen(80, options=names)
    syncache.listen(80, options=["sack"])


@pytest.mark.parametrize(
    ("argument", "legal"),
    [
        ({"options": None}, "a bool or a set"),
        ({"md5_keys": 7}, "md5_keys is a Mapping"),
    ],
)
def test_endpoint_arguments_of_another_kind_are_refused(seed, argument, legal):
    """And nothing is listened on."""
    syncache = engine(seed)
    with pytest.raises(TypeError, match=legal):
        syncache.listen(80, **argument)
    syncache.listen(80)


@pytest.mark.parametrize("data", ["text", None, memoryview(bytes(120))[::2]])
def test_packet_that_is_no_contiguous_buffer_is_refused(seed, data):
    """By one line that says so, for TCP segments too."""
    syncache = engine(seed)
    with pytest.raises(TypeError, match="packets are contiguous bytes, not a "):
        syncache.packet(data, 1.0)
    with pytest.raises(TypeError, match="packets are contiguous bytes, not a "):
        syncache.segment("192.0.2.1", "192.0.2.2", data, 1.0)
    assert syncache.stats == engine(seed).stats


def test_packet_may_lie_in_any_contiguous_buffer(seed):
    """Of items of any size; it may be writable."""
    syncache = engine(seed)
    syncache.listen(80)
    packet = syn().packet()
    for data in (bytearray(packet), memoryview(packet), array("I", packet)):
        assert Kind.REPLY is syncache.packet(data, 1.0).kind


@pytest.mark.parametrize("ok", [2**40, -1, [0]])
def test_accepted_takes_anything_that_is_true(seed, ok):
    """As Python has it."""
    syncache = engine(seed)
    syncache.listen(80)
    ack = syncache.packet(syn().packet(), 1.0).reply.reply(ACK)
    syncache.accepted(syncache.packet(ack.packet(), 1.1).conn, ok=ok)
    assert 1 == syncache.stats.accepts


@pytest.mark.parametrize("names", [(), ("sack",), ("scale", "timestamps")])
def test_syn_ack_offers_the_options_of_its_endpoint(seed, names):
    """MSS, and of the peer's those that the stack behind it can do."""
    syncache = engine(seed)
    syncache.listen(80, options=names)
    verdict = syncache.packet(syn().packet(), 1.0)
    kinds = {type(option).__name__ for option in verdict.reply.options}
    expected = {"scale": "WindowScale", "sack": "SackPermitted"}
    expected["timestamps"] = "Timestamps"
    assert {"Mss", *(expected[name] for name in names)} == kinds - {"Nop"}
