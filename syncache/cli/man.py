"""`syncache man`: manual pages, made from the parsers.

`syncache man intercept | man -l -` shows one; a packager writes each to
syncache-COMMAND.1.
"""

from __future__ import annotations

import argparse
import importlib

from . import COMMANDS, version

STATUS = "0: done.  1: a mistake, said in one line.  2: a command line that is none."


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache man", description="Print the manual page of a command."
    )
    p.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    return p


def run(options: argparse.Namespace) -> int:
    """Print the page."""
    print(page(options.command), end="")
    return 0


def page(command: str) -> str:
    """Return the page of a command, for man(7)."""
    module = importlib.import_module(f"syncache.cli.{command}")
    made: argparse.ArgumentParser = module.parser()
    usage = " ".join(made.format_usage().removeprefix("usage: ").split())
    lines = [
        f'.TH SYNCACHE-{command.upper()} 1 "" "syncache {version()}"',
        ".SH NAME",
        f"syncache-{command} \\- {escaped(COMMANDS[command])}",
        ".SH SYNOPSIS",
        escaped(usage),
        ".SH DESCRIPTION",
        escaped(" ".join((made.description or COMMANDS[command]).split())),
        ".SH OPTIONS",
    ]
    formatter = made._get_formatter()  # noqa: SLF001 - it knows how options are spelled
    for action in made._actions:  # noqa: SLF001
        spelled = formatter._format_action_invocation(action)  # noqa: SLF001
        text = formatter._expand_help(action) if action.help else ""  # noqa: SLF001
        lines += [".TP", f"\\fB{escaped(spelled)}\\fR", escaped(" ".join(text.split()))]
    lines += [".SH EXIT STATUS", escaped(STATUS)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return text that roff takes as it is."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + safe if safe.startswith((".", "'")) else safe
