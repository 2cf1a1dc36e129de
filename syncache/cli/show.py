"""`syncache show`: the output of a router's `show` commands, of a running process.

    show tcp intercept connections | statistics
    show ip inspect sessions [detail] | statistics | config | interfaces | all
    show running-config

Words may be short, as on a router.  The process hands its sessions over in short
steps; they are put into words here.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from .. import ios
from ..control import Client, ControlError
from ..inspect_rule import RuleSet
from ..inspection import Statistics as Inspected
from ..intercept import Statistics as Intercepted
from ..ios import inspect as ios_inspect
from ..ios.config import read
from . import Failure
from . import options as opts
from .processes import only

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..flow_session import Session

SHOWN = {
    ("tcp", "intercept", "connections"): "connections",
    ("tcp", "intercept", "statistics"): "intercepted",
    ("ip", "inspect", "sessions"): "sessions",
    ("ip", "inspect", "sessions", "detail"): "detail",
    ("ip", "inspect", "statistics"): "inspected",
    ("ip", "inspect", "config"): "config",
    ("ip", "inspect", "interfaces"): "interfaces",
    ("ip", "inspect", "all"): "all",
    ("running-config",): "configuration",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache show",
        description="Show a running `intercept` or `inspect` in the words of IOS.",
    )
    p.add_argument(
        "words",
        nargs="+",
        metavar="WORD",
        help=" | ".join(" ".join(words) for words in SHOWN),
    )
    opts.add_socket(p)
    p.add_argument("--json", action="store_true", help="one JSON object")
    return p


def run(options: argparse.Namespace) -> int:
    """Ask the process and print."""
    what = chosen(options.words)
    if not options.socket:
        raise Failure("say which process: --socket PATH, as given to its --control")
    try:
        client = only(options.socket)
        print(SHOW[what](client, options.json), end="")
    except (ControlError, ValueError) as error:
        raise Failure(str(error)) from None
    return 0


def chosen(words: list[str]) -> str:
    """Return the request in some words; each may be short.

    Raises:
        Failure: nothing, or more than one thing.
    """
    fits = [
        known
        for known in SHOWN
        if len(known) == len(words)
        and all(k.startswith(w.lower()) for k, w in zip(known, words, strict=True))
    ]
    if len(fits) == 1:
        return SHOWN[fits[0]]
    known = "; ".join(" ".join(each) for each in fits or SHOWN)
    raise Failure(f"show {' '.join(words)}: there are: {known}")


def listed(client: Client, as_json: bool, text: Callable[..., str]) -> str:
    """Return a table of sessions."""
    if as_json:
        return as_object(table(client))
    sessions, about = client.sessions()
    return text(sessions, about["now"])


def table(client: Client) -> dict[str, Any]:
    """Return the sessions and what belongs to them, for programs."""
    sessions, about = client.sessions()
    return {"sessions": [dataclasses.asdict(session) for session in sessions], **about}


def as_object(found: dict[str, Any]) -> str:
    """Spell an answer for programs."""
    return json.dumps(found, default=str, indent=1) + "\n"


def counted(
    client: Client, as_json: bool, text: Callable[[dict[str, Any]], str]
) -> str:
    """Return statistics."""
    found = client.request("statistics")
    return json.dumps(found, indent=1) + "\n" if as_json else text(found)


def intercepted(found: dict[str, Any]) -> str:
    """Put the statistics of TCP Intercept into words."""
    found.pop("now")
    try:
        return ios.show_statistics(Intercepted(**found))
    except TypeError:
        raise ValueError("this process inspects: show ip inspect statistics") from None


def inspected(found: dict[str, Any]) -> str:
    """Put the statistics of inspection into words."""
    now = found.pop("now")
    try:
        return ios_inspect.show_statistics(Inspected(**found), now)
    except TypeError:
        raise ValueError(
            "this process intercepts: show tcp intercept statistics"
        ) from None


def configuration(client: Client, as_json: bool) -> str:
    """Return the configuration that makes the process as it is."""
    text = str(client.request("configuration")).rstrip("\n") + "\n"
    return json.dumps({"configuration": text}) + "\n" if as_json else text


def rules_of(client: Client) -> RuleSet:
    """Return the rules that name the sessions of a process."""
    text = str(client.request("configuration"))
    return ios_inspect.chosen(read(text.splitlines())) or RuleSet.of(None)


def sessions(client: Client, as_json: bool, *, detail: bool = False) -> str:
    """Return the sessions, each with the name of its rule."""

    def text(rows: list[Session], now: float) -> str:
        rules = rules_of(client)
        return ios_inspect.show_sessions(rows, rules, now, detail=detail)

    return listed(client, as_json, text)


def shown(client: Client, as_json: bool, what: str) -> str:
    """Return a text that an inspecting process makes."""
    text = str(client.request("shown", what=what))
    return json.dumps({what: text}) + "\n" if as_json else text


def everything(client: Client, as_json: bool) -> str:
    """Return configuration, interfaces and sessions."""
    parts = {
        what: str(client.request("shown", what=what))
        for what in ("config", "interfaces")
    }
    if as_json:
        return as_object({**parts, **table(client)})
    return "".join([*parts.values(), sessions(client, as_json, detail=True)])


SHOW: dict[str, Callable[[Client, bool], str]] = {
    "connections": lambda c, j: listed(c, j, ios.show_connections),
    "sessions": sessions,
    "detail": lambda c, j: sessions(c, j, detail=True),
    "intercepted": lambda c, j: counted(c, j, intercepted),
    "inspected": lambda c, j: counted(c, j, inspected),
    "config": lambda c, j: shown(c, j, "config"),
    "interfaces": lambda c, j: shown(c, j, "interfaces"),
    "all": everything,
    "configuration": configuration,
}
