"""SIGHUP while packets flow: a new configuration, and nothing is lost.

The namespaces are those of shielded.py.
"""

from __future__ import annotations

import hashlib
import signal
import subprocess

import pytest
from namespace import PATIENCE
from shielded import Sips, shielding

SIZE = 200_000_000
RELOADS = 100


@pytest.fixture
def shielded(tmp_path):
    with shielding(tmp_path) as made:
        yield made


def test_intercept_reloads_a_hundred_times_during_a_download(shielded, tmp_path):
    """Good and bad files by turns; each is answered by one line of the log."""
    content = bytes(range(256)) * (SIZE // 256)
    shielded.nginx(file=content)
    conf = tmp_path / "box.conf"
    conf.write_text("net.inet.tcp.intercept.connection_timeout=1000\n")
    process = shielded.intercept("--conf", conf)
    download = Sips(shielded.client, shielded.address, "/file", SIZE // 2 // RELOADS)
    shielded.acl.write_text(
        "permit tcp any host 198.18.0.2 eq www 8080\ndeny ipv6 any any\n"
    )
    lines = []
    for number in range(RELOADS):
        good = number % 2 == 0
        seconds = 1000 + number if good else "nonsense"
        conf.write_text(f"net.inet.tcp.intercept.connection_timeout={seconds}\n")
        process.send_signal(signal.SIGHUP)
        lines.append(process.stdout.readline())
        begin = "configuration read again" if good else "configuration not taken: "
        assert lines[-1].startswith(begin)
        download.more()
    assert hashlib.sha256(content).hexdigest() == download.rest()
    shielded.stop()
    assert f"{conf}:1: " in lines[1]


def test_boxes_wait_for_an_interface_that_is_deleted(shielded):
    """With --wait: it comes back, and clients are served as before."""
    shielded.nginx(file=b"content")
    process = shielded.intercept("--wait")
    url = f"http://{shielded.address}/file"
    assert "content" == shielded.curl(url)
    shielded.us.run("ip", "link", "del", "o0")
    said = process.stdout.readline()
    assert said.startswith("o0 is gone: ")
    assert said.endswith("; waiting for o0\n")
    make = f"ip link add c0 type veth peer name o0 netns {shielded.us.pid}"
    up = "ip addr add 198.18.0.1/24 dev c0; ip link set c0 up"
    shielded.client.run("sh", "-c", f"{make}; {up}")
    shielded.us.run("ip", "link", "set", "o0", "up")
    assert "mode between o0 and i0" in process.stdout.readline()
    assert "content" == shielded.curl("--retry", "3", url)
    shielded.stop()


def test_box_goes_on_with_an_interface_that_is_made_anew_at_once(shielded):
    """With --wait, although at no time does anybody see that there is none."""
    process = shielded.intercept("--wait")
    make = "ip link add o0 type veth peer name c1"
    shielded.us.run("sh", "-ec", f"ip link del o0; {make}; ip link set o0 up")
    said = process.stdout.readline()
    assert said.startswith("o0 is gone: ")
    assert said.endswith(("; waiting for o0\n", "; opening o0 and i0 again\n"))
    assert "mode between o0 and i0" in process.stdout.readline()
    shielded.stop()


def test_box_of_another_user_leaves_the_interface_as_it_was(shielded):
    """It dropped everything but what that needs."""
    before = shielded.us.show("o0")
    words = ["serve", "--discard", "--packet", "o0", "--address", "198.18.0.9/24"]
    command = ["python", "-m", "syncache.cli"]
    import sys

    command[0] = sys.executable
    process = shielded.us.start(*command, *words, "--user", "nobody")
    assert process.stdout.readline(), process.communicate()[1]
    status = subprocess.run(
        ["grep", "^Uid", f"/proc/{process.pid}/status"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Uid:\t0\t0" not in status.stdout
    process.terminate()
    assert ("", 0) == (process.communicate(timeout=PATIENCE)[1], process.returncode)
    assert before == shielded.us.show("o0")
