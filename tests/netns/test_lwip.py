"""
lwIP behind our adapter, on a TUN device: csrc/adapters/lwip, tests/netns/lwip/host.c.

    +----------------- a network namespace -----------------+
    | kernel sockets   198.18.0.1 == tun0 == lwIP 198.18.0.2 |
    | spoofed SYNs     fd00:18::1            fd00:18::2      |
    +--------------------------------------------------------+

The source of lwIP is Debian's: every tree in build/lwip is built and tried.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lwip_programs import HOST, NO_TREE, TREES, Programs, compile_all, cost
from namespace import PATIENCE, PEERS
from needs import wanted

RAW, SOCKETS, NETCONN = 7, 8, 9
OURS = ("198.18.0.2", "fd00:18::2")
RATE = 20_000
SECONDS = 100  # unless it is ended

pytestmark = wanted(found=TREES, what=NO_TREE)


@pytest.fixture(scope="module", params=TREES, ids=lambda tree: tree.name)
def programs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Programs:
    """Those of a version of lwIP."""
    return Programs(request.param, tmp_path_factory.mktemp("lwip"))


@pytest.fixture
def shielded(programs: Programs) -> Path:
    """The host with our adapter."""
    return programs.program("host", "tun")


class Host:
    """A running host; `counters` are what it wrote at its end."""

    def __init__(self, namespace, program: Path, *words: str) -> None:
        device = "tap0" if "ethernet" in words else "tun0"
        namespace.link("add", device, "198.18.0.1/24", "fd00:18::1/64")
        self.process = namespace.start(program, *words, stdin=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n", self.end()

    def end(self) -> dict[str, int]:
        """End it; return its counters."""
        out, error = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, error
        pairs = (line.split(": ") for line in out.splitlines() if ": " in line)
        return {name.strip(): int(count) for name, count in pairs}


def visit(namespace, host: str, port: int, **changed) -> int:
    """How many of the clients got back what they sent."""
    spec = {"host": host, "port": port, "count": 10, "every": 0.1, "timeout": 100}
    return namespace.python("echo_clients", spec | changed)["served"]


def flood(namespace, folder: Path) -> subprocess.Popen[str]:
    """SYNs from nowhere for the raw API's port."""
    program = compile_all(folder / "spoof", PEERS / "spoof.c")
    return namespace.start(program, OURS[0], RAW, RATE, SECONDS)


def test_listeners_of_every_api_work_unchanged(namespace, shielded: Path) -> None:
    """Raw, sockets, netconn; both families; whole segments both ways."""
    host = Host(namespace, shielded)
    for port in (RAW, SOCKETS, NETCONN):
        for address in OURS:
            assert visit(namespace, address, port, every=0.01) == 10
    assert visit(namespace, OURS[0], RAW, count=2, words=1000) == 2
    counters = host.end()
    assert counters["ACCEPT_CACHE"] >= 62


def test_replies_find_their_way_on_ethernet(namespace, shielded: Path) -> None:
    """By ARP and ND; a link-local peer is one of its interface's."""
    host = Host(namespace, shielded, "ethernet")
    for address in (*OURS, "fe80::ff:fe00:2%tap0"):
        assert visit(namespace, address, RAW, every=0.01, words=500) == 10
    assert host.end()["ACCEPT_CACHE"] >= 30


def test_options_in_two_buffers_are_read(namespace, shielded: Path) -> None:
    """As a driver with small buffers gives them; the ACK's options too."""
    host = Host(namespace, shielded, "pieces")
    for address in OURS:
        assert visit(namespace, address, RAW, every=0.01, words=500) == 10
    assert host.end()["ACCEPT_CACHE"] >= 20


