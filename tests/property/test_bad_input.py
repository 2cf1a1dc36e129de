"""Fifty thousand bad packets, under sanitizers; `make bad-input` takes millions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from random import Random

import pytest
from bad_input import ROOT, ROUND
from bad_packets import OURS, Source, icmp_error, repaired, with_extension
from levels import share

from syncache import Kind, Reason, Segment, Syncache
from syncache.segment import SYN

pytestmark = pytest.mark.isa

# What only a packet can bring about that got past the parser.
DEEP = {
    "ACCEPT_CACHE",
    "ACCEPT_COOKIE",
    "ACCEPT_FASTOPEN",
    "DROP_MD5",
    "DROP_PAWS",
    "DROP_RST",
    "DROP_ICMP",
    "DROP_SOURCE_ROUTE",
    "PASS_KNOWN",
    "PASS_OFFERED",
    "REPLY_CHALLENGE_ACK",
    "REPLY_DUPSYN",
    "REPLY_OTHER_ISN",
    "REPLY_RST",
    "REPLY_SYN_ACK",
    "REPLY_SYN_COOKIE",
}


@pytest.mark.slow
def test_bad_input_raises_nothing_and_both_doors_agree():
    """Under sanitizers, by packet() and by burst(), with each preset."""
    if shutil.which("cc") is None:
        pytest.fail("no C compiler: apt-get install gcc")
    # Three rounds of each world; at a lower level, one.
    count = str(share(12 * ROUND))
    done = subprocess.run(
        [sys.executable, ROOT / "tests/tools/bad_input.py", "--count", count],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    seen = set(re.findall(r"[A-Z]+_\w+", done.stdout))
    assert set() == DEEP - seen
    assert "no finding" in done.stdout


@pytest.mark.parametrize("own", OURS)
def test_templates_are_good_packets(own, seed):
    """What is spoiled later is right at first, or nothing would be tested."""
    peer = "198.51.100.7" if "." in own else "2001:db8:1::7"
    packet = Segment(src=peer, dst=own, sport=9, dport=80, flags=SYN).packet()
    engine = Syncache(seed=seed)
    engine.listen(80)
    spoiled = packet[:-1] + bytes([packet[-1] ^ 1])
    assert Reason.DROP_CHECKSUM is engine.packet(spoiled, 1.0).reason
    assert Kind.REPLY is engine.packet(with_extension(packet, 60), 1.0).kind
    assert Kind.REPLY is engine.packet(repaired(spoiled), 1.0).kind
    quoted = engine.packet(packet, 1.0).reply.packet()
    error = icmp_error(quoted, 3 if "." in own else 1, 1, 0)
    assert Reason.DROP_ICMP is engine.packet(error, 1.0).reason


def test_same_seed_spoils_the_same_way():
    """A failure can be repeated by its seed."""
    runs = [
        [source.mutate(client.packet()) for client in source.clients(200)]
        for source in (Source(Random(7)), Source(Random(7)))
    ]
    assert runs[0] == runs[1]
