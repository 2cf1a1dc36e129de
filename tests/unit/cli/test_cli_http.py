"""syncache/cli/http.py: files over HTTP/1.1, here on streams of the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import os
import re
import threading
import time
from email.utils import parsedate_to_datetime

import pytest

from syncache.cli import http as files
from syncache.cli.http import FileServer

BODY = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "big.bin").write_bytes(BODY)
    (tmp_path / "root" / "sub" / "a b&c.txt").write_text("hello\n")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "root" / "out").symlink_to(tmp_path / "secret.txt")
    return tmp_path / "root"


def ask(folder, talk, **options):
    """Serve `folder` while `talk(port)` runs in a thread; return what it returns."""

    async def main():
        served = FileServer(folder, **options)
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, contextlib.AsyncExitStack() as stack:
            stack.callback(served.close)
            return await asyncio.to_thread(talk, port)

    return asyncio.run(main())


def request(folder, method, target, **options):
    """Make one request; return status, header fields and body."""

    def talk(port):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.request(method, target, **options)
        reply = client.getresponse()
        body = reply.read()
        client.close()
        return reply.status, dict(reply.getheaders()), body

    return ask(folder, talk)


def raw(folder, data, **options):
    """Send bytes as they are; return all that comes."""

    def talk(port):
        import socket

        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            sock.sendall(data)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    return ask(folder, talk, **options)


def test_get_file_sends_its_bytes(folder):
    """A file comes whole, with its size and kind."""
    status, fields, body = request(folder, "GET", "/big.bin")
    assert (200, BODY) == (status, body)
    assert str(len(BODY)) == fields["content-length"]


def test_get_range_sends_its_part(folder):
    """One byte range is honoured, in each of its three forms."""
    for wanted, expected in [
        ("bytes=5-9", BODY[5:10]),
        (f"bytes={len(BODY) - 3}-", BODY[-3:]),
        ("bytes=-4", BODY[-4:]),
    ]:
        status, fields, body = request(
            folder, "GET", "/big.bin", headers={"Range": wanted}
        )
        assert (206, expected) == (status, body)
        assert fields["content-range"].endswith(f"/{len(BODY)}")


def test_get_range_beyond_end_is_refused(folder):
    """A range that is not there is 416."""
    wanted = {"Range": f"bytes={len(BODY)}-"}
    assert 416 == request(folder, "GET", "/big.bin", headers=wanted)[0]


@pytest.mark.parametrize(
    ("method", "more"),
    [("HEAD", {}), ("GET", {"If-Range": '"tag"'}), ("GET", {"If-Range": "x"})],
)
def test_range_that_does_not_count_is_passed_over(folder, method, more):
    """It is for GET, and of the file that a validator names; we have told none."""
    wanted = {"Range": "bytes=5-9", **more}
    status, fields, body = request(folder, method, "/big.bin", headers=wanted)
    assert (200, str(len(BODY))) == (status, fields["content-length"])
    assert body == (b"" if method == "HEAD" else BODY)


def test_unit_of_a_range_is_of_any_case(folder):
    """RFC 9110 14.1."""
    wanted = {"Range": "Bytes=5-9"}
    assert BODY[5:10] == request(folder, "GET", "/big.bin", headers=wanted)[2]


def test_each_answer_has_its_date(folder):
    """RFC 9110 6.6.1: of all that a server with a clock says but 1xx and 5xx."""
    for line in (b"GET / HTTP/1.1", b"HEAD /sub HTTP/1.1", b"GET /none HTTP/1.1", b"?"):
        data = line + b"\r\nHost: a\r\nConnection: close\r\n\r\n"
        reply = raw(folder, data, wall=lambda: 784111777)
        assert b"\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in reply


def test_date_is_in_english_whatever_the_month():
    """The example of RFC 9110 5.6.7, and each month as a parser reads it."""
    assert "Sun, 06 Nov 1994 08:49:37 GMT" == files.date_of(784111777)
    for seconds in range(0, 370 * 86400, 86400):
        assert seconds == parsedate_to_datetime(files.date_of(seconds)).timestamp()


def test_head_sends_no_body(folder):
    """HEAD has the fields of GET alone."""
    status, fields, body = request(folder, "HEAD", "/big.bin")
    assert (200, b"") == (status, body)
    assert str(len(BODY)) == fields["content-length"]


def test_get_folder_lists_it(folder):
    """A folder is a list of links, escaped; without its slash it redirects."""
    status, fields, _ = request(folder, "GET", "/sub")
    assert (301, "/sub/") == (status, fields["location"])
    _, _, page = request(folder, "GET", "/sub/")
    assert b'href="a%20b%26c.txt"' in page
    assert b"a b&amp;c.txt" in page
    assert b"hello\n" == request(folder, "GET", "/sub/a%20b%26c.txt")[2]


@pytest.mark.parametrize(
    "target", ["/none", "/../secret.txt", "/%2e%2e/secret.txt", "/out", "//etc/passwd"]
)
def test_get_outside_folder_is_not_found(folder, target):
    """Neither dots, nor links, nor slashes lead out."""
    assert 404 == request(folder, "GET", target)[0]


def test_redirect_stays_on_this_host(folder):
    """Two slashes in front would make the first name a host."""
    said = raw(folder, b"GET //sub HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
    assert b"301 " in said.splitlines()[0]
    assert b"location: /sub/" in said.lower().splitlines()


def test_names_that_lead_nowhere_are_not_found(folder):
    """Too long for the system, or links in a circle."""
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    for target in ("/" + "x" * 5000, "/a", "/a/b"):
        assert 404 == request(folder, "GET", target)[0]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_upload_answers_with_its_hash(folder, method):
    """An upload is hashed and stored nowhere."""
    before = sorted(folder.rglob("*"))
    status, _, reply = request(folder, method, "/x", body=BODY)
    expected = f"{hashlib.sha256(BODY).hexdigest()} {len(BODY)}\n"
    assert (200, expected.encode()) == (status, reply)
    assert before == sorted(folder.rglob("*"))


def test_chunked_upload_after_continue_is_hashed(folder):
    """A client that waits for 100 gets it."""
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    end = b"Expect: 100-continue\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    reply = raw(folder, head + end)
    assert hashlib.sha256(b"hello").hexdigest().encode() in reply


def test_connection_is_kept_for_the_next_request(folder):
    """Two requests in one segment get two answers on one connection."""
    one = b"GET /sub/a%20b%26c.txt HTTP/1.1\r\nHost: a\r\n\r\n"
    last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert 2 == raw(folder, one + last).count(b"hello\n")


def test_unknown_method_is_refused(folder):
    """What we do not do is said."""
    status, fields, _ = request(folder, "DELETE", "/big.bin")
    assert (405, "GET, HEAD, PUT, POST") == (status, fields["allow"])


@pytest.mark.parametrize(
    "data", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"x" * 100_000]
)
def test_bad_request_is_answered_and_closed(folder, data):
    """What is no HTTP gets a status and the end."""
    assert raw(folder, data).startswith(b"HTTP/1.1 4")


def test_silent_client_gets_no_answer(folder):
    """A client that closes without a request is forgotten."""

    def talk(port):
        import socket

        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            sock.shutdown(socket.SHUT_WR)
            return sock.recv(100)

    assert b"" == ask(folder, talk)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"GET /big.bin", b"200 OK"),
        (b"GET /sub", b"301 Moved Permanently"),
        (b"GET /none", b"404 Not Found"),
        (b"DELETE /", b"405 Method Not Allowed"),
        (b"GET *", b"400 Bad Request"),
    ],
)
def test_status_line_has_its_words(folder, line, answer):
    """Clients that look for the words behind the number find them."""
    reply = raw(folder, line + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 " + answer + b"\r\n")


def test_continue_and_parse_errors_have_their_words(folder):
    """Also what is said before the answer, and to what is no HTTP."""
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
    end = b"Expect: 100-continue\r\nConnection: close\r\n\r\n"

    def talk(port):
        import socket

        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            sock.sendall(head + end)
            got = sock.recv(65536)
            sock.sendall(b"x")
            return got

    assert ask(folder, talk).startswith(b"HTTP/1.1 100 Continue\r\n")
    assert raw(folder, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize(
    "start", ["http://a", "HTTP://other:8080", "https://[2001:db8::1]:443"]
)
def test_absolute_target_is_its_path(folder, start):
    """A whole URL asks for its path, whatever host it names; none is the root."""
    status, _, body = request(folder, "GET", f"{start}/sub/a%20b%26c.txt?x=http://b/")
    assert (200, b"hello\n") == (status, body)
    for empty in ("", "?x"):
        status, _, page = request(folder, "GET", start + empty)
        assert (200, True) == (status, b"big.bin" in page)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://a/../secret.txt", 404),
        ("http://a//etc/passwd", 404),
        ("http://", 400),
        ("http:///big.bin", 400),
        ("ftp://a/big.bin", 400),
        ("?x", 400),
    ],
)
def test_absolute_target_leads_nowhere_else(folder, target, status):
    """Neither out of the folder nor to what is no URL of ours."""
    assert status == request(folder, "GET", target)[0]


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_header_that_trickles_ends_with_408(folder, before):
    """Bytes that keep coming do not hold a connection; the first request or a later."""

    def talk(port):
        import socket

        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            sock.sendall(before + b"GET / HTTP/1.1\r\nX: ")
            sock.settimeout(0.02)
            got = b""
            end = time.monotonic() + 60
            while b" 408 " not in got and time.monotonic() < end:
                try:
                    got += sock.recv(65536)
                except TimeoutError:
                    with contextlib.suppress(ConnectionError):
                        sock.sendall(b"x")
            return got

    got = ask(folder, talk, header_seconds=1.0)
    assert b"HTTP/1.1 408 Request Timeout\r\n" in got
    assert bool(before) == got.startswith(b"HTTP/1.1 200 OK")


def test_slow_body_outlives_the_deadline_of_the_header(folder):
    """The deadline is the header's; a long upload is no fault."""

    def talk(port):
        import socket

        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            sock.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n")
            sock.sendall(b"Connection: close\r\n\r\n")
            for _ in range(4):
                time.sleep(0.7)
                sock.sendall(b"x")
            return b"".join(iter(lambda: sock.recv(65536), b""))

    got = ask(folder, talk, header_seconds=2.0)
    assert got.startswith(b"HTTP/1.1 200 OK")
    assert hashlib.sha256(b"xxxx").hexdigest().encode() in got


