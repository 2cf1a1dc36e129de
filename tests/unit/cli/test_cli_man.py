"""syncache/cli/man.py: manual pages say what the parsers know."""

from __future__ import annotations

import shutil
import subprocess
from importlib import import_module

import pytest

from syncache.cli import COMMANDS, main
from syncache.cli.man import escaped, page


@pytest.mark.parametrize("command", COMMANDS)
def test_page_has_every_option_and_no_fault(command):
    """groff, where it is there, has no warning about it."""
    text = page(command)
    for action in import_module(f"syncache.cli.{command}").parser()._actions:
        for word in action.option_strings:
            assert escaped(word) in text
    groff = shutil.which("groff")
    if groff is None:
        return
    words = [groff, "-man", "-Tascii", "-ww"]
    done = subprocess.run(
        words, input=text, capture_output=True, text=True, timeout=60, check=True
    )
    assert "" == done.stderr


def test_command_prints_a_page(capsys):
    """Its name, its meaning and the exit statuses."""
    assert 0 == main(["man", "inspect"])
    text = capsys.readouterr().out
    assert ".TH SYNCACHE-INSPECT 1" in text
    assert ".SH EXIT STATUS" in text


def test_text_is_no_request():
    """A point or a quote at the beginning, a backslash, a hyphen."""
    assert r"\&.TH \e \-" == escaped(r".TH \ -")
