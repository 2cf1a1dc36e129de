"""
Window scales that differ from what clients were told: tests/netns/shielded.py.

A server's scale follows from its tcp_rmem: 6 MB make 7, 32 MB make 10.  A proxy answers
before it knows the server's; then every window of the connection means something else
to the client than to the server, unless the proxy rewrites it.
"""

from __future__ import annotations

import hashlib
import os

import pytest
from shielded import Synproxied, shielding, sysctl

RMEM = {7: 6_291_456, 10: 33_554_432}
UPLOAD = os.urandom(20_000_000)
SYN, ACK = 2, 16


def serve_with_scale(made, scale):
    """Have the server's kernel offer this scale from now on."""
    sysctl(made.server, "net.ipv4.tcp_rmem", f'"4096 131072 {RMEM[scale]}"')


def upload(made, name, size=None):
    """Send a file; the SHA-256 of what arrived, and both ends' view of the windows."""
    here, there = made.sniff(made.client, "c0"), made.sniff(made.server, "s0")
    source = made.folder / "upload"
    source.write_bytes(UPLOAD[:size])
    url = f"http://{made.address}/{name}"
    made.curl("-m", "99", "-T", source, url)
    arrived = (made.folder / "root" / name).read_bytes()
    seen = here.segments(), there.segments()
    return hashlib.sha256(arrived).hexdigest(), *(windows(made, s) for s in seen)


def windows(made, segments):
    """Windows in bytes that the server announced, by how much it had acknowledged."""
    theirs = [s for s in segments if s["src"] == [made.address, 80]]
    syn_ack = next(s for s in theirs if s["flags"] & SYN)
    syn = next(s for s in segments if s["flags"] == SYN)
    shift = syn_ack["wscale"] or 0
    return shift, {
        (s["ack"] - syn["seq"]) % 2**32: s["window"] << shift
        for s in theirs
        if not s["flags"] & SYN and s["flags"] & ACK
    }


@pytest.mark.parametrize(("told", "real"), [(7, 10), (10, 7)])
def test_client_sees_the_true_window(tmp_path, told, real):
    """Learned `told`, really `real`: the same bytes at both ends, and whole data."""
    with shielding(tmp_path) as made:
        made.nginx(tiny=b"x")
        made.intercept("--sysctl", "net.inet.tcp.intercept.learn_time=0")
        serve_with_scale(made, told)
        for _ in range(3):  # the server is asked for its options
            made.curl("-m", "99", f"http://{made.address}/tiny")
        serve_with_scale(made, real)
        digest, (client_shift, seen), (server_shift, true) = upload(made, "new")
        made.stop()
    assert hashlib.sha256(UPLOAD).hexdigest() == digest
    assert (told, real) == (client_shift, server_shift)
    both = seen.keys() & true.keys()
    assert len(both) > 20
    # Of two segments with one ACK the last one counts, at each end; and a field cuts
    # off what is less than one unit, or is full.
    unit, most = 1 << max(told, real), 65535 << told
    wrong = [
        (seen[a], true[a]) for a in both if abs(seen[a] - min(true[a], most)) > unit
    ]
    assert len(wrong) <= len(both) // 50, wrong[:5]


def test_nft_synproxy_is_wrong_by_the_difference_of_scales(tmp_path):
    """The kernel in our place, told 7, really 10: windows are eight times too small."""
    with shielding(tmp_path, Synproxied) as made:
        made.nginx(tiny=b"x")
        made.synproxy("mss 1460 wscale 7 timestamp sack-perm")
        serve_with_scale(made, 10)
        # Less than of ours, since it crawls.
        _, (client_shift, seen), (server_shift, true) = upload(made, "new", 5_000_000)
    assert (7, 10) == (client_shift, server_shift)
    both = [a for a in seen.keys() & true.keys() if seen[a]]
    right = [a for a in both if 2 * seen[a] > true[a]]
    eighth = [a for a in both if abs(8 * seen[a] - true[a]) < 8 * 128]
    print(f"{len(both)} windows, {len(eighth)} an eighth, {len(right)} right")
    assert len(eighth) > 0.9 * len(both)
