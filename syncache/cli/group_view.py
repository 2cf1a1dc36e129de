"""How a command opens its view of a group (docs/fleet.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..fleet import FleetError, conf
from ..fleet.view import View
from . import Failure

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path | None) -> tuple[View, str]:
    """Return the view of a group, which does not connect yet, and the group's name.

    Args:
        path: Of the configuration; None: the environment.

    Raises:
        Failure: it cannot be used.
    """
    try:
        chosen = conf.read(path)
        return View(chosen), chosen.group
    except FleetError as error:
        raise Failure(str(error)) from None
