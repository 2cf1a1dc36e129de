"""`syncache completion`: completion for bash, zsh and fish, made from the parsers.

bash: `eval "$(syncache completion bash)"`; zsh: the same with zsh; fish:
`syncache completion fish | source`.

Completed are commands, options, and values: those that the parser lists, presets,
tunables and interfaces; any other value is a file's name.
"""

from __future__ import annotations

import argparse
import importlib
from importlib.resources import files
from typing import TYPE_CHECKING

from ..tunables import KNOBS
from . import COMMANDS
from .show import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERFACES = "$(ls /sys/class/net 2>/dev/null)"
BASH = """\
_syncache() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}}
    local before="" words="" front=""
    [ "$COMP_CWORD" -gt 1 ] && before=${{COMP_WORDS[COMP_CWORD-1]}}
    # bash makes three words of --option=value, zsh one.
    case "$before $current" in
        --*" =") current="" ;;
        "= "*) before=${{COMP_WORDS[COMP_CWORD-2]}} ;;
        *" --"*=*)
            before=${{current%%=*}} front=${{current%%=*}}= current=${{current#*=}} ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "$command $before" in
{values}
            *)
                case $command in
{options}
                esac
                case "$COMP_CWORD $command" in
{first}
                esac ;;
        esac
    fi
    if [ -n "$front" ] && [ -z "$words" ]; then
        COMPREPLY=($(compgen -P "$front" -f -- "$current"))
    else
        COMPREPLY=($(compgen -P "$front" -W "$words" -- "$current"))
    fi
    case "${{COMPREPLY[*]}}" in *=) compopt -o nospace 2>/dev/null ;; esac
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
    if shell == "fish":
        return "\n".join(fish()) + "\n"
    options, first, values = [], [], []
    for name in COMMANDS:
        options.append(f"{' ' * 20}{name}) words='{' '.join(flags(name))}' ;;")
        if found := positional(name):
            first.append(f'{" " * 20}"2 {name}") words="$words {found}" ;;')
        for action in actions(name):
            if action.option_strings and action.nargs != 0:
                cases = "|".join(f'"{name} {word}"' for word in action.option_strings)
                values.append(f'{" " * 12}{cases}) words="{offered(action)}" ;;')
    form = BASH if shell == "bash" else ZSH
    return form.format(
        commands=" ".join(COMMANDS),
        options="\n".join(options),
        first="\n".join(first),
        values="\n".join(values),
    )


def actions(command: str) -> list[argparse.Action]:
    """Return options and arguments of a command, as its parser has them."""
    module = importlib.import_module(f"syncache.cli.{command}")
    made: argparse.ArgumentParser = module.parser()
    return list(made._actions)  # noqa: SLF001


def flags(command: str) -> list[str]:
    """Return the options of a command."""
    words = {word for action in actions(command) for word in action.option_strings}
    return sorted(words)


def positional(command: str) -> str:
    """Return the values of a command's first argument; none if it is a file."""
    if command == "sysctl":
        return " ".join(KNOBS)
    if command == "show":
        return " ".join(sorted({words[0] for words in SHOWN}))
    for action in actions(command):
        if not action.option_strings:
            return offered(action)
    return ""


def offered(action: argparse.Action) -> str:
    """Return the values of an option, for a shell to expand; none: a file's name."""
    if action.choices is not None:
        return " ".join(map(str, action.choices))
    if action.metavar == "IF":
        return INTERFACES
    if action.metavar == "NAME" and "--preset" in action.option_strings:
        found = (files("syncache") / "presets").iterdir()
        names = [item.name for item in found if item.name.endswith(".conf")]
        return " ".join(sorted(name.removesuffix(".conf") for name in names))
    if action.metavar == "NAME=VALUE":
        return " ".join(f"{name}=" for name in KNOBS)
    return ""


def fish() -> Iterator[str]:
    """Yield the lines of the script for fish."""
    for name, meaning in COMMANDS.items():
        text = meaning.replace("'", r"\'")
        yield f"complete -c syncache -n __fish_use_subcommand -f -a {name} -d '{text}'"
    for name in COMMANDS:
        seen = f"complete -c syncache -n '__fish_seen_subcommand_from {name}'"
        if found := positional(name):
            yield f'{seen} -f -a "{_fish(found)}"'
        for action in actions(name):
            for word in action.option_strings:
                line = f"{seen} {_kind(word)} {word.lstrip('-')}"
                if action.nargs == 0:
                    yield line
                    continue
                values = offered(action)
                exact = f' -x -a "{_fish(values)}"' if values else " -r"
                yield line + exact


def _kind(word: str) -> str:
    return "-l" if word.startswith("--") else "-s"


def _fish(words: str) -> str:
    """Return a list of words as fish expands it."""
    return "(ls /sys/class/net 2>/dev/null)" if words == INTERFACES else words
