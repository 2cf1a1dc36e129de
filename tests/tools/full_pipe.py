"""Pipes without room, as a reader who has stopped leaves them."""

from __future__ import annotations

import os


def fill(descriptor: int) -> None:
    """Fill a pipe to the last byte, then make it block again."""
    os.set_blocking(descriptor, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(descriptor, b"x" * size)
        except BlockingIOError:
            pass
    os.set_blocking(descriptor, True)
