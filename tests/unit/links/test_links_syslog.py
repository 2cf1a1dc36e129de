"""Messages on their way to a syslog daemon."""

from __future__ import annotations

import os
import re
import socket
import time
from datetime import datetime, timezone

import pytest

from syncache.alerts import AlertOn, SessionStart, parse
from syncache.links.link import LinkError
from syncache.links.syslog import Syslog

ALERT = AlertOn(half_open=501, high=500, rate=126)
START = SessionStart(protocol="tcp", initiator="a:1", responder="b:2")
NOON = datetime(2026, 1, 2, 12, 0, 0, 250000, tzinfo=timezone.utc)


@pytest.fixture
def daemon(tmp_path):
    """A Unix socket that is read in place of the daemon."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(tmp_path / "log"))
    made.settimeout(60)
    yield made, str(tmp_path / "log")
    made.close()


def test_unix_socket_gets_one_datagram_in_the_form_of_rfc_5424(daemon):
    """Priority, version, time, host, name, process, message id, no structured data."""
    sock, path = daemon
    syslog = Syslog(path, facility="local4", clock=lambda: NOON)
    syslog.send(ALERT)
    head, _, line = sock.recv(2000).decode().partition(" - ")
    syslog.close()
    host = re.escape(socket.gethostname())
    expected = rf"<164>1 2026-01-02T12:00:00\.250000Z {host} syncache {os.getpid()} "
    assert re.fullmatch(expected + "ALERT_ON", head)
    assert str(ALERT) == line
    assert (1, 0) == (syslog.sent, syslog.lost)


def test_what_arrives_can_be_parsed(daemon):
    """A header in front of it does not hide a message."""
    sock, path = daemon
    syslog = Syslog(path)
    syslog.send(START)
    assert START == parse(sock.recv(2000).decode())
    syslog.close()


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "[::1]")]
)
def test_udp_socket_gets_the_datagram(family, host):
    """The severity is the message's: 6 of the audit trail."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host.strip("[]"), 0))
        sock.settimeout(60)
        syslog = Syslog(f"{host}:{sock.getsockname()[1]}")
        syslog.send(START)
        assert sock.recv(2000).startswith(b"<134>1 ")
        syslog.close()


def test_a_daemon_that_went_away_loses_messages_and_nothing_else(daemon):
    """What is logged goes on; the loss is counted."""
    sock, path = daemon
    syslog = Syslog(path)
    sock.close()
    syslog.send(ALERT)
    syslog.send(ALERT)
    assert (0, 2) == (syslog.sent, syslog.lost)
    syslog.close()


def test_a_daemon_that_is_started_again_gets_the_next_message(tmp_path):
    """Its new socket has the old path; it is looked for once a second at most."""
    path = str(tmp_path / "log")
    syslog = Syslog(path, patient=True)
    assert "No such file" in syslog.trouble
    for turn in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(path)
            sock.settimeout(30)
            syslog._again = 0.0
            assert syslog.send(ALERT)
            assert b"%FW-4" in sock.recv(2000)
        (tmp_path / "log").unlink()
        assert not syslog.send(ALERT)
        assert turn + 1 == syslog.lost
    syslog.close()


def test_a_name_that_the_dns_does_not_know_yet_is_asked_for_again(monkeypatch):
    """Beside the packets; a service that starts before its network has a log."""
    answers = [socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), None]
    look_up = socket.getaddrinfo

    def getaddrinfo(host, port, **words):
        if answers and (answer := answers.pop(0)):
            raise answer
        return look_up("127.0.0.1", port, **words)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("syncache.links.syslog.AGAIN_SECONDS", 0.001)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(60)
        syslog = Syslog(f"logs.example:{heard.getsockname()[1]}", patient=True)
        assert "no syslog at logs.example" in syslog.trouble
        while not syslog.send(ALERT):
            time.sleep(0.001)
        assert b"%FW-4" in heard.recv(4096)
        syslog.close()
    answers.append(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))
    with pytest.raises(LinkError, match="Temporary failure"):
        Syslog("logs.example")


def test_a_name_that_is_no_text_is_sent_escaped(daemon):
    """A path of any bytes may be in a message."""
    sock, path = daemon
    syslog = Syslog(path)

    class Odd:
        severity, mnemonic = 4, "X"

        def __str__(self):
            return "cannot write \udcff"

    assert syslog.send(Odd())
    assert b"\\udcff" in sock.recv(2000)
    syslog.close()


def test_a_name_is_made_fit_for_the_header(daemon):
    """A blank would end the field."""
    _, path = daemon
    syslog = Syslog(path, app="my own ünit", clock=lambda: NOON)
    assert b" myownnit " in syslog.datagram(ALERT)
    syslog.close()


@pytest.mark.parametrize(
    ("target", "facility", "message"),
    [
        ("/nowhere/log", "local0", "no syslog at /nowhere/log: No such file"),
        ("127.0.0.1:99999", "local0", "'99999' is not a port"),
        ("127.0.0.1:x", "local0", "'x' is not a port"),
        ("127.0.0.1:" + "1" * 5000, "local0", "is not a port"),
        (":514", "local0", "it names no host"),
        ("127.0.0.1", "local9", "no facility 'local9'; there are kern, user"),
    ],
)
def test_what_makes_no_sense_is_one_line(target, facility, message):
    """The operator learns what to change."""
    with pytest.raises(LinkError, match=re.escape(message)) as caught:
        Syslog(target, facility=facility)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["127.0.0.1", "::1", "[::1]"])
def test_the_port_is_514_unless_it_is_named(target):
    """As RFC 5426 has it."""
    syslog = Syslog(target)
    assert 514 == syslog._socket.getpeername()[1]
    syslog.close()
