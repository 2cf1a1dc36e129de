"""syncache/cli/options.py: the shared options mean the same in every command."""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from syncache.cli import Failure, advise, inspect, intercept, main, options, serve

MINIMUM = {
    "serve": ["--discard", "--packet", "lo", "--address", "127.0.0.1"],
    "intercept": ["--outside", "lo", "--inside", "lo2"],
    "inspect": ["--tap", "lo"],
}
SHARED = {
    *("--preset", "--conf", "--sysctl", "--keyring", "--passphrase", "--log", "--cpu"),
    *("--priority", "--check", "--wait", "--user", "--group", "--ring", "--block"),
}


@pytest.mark.parametrize("module", [serve, intercept, inspect])
def test_every_long_running_command_has_the_shared_options(module):
    """With one meaning: their help is one text."""
    actions = module.parser()._option_string_actions
    assert SHARED <= actions.keys()
    other = intercept.parser()._option_string_actions
    words = ("--sysctl", "--check", "--wait", "--cpu", "--user", "--log", "--ring")
    for word in words:
        assert other[word].help == actions[word].help


@pytest.mark.parametrize("command", MINIMUM)
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--cpu", "100000"], "--cpu 100000: there are "),
        (["--priority", "100"], "--priority is 1 to 99, not 100"),
        (["--group", "daemon"], "--group needs --user"),
        (["--user", "syncache-none"], "--user syncache-none: there is no such user"),
        (["--user", "root", "--group", "syncache-none"], "there is no such group"),
        (["--conf", "/nowhere/a.conf"], "/nowhere/a.conf: No such file"),
        (["--sysctl", "net.inet.tcp.nothing=1"], "net.inet.tcp.nothing"),
        (["--ring", "0"], "--ring 0: a ring has 1 to "),
        (["--ring", str(2**40)], f"--ring {2**40}: a ring has 1 to "),
        (["--block", "1000"], "--block 1000: it is pages of "),
        (["--block", "-4096"], "--block -4096: it is pages of "),
        (["--metrics", "192.0.2.99:9465"], "--metrics 192.0.2.99:9465: Cannot assign"),
        (["--syslog", "127.0.0.1:0"], "--syslog 127.0.0.1:0: '0' is not a port"),
    ],
)
def test_mistake_is_one_line_of_check(command, words, hint, capsys):
    """Nothing is opened, so it needs no privilege."""
    assert 1 == main([command, *MINIMUM[command], "--wait", "--check", *words])
    error = capsys.readouterr().err
    assert hint in error
    assert 1 == error.count("\n")


@pytest.mark.parametrize("command", MINIMUM)
def test_check_of_a_folder_of_tunables_starts_nothing(command, tmp_path, capsys):
    """Its files are read in order, and the last one wins; others are passed over."""
    (tmp_path / "10-first.conf").write_text("net.inet.tcp.syncache.rexmtlimit=1\n")
    (tmp_path / "20-last.conf").write_text("net.inet.tcp.syncache.rexmtlimit=2\n")
    (tmp_path / "notes.txt").write_text("not one of them\n")
    words = [command, *MINIMUM[command], "--conf", str(tmp_path), "--wait", "--check"]
    assert 0 == main(words)
    assert ("", "") == capsys.readouterr()
    given = serve.parser().parse_args([*MINIMUM["serve"], "--conf", str(tmp_path)])
    assert 2 == serve.tunables(given)["net.inet.tcp.syncache.rexmtlimit"]
    (tmp_path / "30-bad.conf").write_text(
        "# a comment\nnet.inet.tcp.syncache.rexmtlimit=x\n"
    )
    assert 1 == main(words)
    assert "30-bad.conf:2: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "inspect"])
def test_interface_that_is_missing_is_found_by_check(command, capsys):
    """Unless it will be waited for."""
    words = [w if w != "lo" else "syncache-none" for w in MINIMUM[command]]
    assert 1 == main([command, *words, "--check"])
    assert "no interface 'syncache-none'" in capsys.readouterr().err
    assert 0 == main([command, *words, "--check", "--wait"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["--ring", "65536", "--block", "0"], {"ring": 65536, "block": 0}),
        (["--block", "4096"], {"block": 4096}),
    ],
)
@pytest.mark.parametrize("module", [serve, intercept, inspect, advise])
def test_ring_of_an_interface_is_the_links_unless_asked_for(module, words, expected):
    """A number that was not given is left to the link."""
    minimum = MINIMUM.get(module.__name__.rpartition(".")[2], ["lo"])
    asked = module.parser().parse_args([*minimum, *words])
    assert expected == options.ring_of(asked)


