"""
A spoofed flood at a protected port, with us and without us: tests/netns/shielded.py.

The flood is bench/flood.c's: frames from 10/8 at c0, bounded in count and time.  The
server's kernel has tcp_syncookies=0, so that what reaches it costs it something.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import pytest
from namespace import PATIENCE, PEERS, ROOT, wait_until
from shielded import (
    ADDRESS,
    CLIENT,
    COMMAND,
    SPOOFED,
    Shielded,
    build,
    hardware,
    shielding,
    sysctl,
)

RATE = 60_000  # a second, where the machine can
SECONDS = 5
CLIENTS = 100
FILLS = 8_000  # SYNs: twice nginx's backlog
WHOLE_RUN = {"host": ADDRESS[4], "count": CLIENTS, "every": 0.04, "timeout": 30}
COUNTER = f"""
table netdev seen {{
  chain spoofed {{
    type filter hook ingress device "s0" priority -500;
    ip saddr {SPOOFED} counter
  }}
}}
"""


class Flooded(Shielded):
    """Also a flood, its counter at the server's interface, and clients."""

    def prepare(self):
        """Have the flood ready, and the counter count."""
        # Frames of XDP are taken by NAPI, which veth has with GRO; without TSO those
        # of the clients go the same way, through the queue that the flood fills.
        self.us.run("ethtool", "-K", "o0", "gro", "on")
        self.client.run("ethtool", "-K", "c0", "tso", "off")
        flags = ("-pthread", ROOT / "bench" / "flood_bpf.c")
        self.flooder = build(ROOT / "bench" / "flood.c", *flags)
        rules = self.folder / "counter.nft"
        rules.write_text(COUNTER)
        self.server.run("nft", "-f", rules)
        sysctl(self.server, "net.ipv4.tcp_syncookies", 0)
        # Who came before is not let in before others, and answers find their way out.
        sysctl(self.server, "net.ipv4.tcp_no_metrics_save", 1)
        self.server.run("ip", "route", "add", SPOOFED, "via", CLIENT[4])
        # What asks for these addresses is lost in a flood as a SYN is, and is asked
        # three times only.
        for where, name, address, of in (
            (self.client, "c0", ADDRESS[4], (self.server, "s0")),
            (self.server, "s0", CLIENT[4], (self.client, "c0")),
        ):
            words = (address, "dev", name, "lladdr", hardware(*of))
            where.run("ip", "neigh", "replace", *words)

    def flood(self, seconds):
        """Begin to flood port 80 of the server."""
        words = ("c0", self.mac("s0"), ADDRESS[4], 80, RATE, 0, seconds)
        return self.client.start(self.flooder, *words)

    def crowd(self, **spec):
        """Begin to visit the server."""
        words = json.dumps(WHOLE_RUN | {"answer": "x"} | spec)
        return self.client.start(sys.executable, PEERS / "crowd.py", words)

    def spoofed_at_server(self):
        """How many packets of the flood's sources came to the server's interface."""
        words = self.server.run("nft", "list", "table", "netdev", "seen").split()
        return int(words[words.index("packets") + 1])

    def spoofed_half_open(self):
        """How many of the flood's sources the server's kernel waits for."""
        lines = self.server.run("cat", "/proc/net/tcp").splitlines()[1:]
        waiting = [line.split()[2] for line in lines if line.split()[3] == "03"]
        return sum(remote.split(":")[0].endswith("0A") for remote in waiting)


@pytest.fixture(scope="module")
def flooded(tmp_path_factory):
    with shielding(tmp_path_factory.mktemp("flooded"), Flooded) as made:
        made.prepare()
        made.nginx(tiny=b"x")
        yield made


@pytest.fixture(autouse=True)
def alone(flooded):
    """What a test that failed has left must not be in the way of the next."""
    yield
    flooded.us.end_processes()
    flooded.client.end_processes()


def result(process, seconds=PATIENCE):
    """What a program printed."""
    out, error = process.communicate(timeout=seconds)
    assert 0 == process.returncode, error
    return json.loads(out)


