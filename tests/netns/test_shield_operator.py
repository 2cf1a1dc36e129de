"""What an operator asks of a running shield: counters, settings, metrics, cookies."""

from __future__ import annotations

import json
import os
import sys

import pytest
from namespace import PATIENCE, ROOT
from test_shield import COMMAND, SERVER, Shielded
from test_shield_packets import CLIENT, MAC, sent

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
FETCH = """
import sys, urllib.request
for path in sys.argv[2:]:
    with urllib.request.urlopen(sys.argv[1] + path, timeout=60) as answer:
        print(answer.status, answer.read().decode())
"""


@pytest.fixture
def shielded(wire, tmp_path):
    wire.server.link("mac", "s0", MAC)
    return Shielded(wire, tmp_path)


def ask(shielded, *words):
    """Run a command on the control socket."""
    return shielded.wire.server.run(*COMMAND, *words, "--socket", shielded.path)


def test_counters_of_the_programs_are_seen_by_every_command(shielded):
    """Netstat as text, as JSON and as rates; half-open connections: none."""
    shielded.listen()
    shielded.start("--mode", "always")
    assert 3 == shielded.connect(count=3)["served"]
    text = ask(shielded, "netstat", "-ss")
    assert "shield:\n\t3 syn\n\t3 synack\n" in text
    assert 1 == text.count("\t3 redeemed\n")
    assert 3 == json.loads(ask(shielded, "netstat", "-s", "--json"))["shield_redeemed"]
    assert "redeemed" in ask(shielded, "netstat", "-w", "0.1", "-q", "1")
    assert "SYN_RCVD" not in ask(shielded, "netstat", "-a")
    mode = "net.inet.tcp.syncache.x.shield.mode"
    assert f"{mode}: always\n" == ask(shielded, "sysctl", mode)


def test_metrics_are_given_by_the_process_itself_and_by_the_command(shielded, tmp_path):
    """The same names; the level of a flood is a gauge."""
    shielded.listen()
    shielded.start("--mode", "always", "--metrics", f"{SERVER[4]}:9100")
    assert 2 == shielded.connect(count=2)["served"]
    url = f"http://{SERVER[4]}:9100"
    words = (sys.executable, "-c", FETCH, url, "/metrics", "/health")
    fetched = shielded.wire.client.run(*words)
    assert "200 ok" in fetched
    file = tmp_path / "metrics"
    ask(shielded, "metrics", "--textfile", str(file), "--every", "0")
    for text in (fetched, file.read_text()):
        of = f'{{process="{shielded.path}"}}'
        assert f"syncache_up{of} 1\n" in text
        assert f"syncache_shield_redeemed_total{of} 2\n" in text
        assert f"syncache_syncookies_sent_total{of} 2\n" in text
        assert "# TYPE syncache_shield_flooded gauge\n" in text
        assert f"syncache_shield_services{of} 2\n" in text
    shielded.stop()


def test_metrics_that_cannot_be_had_are_one_line(shielded):
    """And nothing stays attached."""
    server = shielded.wire.server
    for where, message in (
        ("here", "--metrics here: it is ADDR:PORT"),
        ("192.0.2.1:9100", "cannot listen on 192.0.2.1:9100: "),
    ):
        words = [*COMMAND, "shield", "s0", "--port", "80", "--metrics", where]
        process = server.start(*words, cwd=ROOT)
        _, error = process.communicate(timeout=PATIENCE)
        assert 1 == process.returncode
        assert error.startswith(f"syncache shield: {message}")
        assert 1 == error.count("\n")


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("layout", ["wide", "freebsd"])
def test_cookie_of_drawn_keys_is_explained_by_the_process(shielded, family, layout):
    """Its keys are in no file; a number that it has not made is not its own."""
    shielded.listen()
    name = "net.inet.tcp.syncache.x.cookie_layout"
    shielded.start("--mode", "always", "--sysctl", f"{name}={layout}")
    seen = sent(shielded, family)
    ends = ("{}:{}", "[{}]:{}")[family == 6]
    words = [*COMMAND, "cookie", "explain", "--socket", shielded.path]
    words += ["--foreign", ends.format(CLIENT[family], 40_000)]
    words += ["--local", ends.format(SERVER[family], 80)]
    words += ["--seq", str(seen["irs"] + 1)]
    said = shielded.wire.server.run(*words, "--ack", str((seen["iss"] + 1) % 2**32))
    assert f"layout: {layout}\n" in said
    assert "wscale: 7\n" in said
    assert "sack_permitted: yes\n" in said
    process = shielded.wire.server.start(*words, "--ack", str(seen["iss"]))
    out, _ = process.communicate(timeout=PATIENCE)
    assert (1, "not ours") == (process.returncode, out[:8])
