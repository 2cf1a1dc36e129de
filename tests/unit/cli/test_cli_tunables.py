"""Tunables of the middlebox commands: presets, files of two kinds, single settings."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

import pytest

from syncache import Sysctl
from syncache.cli import Failure
from syncache.cli.output import Handler, Output
from syncache.cli.tunables import load, load_file, speaks_ios

_I = "net.inet.inspect."
IOS = "ip tcp intercept mode watch\n"


def test_what_comes_later_wins(tmp_path):
    """Preset, file, IOS configuration, settings."""
    conf, ios = tmp_path / "a.conf", tmp_path / "b.ios"
    conf.write_text(f"{_I}dns_timeout=6\n{_I}tcp.synwait_time=6\n{_I}udp.idle_time=6\n")
    ios.write_text("ip inspect dns-timeout 7\nip inspect tcp synwait-time 7\n")
    sysctl, _ = load(
        preset="cbac-modern", conf=conf, ios=ios, settings=[f"{_I}dns_timeout=8"]
    )
    names = ("dns_timeout", "tcp.synwait_time", "udp.idle_time", "one_minute.high")
    assert [8, 7, 6, 0] == [sysctl[_I + name] for name in names]


def test_a_file_is_known_by_its_first_line(tmp_path):
    """Neither suffix nor flag is needed."""
    path = tmp_path / "file"
    path.write_text("! a router's\nip inspect name a tcp timeout 9\n")
    _, config = load(conf=path)
    assert config.inspection


@pytest.mark.parametrize(
    ("text", "ios"),
    [
        ("# comment\nname=1\n", False),
        ("# comment\nip inspect alert-off\n", True),
        ("!\n", True),
        ("", False),
    ],
)
def test_first_lines_tell(text, ios):
    """`=` is sysctl.conf's, `!` is a router's."""
    assert ios == speaks_ios(text.split("\n"))


@pytest.mark.parametrize("text", ["net.inet.tcp.intercept.mode=watch\n", IOS])
def test_configuration_comes_through_a_pipe(text):
    """`--conf <(command)`: it can be read once only."""
    inner, outer = os.pipe()
    os.write(outer, text.encode())
    os.close(outer)
    try:
        sysctl, _ = load(conf=Path(f"/proc/self/fd/{inner}"))
    finally:
        os.close(inner)
    assert "watch" == sysctl["net.inet.tcp.intercept.mode"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "none"}, "no preset 'none'"),
        ({"settings": ["x"]}, "'x' is not of the form NAME=VALUE"),
        ({"settings": ["x=1"]}, "no tunable 'x'"),
        ({"settings": [f"{_I}alert=7"]}, "is 0 to 1"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, message):
    """The operator's mistake, named."""
    with pytest.raises(Failure, match=message):
        load(**arguments)


def test_files_that_are_wrong_are_named_with_their_line(tmp_path):
    """And those that are not there."""
    path = tmp_path / "a.conf"
    path.write_text("! ios\nip inspect frobnicate\n")
    with pytest.raises(Failure, match=r"a\.conf:2: .* is not understood"):
        load(conf=path)
    path.write_text("ip inspect name a tcp\nip inspect name b tcp\n")
    with pytest.raises(Failure, match="one set of rules"):
        load(ios=path)
    with pytest.raises(Failure, match="No such file"):
        load(conf=tmp_path / "none")


def test_line_that_is_ignored_is_in_the_log_of_a_command_that_runs(tmp_path, capsys):
    """A reload says it where the operator looks; before there is a log, it is said."""
    conf, path = tmp_path / "a.conf", tmp_path / "log"
    conf.write_text("kern.maxfiles=9\n")
    said = f"syncache: {conf}:1: no tunable 'kern.maxfiles'"
    load_file(Sysctl(), conf)
    assert capsys.readouterr().err.startswith(said)
    with contextlib.closing(Output(path=path)) as output:
        handler = Handler(output)
        logging.getLogger().addHandler(handler)
        try:
            load_file(Sysctl(), conf)
        finally:
            logging.getLogger().removeHandler(handler)
    assert path.read_text().startswith(said)
    assert "" == capsys.readouterr().err
