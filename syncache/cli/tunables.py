"""The common part of the middlebox commands: tunables from presets, files, words.

A file is a sysctl.conf or an IOS configuration, told apart by its first line that says
anything.
"""

from __future__ import annotations

import logging
import warnings
from functools import partial
from typing import TYPE_CHECKING

from .. import Sysctl
from ..control import assign
from ..ios import inspect as ios_inspect
from ..ios.config import Config, changes, read_lines
from ..sysctl import UnknownTunable
from ..textfile import read_text
from ..tunables.conf import assignment
from . import Failure, one_line, unreadable
from .output import Handler
from .patience import attended, is_folder
from .sink import say

log = logging.getLogger(__name__)

STRICT = "lines of other features in an IOS configuration are errors"

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def load(
    *,
    preset: str | None = None,
    conf: Path | None = None,
    ios: Path | None = None,
    settings: Sequence[str] = (),
    strict: bool = False,
    engine: str = "ip inspect",
    rules: str | None = None,
    shared: Sequence[str] = (),
) -> tuple[Sysctl, Config]:
    """Collect the values of a preset, file and single settings, in this order.

    What an IOS configuration says without effect on an engine, "ip inspect" or "ip tcp
    intercept", is written to stderr; with `strict`, lines of other features are errors.
    `shared` are values that follow from a keyring, after the preset.

    Raises:
        Failure: the first thing that is wrong, with its place.
    """
    sysctl, config = Sysctl(), Config()
    try:
        if preset:
            sysctl.preset(preset)
        sysctl.load(list(shared))
        given = [(path, False) for path in files(conf)]
        given += [(path, True) for path in files(ios)]
        for path, speaks in given:
            lines, place = _lines(path), f"{path}:"
            if speaks or speaks_ios(lines):
                config = read_lines(lines, place, strict=strict)
                if not speaks and not config.said:
                    # No configuration: name its first line.
                    read_lines(lines, place, strict=True)
                ios_inspect.chosen(config, rules)
                changed = changes(config, sysctl)
                _tell(config, engine)
                sysctl.assign(changed, config.places)
            else:
                load_file(sysctl, path, lines)
        for setting in settings:
            assign(sysctl, *named(setting))
    except (KeyError, ValueError, PermissionError) as error:
        raise Failure(str(error.args[0])) from None
    except OSError as error:
        raise unreadable(error, conf, ios) from None
    return sysctl, config


def files(path: Path | None) -> list[Path]:
    """Return the file, or those of a folder that end in .conf, in order.

    Raises:
        Failure: a folder has none.
    """
    if path is None:
        return []
    if not is_folder(path):
        return [path]
    found = attended(path, lambda: sorted(path.glob("*.conf")))
    if not found:
        raise Failure(f"{path} holds no *.conf")
    return found


def load_file(
    sysctl: Sysctl,
    path: Path,
    lines: list[str] | None = None,
    *,
    quiet: bool = False,
    ignore_unknown: bool = False,
) -> int:
    """Load a sysctl.conf; write a line for each warning.

    Return the number of names that do not exist.  `lines` are those of the file, if
    they have been read.

    Raises:
        OSError, KeyError, ValueError, PermissionError: as `Sysctl.load`.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        source = _lines(path) if lines is None else lines
        sysctl.load(source, ignore_unknown=ignore_unknown, name=str(path))
    if not quiet:
        for warning in caught:
            warn(f"syncache: {one_line(warning.message)}")
    return sum(issubclass(warning.category, UnknownTunable) for warning in caught)


def _lines(path: Path) -> list[str]:
    return attended(path, partial(read_text, path)).split("\n")


def warn(text: str) -> None:
    """Write a line to the log of a command that runs, or to the standard error."""
    if any(isinstance(handler, Handler) for handler in logging.getLogger().handlers):
        log.warning("%s", text)
    else:
        say(text)


def named(setting: str) -> tuple[str, str]:
    """Split `NAME=VALUE`, or raise Failure."""
    name, value = assignment(setting)
    if value is None:
        raise Failure(f"{setting!r} is not of the form NAME=VALUE")
    return name, value


def _tell(config: Config, engine: str) -> None:
    features = [engine]
    if engine == "ip tcp intercept":
        features.append("access lists")
    for text in config.report(*features):
        warn(f"syncache: {one_line(text)}")


def speaks_ios(lines: Sequence[str]) -> bool:
    """Tell an IOS configuration from a sysctl.conf by its first line that says much."""
    for line in lines:
        text = line.strip()
        if text.startswith("!"):
            return True
        if text and not text.startswith("#"):
            return "=" not in text
    return False
