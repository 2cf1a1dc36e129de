"""How long a box holds packets up while its sessions are shown to somebody.

    python tests/tools/show_pause.py [--sessions 262144] [--repeats 5]

An `Intercept` and an `Inspection` have so many sessions.  Asked are those of `syncache
show` over the control socket, which the packet loop serves a step at a time, and the
tables of SIGUSR1, which it makes a part at a time.  Printed are the steps, and the
processor time of this thread in the median and the longest of them, so that other
processes do not count; of the longest the least of the repeats, since an interrupt
counts too.  Python's garbage is collected as in a command: with a full collection, of
all objects of this program, in the middle of a step the figures would be of that.
"""

from __future__ import annotations

import argparse
import select
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from syncache import Inspection, Intercept, Segment, Side, Sysctl, flow_session, ios
from syncache import flow_state as state
from syncache.acl import AccessList, permit
from syncache.cli.collector import Collector
from syncache.cli.intercept import ROWS_A_PART
from syncache.control import FlowControl
from syncache.control_socket import ControlSocket
from syncache.ios import inspect as ios_inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SYN, ACK = 2, 16
CLIENT, SERVER = "10.0.0.0", "198.51.100.1"


def intercept(sessions: int) -> Intercept:
    """Return an engine with established connections: one, in a state many times."""
    rules = AccessList("100", [permit(dport=80)])
    one, many = Intercept(acl=rules, seed=b"1"), Intercept(acl=rules, seed=b"2")
    ends = {"src": CLIENT, "dst": SERVER, "sport": 40_000, "dport": 80}
    back = {"src": SERVER, "dst": CLIENT, "sport": 80, "dport": 40_000}
    one.receive(Segment(**ends, seq=1, flags=SYN).packet(), Side.CLIENT, 1.0)
    ((_, answer),) = one.packets_to_send(1.0)
    ack = Segment.parse(answer).seq + 1
    ack_of = Segment(**ends, seq=2, ack=ack, flags=ACK, window=9000).packet()
    one.receive(ack_of, Side.CLIENT, 1.0)
    syn_ack = Segment(**back, seq=1, ack=2, flags=SYN | ACK, window=9000).packet()
    one.receive(syn_ack, Side.SERVER, 1.0)
    row = state.unpack(one.export_state(1.0))
    before, after = row.split(socket.inet_aton(CLIENT), 1)
    rows = (before + struct.pack(">I", 10 << 24 | n) + after for n in range(sessions))
    assert (sessions, sessions) == many.import_state(state.pack(b"".join(rows)), 1.0)
    return many


def inspection(sessions: int) -> Inspection:
    """Return an engine with UDP sessions."""
    tunables = ("max_incomplete.high", "max_incomplete.low")
    engine = Inspection(Sysctl({f"net.inet.inspect.{name}": 0 for name in tunables}))
    for number in range(sessions):
        source = struct.pack(">I", 10 << 24 | number)
        head = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0)
        ends = source + socket.inet_aton(SERVER)
        total = sum(struct.unpack(">10H", head + ends))
        total = (total & 0xFFFF) + (total >> 16)
        head = head[:10] + struct.pack(">H", 0xFFFF - (total & 0xFFFF) - (total >> 16))
        packet = head + ends + struct.pack(">HHHH", 5000, 5001, 8, 0)
        engine.receive(packet, Side.CLIENT, 1.0)
        if number % 1000 == 0:
            engine.packets_to_send(1.0)
    assert sessions == len(engine.sessions())
    return engine


def shown(engine: Intercept | Inspection, folder: Path) -> Iterator[Callable[[], None]]:
    """Yield the turns of the control socket while another thread reads its answer."""
    path = folder / "control"
    served = ControlSocket(str(path), FlowControl(engine, lambda: 1.0))
    done = threading.Event()

    def ask() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b'{"op": "sessions"}\n')
            while (data := sock.recv(1 << 20)) and b'"result"' not in data[-200:]:
                pass
        done.set()

    reader = threading.Thread(target=ask)
    reader.start()
    while not done.is_set():
        if select.select([served], [], [], 0.1)[0]:
            yield served.turn
    reader.join()
    served.close()


def printed(engine: Intercept | Inspection) -> Iterator[Callable[[], None]]:
    """Yield the steps of the tables of SIGUSR1."""
    parts = engine.session_slices(ROWS_A_PART)
    over = False

    def step() -> None:
        nonlocal over
        part = next(parts, None)
        over = part is None
        if part and isinstance(engine, Intercept):
            ios.show_connections(flow_session.read(part), 1.0)
        elif part:
            ios_inspect.show_sessions(flow_session.read(part), engine.rules, 1.0)

    while not over:
        yield step


def measured(steps: Iterator[Callable[[], None]]) -> list[float]:
    """Return the processor time of each step, in milliseconds."""
    found = []
    for step in steps:
        began = time.thread_time_ns()
        step()
        found.append((time.thread_time_ns() - began) / 1e6)
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=262_144)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    for make in (intercept, inspection):
        engine = make(options.sessions)
        collector = Collector()
        collector.begin(0.0)
        with tempfile.TemporaryDirectory() as folder:
            runs = [
                (measured(shown(engine, Path(folder))), measured(printed(engine)))
                for _ in range(options.repeats)
            ]
        collector.end()
        shows, tables = zip(*runs, strict=True)
        for name, column in (("show", shows), ("SIGUSR1", tables)):
            middle = statistics.median(one for run in column for one in run)
            longest = min(max(run) for run in column)
            print(
                f"{make.__name__:10} {name:8} {len(column[0]):6} steps, "
                f"median {middle:.3f} ms, longest {longest:.3f} ms"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