@pytest.mark.parametrize("form", ["bytes={}-", "bytes=0-{}", "bytes=-{}"])
@pytest.mark.parametrize("digits", [19, 5000])
def test_range_of_too_many_digits_is_no_range(folder, form, digits):
    """Python makes no number of 5,000 digits."""
    wanted = {"Range": form.format("9" * digits)}
    status, _, body = request(folder, "GET", "/big.bin", headers=wanted)
    assert (200, BODY) == (status, body)


def test_names_that_are_no_text_are_listed_and_found(folder):
    """A name is bytes; the link of the listing leads to its file."""
    name = b"n\xe9e \xff.txt"
    (folder / os.fsdecode(name)).write_bytes(b"odd")
    status, _, page = request(folder, "GET", "/")
    assert 200 == status
    (link,) = re.findall(rb'"(n%E9[^"]*)"', page)
    status, _, body = request(folder, "GET", "/" + link.decode())
    assert (200, b"odd") == (status, body)
    page.decode()


def test_folder_whose_name_is_no_text_is_redirected_to_itself(folder):
    (folder / os.fsdecode(b"d\xff")).mkdir()
    status, fields, _ = request(folder, "GET", "/d%FF")
    assert (301, "/d%FF/") == (status, fields["location"])


def test_length_beside_chunks_is_refused_and_the_end(folder):
    """Two ways to find the next request are one too many (RFC 9112 6.3)."""
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    data += b"Content-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    got = raw(folder, data + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400 ")
    assert 1 == got.count(b"HTTP/1.1")


