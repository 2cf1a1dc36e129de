"""
`syncache intercept` as an operator runs it, between kernels: tests/netns/shielded.py.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys

import pytest
from namespace import PATIENCE, PEERS, wait_until
from shielded import ADDRESS, HOST, shielding, sysctl

BULK = os.urandom(1_000_000) * 100


@pytest.fixture
def shielded(tmp_path):
    with shielding(tmp_path) as made:
        yield made


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_bulk_both_ways_arrives_whole(shielded, tmp_path):
    """100 MB down and up, IPv4 and IPv6, through learned options; nothing is lost."""
    shielded.nginx(bulk=BULK, tiny=b"x")
    before = [shielded.us.show(name) for name in ("o0", "i0")]
    shielded.intercept()
    expected = hashlib.sha256(BULK).hexdigest()
    for family in ADDRESS:
        url = f"http://{HOST[family]}"
        for _ in range(2):  # the server's options are learned from the first
            assert "x" == shielded.curl("-m", "99", f"{url}/tiny")
        down = tmp_path / "down"
        shielded.curl("-m", "99", "-o", down, f"{url}/bulk")
        assert expected == sha(down)
        shielded.curl("-m", "99", "-T", tmp_path / "root" / "bulk", f"{url}/up{family}")
        assert expected == sha(tmp_path / "root" / f"up{family}")
    assert [] == shielded.stop()
    assert before == [shielded.us.show(name) for name in ("o0", "i0")]


@pytest.mark.parametrize("mode", ["intercept", "watch"])
def test_super_segments_of_big_tcp_arrive_whole(shielded, tmp_path, mode):
    """Longer than an IP header can say: cut to what one can, nothing is dropped."""
    data = BULK[:20_000_000]
    ends = ((shielded.client, "c0"), (shielded.us, "o0"))
    ends += ((shielded.us, "i0"), (shielded.server, "s0"))
    for where, name in ends:
        where.run(sys.executable, PEERS / "big_tcp.py", name, 180_000)
    shielded.nginx(bulk=data, tiny=b"x")
    shielded.intercept("--mode", mode)
    for family in ADDRESS:
        url = f"http://{HOST[family]}"
        shielded.curl("-m", "99", "-o", tmp_path / "down", f"{url}/bulk")
        assert hashlib.sha256(data).hexdigest() == sha(tmp_path / "down")
        shielded.curl("-m", "99", "-T", tmp_path / "down", f"{url}/up{family}")
        assert sha(tmp_path / "down") == sha(tmp_path / "root" / f"up{family}")
    assert [] == shielded.stop()


def test_short_requests_are_all_answered(shielded):
    """wrk: a connection for each request, hundreds and more, and not one error."""
    shielded.nginx(tiny=b"x")
    minute = "net.inet.tcp.intercept.one_minute"
    limits = (f"{minute}.low=50", "--sysctl", f"{minute}.high=60")
    shielded.intercept("--preset", "intercept-article", "--sysctl", *limits)
    words = ("-t1", "-c20", "-d3", "--timeout", "60", "-H", "Connection: close")
    # With its port: wrk looks "http" up in /etc/services, which may be absent.
    out = shielded.client.run("wrk", *words, f"http://{HOST[4]}:80/tiny")
    print(out)
    requests = int(re.search(r"(\d+) requests in", out)[1])
    assert requests >= 100
    assert "errors" not in out
    assert "Non-2xx" not in out
    lines = shielded.stop()
    assert "%TCP-6-INTERCEPT: getting aggressive, count (" in lines[0]


def test_watch_mode_passes_a_transfer_untouched(shielded, tmp_path):
    """Whatever comes out at one end went in at the other, number for number."""
    shielded.nginx(bulk=BULK[:20_000_000])
    shielded.intercept("--mode", "watch")
    ends = [
        shielded.sniff(shielded.client, "c0"),
        shielded.sniff(shielded.server, "s0"),
    ]
    shielded.curl("-m", "99", "-o", tmp_path / "down", f"http://{HOST[4]}/bulk")
    assert hashlib.sha256(BULK[:20_000_000]).hexdigest() == sha(tmp_path / "down")
    here, there = ([{**segment, "t": 0} for segment in end.segments()] for end in ends)
    assert len(here) > 100
    assert sorted(map(str, here)) == sorted(map(str, there))
    shielded.stop()


def test_connection_outlives_the_process(shielded, tmp_path):
    """Killed in the middle of a download and started again: the download goes on.

    It may have gone on by 2^20 bytes since the last export: 1 MB/s for 0.1 s, and what
    the client's buffer holds.
    """
    body = BULK[:6_000_000]
    shielded.nginx(bulk=body)
    sysctl(shielded.client, "net.ipv4.tcp_rmem", '"4096 131072 400000"')
    state = tmp_path / "state"
    words = ("--state", state, "--state-interval", "0.1")
    shielded.intercept(*words)
    target = tmp_path / "down"
    limit = ("--limit-rate", "1M", "-m", "99", "-o", target)
    curl = shielded.client.start("curl", "-sS", *limit, f"http://{HOST[4]}/bulk")
    wait_until(lambda: target.exists() and target.stat().st_size > 1_500_000)
    before = state.stat().st_mtime_ns
    wait_until(lambda: state.stat().st_mtime_ns > before)
    shielded.process.kill()
    shielded.process.wait()
    assert 0o600 == state.stat().st_mode & 0o777
    shielded.intercept(*words)
    assert shielded.first_line.startswith("1 of 1 connections of ")
    out, error = curl.communicate(timeout=PATIENCE)
    assert (0, "") == (curl.returncode, error), out
    assert hashlib.sha256(body).hexdigest() == sha(target)
    shielded.stop()


def test_tables_are_printed_on_sigusr1(shielded):
    """Connections and statistics, as the original shows them."""
    shielded.nginx(tiny=b"x")
    # So long that none is forgotten before it is shown.
    stays = "net.inet.tcp.intercept.finrst_timeout=600"
    process = shielded.intercept("--sysctl", stays)
    shielded.curl("-m", "99", f"http://{HOST[4]}/tiny")
    lines = []

    def closing():
        # The last FIN may still be under way when the client has its file.
        process.send_signal(signal.SIGUSR1)
        lines[:] = [process.stdout.readline() for _ in range(9)]
        return any("198.18.0.2:80         CLOSING" in line for line in lines)

    wait_until(closing)
    assert "Incomplete:\n" == lines[0]
    assert "intercepting new connections using access-list web\n" == lines[6]
    shielded.stop()
