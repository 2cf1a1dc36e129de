"""The key of a shield changes while a client is between SYN-ACK and ACK.

The client is the kernel's: for it the connection stands, but what it sends is dropped
on its own machine until the next key is in force.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from namespace import PATIENCE, PEERS
from test_shield import SERVER, Shielded

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0, reason="programs of the kernel need root itself"
    ),
    pytest.mark.slow,
]
LIFETIME = "net.inet.tcp.syncache.x.cookie_lifetime"
PERIOD = 4  # seconds
TRIES = 3
NOTHING_BUT_SYN = """
table inet hold {
    chain out {
        type filter hook output priority 0
        tcp flags & syn == 0 drop
    }
}
"""


@contextmanager
def held(shielded, family=4):
    """A client has its SYN-ACK; inside, what it sends is dropped."""
    spec = {"role": "connect", "address": SERVER[family], "port": 80, "hold": True}
    words = (sys.executable, PEERS / "kernel_tcp.py", json.dumps(spec))
    shielded.wire.client.run("nft", NOTHING_BUT_SYN)
    client = shielded.wire.client.start(*words, stdin=subprocess.PIPE)
    assert client.stdout.readline() == "connected\n", client.communicate()[1]
    yield client
    shielded.wire.client.run("nft", "delete table inet hold")


def served(client):
    """Let the client speak; how many were served."""
    out, _ = client.communicate("\n", timeout=PATIENCE)
    return json.loads(out)["served"]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("periods", "expected"), [(1, 1), (2, 0)])
def test_cookie_outlives_one_change_of_the_key(
    tmp_path, wire, family, periods, expected
):
    """Of a key that was drawn; after the second the ACK proves nothing."""
    shielded = Shielded(wire, tmp_path)
    shielded.listen()
    period = PERIOD
    # On a busy machine the next change may come before the client is asked.
    for _ in range(TRIES):
        begin = time.monotonic()
        shielded.start("--mode", "always", "--sysctl", f"{LIFETIME}={period}")
        with held(shielded, family) as client:
            time.sleep((periods + 0.1) * period)
        found = served(client)
        counted = shielded.counters()
        shielded.stop()
        if time.monotonic() - begin < (periods + 1) * period:
            break
        period *= 3
    assert expected == found
    assert (1, expected) == (counted["synack"], counted["redeemed"])
