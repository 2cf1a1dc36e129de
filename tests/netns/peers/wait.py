"""One connection that waits: `wait.py '["198.18.0.2", 80, 40]'`.

Connects, sends a line, reads.  Prints JSON: seconds until it was connected, seconds
until it ended, and how: the error's name, "closed", or "waiting" after so many seconds.
"""

from __future__ import annotations

import json
import socket
import sys
import time


def main(address, port, seconds):
    start, connected = time.monotonic(), None
    try:
        with socket.create_connection((address, port), seconds) as sock:
            connected = time.monotonic() - start
            sock.sendall(b"hello\n")
            end = "closed" if sock.recv(100) == b"" else "answered"
    except TimeoutError:
        end = "waiting"
    except OSError as error:
        end = type(error).__name__
    return {"connected": connected, "ended": time.monotonic() - start, "end": end}


if __name__ == "__main__":
    print(json.dumps(main(*json.loads(sys.argv[1]))))