def test_ring_that_cannot_be_is_refused_before_listening(capsys):
    """By the command that has no check of services."""
    assert 1 == main(["advise", "lo", "--block", "7"])
    assert "--block 7: it is pages of " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["inspect", "--tap", "lo", "--xdp"], "--xdp and --tun are for --inside IF"),
        (["inspect", "--tap", "lo", "--tun"], "--xdp and --tun are for --inside IF"),
        (["inspect", "--xdp", "a.pcap"], "--xdp and --tun are for --inside IF"),
        (
            ["intercept", *MINIMUM["intercept"], "--xdp", "--offload"],
            "--offload is for AF_PACKET, not for --tun or --xdp",
        ),
    ],
)
def test_way_of_taking_interfaces_that_does_not_go_is_refused(words, says, capsys):
    """In one line, before anything is opened."""
    assert 1 == main(words)
    error = capsys.readouterr().err
    assert says in error
    assert 1 == error.count("\n")


@pytest.mark.parametrize("command", MINIMUM)
@pytest.mark.parametrize("word", ["--log", "--pcapng", "--control"])
def test_check_names_a_file_that_could_not_be_written(command, word, tmp_path, capsys):
    """Before a start is tried; and it makes none."""
    place = tmp_path / "none" / "file"
    assert 1 == main([command, *MINIMUM[command], "--check", word, str(place)])
    assert f"{word} {place}: " in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [*MINIMUM, "shield"])
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("file", "exists and is not a socket"),
        ("dangling", "exists and is not a socket"),
        ("none/file", "there is no folder "),
        ("x" * 108, "1 to 107 bytes"),
        ("used", "is in use by another process"),
    ],
)
def test_control_that_cannot_be_is_refused_before_a_word(
    command, kind, why, tmp_path, capsys
):
    """Also where an interface is waited for; a file of another stays as it is."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    place = tmp_path / kind
    words = {**MINIMUM, "shield": ["lo2", "--port", "80"]}[command]
    with contextlib.ExitStack() as stack:
        if kind == "used":
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(str(place))
            server.listen()
        assert 1 == main([command, *words, "--wait", "--control", str(place)])
    out, error = capsys.readouterr()
    assert ("", 1) == (out, error.count("\n"))
    assert f"--control {place}: " in error
    assert why in error
    assert "mine" == (tmp_path / "file").read_text()


@pytest.mark.parametrize("command", [*MINIMUM, "shield"])
def test_address_of_metrics_that_is_in_use_is_refused_before_a_word(
    command, tmp_path, capsys
):
    """Also where an interface is waited for."""
    words = {**MINIMUM, "shield": ["lo2", "--port", "80"]}[command]
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        where = f"127.0.0.1:{server.getsockname()[1]}"
        control = ["--control", str(tmp_path / "socket")]
        assert 1 == main([command, *words, "--wait", "--metrics", where, *control])
    out, error = capsys.readouterr()
    assert ("", 1) == (out, error.count("\n"))
    assert f"cannot listen on {where}: " in error


@pytest.mark.parametrize("command", MINIMUM)
def test_check_takes_the_socket_of_the_process_that_is_to_be_replaced(
    command, tmp_path, capsys
):
    """It is for before a restart; each shard has one."""
    words = [command, *MINIMUM[command], "--wait", "--check"]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "control"))
        server.listen()
        assert 0 == main([*words, "--control", str(tmp_path / "control")])
    (tmp_path / "control.1").write_text("mine")
    if command == "serve":
        sharded = ["--shards", "2", "--control", str(tmp_path / "control")]
        assert 1 == main([*words, *sharded])
        assert "control.1: exists and is not" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "--tap", "lo", "--wait", "--report"],
        ["inspect", "no.pcap", "--report"],
        ["advise", "lo", "--report"],
        ["advise", "lo", "--picture"],
        ["log", "-", "--report"],
        ["log", "-", "--picture"],
        ["demo", "--json"],
        ["demo", "--picture"],
    ],
)
def test_page_that_cannot_be_written_at_the_end_is_refused_at_the_start(
    words, tmp_path, capsys
):
    """An hour of reading would be lost; nothing is read."""
    for place in (tmp_path, tmp_path / "none" / "page"):
        assert 1 == main([*words, str(place)])
        error = capsys.readouterr().err
        assert f"{words[-1]} {place}: " in error
        assert 1 == error.count("\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--asgi", "syncache_nowhere:app"], "cannot be loaded; it is MODULE:APP"),
        (["--asgi", "syncache_nowhere.web:app"], "it is MODULE:APP"),
    ],
)
def test_application_that_is_not_there_is_found_by_check(words, says, capsys):
    """Before an interface is touched."""
    place = ["--packet", "lo", "--address", "127.0.0.1", "--check"]
    assert 1 == main(["serve", *words, *place])
    error = capsys.readouterr().err
    assert says in error
    assert 1 == error.count("\n")


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("folder", "Is a directory"),
        ("loop", "symbolic"),
        ("dangling", "there is no folder /nowhere"),
        ("file", ""),
        ("none", ""),
    ],
)
def test_check_looks_at_the_kind_of_a_file(tmp_path, kind, why):
    """It stays as it is."""
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to("loop")
    elif kind == "dangling":
        path.symlink_to("/nowhere/file")
    elif kind == "file":
        path.write_text("mine")
    given = argparse.Namespace(log=path)
    if not why:
        options.check_outputs(given)
        assert (kind == "file") == path.exists()
        return
    with pytest.raises(Failure, match=f"--log {path}: .*{why}"):
        options.check_outputs(given)


@pytest.mark.parametrize("word", ["files", "sources", "conf", "ios", "keyring"])
@pytest.mark.parametrize("how", ["same", "symbolic", "hard"])
def test_output_that_is_read_too_is_refused(tmp_path, word, how):
    """Whatever it is called: writing it would destroy what is read."""
    read, named = tmp_path / "busy.pcap", tmp_path / "other"
    read.write_text("mine")
    if how == "symbolic":
        named.symlink_to(read)
    elif how == "hard":
        named.hardlink_to(read)
    else:
        named = read
    many = word in {"files", "sources"}
    given = argparse.Namespace(**{word: ["gone", str(read)] if many else read})
    options.check_outputs(given, options.OF_FILES)
    for output in options.OF_FILES:
        given = argparse.Namespace(**{**vars(given), output: named})
        with pytest.raises(Failure, match=f"^--{output} {named}: it is read too"):
            options.check_outputs(given, options.OF_FILES)
        delattr(given, output)
    assert read.read_text() == "mine"


def test_standard_input_is_a_file_that_is_read(tmp_path, monkeypatch):
    """As in `inspect - --pcapng FILE < FILE`; a pipe is none."""
    path = tmp_path / "a"
    path.touch()
    other = tmp_path / "b"
    other.touch()
    given = argparse.Namespace(files=["-"], report=path)
    found = {1: path.stat(), 2: other.stat()}
    monkeypatch.setattr(options.os, "fstat", lambda _: found[2])
    options.check_outputs(given, options.OF_FILES)
    monkeypatch.setattr(options.os, "fstat", lambda _: found[1])
    with pytest.raises(Failure, match="it is read too"):
        options.check_outputs(given, options.OF_FILES)


def test_two_outputs_are_two_files(tmp_path):
    """One would overwrite the other; a device has room for both."""
    path = tmp_path / "a"
    given = argparse.Namespace(pcapng=path, report=tmp_path / "." / "a")
    with pytest.raises(Failure, match=r"--report .*: --pcapng has it"):
        options.check_outputs(given, options.OF_FILES)
    null = Path("/dev/null")
    given = argparse.Namespace(pcapng=null, report=null)
    options.check_outputs(given, options.OF_FILES)


@pytest.mark.parametrize(
    ("limits", "after"), [((20, 500), 128), ((20, 64), None), ((300, 400), 300)]
)
def test_descriptors_are_enough_or_the_start_is_refused(limits, after):
    """A low limit is raised; one that cannot be is one line, before anything else."""
    program = (
        "import resource as r\n"
        "from syncache.cli import Failure, options\n"
        f"r.setrlimit(r.RLIMIT_NOFILE, {limits})\n"
        "try:\n"
        "    options.check_descriptors()\n"
        "    print(r.getrlimit(r.RLIMIT_NOFILE)[0])\n"
        "except Failure as failure:\n"
        "    print(failure)\n"
    )
    words = [sys.executable, "-c", program]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    low = "64 descriptors are too few: `ulimit -n 128`, or LimitNOFILE=128 of the unit"
    assert f"{after or low}\n" == said


@pytest.mark.parametrize(
    ("words", "logs"),
    [
        ([], False),
        (["--log-format", "text"], False),
        (["--log-format", "json"], True),
        (["--log", "file"], True),
        (["--syslog", "/dev/log"], True),
        (["--log", "file", "--wait"], False),
    ],
)
def test_loss_is_logged_where_the_failure_is_not_seen(words, logs):
    """Once in each place: the standard error, and a log that is elsewhere."""
    parser = argparse.ArgumentParser()
    options.add_log(parser)
    options.add_service(parser)
    assert logs == options.logs_loss(parser.parse_args(words))


def test_interface_is_not_missing_for_want_of_descriptors():
    """Nobody waits for one that is there."""
    code = (
        "import os, resource\n"
        "from syncache.cli.options import exists\n"
        "assert exists('lo') and not exists('syncache-none')\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "assert exists('lo')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("word", options.OF_FILES)
def test_standard_output_is_no_place_for_a_file(word):
    """It has the text of the report; a file of the name `-` helps nobody."""
    given = argparse.Namespace(**{word: Path("-")})
    with pytest.raises(Failure, match=f"^--{word} -: .*name a file"):
        options.check_outputs(given, options.OF_FILES)


def test_control_socket_of_another_process_is_one_line(tmp_path):
    """Whoever came first keeps it."""
    place = options.control_place(str(tmp_path / "control"))
    with pytest.raises(Failure, match=r"^--control /.* in use by another process"):
        options.control_place(str(tmp_path / "control"))
    place.socket.close()
    place.remove()
    with pytest.raises(Failure, match=r"^--control /nowhere/at/all: No such file"):
        options.control_place("/nowhere/at/all")
