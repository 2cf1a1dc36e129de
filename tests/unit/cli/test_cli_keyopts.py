"""syncache/cli/keyopts.py: which keys the commands take, and mistakes in one line."""

from __future__ import annotations

import pytest

from syncache.cli import inspect, intercept, keyopts, main, serve
from syncache.keyring import DerivedKeyring, Master

GATE = "net.inet.tcp.syncache.x.cookie_gate"


def ring(*masters, group="web"):
    return DerivedKeyring(masters, wall_offset=0, group=group)


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "ring"
    ring(Master.generate(1)).save(made)
    return made


COMMANDS = {
    "serve": (serve, ["--echo", "--address", "198.18.0.2/24"]),
    "intercept": (intercept, ["--outside", "a", "--inside", "b"]),
    "inspect": (inspect, ["--outside", "a", "--inside", "b"]),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--keyring", "/nowhere/at/all"], "/nowhere/at/all: No such file"),
        (["--passphrase", "/nowhere"], "--passphrase needs --keyring"),
    ],
)
def test_keyring_that_cannot_be_used_is_one_line(capsys, name, words, hint):
    """Before any interface is touched."""
    assert 1 == main([name, *COMMANDS[name][1], *words])
    error = capsys.readouterr().err
    assert (1, True) == (error.count("\n"), hint in error)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("group", "words", "gate"),
    [
        ("web", [], "always"),
        ("", [], "endpoint"),
        ("web", ["--preset", "freebsd"], "always"),
        ("web", ["--sysctl", f"{GATE}=bucket"], "bucket"),
    ],
)
def test_group_opens_the_gate_unless_told_otherwise(path, name, group, words, gate):
    """A cookie may come back to a machine that did not make it."""
    ring(Master.generate(1), group=group).save(path)
    command, given = COMMANDS[name]
    options = command.parser().parse_args([*given, "--keyring", str(path), *words])
    source = keyopts.source(options)
    if name == "serve":
        sysctl = serve.tunables(options, source.settings)
    else:
        sysctl = command.make(options, source).sysctl
    assert gate == sysctl[GATE]


def test_engines_of_the_commands_have_the_keys_of_the_file(path, tmp_path):
    """Of a sealed one too."""
    secret = tmp_path / "passphrase"
    secret.write_text("open sesame")
    secret.chmod(0o600)
    ring(Master.generate(4)).save(path, passphrase=b"open sesame")
    words = ["--keyring", str(path), "--passphrase", str(secret)]
    for name in ("intercept", "inspect"):
        command, given = COMMANDS[name]
        options = command.parser().parse_args([*given, *words])
        source = keyopts.source(options)
        assert 4 == source.keys.masters[0].number
        command.make(options, source).close()
