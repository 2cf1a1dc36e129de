"""Three namespaces in a row for the tests of `syncache intercept`.

+---- client ----+        +------------ us ------------+        +---- server ---+
| curl wrk    c0 ========== o0   syncache intercept  i0 ========== s0     nginx |
+----------------+        +----------------------------+        +---------------+
 198.18.0.1  fd00:18::1                                    198.18.0.2  fd00:18::2
"""

from __future__ import annotations

import atexit
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from namespace import PATIENCE, PEERS, Namespace, wait_until

COMMAND = [sys.executable, "-m", "syncache.cli", "intercept"]
ADDRESS = {4: "198.18.0.2", 6: "fd00:18::2"}
HOST = {4: "198.18.0.2", 6: "[fd00:18::2]"}
CLIENT = {4: "198.18.0.1", 6: "fd00:18::1"}
SPOOFED = "10.0.0.0/8"
NGINX = """
user root; daemon off; master_process off;
error_log stderr error; pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/tmp; sendfile on; tcp_nopush on;
  client_max_body_size 0; keepalive_requests 1000000; client_body_buffer_size 1m;
  server {{
    listen 80 backlog=4096; listen [::]:80 backlog=4096; root {folder}/root;
    dav_methods PUT;
  }}
}}
"""


HARDWARE = """
import fcntl, socket
name = b"{}".ljust(40, b"\\0")
answer = fcntl.ioctl(socket.socket(), 0x8927, name)  # SIOCGIFHWADDR
print(answer[18:24].hex(":"))
"""


def sysctl(namespace, name, value):
    """Set a tunable of a namespace's kernel."""
    path = "/proc/sys/" + name.replace(".", "/")
    namespace.run("sh", "-c", f"echo {value} > {path}")


def hardware(namespace, name):
    """The hardware address of an interface."""
    return namespace.run(sys.executable, "-c", HARDWARE.format(name)).strip()


def _ip(namespace, *commands):
    """Run commands of ip(8) in one process."""
    namespace.run("sh", "-c", " && ".join(f"ip {words}" for words in commands))


def _pair(names, other):
    """The command that lays a veth pair to another namespace."""
    name, peer = names
    # Numbers that differ, as in peers/link.py: news of the carrier comes at once.
    pair = f"link add {name} index 1000 type veth peer name {peer}"
    return (f"{pair} netns {other.pid}",)


def _up(name, addresses):
    """The commands that give an interface its addresses."""
    return (
        f"addr add {addresses[4]}/24 dev {name}",
        f"addr add {addresses[6]}/64 dev {name} nodad",
        f"link set {name} up",
        "link set lo up",
    )


class Shielded:
    """Client, us, server; `acl` is a file that protects port 80 of the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client, self.us, self.server = Namespace(), Namespace(), Namespace()
        inside, outside = ("s0", "i0"), ("c0", "o0")
        _ip(self.client, *_pair(outside, self.us), *_up("c0", CLIENT))
        _ip(self.server, *_pair(inside, self.us), *_up("s0", ADDRESS))
        _ip(self.us, "link set o0 up", "link set i0 up")
        self.client.ask_long("c0")
        self.server.ask_long("s0")
        self.acl = folder / "web.acl"
        self.acl.write_text(
            "permit tcp any host 198.18.0.2 eq www\n"
            "permit tcp any host fd00:18::2 eq www\n"
        )
        self.address = ADDRESS[4]
        self.process = None
        self.first_line = ""

    def intercept(self, *words):
        """Start `syncache intercept` and wait for its line."""
        links = ["--outside", "o0", "--inside", "i0", "--list", self.acl]
        self.process = self.us.start(*COMMAND, *links, *words)
        self.first_line = self.process.stdout.readline()
        assert self.first_line, self.process.communicate()[1]
        return self.process

    def stop(self):
        """End it as Ctrl-C does; the lines it printed after the first."""
        self.process.send_signal(signal.SIGINT)
        out, error = self.process.communicate(timeout=PATIENCE)
        assert (0, "") == (self.process.returncode, error)
        return out.splitlines()

    def nginx(self, **files):
        """Serve files of these sizes, and take uploads; ready when this returns."""
        root = self.folder / "root"
        for folder in (root, self.folder / "tmp"):
            folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (root / name).write_bytes(content)
        conf = self.folder / "nginx.conf"
        conf.write_text(NGINX.format(folder=self.folder))
        process = self.server.start("nginx", "-c", conf, "-p", self.folder)
        wait_until(lambda: self.listens(process))
        return process

    def listens(self, process):
        """Is there a listener on port 80 (0x50) of the server?"""
        assert process.poll() is None, process.communicate()[1]
        return ":0050 " in self.server.run("cat", "/proc/net/tcp")

    def sniff(self, namespace, name, port=80):
        """Begin to watch an interface; `Sniffer.segments()` ends it."""
        words = json.dumps([name, port])
        return Sniffer(
            namespace.start(sys.executable, PEERS / "sniff.py", words, stdin=-1)
        )

    def mac(self, name):
        """The hardware address of an interface of the server's."""
        return hardware(self.server, name)

    def half_open(self):
        """Connections in SYN-RECV (state 03) of the server's kernel."""
        return sum(
            line.split()[3] == "03"
            for name in ("tcp", "tcp6")
            for line in self.server.run("cat", f"/proc/net/{name}").splitlines()[1:]
        )

    def curl(self, *words, seconds=PATIENCE):
        """Run curl in the client's namespace."""
        return self.client.run("curl", "-sS", "--fail", *words, seconds=seconds)

    def close(self):
        """End everything."""
        for namespace in (self.client, self.us, self.server):
            namespace.close()


