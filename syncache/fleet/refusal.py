"""A server's refusal in one line: its words, and the remedy for it.

Servers say what is wrong in a word and a sentence that is made for their own
administrators; proxies, other services and TLS ports say nothing that a client
understands.  Here each gets words of a bounded size that name the thing to do.
"""

from __future__ import annotations

import re

WORDS_MAX = 160
CLUSTER = "it is a cluster or redirects, and has to be one server"
USER = "valkey://USER:PASSWORD@HOST:PORT"
NO_SERVER = "what answers there is no Valkey, or something in between changes its words"
# The first that is found in the server's words, or in the name of the client's error.
REMEDIES = tuple(
    (re.compile(pattern), remedy)
    for pattern, remedy in (
        (
            r"^DENIED|protected mode",
            "it is in protected mode: set a password there (requirepass), and use "
            + USER,
        ),
        (
            r"^NOAUTH|Authentication required|^HELLO must be called",
            f"it asks for a password: {USER}",
        ),
        (
            r"^WRONGPASS|AuthenticationError|invalid password|called without any",
            "put the right name and password into the URL",
        ),
        (
            r"^NOPERM|NoPermissionError",
            "give its user the rights that docs/fleet.md lists",
        ),
        (r"max number of clients", "raise its maxclients, or close other clients"),
        (r"^LOADING|BusyLoadingError", "it reads its data, and is there after that"),
        (r"^BUSY\b", "a script of somebody holds it up: SCRIPT KILL ends it"),
        (r"^MASTERDOWN|MasterDownError", "it is a replica that has lost its primary"),
        (r"^READONLY|ReadOnlyError", "the URL has to lead to the primary"),
        (r"^MISCONF", "make room on its disk, or see its log"),
        (r"^OOM|OutOfMemoryError", "raise its maxmemory"),
        (r"^NOREPLICAS", "it waits for replicas: see its min-replicas-to-write"),
        (r"^WRONGTYPE", "somebody else uses the keys of this group: name it otherwise"),
        (r"^(MOVED|ASK|TRYAGAIN|CROSSSLOT|CLUSTERDOWN|REDIRECT)\b", CLUSTER),
        (r"^(Moved|Ask|TryAgain|ClusterCrossSlot|ClusterDown)Error", CLUSTER),
        (
            r"(?i)unknown command|unsupported command|Could not parse command",
            "a server is meant, Valkey or Redis from 6.2 on, and no Sentinel or proxy",
        ),
        (r"DB index is out of range", "the URL ends in a database that it has, as /0"),
        (
            r"(?i)WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|UNEXPECTED_MESSAGE",
            "it speaks no TLS there: valkey:// instead of valkeys://",
        ),
        (r"^Protocol Error|Invalid RESP|^Bad response|^invalid literal", NO_SERVER),
    )
)
CLOSED = "Connection closed by server"
AT_ONCE = "is TLS expected there (valkeys://), or a proxy in between?"
# Errors of a client that reads another thing than it expects.
STRANGE = (AttributeError, TypeError, LookupError, RecursionError, OverflowError)


def told(error: Exception, *, answered: bool = False) -> str:
    """Return an error in one line, with the remedy if there is a known one.

    Args:
        error: Of the client, or of ours.
        answered: The server has answered before: it is one, and may be restarted.
    """
    name = type(error).__name__
    words = printable(" ".join(str(error).split()))
    if isinstance(error, STRANGE):
        return f"{NO_SERVER} ({name})"
    shown = words.rstrip(".")
    if len(words) > WORDS_MAX:
        shown = f"{words[: WORDS_MAX - 3]}..."
    if words.startswith(CLOSED) and not answered:
        return f"{shown}; {AT_ONCE}"
    for pattern, remedy in REMEDIES:
        if pattern.search(words) or pattern.search(name):
            return f"{shown or name}; {remedy}"
    return shown or name


def printable(text: str) -> str:
    """Return it without the characters that steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
