"""
`syncache inspect` as an operator runs it, between kernels: tests/netns/shielded.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from namespace import PATIENCE, PEERS, wait_until
from shielded import ADDRESS, CLIENT, Shielded, shielding, sysctl

from syncache.alerts import (
    AlertOff,
    AlertOn,
    BlockHost,
    HostAlert,
    SessionStop,
    UnblockHost,
    parse,
)

COMMAND = [sys.executable, "-m", "syncache.cli", "inspect"]
INLINE = ("--outside", "o0", "--inside", "i0")
_I = "net.inet.inspect."
BEYOND = "203.0.113.9"
FLOODED = "198.18.0.2"


def settings(**tunables):
    """Options that set tunables, by their names below net.inet.inspect."""
    names = {name.replace("__", "."): value for name, value in tunables.items()}
    return [w for n, v in names.items() for w in ("--sysctl", f"{_I}{n}={v}")]


class Inspected(Shielded):
    """Client, us, server, and what we say."""

    def inspect(self, *words, links=INLINE):
        """Start `syncache inspect`, as the original was, and wait for its line."""
        self.process = self.us.start(
            *COMMAND, *links, "--preset", "cbac-classic", *words
        )
        self.first_line = self.process.stdout.readline()
        assert self.first_line, self.process.communicate()[1]
        self.heard = []

    def wait_for(self, word):
        """Listen until it has said something."""
        while not self.heard or word not in self.heard[-1]:
            line = self.process.stdout.readline()
            assert line, f"never said {word}"
            self.heard.append(line.rstrip("\n"))

    def tables(self):
        """Have the tables printed, and end it; all lines that it said."""
        self.process.send_signal(signal.SIGUSR1)
        self.wait_for("Last half-open session total")
        return [*self.heard, *self.stop()]

    def spoof(self, kind, count, *, every=0.002, target=FLOODED, port=80, first=0):
        """Begin to send packets of sources that do not exist."""
        spec = {"kind": kind, "count": count, "every": every, "target": target}
        words = json.dumps(spec | {"port": port, "first": first})
        return self.client.start(sys.executable, PEERS / "spoofer.py", words)

    def crowd(self, count, *, every=0.01, timeout=30.0):
        """Visit the server; how the visits ended."""
        spec = {"host": ADDRESS[4], "count": count, "every": every}
        return self.client.python("crowd", spec | {"timeout": timeout, "answer": "x"})[
            "ends"
        ]

    def fails(self, *words):
        """Run a command of the client's that does not succeed; what it printed."""
        process = self.client.start(*words)
        out, error = process.communicate(timeout=PATIENCE)
        assert process.returncode != 0
        return out + error

    def messages(self):
        """End it; what it said, each with its time in seconds."""
        found = []
        for line in [*self.heard, *self.stop()]:
            stamp, _, text = line.partition(" ")
            message = parse(text)
            if message is not None:
                when = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z")
                found.append((when.timestamp(), message))
        return found


@pytest.fixture
def inspected(tmp_path):
    with shielding(tmp_path, Inspected) as made:
        yield made


def finish(process):
    """Wait for a spoofer."""
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
    return json.loads(out)


def only(messages, kind):
    return [(when, m) for when, m in messages if isinstance(m, kind)]


def flooded(made, kind, results):
    """Flood with defaults, then wait until it is calm again."""
    made.inspect()
    finish(made.spoof(kind, 700, every=0.002, port=80 if kind == "syn" else 2000))
    made.wait_for("calming down")
    results[kind] = made.messages()


def blocked_for_a_minute(made, results):
    """Block for block-time 1, try just before and just after."""
    made.nginx(tiny=b"x")
    made.inspect(*settings(tcp__block_time=1))
    finish(made.spoof("syn", 51))
    begin = time.monotonic()
    time.sleep(50)
    made.fails("curl", "-sS", "-m", "1", f"http://{ADDRESS[4]}/tiny")
    time.sleep(max(0.0, begin + 61 - time.monotonic()))
    results["after"] = made.curl("-m", "99", f"http://{ADDRESS[4]}/tiny")
    results["block"] = made.messages()


SLOW = "test_floods_and_a_block_of_real_minutes"


@pytest.fixture(scope="module", autouse=True)
def minutes(request, tmp_path_factory):
    """Three worlds that mostly wait, begun first, so that the other tests fill it.

    Their failures are those of the test that asks for their results.
    """
    worlds, results, ends = [], {}, []
    if not any(item.name == SLOW for item in request.session.items):
        yield None
        return
    runs = {
        "syn": (flooded, ("syn", results)),
        "udp": (flooded, ("udp", results)),
        "block": (blocked_for_a_minute, (results,)),
    }
    with ThreadPoolExecutor(len(runs)) as threads:
        try:
            for name, (run, arguments) in runs.items():
                worlds.append(Inspected(tmp_path_factory.mktemp(name)))
                ends.append(threads.submit(run, worlds[-1], *arguments))
            yield ends, results
        except OSError as error:
            pytest.fail(str(error), pytrace=False)
        finally:
            for world in worlds:
                world.close()


