"""syncache/cli/completion.py: what a shell completes is what the parsers know."""

from __future__ import annotations

import subprocess

import pytest

from syncache.cli import COMMANDS, main
from syncache.cli.completion import script

ASK = """
COMP_WORDS=({words}) COMP_CWORD={last}
_syncache
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words):
    """What bash offers for the last word."""
    ask = ASK.format(words=" ".join(f"'{word}'" for word in words), last=len(words) - 1)
    done = subprocess.run(
        ["bash", "-c", script("bash") + ask],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()


def test_bash_completes_commands_and_their_options():
    """Of the command that stands in front."""
    assert ["inspect", "intercept"] == sorted(completed("syncache", "in"))
    assert ["--outside"] == completed("syncache", "intercept", "--ou")
    assert [] == completed("syncache", "serve", "--ou")
    assert set(COMMANDS) == set(completed("syncache", ""))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_of_every_shell_names_every_command(shell, capsys):
    """And an option of one of them."""
    assert 0 == main(["completion", shell])
    text = capsys.readouterr().out
    assert [] == [name for name in COMMANDS if name not in text]
    assert "outside" in text
