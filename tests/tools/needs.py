"""Whatever this machine lacks: tests that need it are skipped, on a build machine fail.

The programs that tests start are listed in .ci/tools, with the package that has each.
`make test` installs them as root (a/b: either will do); conftest.py ends the run with
one line that says how many tests were skipped and what to do about it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

TOOLS = Path(__file__).resolve().parents[2] / ".ci" / "tools"
MARK = "this machine lacks "
# Where Debian puts what only root starts.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def packages() -> dict[str, str]:
    """Return the Debian package of every program in .ci/tools."""
    lines = TOOLS.read_text().splitlines()
    return dict(line.split() for line in lines)


def missing() -> dict[str, str]:
    """Return those of them that are not installed."""
    return {
        program: package
        for program, package in packages().items()
        if not any(shutil.which(name, path=PATH) for name in program.split("/"))
    }


def lacks(what: str) -> NoReturn:
    """End the test that needs it: skipped, or failed where CI is set."""
    what = what.removeprefix("no ")  # as errors begin
    if os.environ.get("CI"):
        pytest.fail(MARK + what, pytrace=False)
    pytest.skip(MARK + what)


def need(program: str) -> None:
    """Go on if a program of .ci/tools is there."""
    if shutil.which(program, path=PATH) is None:
        lacks(f"{program}: apt-get install {packages()[program]}")


def wanted(*, found: object, what: str) -> pytest.MarkDecorator:
    """Mark tests that are skipped, `CI` or not, unless what they need is found.

    Args:
        found: Whether it is there.
        what: Its name, and the command that gets it.
    """
    return pytest.mark.skipif(not found, reason=MARK + what)


def want(program: str, package: str, target: str = "") -> None:
    """Go on if a large program is there, which build machines do without too.

    Args:
        program: Skip without it, `CI` or not.
        package: Which has it.
        target: Of make, which installs it and runs the test; "": none does.
    """
    if shutil.which(program, path=PATH) is None:
        make = f"make {target}, or " if target else ""
        pytest.skip(f"{MARK}{program}: {make}apt-get install {package}")


def summary(reasons: list[str]) -> str:
    """Tell in one line how many tests were skipped for want of what; "" if none."""
    ours = [reason.split(MARK, 1)[1] for reason in reasons if MARK in reason]
    if not ours:
        return ""
    return f"{len(ours)} tests skipped, since {MARK}{'; '.join(sorted(set(ours)))}"