def test_ordinary_traffic_passes_under_default_rules(inspected):
    """curl, dig, ping, and the error of a router on the way, IPv4 and IPv6."""
    inspected.nginx(tiny=b"x")
    dns = inspected.server.start(sys.executable, PEERS / "dns_server.py")
    assert "ready\n" == dns.stdout.readline()
    sysctl(inspected.server, "net.ipv4.ip_forward", 1)
    # A route in a circle: the server is a router on the way to nowhere.
    for namespace, gateway in ((inspected.client, ADDRESS), (inspected.server, CLIENT)):
        words = ("route", "add", f"{BEYOND}/32", "via", gateway[4])
        namespace.run("ip", *words)
    before = [inspected.us.show(name) for name in ("o0", "i0")]
    inspected.inspect("--audit")
    for family, address in ADDRESS.items():
        host = f"[{address}]" if family == 6 else address
        assert "x" == inspected.curl("-m", "99", f"http://{host}/tiny")
        words = ("dig", f"@{address}", "+short", "+time=60", "+tries=1", "example.org")
        assert "192.0.2.7" == inspected.client.run(*words).strip()
        assert " 0% packet loss" in inspected.client.run(
            "ping", "-n", "-c", "2", "-i", "0.2", "-W", "60", address
        )
    error = inspected.fails("ping", "-n", "-c", "1", "-W", "60", "-t", "1", BEYOND)
    assert f"From {ADDRESS[4]} icmp_seq=1 Time to live exceeded" in error
    text = "\n".join(inspected.tables())
    assert "ALERT" not in text
    for protocol in ("tcp", "dns", "icmp"):
        assert f"Start {protocol} session" in text
    assert "icmp SIS_OPEN\n" in text + "\n"
    assert before == [inspected.us.show(name) for name in ("o0", "i0")]


def test_page_of_a_run_is_written_on_request_and_at_the_end(inspected, tmp_path):
    """Who asked whom, how much of it was half-open, and the alert, as in a capture."""
    page = tmp_path / "page.html"
    inspected.nginx(tiny=b"x")
    inspected.inspect("--report", page)
    inspected.client.run("curl", "-sS", f"http://{ADDRESS[4]}/tiny")
    inspected.tables()
    finished = page.read_text()
    assert "Inspection of live traffic" in finished
    assert ADDRESS[4] in finished
    assert "o0" in finished


def test_a_block_holds_to_the_second_and_spares_what_is_established(
    inspected, tmp_path
):
    """51 half-open; six seconds; a transfer that goes on all the time."""
    bulk = os.urandom(9_000_000)
    inspected.nginx(tiny=b"x", bulk=bulk)
    inspected.inspect(*settings(tcp__block_time_s=6))
    url = f"http://{ADDRESS[4]}"
    down = tmp_path / "down"
    words = ("curl", "-sS", "--limit-rate", "1500k", "-o", down, f"{url}/bulk")
    transfer = inspected.client.start(*words)
    wait_until(lambda: down.exists() and down.stat().st_size > 0)
    finish(inspected.spoof("syn", 51))
    assert "timed out" in inspected.fails("curl", "-sS", "-m", "1", f"{url}/tiny")
    # The next SYN of this client comes a second after its first, and again after two.
    assert "x" == inspected.curl("-m", "99", f"{url}/tiny")
    assert transfer.wait(PATIENCE) == 0
    assert hashlib.sha256(bulk).digest() == hashlib.sha256(down.read_bytes()).digest()
    messages = inspected.messages()
    assert [HostAlert, BlockHost, UnblockHost] == [type(m) for _, m in messages]
    (_, alert), (begin, block), (end, _) = messages
    assert (50, FLOODED) == (alert.limit, alert.host)
    assert (6, 50) == (block.seconds, block.limit)
    assert 6 <= end - begin


@pytest.mark.parametrize(("action", "served"), [("cookie", 200), ("drop", 0)])
def test_who_gets_in_during_a_block_while_the_flood_goes_on(inspected, action, served):
    """With cookies everybody, refusing nobody."""
    inspected.nginx(tiny=b"x")
    inspected.inspect(
        *settings(tcp__block_time_s=60, block_action=action, one_minute__high=0)
    )
    flood = inspected.spoof("syn", 500_000, every=0.002)
    inspected.wait_for("BLOCK_HOST")
    clients = 200 if served else 20
    every = 2.0 / clients
    ends = inspected.crowd(clients, every=every, timeout=30.0 if served else 1.5)
    assert flood.poll() is None
    flood.kill()
    assert served == ends.get("served", 0), ends
    assert 1 == len(only(inspected.messages(), BlockHost))


