"""syncache/cli/__init__.py: the command without a subcommand, and how it is found."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module

import pytest

from syncache.cli import COMMANDS, main


def test_bare_command_lists_the_commands(capsys):
    """Exit status 2, as of any command line that is not whole."""
    assert 2 == main([])
    error = capsys.readouterr().err
    for name, meaning in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(meaning)}$", error, re.MULTILINE)


@pytest.mark.parametrize("words", [["-h"], ["--help"]])
def test_help_lists_the_commands(words, capsys):
    """On the standard output."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert 0 == end.value.code
    out = capsys.readouterr().out
    assert [] == [name for name in COMMANDS if f"  {name} " not in out]


def test_version_has_the_name(capsys):
    """As the versions of other programs have."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert re.fullmatch(r"syncache \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("module", ["syncache", "syncache.cli"])
def test_module_is_the_command(module):
    """`python -m`, where the script is not on the path."""
    words = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("syncache ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_names_it(command):
    """Its parser can be made without any extra."""
    parser = import_module(f"syncache.cli.{command}").parser()
    assert f"syncache {command}" == parser.prog
    assert parser.format_help()
