"""RFC 6298, with FreeBSD's limits."""

from __future__ import annotations

from syncache.tcp.rto import RETRANSMISSIONS_MAX, RetransmissionTimeout


def timeout():
    return RetransmissionTimeout(1000, (30, 64000), 200)


def test_first_sample_sets_mean_and_variance():
    """RFC 6298 2.2: RTO = R + 4 * R/2, and the slop."""
    rto = timeout()
    assert 1000 == rto.timeout_ms
    rto.sample(100)
    assert (100.0, 50.0) == (rto.srtt_ms, rto.rttvar_ms)
    assert 300 + 200 == rto.timeout_ms


def test_later_samples_are_smoothed():
    """RFC 6298 2.3: an eighth and a quarter."""
    rto = timeout()
    rto.sample(100)
    rto.sample(140)
    assert (105.0, 47.5) == (rto.srtt_ms, rto.rttvar_ms)


def test_timeout_is_never_below_the_minimum():
    """A round trip of nothing still waits for rexmit_min and the slop."""
    rto = timeout()
    for _ in range(100):
        rto.sample(0)
    assert 30 + 200 == rto.timeout_ms


def test_back_off_doubles_up_to_the_maximum_and_ends():
    """RFC 6298 5.5; R2 after twelve."""
    rto = timeout()
    waits = []
    while rto.back_off():
        waits.append(rto.timeout_ms)
    assert [2000, 4000, 8000, 16000, 32000, 64000, 64000] == waits[:7]
    assert RETRANSMISSIONS_MAX == len(waits)


def test_progress_ends_the_back_off():
    """What is acknowledged shows that the path works."""
    rto = timeout()
    rto.back_off()
    rto.progress()
    assert 1000 == rto.timeout_ms
