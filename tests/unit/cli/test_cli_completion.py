"""syncache/cli/completion.py: what a shell completes is what the parsers know."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from syncache.cli import COMMANDS, main
from syncache.cli.completion import script

LIMIT = "net.inet.tcp.syncache.rexmtlimit"
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


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["intercept", "--mode", ""], {"intercept", "watch"}),
        (["inspect", "--on-exit", "b"], {"bypass", "block"}),
        (["inspect", "--tap", "l"], {"lo"}),
        (["intercept", "--preset", "cbac-c"], {"cbac-classic"}),
        (["serve", "--sysctl", "net.inet.tcp.syncache.rexmtl"], {f"{LIMIT}="}),
        (["sysctl", "net.inet.tcp.syncache.rexmtl"], {LIMIT}),
        (["show", "r"], {"running-config"}),
        # As bash cuts `--preset=cbac-c`; and uncut, if COMP_WORDBREAKS has no `=`.
        (["intercept", "--preset", "=", "cbac-c"], {"cbac-classic"}),
        (["intercept", "--mode", "="], {"intercept", "watch"}),
        (["intercept", "--preset=cbac-c"], {"--preset=cbac-classic"}),
        (["inspect", "--on-exit=b"], {"--on-exit=bypass", "--on-exit=block"}),
        (["log", "--report=/etc/passw"], {"--report=/etc/passwd"}),
        (["key", "ro"], {"rotate"}),
        (["man", "inter"], {"intercept"}),
        (["shield", "lo"], {"lo"}),
        (["serve", "--conf", ""], set()),
    ],
)
def test_values_are_completed_that_are_known(words, found):
    """Where a file's name is wanted the shell has its own."""
    seen = set(completed("syncache", *words))
    assert found == {each for each in seen if not each.endswith("-")}


FISH = """
source {path}
for line in {lines}
    complete -C $line | string replace -r '\\t.*' ''
    echo ==
end
"""


def test_fish_completes_the_same(tmp_path):
    """A real one, if there is one."""
    if shutil.which("fish") is None:
        assert '-x -a "intercept watch"' in script("fish")
        return
    path = tmp_path / "c.fish"
    path.write_text(script("fish"))
    lines = ["syncache interc", "syncache intercept --mode ", "syncache key ro"]
    quoted = " ".join(f"'{line}'" for line in lines)
    ask = FISH.format(path=path, lines=quoted)
    done = subprocess.run(
        ["fish", "--no-config", "-c", ask],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    assert done.stdout.split() == (
        ["intercept", "==", "intercept", "watch", "==", "rotate", "=="]
    )