def test_what_may_not_be_read_is_forbidden(folder, monkeypatch):
    """Root may read all, so a refusal is made."""

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    assert 403 == request(folder, "GET", "/")[0]


def test_body_that_trickles_ends_the_connection(folder):
    """A byte now and then is no progress, however long the body is to be."""

    def talk(port):
        import socket

        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            sock.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                while True:
                    sock.sendall(b"x")
                    time.sleep(0.1)
        return "ended"

    assert "ended" == ask(folder, talk, idle_seconds=0.5)


class Buffered:
    """A writer whose client takes so many bytes of each time-out."""

    def __init__(self, left, takes):
        self.left, self.takes, self.transport = left, takes, self

    def get_write_buffer_size(self):
        return self.left

    async def drain(self):
        if self.left > 0:
            try:
                await asyncio.sleep(60)
            finally:
                self.left -= self.takes


def test_client_that_takes_little_but_goes_on_is_served(folder):
    """It may need several idle times for one piece; standing still is the end."""
    served = FileServer(folder, idle_seconds=0.001)
    asyncio.run(served._drain(Buffered(4096, files.PROGRESS_BYTES)))
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(served._drain(Buffered(4096, files.PROGRESS_BYTES - 1)))
    served.close()


@pytest.mark.parametrize("silent", ["part", "listing"])
def test_disk_that_does_not_answer_is_waited_for_by_its_clients_alone(
    folder, monkeypatch, silent
):
    """Others get their files meanwhile; the one that waits gets an answer too."""
    answers, call = threading.Event(), getattr(files, silent)

    def wait(place, *words):
        if place.name != "a b&c.txt":
            answers.wait(60)
        return call(place, *words)

    monkeypatch.setattr(files, silent, wait)
    slow = {"part": "/big.bin", "listing": "/sub/"}[silent]

    def talk(port):
        waiting = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        waiting.request("GET", slow)
        other = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        other.request("GET", "/sub/a%20b%26c.txt")
        seen = [other.getresponse().read()]
        seen.append(waiting.getresponse().status)
        answers.set()
        waiting.close()
        other.close()
        return seen

    assert [b"hello\n", 503] == ask(folder, talk, disk_seconds=0.2)


def test_part_of_a_file_that_is_not_in_memory_comes_from_a_thread(folder, monkeypatch):
    """As with a file system that cannot tell."""
    real, threads = os.preadv, []

    def preadv(descriptor, rooms, at, flags=0):
        if flags & os.RWF_NOWAIT:
            raise BlockingIOError
        threads.append(threading.current_thread())
        return real(descriptor, rooms, at)

    monkeypatch.setattr(os, "preadv", preadv)
    assert BODY == request(folder, "GET", "/big.bin")[2]
    assert threads
    assert threading.main_thread() not in threads


def test_end_while_a_disk_is_waited_for_says_nothing(folder, monkeypatch, caplog):
    """The connection ends, and the rest of the process."""
    asked, answers = threading.Event(), threading.Event()

    def wait(*_):
        asked.set()
        answers.wait(60)
        return files.Reply(404)

    monkeypatch.setattr(files, "part", wait)

    def talk(port):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.request("GET", "/big.bin")
        return asked.wait(60), client

    was_asked, client = ask(folder, talk)
    answers.set()
    client.close()
    assert was_asked
    assert not caplog.records
