"""Network namespaces for tests: commands run in one, and it dies with its keeper.

A namespace has no name and no file: it lives as long as one `sleep` that entered it,
which ends by itself, so nothing is left behind however a test ends.  Without root a
user namespace of our own, one for all, gives the privilege.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from warm import begin, nsenter

LIFETIME_SECONDS = 1800
# Of a test that waits for what comes at once, unless the machine is busy.
PATIENCE = 200.0
ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = Path(__file__).resolve().parent / "peers"


def environment() -> dict[str, str]:
    """Return ours, in which a peer finds the package and `warm`."""
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{PEERS.parent}"}


class Linker:
    """A running peers/link.py for all namespaces of this process, once it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def ask(self, pid: int, words: Sequence[str | int]) -> dict | None:
        """Have an order carried out; AssertionError if that fails."""
        with self._lock:
            if self._process is None:
                self._start()
            print(json.dumps([pid, words]), file=self._process.stdin, flush=True)
            said = json.loads(self._process.stdout.readline())
        assert "error" not in said, said["error"]
        return said["found"]

    def _start(self) -> None:
        words = [sys.executable, PEERS / "link.py"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(words, text=True, env=environment(), **pipes)
        atexit.register(self._process.communicate)  # which ends it


LINKER = Linker()


def _kept(command: list[str]) -> subprocess.Popen[str]:
    """Start a process that keeps the namespaces which a command makes."""
    words = [*command, "sh", "-c", f"echo up; exec sleep {LIFETIME_SECONDS}"]
    try:
        keeper = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        raise OSError("no unshare: apt-get install util-linux") from None
    if keeper.stdout.readline() != "up\n":
        why = keeper.communicate()[1].strip()
        raise OSError(
            f"no network namespaces ({why}): run as root, or allow user "
            "namespaces: sysctl kernel.unprivileged_userns_clone=1"
        )
    return keeper


class Namespace:
    """A network namespace of its own.

    Raises:
        OSError: The machine does not allow it; one line that says what to do.
    """

    # Without root, of the user namespace of all: who is root of one namespace only may
    # not put the other end of a veth pair into another.
    _root: subprocess.Popen[str] | None = None

    def __init__(self) -> None:
        before = []
        if os.geteuid() != 0:
            if Namespace._root is None or Namespace._root.poll() is not None:
                Namespace._root = _kept(["unshare", "--user", "--map-root-user"])
                atexit.register(Namespace._root.communicate)
                atexit.register(Namespace._root.kill)  # handlers run backwards
            before = nsenter(Namespace._root.pid, "user")
        self._keeper = _kept([*before, "unshare", "--net", "--kill-child"])
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *words: str | Path, **options) -> subprocess.Popen[str]:
        """Start a command in here; it is killed with the namespace."""
        process = begin(
            words,
            self.pid,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            text=True,
            env=environment(),
            **options,
        )
        self._processes.append(process)
        return process

    def run(self, *words: str | Path, seconds: float = PATIENCE) -> str:
        """Run a command in here and return its output; AssertionError if it fails."""
        process = self.start(*words)
        try:
            out, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, error = process.communicate()
            error += f"\nstill running after {seconds} s"
        assert process.returncode == 0, f"{words[0]}: {error or out}"
        return out

    def python(self, peer: str, spec: object, seconds: float = PATIENCE) -> dict:
        """Run a program of tests/netns/peers in here; its output is JSON."""
        words = (sys.executable, PEERS / f"{peer}.py", json.dumps(spec))
        return json.loads(self.run(*words, seconds=seconds))

    def link(self, *words: str | int) -> None:
        """Change an interface: peers/link.py."""
        LINKER.ask(self.pid, words)

    def show(self, name: str) -> dict | None:
        """Say what there is to know of an interface; None: there is none."""
        return LINKER.ask(self.pid, ["show", name])

    def join(
        self, name: str, other: Namespace, peer: str, *addresses: str, queues: int = 1
    ) -> None:
        """Lay a veth pair from here to another namespace; ours is up."""
        self.link("veth", name, peer, other.pid, queues, *addresses)

    def ask_long(self, name: str) -> None:
        """Ask for neighbours on an interface for two minutes instead of 3 seconds.

        A forwarder that a busy machine keeps waiting would be taken for nobody.
        """
        places = "/proc/sys/net/ipv[46]/neigh"
        loop = f"for f in {places}/{name}/[mu]cast_solicit; do echo 120 > $f; done"
        self.run("sh", "-ec", loop)

    @property
    def pid(self) -> int:
        """A process in here."""
        return self._keeper.pid

    def end_processes(self) -> None:
        """End what was started in here."""
        while self._processes:
            with self._processes.pop() as process:  # closes its pipes, waits for it
                process.kill()

    def close(self) -> None:
        """End everything that runs in here."""
        self.end_processes()
        with self._keeper:
            self._keeper.kill()


class Wire:
    """Two namespaces and a veth pair between them: c0 of the client, s0 of the server.

    Raises:
        OSError: As Namespace does.
    """

    CLIENT = ("198.18.0.1/24", "fd00:18::1/64")
    SERVER = ("198.18.0.2/24", "fd00:18::2/64")
    OURS = ("198.18.0.2", "fd00:18::2")

    def __init__(self, queues: int = 1) -> None:
        self.client, self.server = Namespace(), Namespace()
        self.client.join("c0", self.server, "s0", *self.CLIENT, queues=queues)
        self.server.link("up", "s0", *self.SERVER)

    def kernel_resets(self) -> int:
        """Count the RSTs that the kernel of the server has sent."""
        lines = self.server.run("cat", "/proc/net/snmp").splitlines()
        names, values = (line.split() for line in lines if line.startswith("Tcp:"))
        return int(values[names.index("OutRsts")])

    def close(self) -> None:
        """End both."""
        self.client.close()
        self.server.close()


class Server:
    """peers/server.py running in a namespace, ready when this returns."""

    def __init__(self, namespace: Namespace, **spec) -> None:
        self.spec = {"app": "http", "port": 80} | spec
        program = PEERS / "server.py"
        self.process = namespace.start(
            sys.executable, program, json.dumps(self.spec), stdin=subprocess.PIPE
        )
        ready = self.process.stdout.readline()
        assert ready == "ready\n", f"{ready}{self.process.communicate()[1]}"

    def stop(self) -> dict:
        """End it in an orderly way; what it says of itself."""
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> dict:
        """Wait until it ends; what it says of itself."""
        assert self.process.wait(PATIENCE) == 0, self.process.stderr.read()
        said = json.loads(self.process.stdout.read())
        return said | {"log": self.process.stderr.read()}

    def kill(self) -> None:
        """End it by SIGKILL."""
        with self.process:
            self.process.kill()


def wait_until(condition, seconds: float = PATIENCE) -> None:
    """Ask again until something is so; AssertionError if it never is."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def listens(path: Path) -> bool:
    """Whether a process takes connections at a path, which is there a moment before."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(path)) == 0


def syn_sent(namespace: Namespace) -> bool:
    """Whether a kernel socket waits for a SYN-ACK."""
    return "02" in _states(namespace)


def established(namespace: Namespace) -> bool:
    """Whether a kernel socket is connected."""
    return "01" in _states(namespace)


def _states(namespace: Namespace) -> set[str]:
    """Return the states of the kernel's sockets, in both families."""
    lines = namespace.run("cat", "/proc/net/tcp", "/proc/net/tcp6").splitlines()
    return {line.split()[3] for line in lines}
