"""syncache/cli/__init__.py: the command without a subcommand, and how it is found."""

from __future__ import annotations

import argparse
import errno
import re
import subprocess
import sys
from importlib import import_module

import pytest

from syncache.cli import COMMANDS, guarded, main, one_line
from syncache.links.link import LinkError


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


@pytest.mark.parametrize(
    "words",
    [
        ["advise", "LONG"],
        ["log", "LONG"],
        ["inspect", "LONG"],
        ["key", "show", "LONG"],
        ["key", "init", "LONG"],
        ["sysctl", "-f", "LONG", "-a"],
        ["sysctl", "-f", "LONG", "-W", "net.inet.tcp.syncookies=1"],
        ["intercept", "--outside", "lo", "--inside", "x", "--list", "LONG"],
        ["intercept", "--outside", "lo", "--inside", "x", "--conf", "LONG"],
        ["intercept", "--outside", "lo", "--inside", "x", "--state", "LONG/x"],
        ["serve", "--directory", "LONG", "--address", "192.0.2.1/24"],
        ["netstat", "--socket", "LONG"],
        ["show", "--socket", "LONG", "ip", "inspect", "sessions"],
    ],
)
def test_path_that_cannot_be_is_one_line(words, capsys):
    """A name that no file system takes."""
    given = [word.replace("LONG", "x" * 3000) for word in words]
    assert 1 == main(given)
    error = capsys.readouterr().err
    assert 1 == error.count("\n")
    assert error.startswith(f"syncache {words[0]}: ")


def dashes_are_lost() -> bool:
    """Does this Python's argparse (before 3.13) make an empty list of `--every=--`?"""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every")
    return parser.parse_args(["--every=--"]).every == []


@pytest.mark.parametrize("value", ["--", "\0"] if dashes_are_lost() else ["\0"])
@pytest.mark.parametrize(
    "words",
    [
        ["top", "--once", "--every"],
        ["metrics", "--textfile", "x", "--socket"],
        ["intercept", "--outside", "o", "--inside", "i", "--sysctl"],
    ],
)
def test_value_that_cannot_be_one_is_refused(words, value, capsys):
    """Of `--every=--` argparse makes an empty list, whatever the type."""
    with pytest.raises(SystemExit) as ended:
        main([*words[:-1], f"{words[-1]}={value}"])
    assert 2 == ended.value.code
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith(("expected one argument", "an argument holds a zero byte"))


def test_second_pair_of_dashes_is_no_argument(capsys):
    """Of it argparse makes an empty list, or a file's name."""
    try:
        status = main(["key", "show", "--", "--"])
    except SystemExit as ended:
        status = ended.code
    error = capsys.readouterr().err
    if dashes_are_lost():
        assert 2 == status
        assert error.endswith("error: argument FILE: expected one argument\n")
    else:
        assert 1 == status
        assert error == "syncache key: --: No such file or directory\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["inspect", "x", "--syslog"], "no syslog at {}: it is not the name of a host"),
        (["metrics", "--socket", "x", "--listen"], "cannot listen on "),
    ],
)
@pytest.mark.parametrize("host", ["x" * 64, "\udcff"])
def test_host_that_cannot_be_one_is_one_line(words, said, host, capsys):
    assert 1 == main([*words, f"{host}:80"])
    error = capsys.readouterr().err
    assert 1 == error.count("\n")
    assert said.format(one_line(f"{host}:80")) in error


def test_word_that_argparse_quotes_is_harmless(capsys):
    """A terminal obeys none of it."""
    with pytest.raises(SystemExit):
        main(["key", "show", "a", "b\n\x1b[31m"])
    assert capsys.readouterr().err.endswith("arguments: b\\n\\x1b[31m\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_names_it(command):
    """Its parser can be made without any extra."""
    parser = import_module(f"syncache.cli.{command}").parser()
    assert f"syncache {command}" == parser.prog
    assert parser.format_help()


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\u2028b", "a\udcffb"])
def test_error_that_quotes_a_strange_name_is_one_line(name, capsys):
    """A file's name may hold anything; a terminal obeys none of it."""
    words = ["--inside", "i0", "--outside", "o0", "--tun", "--check"]
    assert 1 == main(["inspect", *words, "--conf", f"/nowhere/{name}"])
    error = capsys.readouterr().err
    assert 1 == len(error.splitlines())
    assert error[:-1].isprintable()
    assert "No such file or directory" in error


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "1e309", "9" * 20])
@pytest.mark.parametrize(
    "words",
    [
        ["metrics", "--socket", "/nowhere", "--textfile", "/nowhere/x", "--every"],
        ["top", "--socket", "/nowhere", "--once", "--every"],
    ],
)
def test_number_of_seconds_that_cannot_be_is_one_line(words, seconds, capsys):
    """Nothing waits for ever, or ends with a traceback."""
    assert 1 == main([*words, seconds])
    error = capsys.readouterr().err
    assert error.startswith(f"syncache {words[0]}: --every is ")
    assert 1 == error.count("\n")


def failing(error):
    """Return work that fails."""

    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory: look at `ulimit -v`"),
        (RuntimeError("can't start new thread"), "cannot start a thread: "),
        (ImportError("x.so: failed to map segment from shared object"), "not enough"),
        (
            OSError(errno.ENOMEM, "Cannot allocate memory"),
            "memory: look at `ulimit -v`",
        ),
        (
            OSError(errno.EAGAIN, "Try again"),
            "Try again: look at `ulimit -u`, TasksMax",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "files: look at `ulimit -n`"),
        (LinkError("eth9: no rings", errno.ENOMEM), "eth9: no rings\n"),
    ],
)
def test_shortage_of_the_machine_is_one_line(error, said, capsys):
    """It says which limit to look at."""
    assert 1 == guarded("syncache serve", failing(error))
    line = capsys.readouterr().err
    assert line.startswith("syncache serve: ")
    assert said in line
    assert 1 == line.count("\n")


@pytest.mark.parametrize(
    "error", [RuntimeError("broken"), OSError(errno.EBADF, "Bad"), ImportError("x")]
)
def test_fault_of_ours_is_not_hidden(error):
    """A traceback says where it is."""
    with pytest.raises(type(error)):
        guarded("syncache serve", failing(error))
