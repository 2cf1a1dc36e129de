"""Clients one after the other: `crowd.py '{"host": ..., "count": ..., ...}'`.

Each opens a connection of its own, asks for /tiny and reads to the end; `every` is the
time between two of them and `timeout` what each has in all, both in seconds.  Prints
JSON: how many were served, the kinds of the others' errors, and the time each took.
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys
import time

REQUEST = b"GET /tiny HTTP/1.0\r\nHost: tiny\r\n\r\n"


async def visit(host, answer):
    reader, writer = await asyncio.open_connection(host, 80)
    try:
        writer.write(REQUEST)
        return (await reader.read()).endswith(answer)
    finally:
        writer.close()


async def client(spec, number):
    await asyncio.sleep(number * spec["every"])
    start = time.monotonic()
    try:
        whole = visit(spec["host"], spec["answer"].encode())
        right = await asyncio.wait_for(whole, spec["timeout"])
    except (OSError, asyncio.TimeoutError) as error:
        return type(error).__name__, time.monotonic() - start
    return "served" if right else "wrong", time.monotonic() - start


async def main(spec):
    ends = await asyncio.gather(*(client(spec, n) for n in range(spec["count"])))
    kinds = collections.Counter(kind for kind, _ in ends)
    return {"ends": kinds, "seconds": sorted(seconds for _, seconds in ends)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
