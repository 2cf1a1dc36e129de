"""`syncache completion`: completion for bash, zsh and fish, made from the parsers.

bash: `eval "$(syncache completion bash)"`; zsh: the same with zsh; fish:
`syncache completion fish | source`.
"""

from __future__ import annotations

import argparse
import importlib

from . import COMMANDS

BASH = """\
_syncache() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case ${{COMP_WORDS[1]}} in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _syncache syncache
"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n" + BASH


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache completion", description="Print completion for a shell."
    )
    p.add_argument("shell", choices=("bash", "zsh", "fish"))
    return p


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    print(script(options.shell), end="")
    return 0


def script(shell: str) -> str:
    """Return the script of a shell."""
    known = {name: flags(name) for name in COMMANDS}
    if shell == "fish":
        return fish(known)
    cases = "\n".join(
        f"            {name}) words='{' '.join(words)}' ;;"
        for name, words in known.items()
    )
    form = BASH if shell == "bash" else ZSH
    return form.format(commands=" ".join(COMMANDS), cases=cases)


def flags(command: str) -> list[str]:
    """Return the options of a command."""
    module = importlib.import_module(f"syncache.cli.{command}")
    made: argparse.ArgumentParser = module.parser()
    words = {word for action in made._actions for word in action.option_strings}  # noqa: SLF001
    return sorted(words)


def fish(known: dict[str, list[str]]) -> str:
    """Return the script for fish."""
    lines = [
        f"complete -c syncache -n __fish_use_subcommand -f -a {name} -d '{meaning}'"
        for name, meaning in (
            (name, meaning.replace("'", r"\'")) for name, meaning in COMMANDS.items()
        )
    ]
    for name, words in known.items():
        seen = f"-n '__fish_seen_subcommand_from {name}'"
        for word in words:
            kind = "-l" if word.startswith("--") else "-s"
            lines.append(f"complete -c syncache {seen} {kind} {word.lstrip('-')}")
    return "\n".join(lines) + "\n"