def test_heaviest_evicts_nothing_of_another_server(inspected):
    """20 half-open to .3 survive a flood at .2 that keeps it aggressive."""
    inspected.server.run("ip", "address", "add", "198.18.0.3/24", "dev", "s0")
    limits = {"max_incomplete__low": 80, "max_incomplete__high": 100}
    inspected.inspect(
        *settings(
            **limits,
            one_minute__high=0,
            drop_mode="heaviest",
            tcp__max_incomplete_host=0,
        )
    )
    finish(inspected.spoof("syn", 20, target="198.18.0.3", first=5000))
    finish(inspected.spoof("syn", 600, every=0.001))
    lines = inspected.tables()
    held = [line for line in lines if "SIS_OPENING" in line]
    assert 20 == sum("=>(198.18.0.3:80)" in line for line in held)
    assert 1 == sum("ALERT_ON" in line for line in lines)
    assert 60 <= sum("=>(198.18.0.2:80)" in line for line in held) <= 81


def bridge(made):
    """Let the kernel in the middle be a switch."""
    for words in (
        ("add", "br0", "type", "bridge"),
        ("set", "o0", "master", "br0"),
        ("set", "i0", "master", "br0"),
        ("set", "br0", "up"),
    ):
        made.us.run("ip", "link", *words)


def test_a_tap_counts_alerts_and_resets_beside_the_kernel(inspected):
    """On a port of a switch; the server's half-open entries are reset."""
    inspected.nginx(tiny=b"x")
    bridge(inspected)
    words = settings(tcp__max_incomplete_host=10)
    inspected.inspect("--tap", "i0", "--reset", *words, links=())
    assert "inspecting beside i0\n" == inspected.first_line
    inspected.server.run("ip", "route", "add", "10.0.0.0/8", "via", CLIENT[4])
    assert "x" == inspected.curl("-m", "99", f"http://{ADDRESS[4]}/tiny")
    finish(inspected.spoof("syn", 60, every=0.005))
    wait_until(lambda: 0 < inspected.half_open() <= 10)
    assert "x" == inspected.curl("-m", "99", f"http://{ADDRESS[4]}/tiny")
    messages = inspected.messages()
    assert (10, FLOODED) == (messages[0][1].limit, messages[0][1].host)
    assert [] == only(messages, AlertOn)


def test_a_tap_counts_every_byte_of_big_tcp(inspected, tmp_path):
    """Super-segments that neither a slot nor a block holds; and their FINs are seen."""
    data = os.urandom(1 << 20)
    inspected.nginx(bulk=data)
    bridge(inspected)
    for where, names in (
        (inspected.client, ["c0"]),
        (inspected.us, ["o0", "i0", "br0"]),
        (inspected.server, ["s0"]),
    ):
        for name in names:
            where.run(sys.executable, PEERS / "big_tcp.py", name, 180_000)
    words = ("--audit", *settings(tcp__finwait_time=1))
    inspected.inspect("--tap", "i0", *words, links=())
    for url in (f"http://{ADDRESS[4]}/bulk", f"http://[{ADDRESS[6]}]/bulk") * 2:
        inspected.curl("-m", "99", "-o", tmp_path / "down", url)
        inspected.heard.append("one more")
        inspected.wait_for("Stop tcp session")
    stops = [stop for _, stop in only(inspected.messages(), SessionStop)]
    assert 4 == len(stops)
    for stop in stops:
        assert len(data) <= stop.responder_bytes < len(data) + 200_000


def test_advice_comes_from_an_interface_too(inspected):
    """Two seconds of it; the lines can be loaded."""
    inspected.inspect()
    words = ("--for", "2.5s", "--format", "sysctl")
    out = inspected.us.run(sys.executable, "-m", "syncache.cli", "advise", "i0", *words)
    assert f"{_I}one_minute.high=75" in out.splitlines()
    inspected.stop()


@pytest.mark.slow
def test_floods_and_a_block_of_real_minutes(minutes):
    """Defaults: one ON and one OFF for each flood; a block of 60 seconds."""
    ends, results = minutes
    for end in ends:
        end.result(300)
    for kind in ("syn", "udp"):
        ((on_time, on),) = only(results[kind], AlertOn)
        ((off_time, off),) = only(results[kind], AlertOff)
        assert (500, 501) == (on.high, on.rate)
        assert on.half_open <= 501
        assert 400 == off.low
        assert off.half_open < 400
        assert off.rate < 400
        assert 58 < off_time - on_time
    ((begin, block),) = only(results["block"], BlockHost)
    ((end, _),) = only(results["block"], UnblockHost)
    assert 60 == block.seconds
    assert 60 <= end - begin
    assert "x" == results["after"]
