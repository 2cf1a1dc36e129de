"""`--on-exit`: what passes between the interfaces when the box has ended.

The namespaces are those of shielded.py.
"""

from __future__ import annotations

import signal
import sys

import pytest
from namespace import PATIENCE, wait_until
from shielded import ADDRESS, COMMAND, shielding

ECHO = """
import socket, sys
with socket.create_server((sys.argv[1], 80), family=int(sys.argv[2])) as server:
    print("up", flush=True)
    while True:
        made, _ = server.accept()
        made.sendall(b"hello")
        made.close()
"""
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], 80), timeout=float(sys.argv[2])) as made:
    print(made.recv(10).decode())
"""


@pytest.fixture
def shielded(tmp_path):
    with shielding(tmp_path) as made:
        for family, address in ((2, ADDRESS[4]), (10, ADDRESS[6])):
            words = (sys.executable, "-c", ECHO, address, str(family))
            assert "up\n" == made.server.start(*words).stdout.readline()
        yield made


def served(shielded, family, seconds):
    """Whether a client gets its greeting."""
    words = (sys.executable, "-c", ASK, ADDRESS[family], str(seconds))
    process = shielded.client.start(*words)
    return "hello\n" == process.communicate(timeout=PATIENCE)[0]


def box(shielded, command, *words):
    """Start a box and wait for its line."""
    links = ["--outside", "o0", "--inside", "i0"]
    if command == "intercept":
        links += ["--list", shielded.acl]
    process = shielded.us.start(*COMMAND[:-1], command, *links, *words)
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return process


def state(shielded):
    """What a box could have left on its interfaces."""
    words = "tc qdisc show; tc filter show dev o0 ingress; ip link | grep PROMISC; :"
    return shielded.us.run("sh", "-c", words)


@pytest.mark.parametrize("command", ["intercept", "inspect"])
def test_bypass_passes_everything_however_the_box_ended_until_the_next(
    shielded, command
):
    """In order, by a kill; the next box takes over, and leaves things as they were."""
    before = state(shielded)
    for end in (signal.SIGTERM, signal.SIGKILL):
        process = box(shielded, command, "--on-exit", "bypass")
        assert served(shielded, 4, 20)
        process.send_signal(end)
        process.communicate(timeout=PATIENCE)
        assert served(shielded, 4, 20)
        assert served(shielded, 6, 20)
    process = box(shielded, command)
    assert served(shielded, 6, 20)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert before == state(shielded)
    assert not served(shielded, 4, 1)


def test_block_passes_nothing_although_the_kernel_would_forward(shielded):
    """And a box that starts again serves."""
    shielded.us.run(
        "sh",
        "-c",
        "ip link add br0 type bridge && ip link set br0 up && "
        "ip link set o0 master br0 && ip link set i0 master br0",
    )
    wait_until(lambda: served(shielded, 4, 1))
    process = box(shielded, "intercept", "--on-exit", "block")
    assert served(shielded, 4, 20)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert not served(shielded, 4, 1)
    assert not served(shielded, 6, 1)
    process = box(shielded, "intercept")
    assert served(shielded, 4, 20)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    wait_until(lambda: served(shielded, 4, 1))
