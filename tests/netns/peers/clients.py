"""Many kernel clients at once: `clients.py JSON`; prints how they fared as JSON.

Each connects, sends GET /N over HTTP and checks every byte of the answer.
"""

from __future__ import annotations

import asyncio
import json
import sys

from content import chunks


async def fetch(address, port, size):
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(f"GET /{size} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        answer = await reader.read(-1)
    finally:
        writer.close()
    body = answer.partition(b"\r\n\r\n")[2]
    if body != b"".join(chunks(size)):
        raise ValueError(f"{len(body)} bytes, not the {size} that were asked for")


async def main(spec):
    tasks = [
        asyncio.wait_for(
            fetch(spec["address"], spec.get("port", 80), spec["size"]), spec["seconds"]
        )
        for _ in range(spec["clients"])
    ]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [repr(result) for result in results if result is not None]
    print(json.dumps({"served": len(results) - len(errors), "errors": errors[:5]}))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
