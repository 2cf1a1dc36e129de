"""syncache/fleet/answer.py: what a server may send, in bytes and in time."""

from __future__ import annotations

import contextlib
import socket
import threading
import tracemalloc

import pytest
import valkey

from syncache.fleet import answer
from syncache.fleet.answer import Allowance, Gauge, gauged
from syncache.fleet.store import Store, StoreError


@pytest.fixture
def liar(tmp_path):
    """A server that answers whatever is asked with what it was given, for ever."""
    made = []

    def make(first, more):
        path = tmp_path / f"liar{len(made)}"
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()

        def lie():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer, contextlib.suppress(OSError):
                    peer.recv(4096)
                    peer.sendall(first)
                    while more:
                        peer.sendall(more)
                    peer.recv(4096)

        thread = threading.Thread(target=lie, daemon=True)
        thread.start()
        made.append((server, thread))
        return f"unix://{path}"

    yield make
    for server, thread in made:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"$536870912\r\n", b"x" * 65536),
        (b"*1000000000\r\n", b"$-1\r\n" * 10000),
        (b"", b"x" * 65536),
        (b"", b"*1\r\n" * 10000),
        (b"", b"*9\r\n$5\r\nabcde\r\n" * 1000),
    ],
    ids=["huge value", "huge list", "line without end", "nested", "lists of lists"],
)
@pytest.mark.parametrize("protocol", [2, 3])
def test_answer_without_end_is_an_error_and_takes_little_memory(
    liar, member_conf, first, more, protocol
):
    """A process that forwards packets keeps its memory."""
    url = f"{liar(first, more)}?protocol={protocol}"
    store = Store(member_conf("edge-1", url))
    tracemalloc.start()
    try:
        for ask in (store.document, lambda: store.wait(0.1)):
            with pytest.raises(StoreError) as caught:
                ask()
            assert "\n" not in str(caught.value)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        store.close()
    assert most < 32 * answer.ANSWER_BYTES_MAX


def test_value_that_is_too_large_says_so(server, member_conf):
    """A real server, in which somebody has put something: it is asked on later."""
    store, client = Store(member_conf("edge-1", server.url)), server.client()
    client.hset("syncache:web:members", "evil", bytes(4_000_000))
    with pytest.raises(StoreError, match="an answer of more than 262144 bytes"):
        store.look(mine=("edge-1", b"x"), sample=4, clock=True)
    client.hdel("syncache:web:members", "evil")
    assert store.look(mine=None, sample=4, clock=True).records == {"edge-1": b"x"}
    store.close()


class Slow:
    """A socket that has a byte each time, and takes a second for it."""

    def __init__(self, clock):
        self.clock = clock

    def sendall(self, data):
        del data

    def recv(self, size):
        del size
        self.clock[0] += 1.0
        return b"x"

    def recv_into(self, buffer):
        buffer[:1] = self.recv(1)
        return 1


@pytest.mark.parametrize("into", [False, True])
def test_answer_that_comes_byte_by_byte_ends(monkeypatch, into):
    """As a whole it has so many seconds; the next request has them again."""
    clock = [100.0]
    monkeypatch.setattr(answer.time, "monotonic", lambda: clock[0])
    sock = Gauge(Slow(clock), Allowance(most=100, seconds=3.0))

    def read():
        return sock.recv_into(bytearray(8)) if into else sock.recv(8)

    for _ in range(2):
        sock.sendall(b"a request")
        for _ in range(4):
            read()
        with pytest.raises(TimeoutError, match="no whole answer within 3 seconds"):
            read()


DENIED = b"-DENIED Valkey is running in protected mode because " + b"x" * 900 + b"\r\n"
FULL = b"-ERR max number of clients reached\r\n"


class Closed:
    """A socket whose other end has said a word and closed."""

    def __init__(self, unread, *, broken):
        self.unread, self.broken = unread, broken

    def sendall(self, data):
        del data
        if self.broken:
            raise BrokenPipeError(32, "Broken pipe")

    def recv(self, size):
        found, self.unread = self.unread[:size], self.unread[size:]
        if not found and self.broken:
            raise ConnectionResetError(104, "Connection reset by peer")
        return found

    def recv_into(self, buffer, *_):
        found = self.recv(len(buffer))
        buffer[: len(found)] = found
        return len(found)


@pytest.mark.parametrize(
    ("said", "words"), [(DENIED, "^DENIED Valkey is"), (FULL, "^ERR max number")]
)
@pytest.mark.parametrize("into", [False, True])
@pytest.mark.parametrize("broken", [False, True])
def test_last_words_of_a_server_are_the_error(said, words, into, broken):
    """While it is written to, and when the end is read after they were."""
    if broken:
        with pytest.raises(ValueError, match=words):
            Gauge(Closed(said, broken=True), Allowance()).sendall(b"x")
    sock = Gauge(Closed(said, broken=broken), Allowance())
    read = (lambda: sock.recv_into(bytearray(999))) if into else lambda: sock.recv(999)
    assert read()
    with pytest.raises(ValueError, match=words):
        read()


@pytest.mark.parametrize("said", [b"+OK\r\n", b"-ERR Unknown subcommand\r\n", b""])
def test_end_without_last_words_is_the_sockets(said):
    """A server that is stopped, also right after it did not know a request."""
    assert b"" == Gauge(Closed(b"", broken=False), Allowance()).recv(9)
    for sock in (Gauge(Closed(said, broken=True), Allowance()) for _ in range(2)):
        with pytest.raises(BrokenPipeError):
            sock.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            sock.recv(99)


@pytest.fixture
def unwilling(tmp_path):
    """A server that tells everybody why it wants nobody, and closes."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "unwilling"))
    server.listen()

    def refuse():
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.sendall(DENIED)

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    yield f"unix://{tmp_path}/unwilling"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.mark.parametrize("protocol", [2, 3])
def test_server_in_protected_mode_is_named_with_the_remedy(
    unwilling, member_conf, protocol
):
    """Whether the client was still writing or not."""
    store = Store(member_conf("edge-1", f"{unwilling}?protocol={protocol}"))
    for _ in range(20):
        with pytest.raises(StoreError, match="in protected mode: set a password"):
            store.document()
    store.close()


def test_everything_else_is_the_sockets():
    """The client sets its times and closes it."""
    made = gauged(valkey.Connection, Allowance())(host="127.0.0.1", port=1)
    with pytest.raises(valkey.ConnectionError):
        made.connect()
    one, other = socket.socketpair()
    with one, other:
        gauge = Gauge(one, Allowance())
        gauge.settimeout(1.5)
        assert (1.5, one.fileno()) == (one.gettimeout(), gauge.fileno())
