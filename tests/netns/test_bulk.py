"""
Bulk data between curl and our TCP, every byte accounted for by SHA-256.

    +------------------------- a network namespace --------------------------+
    | curl  198.18.0.1 fd00:18::1 == tun0 == 198.18.0.2 fd00:18::2 server.py |
    | (kernel TCP)              IP packets                         (our TCP) |
    +------------------------------------------------------------------------+

100 MB each way; SYNCACHE_BULK_MB chooses another size.  Through the impairing wrapper
it is 5 MB, and no super-segments, so that each loss is that of one ordinary packet.
The throughput is printed: pytest -m netns tests/netns/test_bulk.py -s.
"""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from namespace import Server
from peers.content import chunks, sha256_of

BULK_BYTES = int(os.environ.get("SYNCACHE_BULK_MB", "100")) * 1_000_000
IMPAIRED_BYTES = 5_000_000
KERNEL = ["198.18.0.1/24", "fd00:18::1/64"]
OURS = ["198.18.0.2", "fd00:18::2"]
URL_HOST = {4: "198.18.0.2", 6: "[fd00:18::2]"}
BAD_NETWORK = {"loss": 0.02, "duplicate": 0.01, "reorder": 0.02, "hold": 0.003}

VIA = {
    "cache": {"net.inet.tcp.syncookies": 0},
    "cookie": {"net.inet.tcp.syncookies_only": 1},
}


class Curl:
    """curl in a namespace, the files it reads and writes, and its speed."""

    def __init__(self, namespace, family, directory):
        self.namespace = namespace
        self.url = f"http://{URL_HOST[family]}"
        self.file = directory / "body"
        self.answer = directory / "answer"

    def run(self, *arguments):
        report = "%{json}"
        words = ("curl", "-sS", "--fail", "-m", "100", "-w", report, *arguments)
        said = json.loads(self.namespace.run(*words, seconds=110))
        speed = max(said["speed_download"], said["speed_upload"])
        print(f"{arguments[-1]}: {speed / 1e6:.0f} MB/s")

    def download(self, size):
        """Fetch `size` bytes; their SHA-256."""
        self.run("-o", self.file, f"{self.url}/{size}")
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def start(self, size, *arguments):
        """Begin to fetch; the process, which ends by saying how much came."""
        report = ("-sS", "-m", "99", "-o", os.devnull, "-w", "%{size_download}")
        words = ("curl", *report, *arguments, f"{self.url}/{size}")
        return self.namespace.start(*words)

    def upload(self, size):
        """Send `size` bytes; the SHA-256 that the server computed."""
        with self.file.open("wb") as file:
            file.writelines(chunks(size))
        self.run("-o", self.answer, "-T", self.file, f"{self.url}/upload")
        return self.answer.read_text()


@pytest.fixture
def curl(namespace, family, tmp_path):
    return Curl(namespace, family, tmp_path)


def expect_via(via: str, said: dict, connections: int) -> None:
    """Every connection was made by the cache, or every one by its cookie."""
    expected = {"cache": (connections, 0), "cookie": (0, connections)}[via]
    assert (said["sc_completed"], said["sc_recvcookie"]) == expected


@pytest.mark.parametrize("via", ["cache", "cookie"])
def test_bulk_both_ways_over_tun_arrives_whole(namespace, curl, via):
    """Super-segments both ways, with connections from entries and from cookies."""
    server = Server(namespace, tun="tun0", kernel=KERNEL, ours=OURS, sysctl=VIA[via])
    assert curl.download(BULK_BYTES) == sha256_of(BULK_BYTES)
    assert curl.upload(BULK_BYTES) == sha256_of(BULK_BYTES)
    said = server.stop()
    expect_via(via, said, 2)
    assert (said["link"]["too_large"], said["link"]["send_failed"]) == (0, 0)
    # Fewer packets than MTU-sized ones could be: they were super-segments.
    assert said["link"]["received"] + said["link"]["sent"] < 2 * BULK_BYTES / 4000


@pytest.mark.parametrize("via", ["cache", "cookie"])
def test_bulk_both_ways_through_a_bad_network_arrives_whole(namespace, curl, via):
    """2 % lost, 1 % doubled, 2 % overtaken, in each direction."""
    server = Server(
        namespace,
        tun="tun0",
        kernel=KERNEL,
        ours=OURS,
        sysctl=VIA[via],
        vnet_hdr=False,
        impaired=BAD_NETWORK,
    )
    assert curl.download(IMPAIRED_BYTES) == sha256_of(IMPAIRED_BYTES)
    assert curl.upload(IMPAIRED_BYTES) == sha256_of(IMPAIRED_BYTES)
    said = server.stop()
    expect_via(via, said, 2)
    packets = said["link"]["received"] + said["link"]["sent"]
    assert said["impaired"]["lost"] > 0.01 * packets
    assert said["impaired"]["duplicated"] > 0.005 * packets
    assert said["impaired"]["held_back"] > 0.01 * packets


def test_bulk_without_super_segments_arrives_whole(namespace, curl):
    """Every packet of MTU size goes through Python on its own."""
    size = BULK_BYTES // 5
    server = Server(namespace, tun="tun0", kernel=KERNEL, ours=OURS, vnet_hdr=False)
    assert curl.download(size) == sha256_of(size)
    assert curl.upload(size) == sha256_of(size)
    assert server.stop()["link"]["send_failed"] == 0
