"""Clients of an echo service, one after the other: `echo_clients.py JSON`.

host, port, count; every: seconds between two; timeout: of each in all; together: all at
once.  Prints JSON: how many got their bytes back, and the seconds that each took to
connect.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time


async def visit(spec, number):
    payload = b"%08d" % number * spec.get("words", 100)
    start = time.monotonic()
    reader, writer = await asyncio.open_connection(spec["host"], spec["port"])
    seconds = time.monotonic() - start
    try:
        writer.write(payload)
        return await reader.readexactly(len(payload)) == payload, seconds
    finally:
        writer.close()


async def client(spec, number):
    await asyncio.sleep(number * spec["every"])
    try:
        return await asyncio.wait_for(visit(spec, number), spec["timeout"])
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        return False, spec["timeout"]


async def main(spec):
    ends = await asyncio.gather(*(client(spec, n) for n in range(spec["count"])))
    return {
        "served": sum(good for good, _ in ends),
        "seconds": sorted(seconds for _, seconds in ends),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
