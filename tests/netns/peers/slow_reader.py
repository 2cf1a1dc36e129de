"""Ask for much and read nothing for a second: `slow_reader.py ADDRESS BYTES`."""

from __future__ import annotations

import socket
import sys
import time


def main(address, size):
    with socket.create_connection((address, 80)) as connection:
        connection.sendall(f"GET /{size} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
