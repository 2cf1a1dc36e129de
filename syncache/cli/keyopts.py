"""The options that say where a command has its cookie keys from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import Failure
from .keys import KeySource

if TYPE_CHECKING:
    import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a keyring to a command's parser."""
    parser.add_argument(
        "--keyring",
        metavar="FILE",
        type=Path,
        help="cookie keys that other machines and later runs have too (syncache key); "
        "read again when it changes",
    )
    parser.add_argument(
        "--fleet",
        metavar="CONF",
        nargs="?",
        const="",
        help="be a member of a group of machines (syncache fleet); without CONF by the "
        "environment",
    )
    add_passphrase(parser)


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """Add the file with the passphrase of a keyring."""
    parser.add_argument(
        "--passphrase", metavar="FILE", type=Path, help="what unseals the keyring"
    )


def source(options: argparse.Namespace) -> KeySource | None:
    """Read the keyring that the options ask for; None: keys are drawn.

    Raises:
        Failure: it cannot be used.
    """
    if options.fleet is not None:
        if options.keyring is not None or options.passphrase is not None:
            raise Failure("--fleet CONF names the keyring and its key: leave them out")
        from .membership import FleetSource

        return FleetSource(Path(options.fleet) if options.fleet else None)
    if options.keyring is None:
        if options.passphrase is not None:
            raise Failure("--passphrase needs --keyring, the file that it unseals")
        return None
    return KeySource(options.keyring, options.passphrase)
