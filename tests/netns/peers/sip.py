"""A download that goes on for as long as somebody wants it to.

    python sip.py '{"host": "198.18.0.2", "port": 80, "path": "/file", "size": 1000}'

prints "begun" when the answer begins; reads `size` bytes for each line on stdin, says
"more" and, when stdin ends, reads the rest and prints the SHA-256 of all of it.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import sys

SECONDS = 60


def main(spec: dict) -> None:
    got = hashlib.sha256()
    server = http.client.HTTPConnection(spec["host"], spec["port"], timeout=SECONDS)
    server.request("GET", spec["path"])
    answer = server.getresponse()
    print("begun", flush=True)
    for _ in sys.stdin:
        got.update(answer.read(spec["size"]))
        assert not answer.isclosed(), "it ended before"
        print("more", flush=True)
    while part := answer.read(1 << 20):
        got.update(part)
    print(got.hexdigest())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
