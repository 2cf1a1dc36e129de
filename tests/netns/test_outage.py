"""
What goes wrong while serving: the process dies, the device goes down or away.

    +------------------------- a network namespace --------------------------+
    | curl      198.18.0.1 fd00:18::1 == tun0 == 198.18.0.2 fd00:18::2 server |
    +------------------------------------------------------------------------+
"""

from __future__ import annotations

import signal

import pytest
from namespace import PATIENCE, Server, established, syn_sent, wait_until
from peers.content import sha256_of
from test_bulk import KERNEL, OURS, Curl

SIZE, LONG_SIZE = 10_000, 20_000_000


@pytest.fixture
def curl(namespace, tmp_path):
    return Curl(namespace, 4, tmp_path)


def test_server_killed_in_mid_handshake_and_restarted_serves_at_once(namespace, curl):
    """The SYN that the dead process never answered is answered when it comes again."""
    namespace.link("add", "tun0", *KERNEL)
    first = Server(namespace, tun="tun0", ours=OURS)
    assert curl.download(SIZE) == sha256_of(SIZE)
    # Stopped, the server leaves the SYN in the device's queue, and so it dies.
    first.process.send_signal(signal.SIGSTOP)
    waiting = curl.start(SIZE)
    wait_until(lambda: syn_sent(namespace))
    first.kill()
    second = Server(namespace, tun="tun0", ours=OURS)
    assert curl.download(SIZE) == sha256_of(SIZE)
    assert waiting.communicate(timeout=PATIENCE)[0] == str(SIZE)
    second.stop()


def test_device_set_down_and_up_while_serving_goes_on(namespace, family, tmp_path):
    """Down, packets are lost and one line says so; up, connections go on."""
    curl = Curl(namespace, family, tmp_path)
    server = Server(namespace, tun="tun0", kernel=KERNEL, ours=OURS)
    waiting = curl.start(LONG_SIZE, "--limit-rate", "10M")
    wait_until(lambda: established(namespace))
    namespace.link("down", "tun0")
    namespace.link("up", "tun0")
    assert curl.download(SIZE) == sha256_of(SIZE)
    assert waiting.communicate(timeout=PATIENCE)[0] == str(LONG_SIZE)
    said = server.stop()
    assert said["closed"] is None
    if said["link"]["send_failed"]:
        assert "tun0: not sending: Input/output error; going on" in said["log"]


def test_device_removed_while_serving_ends_the_host_with_one_line(namespace, curl):
    """Nothing can be served any more, and the reason is told once."""
    namespace.link("add", "tun0", *KERNEL)
    server = Server(namespace, tun="tun0", ours=OURS)
    assert curl.download(SIZE) == sha256_of(SIZE)
    namespace.link("remove", "tun0")
    said = server.wait()
    assert said["closed"] == "tun0 is gone: File descriptor in bad state"
    assert said["log"] == said["closed"] + "\n"
