"""syncache/fleet/refusal.py: what servers, proxies and others say, and the remedy."""

from __future__ import annotations

import pytest
import valkey

from syncache.fleet.refusal import CLUSTER, NO_SERVER, WORDS_MAX, told

ERRORS = valkey.exceptions


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ValueError("DENIED Redis is running in protected mode because"),
            "it is in protected mode: set a password there",
        ),
        (ERRORS.AuthenticationError("Authentication required."), "for a password"),
        (ERRORS.AuthenticationError("invalid username-password pair"), "the right"),
        (ERRORS.AuthenticationError("HELLO must be called with"), "for a password"),
        (ERRORS.NoPermissionError("User x has no permissions"), "docs/fleet.md lists"),
        (ERRORS.ResponseError("NOPERM No permissions to access a key"), "fleet.md"),
        (ERRORS.ConnectionError("max number of clients reached"), "its maxclients"),
        (ERRORS.BusyLoadingError("Redis is loading the dataset"), "after that"),
        (ERRORS.ResponseError("BUSY Redis is busy running a script."), "SCRIPT KILL"),
        (ERRORS.ResponseError("MASTERDOWN Link with MASTER is down"), "lost its prim"),
        (ERRORS.ReadOnlyError("You can't write against a read only"), "the primary"),
        (ERRORS.ResponseError("MISCONF Redis is configured to save"), "its disk"),
        (ERRORS.OutOfMemoryError("command not allowed when"), "its maxmemory"),
        (ERRORS.ResponseError("NOREPLICAS Not enough good replicas"), "replicas-to-w"),
        (ERRORS.ResponseError("WRONGTYPE Operation against a key"), "name it other"),
        (ERRORS.ResponseError("MOVED 7000 192.0.2.1:6379"), CLUSTER),
        (ERRORS.MovedError("7000 192.0.2.1:6379"), CLUSTER),
        (ERRORS.ResponseError("ASK 7000 [2001:db8::1]:6379"), CLUSTER),
        (ERRORS.ResponseError("CLUSTERDOWN Hash slot not served"), CLUSTER),
        (ERRORS.ResponseError("CROSSSLOT Keys in request don't hash"), CLUSTER),
        (ERRORS.ResponseError("REDIRECT 192.0.2.1:6379"), CLUSTER),
        (ERRORS.ResponseError("unknown command 'GETRANGE'"), "and no Sentinel or pro"),
        (ERRORS.ResponseError("DB index is out of range"), "in a database that it"),
        (ERRORS.ConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong"), "instead of val"),
        (ERRORS.ConnectionError("Connection closed by server."), "is TLS expected"),
        (ERRORS.InvalidResponse("Protocol Error: b'HTTP/1.1 400 Bad'"), NO_SERVER),
        (AttributeError("'bytes' object has no attribute 'get'"), NO_SERVER),
        (OverflowError("cannot fit 'int'"), NO_SERVER),
        (ValueError("invalid literal for int() with base 10: b'OK'"), NO_SERVER),
    ],
)
def test_refusal_has_its_remedy(error, line):
    """One line, which goes on behind the server's words."""
    text = told(error)
    assert line in text
    assert "\n" not in text
    assert ".;" not in text


def test_server_that_closes_after_answers_is_not_suspected():
    """It is restarted."""
    error = ERRORS.ConnectionError("Connection closed by server.")
    assert told(error, answered=True) == "Connection closed by server"
    assert "TLS" in told(error)


@pytest.mark.parametrize("words", ["", "x" * 100_000, "a\r\nb\x1b[2J\x07\udc80 c"])
def test_other_words_are_shown_bounded_and_harmless(words):
    """Whatever a server says; an error without words is its name."""
    text = told(ERRORS.ResponseError(words))
    assert 0 < len(text) <= WORDS_MAX
    assert text.isprintable()
    assert words or text == "ResponseError"
