"""
Other people's asyncio servers, and many clients at once, on our TCP.

    +------------------------- a network namespace --------------------------+
    | clients  198.18.0.1 fd00:18::1 == tun0 == 198.18.0.2 fd00:18::2 server |
    | (kernel TCP)              IP packets                         (our TCP) |
    +------------------------------------------------------------------------+
"""

from __future__ import annotations

import sys

import pytest
from namespace import PEERS, Server
from peers.content import sha256_of
from test_bulk import KERNEL, OURS, Curl

DOWNLOAD_BYTES, UPLOAD_BYTES = 300_000, 400_000
CLIENTS = 500


@pytest.fixture
def curl(namespace, family, tmp_path):
    return Curl(namespace, family, tmp_path)


@pytest.mark.parametrize("app", ["h11", "httptools", "aiohttp"])
def test_http_server_of_others_serves_both_ways(namespace, curl, app):
    """uvicorn with either parser, and aiohttp, see an ordinary transport."""
    server = Server(namespace, tun="tun0", kernel=KERNEL, ours=OURS, app=app)
    assert curl.download(DOWNLOAD_BYTES) == sha256_of(DOWNLOAD_BYTES)
    assert curl.upload(UPLOAD_BYTES) == sha256_of(UPLOAD_BYTES)
    assert server.stop()["log"] == ""


def test_streams_echo_answers_after_the_client_half_closed(namespace):
    """The client's FIN comes first; all of its data still comes back, then ours."""
    server = Server(namespace, tun="tun0", kernel=KERNEL, ours=OURS, app="echo")
    said = namespace.python("half_close", {"address": OURS[0], "bytes": 1_000_000})
    assert said == {"sent": 1_000_000, "echoed": 1_000_000, "equal": True}
    assert server.stop()["log"] == ""


@pytest.mark.parametrize("cookies_only", [0, 1])
def test_500_clients_at_once_are_all_served(namespace, cookies_only):
    """Each connects, asks and checks 10 kB, all within the same moment."""
    server = Server(
        namespace,
        tun="tun0",
        kernel=KERNEL,
        ours=OURS,
        sysctl={
            "net.inet.tcp.syncookies_only": cookies_only,
            "kern.ipc.somaxconn": 1024,
        },
    )
    spec = {"address": OURS[0], "clients": CLIENTS, "size": 10_240, "seconds": 30}
    said = namespace.python("clients", spec)
    assert said == {"served": CLIENTS, "errors": []}
    counted = server.stop()
    assert counted["sc_completed"] + counted["sc_recvcookie"] == CLIENTS


def test_slow_reader_closes_the_window_and_costs_no_memory(namespace):
    """A client that does not read stops the server's writing, not the server."""
    server = Server(namespace, tun="tun0", kernel=KERNEL, ours=OURS)
    words = (sys.executable, PEERS / "slow_reader.py", OURS[0], str(10**9))
    namespace.run(*words)
    said = server.stop()
    assert said["rss_bytes_max"] < 100 * 2**20
    # What the kernel's receive buffer takes, and ours.
    assert 0 < said["poured_bytes"] < 100_000_000
