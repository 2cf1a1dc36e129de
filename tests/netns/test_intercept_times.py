"""
Timers that an operator would wait for, all at once: tests/netns/shielded.py four times.

- a server that is silent, and a port that is closed, behind us and behind nft synproxy
- a client that never ACKs, in watch mode, calm and aggressive
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack

import pytest
from namespace import PATIENCE, PEERS
from shielded import ADDRESS, Shielded, Synproxied, shielding

from syncache import Segment

SECONDS = 36
LATE = 4.5  # seconds, if the machine is busy; timers lie further apart
SILENT = """
table ip silent { chain input {
  type filter hook input priority 0; tcp dport 80 drop;
} }
"""
GHOST = "198.18.0.77"
MAC = "02:00:00:00:00:4d"
SYN, RST, ACK = 2, 4, 16
NEIGHBOUR = ("ip", "neigh", "replace", GHOST, "lladdr", MAC, "dev", "s0")
WATCH = ("--mode", "watch", "--sysctl")


def silent(made):
    """The server takes no packet for port 80, and port 81 is closed."""
    rules = made.folder / "silent.nft"
    rules.write_text(SILENT.replace("{ chain", "{\n chain").replace("} }", "}\n}"))
    made.server.run("nft", "-f", rules)
    made.acl.write_text("permit tcp any host 198.18.0.2 range 80 81\n")


def waiting(made, port):
    """A client that connects and waits."""
    words = json.dumps([made.address, port, SECONDS])
    return made.client.start(sys.executable, PEERS / "wait.py", words)


def syn(mac, port):
    """A frame with a SYN to the server behind this address of the link, in hex."""
    packet = Segment(
        src=GHOST,
        dst=ADDRESS[4],
        sport=port,
        dport=80,
        seq=9,
        flags=SYN,
        window=8192,
        options_bytes=bytes.fromhex("020405b4"),
    ).packet()
    addresses = (mac + MAC).replace(":", "")
    return addresses + "0800" + packet.hex()


def ghost(made):
    """A SYN of a client that will never say more; how long ago it was sent."""
    made.server.run(*NEIGHBOUR)
    mac = made.mac("s0")
    (answer,) = made.client.python("frames", ["c0", [syn(mac, 4000)], 1])
    assert bytes.fromhex(answer)[47] == SYN | ACK
    assert 1 == made.half_open()


def said(process):
    """What a program printed."""
    return json.loads(process.communicate(timeout=PATIENCE)[0])


def to_server(made, segments):
    """When SYNs and RSTs came to the server's port 80, from the first SYN on."""
    seen = [s for s in segments if s["dst"] == [made.address, 80]]
    first = next(s["t"] for s in seen if s["flags"] & SYN)
    return [
        (round(s["t"] - first, 1), "SYN" if s["flags"] & SYN else "RST")
        for s in seen
        if s["flags"] & (SYN | RST)
    ]


def near(expected, found):
    """Is each in its time?  Of two on a busy machine one may be a little late."""
    return len(expected) == len(found) and all(
        -0.9 < other - when < LATE for when, other in zip(expected, found, strict=True)
    )


@pytest.mark.slow
def test_timers_are_those_of_the_original(tmp_path):
    """31 s for a silent server, 30 s for a silent client, 15 s in aggressive mode."""
    with ExitStack() as stack:
        ours, theirs, calm, busy = (
            stack.enter_context(shielding(folder(tmp_path, name), kind))
            for name, kind in (
                ("ours", Shielded),
                ("theirs", Synproxied),
                ("calm", Shielded),
                ("busy", Shielded),
            )
        )
        for made in (ours, theirs):
            silent(made)
        ours.intercept("--debug")
        theirs.synproxy()
        for made in (calm, busy):
            made.nginx(tiny=b"x")
        calm.intercept(*WATCH, "net.inet.tcp.intercept.watch_timeout=30")
        low = [f"net.inet.tcp.intercept.max_incomplete.{e}=1" for e in ("low", "high")]
        busy.intercept(*WATCH, low[0], "--sysctl", low[1])
        sniffers = {m: m.sniff(m.server, "s0") for m in (ours, theirs, calm, busy)}
        clients = {
            (m, port): waiting(m, port) for m in (ours, theirs) for port in (80, 81)
        }
        ghost(calm)
        ghost(busy)
        busy.client.start(*second_ghost(busy))
        time.sleep(SECONDS)
        ends = {key: said(client) for key, client in clients.items()}
        seen = {m: to_server(m, s.segments()) for m, s in sniffers.items()}
        left = {m: m.half_open() for m in (calm, busy)}
        lines = ours.stop()
    report(ends, seen, ours, theirs)
    judge_ours(ends, seen, ours, lines)
    # The kernel's proxy asks once, and tells nobody.
    assert ["SYN"] == [what for _, what in seen[theirs]]
    assert "waiting" == ends[theirs, 80]["end"]
    # Watch mode: one RST to the server, and its kernel has forgotten the SYN.
    assert near([30.0], [t for t, what in seen[calm] if what == "RST"])
    assert near([15.0], [t for t, what in seen[busy] if what == "RST"][:1])
    assert {calm: 0, busy: 0} == left


def judge_ours(ends, seen, ours, lines):
    """1, 3, 7, 15 s and a RST at 31 s; a closed port is told at once."""
    assert near([0.0, 1.0, 3.0, 7.0, 15.0], [t for t, _ in seen[ours]])
    end = ends[ours, 80]
    assert "ConnectionResetError" == end["end"]
    assert near([31.0], [end["ended"]])
    closed = ends[ours, 81]
    assert ("ConnectionResetError", True) == (closed["end"], closed["ended"] < LATE)
    assert any("SYNSENT retransmitting too long" in line for line in lines)


def second_ghost(made):
    """The command that sends another client's SYN, which makes it aggressive."""
    words = json.dumps(["c0", [syn(made.mac("s0"), 4001)], 1])
    return sys.executable, PEERS / "frames.py", words


def report(ends, seen, ours, theirs):
    """Side by side, for whoever runs it with -s."""
    for name, made in (("syncache intercept", ours), ("nft synproxy", theirs)):
        print(f"{name}: silent server: to it {seen[made]}, client {ends[made, 80]}")
        print(f"{name}: closed port: client {ends[made, 81]}")


def folder(parent, name):
    """A folder of its own."""
    made = parent / name
    made.mkdir()
    return made
