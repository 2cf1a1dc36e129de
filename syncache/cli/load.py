"""The parts of the demonstration that run as processes of their own.

    python -m syncache.cli.load server SPEC     our TCP on a TUN device
    python -m syncache.cli.load clients SPEC    kernel sockets that fetch and check

SPEC is a JSON object; what they find goes to standard output, one JSON object a line.
Both stamp by the monotonic clock, which processes of one machine share.  The server
ends when its standard input does, so it never outlives the one who started it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import Reason

if TYPE_CHECKING:
    from .. import Stats
    from ..stack import Stack

KERNEL = "198.18.0.1"
OURS = "198.18.0.2"
PORT = 80
BODY_BYTES = 10_240
REQUEST_BYTES = 8
SAMPLE_SECONDS = 0.05
QUEUE = 10_000  # packets; the 500 of a new device are 7 ms of the flood

# Verdicts of a SYN that was looked at, whatever came of it.
OF_SYNS = (
    Reason.REPLY_SYN_ACK,
    Reason.REPLY_SYN_COOKIE,
    Reason.REPLY_DUPSYN,
    Reason.REPLY_OTHER_ISN,
    Reason.DROP_DUPSYN_LIMIT,
    Reason.DROP_CACHE_FULL,
)


def body(request: bytes) -> bytes:
    """Return the answer that a client's request has to get; each has its own."""
    return hashlib.shake_128(request).digest(BODY_BYTES)


class Fetch(asyncio.Protocol):
    """Answers each request with its body; the client closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._got = b""

    def data_received(self, data: bytes) -> None:
        """Answer once the request is complete."""
        self._got += data
        if len(self._got) == REQUEST_BYTES:
            self._transport.write(body(self._got))


def syns_of(stats: Stats) -> int:
    """Count the SYNs that the engine looked at."""
    return sum(stats.verdicts[reason] for reason in OF_SYNS)


def rss_bytes() -> int:
    """Return this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def waited_seconds() -> float:
    """Return how long this thread could have run and had no processor; 0: unknown."""
    try:
        ran_waited_times = Path("/proc/thread-self/schedstat").read_text("ascii")
    except OSError:  # a kernel without CONFIG_SCHED_INFO
        return 0.0
    return int(ran_waited_times.split()[1]) / 1e9


def sample(stack: Stack) -> dict[str, Any]:
    """Look at a stack."""
    engine = stack.syncache
    stats = engine.stats
    return {
        "t": time.monotonic(),
        "syns": syns_of(stats),
        "syn_acks": stats.sndacks - stats.challenge_acks,
        "half_open": engine.sysctl["net.inet.tcp.syncache.count"],
        "evicted": stats.evicted,
        "pauses": stats.pauses,
        "rss": rss_bytes(),
        "waited": waited_seconds(),
    }


async def serve(spec: dict[str, Any]) -> None:
    """Serve until standard input ends, and report the events."""
    from .. import Sysctl
    from ..aio import Host
    from ..links.tun import Tun

    link = Tun(spec["tun"], [f"{KERNEL}/24"], queue=QUEUE)
    async with Host(link, OURS, sysctl=Sysctl(spec["sysctl"])) as host:
        await host.create_server(Fetch, PORT)
        tell({"cache_bytes": host.stack.syncache.memory_bytes})
        over = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)
        while not over.is_set():
            tell(sample(host.stack))
            await asyncio.sleep(SAMPLE_SECONDS)


async def fetch(number: int, spec: dict[str, Any]) -> dict[str, Any]:
    """Be one client; report its outcome."""
    await asyncio.sleep(number * spec["every"])
    request = number.to_bytes(REQUEST_BYTES, "big")
    start = time.monotonic()
    seen: dict[str, Any] = {"client": number, "start": start, "served": False}

    async def converse() -> None:
        reader, writer = await asyncio.open_connection(OURS, PORT)
        seen["connect_ms"] = (time.monotonic() - start) * 1000
        try:
            writer.write(request)
            seen["served"] = body(request) == await reader.readexactly(BODY_BYTES)
        finally:
            writer.close()

    try:
        await asyncio.wait_for(converse(), spec["timeout"])
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
        seen["error"] = type(error).__name__
    return seen


async def visit(spec: dict[str, Any]) -> None:
    """Let the clients come, one after the other, and tell of each."""
    crowd = [fetch(number, spec) for number in range(spec["clients"])]
    for finished in asyncio.as_completed(crowd):
        tell(await finished)


def tell(what: dict[str, Any]) -> None:
    """Write one line for the one who started us."""
    print(json.dumps(what), flush=True)


def main(role: str, spec: dict[str, Any]) -> int:
    """Play a role; a device that cannot be opened is one line."""
    try:
        asyncio.run(serve(spec) if role == "server" else visit(spec))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
