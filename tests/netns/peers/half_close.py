"""Send, half-close, then read until the end: `half_close.py JSON`."""

from __future__ import annotations

import asyncio
import json
import sys

from content import chunks


async def main(spec):
    reader, writer = await asyncio.open_connection(spec["address"], 80)
    sent = b"".join(chunks(spec["bytes"]))
    echoed = asyncio.ensure_future(reader.read(-1))
    writer.write(sent)
    writer.write_eof()
    answer = await asyncio.wait_for(echoed, 30)
    writer.close()
    said = {"sent": len(sent), "echoed": len(answer), "equal": sent == answer}
    print(json.dumps(said))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