CASES = [
    "data_in_one_buffer",
    "data_in_a_borrowed_buffer",
    "data_behind_cut_options",
    "data_in_a_second_buffer",
    "syn_ack_has_lwips_options",
    "syn_ack_leaves_by_the_syns_interface",
    "syn_ack_is_repeated_by_its_way",
    "link_local_peer_is_answered_again",
    "syn_ack_without_a_way_is_dropped",
    "memory_is_what_it_was",
    "full_backlog_is_offered_again",
    "flooded_client_comes_in_by_its_cookie",
    "stray_data_in_a_flood_is_not_refused",
    "fin_of_time_wait_is_acknowledged",
    "checksums_by_the_interface",
    "client_of_the_same_lwip",
    "without_an_engine_lwip_serves",
]


@pytest.mark.parametrize("family", ["4", "6"])
@pytest.mark.parametrize("case", CASES)
def test_adapter_keeps_its_contract(programs: Programs, case: str, family: str) -> None:
    """Packet by packet, with two interfaces: tests/netns/lwip/adapter.c."""
    words = [programs.cases(), case, family]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=9)
    assert ("", 0) == (done.stdout + done.stderr, done.returncode)


def test_every_case_of_the_adapter_is_run(programs: Programs) -> None:
    """The program names them if it is given none."""
    words = [programs.cases()]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=9)
    assert done.stdout.split() == CASES


MSS = """
import socket, sys
for host in sys.argv[1:]:
    one = socket.create_connection((host, 7), 100)
    print(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
    one.sendall(bytes(2000))
    got = 0
    while got < 2000:
        got += len(one.recv(2000)) or sys.exit("closed")
"""


def test_mss_is_that_of_the_segments_interface(namespace, shielded: Path) -> None:
    """The one that came first to the port decides nothing; 12 bytes are timestamps."""
    host = Host(namespace, shielded)
    narrow, sizes = "198.18.0.3", {OURS[0]: 1448, OURS[1]: 1428, "198.18.0.3": 524}
    asked = [narrow, *OURS, narrow, OURS[0]]
    told = namespace.run(sys.executable, "-c", MSS, *asked).split()
    assert [sizes[one] for one in asked] == [int(size) for size in told]
    assert host.end()["ACCEPT_CACHE"] >= 5


NO_API = "NO_SYS LWIP_SOCKET=0 LWIP_NETCONN=0"
OPTIONS = [
    NO_API,
    f"{NO_API} LWIP_SINGLE_NETIF TCP_LISTEN_BACKLOG",
    "LWIP_IPV4=0 LWIP_IPV6 LWIP_SOCKET=0 LWIP_NETCONN=0",
    "LWIP_IPV6",
    "LWIP_TCP_TIMESTAMPS LWIP_WND_SCALE TCP_RCV_SCALE=3 LWIP_TCP_SACK_OUT",
    "LWIP_ALTCP LWIP_CHECKSUM_CTRL_PER_NETIF LWIP_NETIF_TX_SINGLE_PBUF",
    "LWIP_SOCKET=0 LWIP_NETCONN=0 LWIP_CALLBACK_API=0 LWIP_EVENT_API",
    "TCP_CALCULATE_EFF_SEND_MSS=0 LWIP_IPV6",
]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_lwip_takes_the_adapter_without_a_warning(
    programs: Programs, tmp_path: Path, options: str
) -> None:
    """One family or none of the threads, and what else an lwipopts.h may say."""
    hook = '#define LWIP_HOOK_FILENAME "syncache_lwip.h"\n'
    (tmp_path / "lwipopts.h").write_text(hook)
    words: list[str | Path] = [f"-D{word}" for word in options.split()]
    words += [f"-I{tmp_path}", *programs.includes[1:3], "-Wall", "-Wextra", "-Werror"]
    words += [place.replace("-I", "-isystem") for place in programs.includes[3:]]
    compile_all(tmp_path / "adapter.o", *words, "-c", programs.adapter)
    hooked = [*words, "-w", "-c", programs.tree / "src/core/tcp_in.c"]
    compile_all(tmp_path / "tcp_in.o", *hooked)