def test_flood_reaches_nobody_and_every_client_is_served(flooded):
    """SYNs from nowhere: every client, and no spoofed packet inside."""
    box = flooded.intercept()
    flood = flooded.flood(SECONDS)
    time.sleep(0.3)
    crowd = flooded.crowd()
    waiting = []
    while flood.poll() is None:
        waiting.append(flooded.spoofed_half_open())
        time.sleep(0.3)
    clients, attack = result(crowd), result(flood)
    print(attack, clients["ends"], [round(clients["seconds"][n], 3) for n in (50, 98)])
    assert attack["generated"] > FILLS
    assert {"served": CLIENTS} == clients["ends"]
    assert 0 == flooded.spoofed_at_server()
    assert 0 == max(waiting)
    lines = flooded.stop()
    assert box.returncode == 0
    assert any("getting aggressive, count (" in line for line in lines)
    assert "reason=" in lines[0]


def test_inspect_with_its_defaults_serves_every_client_in_a_flood(flooded):
    """SYNs from nowhere at one server, which learns of fifty of them at a time."""
    words = [*COMMAND[:-1], "inspect", "--outside", "o0", "--inside", "i0"]
    box = flooded.us.start(*words)
    assert box.stdout.readline() == "inspecting between o0 and i0\n"
    flood = flooded.flood(3)
    time.sleep(0.3)
    clients = result(flooded.crowd(count=60))
    attack = result(flood)
    print(attack, clients["ends"], round(clients["seconds"][58], 3))
    assert attack["generated"] > FILLS
    assert {"served": 60} == clients["ends"]
    assert 50 >= flooded.spoofed_half_open()
    box.send_signal(signal.SIGINT)
    out, error = box.communicate(timeout=PATIENCE)
    assert (0, "") == (box.returncode, error)
    assert "HOST_TCP_ALERT_ON" in out


@pytest.mark.parametrize("reader", ["stalled", "gone", "full disk"])
def test_clients_are_served_in_a_flood_although_nobody_takes_the_log(flooded, reader):
    """With a line for every step of every handshake: lines are lost, no client is."""
    words = [*COMMAND, "--outside", "o0", "--inside", "i0", "--list", flooded.acl]
    ends = []
    if reader == "full disk":
        ends = [os.open("/dev/full", os.O_WRONLY)]
    else:
        ends = [*os.pipe()][::-1]
    box = flooded.us.start(*words, "--debug", stdout=ends[0])
    try:
        if reader == "gone":
            os.close(ends.pop())
        # A line for each packet socket, and the heading: both links are open.
        table = ("cat", "/proc/net/packet")
        wait_until(lambda: len(flooded.us.run(*table).splitlines()) >= 3)
        flood = flooded.flood(2.5)
        time.sleep(0.3)
        clients = result(flooded.crowd(count=40))
        attack = result(flood)
        print(reader, attack, clients["ends"], round(clients["seconds"][38], 3))
        assert {"served": 40} == clients["ends"]
        box.terminate()
        error = box.communicate(timeout=PATIENCE)[1]
        assert 0 == box.returncode, error
        assert "lost" in error or "cannot write the log" in error
    finally:
        with box:
            box.kill()
        for end in ends:
            os.close(end)


def test_without_us_the_same_flood_shuts_most_clients_out(flooded):
    """A plain forwarder in our place: the server's queue is full, clients time out.

    The last test of the file, because the server's kernel remembers the flood.
    """
    program = PEERS / "relay.py"
    words = json.dumps(["relay", "o0", "i0", 131_072])
    relay = flooded.us.start(sys.executable, program, words, stdin=-1)
    assert "ready\n" == relay.stdout.readline()
    flood = flooded.flood(60)
    wait_until(lambda: flooded.spoofed_at_server() > FILLS)
    clients = result(flooded.crowd(count=50, every=0.02, timeout=2))
    flood.kill()
    print(clients["ends"])
    assert clients["ends"].get("served", 0) < 25
    relay.communicate("")