class Sniffer:
    """A running peers/sniff.py."""

    def __init__(self, process) -> None:
        self._process = process
        assert process.stdout.readline() == "ready\n", process.communicate()[1]

    def segments(self):
        """End it; what it saw."""
        return json.loads(self._process.communicate("")[0])


class Sips:
    """A running peers/sip.py: a download that ends when it is told to."""

    def __init__(self, namespace, host, path, size, port=80) -> None:
        spec = {"host": host, "port": port, "path": path, "size": size}
        words = (sys.executable, PEERS / "sip.py", json.dumps(spec))
        self._process = namespace.start(*words, stdin=subprocess.PIPE)
        self._expect("begun\n")

    def _expect(self, line):
        assert line == self._process.stdout.readline(), self._process.communicate()[1]

    def more(self):
        """Take `size` bytes more of it."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._expect("more\n")

    def rest(self):
        """Take the rest; the SHA-256 of all that came."""
        out, error = self._process.communicate(timeout=PATIENCE)
        assert 0 == self._process.returncode, error
        return out.strip()


SYNPROXY = """
table ip shield {{
  chain raw {{
    type filter hook prerouting priority raw;
    iifname "o0" tcp flags syn / fin,syn,rst,ack notrack
  }}
  chain forward {{
    type filter hook forward priority filter;
    iifname "o0" tcp dport 80-90 ct state invalid,untracked synproxy {options}
    ct state invalid drop
  }}
}}
"""


class Synproxied(Shielded):
    """The same with the kernel in our place: routing, and nft synproxy; IPv4 only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        _ip(
            self.us,
            "addr add 198.18.0.254/24 dev o0",
            "addr add 198.18.1.254/24 dev i0",
        )
        _ip(self.client, "route add 198.18.1.0/24 via 198.18.0.254")
        _ip(
            self.server,
            "addr flush dev s0",
            "addr add 198.18.1.2/24 dev s0",
            "route add default via 198.18.1.254",
        )
        sysctl(self.us, "net.ipv4.ip_forward", 1)
        self.address = "198.18.1.2"

    def synproxy(self, options="mss 1460 wscale 7 timestamp sack-perm"):
        """Begin to proxy; the operator has to say what the server offers."""
        rules = self.folder / "synproxy.nft"
        rules.write_text(SYNPROXY.format(options=options))
        self.us.run("nft", "-f", rules)
        sysctl(self.us, "net.netfilter.nf_conntrack_tcp_loose", 0)


@cache
def build(source, *flags):
    """Compile a C program of ours, once for all tests of this process."""
    folder = tempfile.mkdtemp(prefix="programs-")
    atexit.register(shutil.rmtree, folder)
    target = Path(folder) / Path(source).stem
    subprocess.run(
        ["cc", "-O2", "-Wall", *flags, "-o", target, source],
        check=True,
        timeout=PATIENCE,
    )
    return target


@contextmanager
def shielding(folder, kind=Shielded):
    """Make the three namespaces, and end them however the test does."""
    try:
        made = kind(folder)
    except OSError as error:
        pytest.fail(str(error), pytrace=False)
    try:
        yield made
    finally:
        made.close()