SMALLEST = {"LWIP_IPV6": 0, "NO_SYS": 1, "LWIP_SOCKET": 0, "LWIP_NETCONN": 0}
SMALLEST |= {"LWIP_TCPIP_CORE_LOCKING": 0, "LWIP_WND_SCALE": 0, "TCP_RCV_SCALE": 0}
SMALLEST |= {"LWIP_TCP_SACK_OUT": 0, "LWIP_TCP_TIMESTAMPS": 0, "TCP_LISTEN_BACKLOG": 0}
SMALLEST |= {"LWIP_STATS": 0, "LWIP_STATS_DISPLAY": 0, "MEMP_MEM_MALLOC": 1}
SMALLEST |= {"LWIP_SINGLE_NETIF": 1, "LWIP_NETIF_LOOPBACK": 0, "TCP_MSS": 536}
UNUSUAL = {"LWIP_IPV4": 0, "MEM_LIBC_MALLOC": 0, "MEM_SIZE": 200_000}
UNUSUAL |= {"LWIP_NETIF_TX_SINGLE_PBUF": 1, "LWIP_CHECKSUM_CTRL_PER_NETIF": 0}
UNUSUAL |= {"TCP_CALCULATE_EFF_SEND_MSS": 0, "LWIP_ALTCP": 1, "LWIP_TCP_SACK_OUT": 0}


@pytest.mark.parametrize(("options", "family"), [(SMALLEST, "4"), (UNUSUAL, "6")])
def test_adapter_keeps_its_contract_in_another_lwip(
    programs: Programs, tmp_path: Path, options: dict[str, int], family: str
) -> None:
    """One family, without threads, options of TCP, a backlog, statistics, a pool."""
    lines = [f'#include "{HOST}/lwipopts.h"']
    lines += [f"#undef {name}\n#define {name} {options[name]}" for name in options]
    (tmp_path / "lwipopts.h").write_text("\n".join(lines))
    program = Programs(programs.tree, tmp_path, tmp_path).cases()
    for case in CASES:
        words = [program, case, family]
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, timeout=9
        )
        assert (case, "", 0) == (case, done.stdout + done.stderr, done.returncode)


def test_full_backlog_is_offered_again(namespace, shielded: Path) -> None:
    """Six at once, a backlog of two, and nobody who accepts yet: all are served."""
    host = Host(namespace, shielded)
    assert visit(namespace, OURS[0], NETCONN, count=6, every=0) == 6
    assert host.end()["ACCEPT_CACHE"] > 6


def test_flood_costs_no_client(namespace, shielded: Path, tmp_path: Path) -> None:
    """20,000 spoofed SYNs a second; most come in by a cookie."""
    host = Host(namespace, shielded)
    attack = flood(namespace, tmp_path)
    served = [visit(namespace, address, RAW, count=30) for address in OURS]
    assert attack.poll() is None
    attack.kill()
    counters = host.end()
    assert served == [30, 30]
    assert counters["ACCEPT_COOKIE"] > 0
    assert counters["REPLY_SYN_COOKIE"] > 10_000


def test_flood_without_us_costs_most(
    namespace, programs: Programs, tmp_path: Path
) -> None:
    """The same flood at lwIP alone, so that the test above means something."""
    host = Host(namespace, programs.program("host", "tun", plain=True))
    attack = flood(namespace, tmp_path)
    served = visit(namespace, OURS[0], RAW, every=0.05, timeout=3)
    assert attack.poll() is None
    attack.kill()
    host.end()
    assert served < 5


@wanted(found=shutil.which("valgrind"), what="valgrind: apt-get install valgrind")
@pytest.mark.parametrize("family", [4, 6])
def test_answered_syn_costs_below_five_that_lwip_drops(
    programs: Programs, tmp_path: Path, family: int
) -> None:
    """Reading the SYN and writing the answer, the machine's share, do not count."""
    plain, ours = (
        cost(programs.program("cost", plain=plain), family, tmp_path)
        for plain in (True, False)
    )
    assert 500 < plain < ours < 5 * plain
