"""`syncache shield` before it touches anything: words, mistakes, the report.

What it does is in netns/test_shield.py.
"""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from syncache import Sysctl
from syncache.cli import Failure, main, shield
from syncache.links.shield_check import Finding


def options(*words):
    return shield.parser().parse_args(["eth0", *words])


def test_services_are_each_port_of_each_address():
    """Without an address: all that the machine has."""
    assert [(None, 80), (None, 443)] == shield.services(
        options("--port", "80", "--port", "443")
    )
    words = ("--port", "80", "--address", "192.0.2.1", "--address", "2001:DB8::1")
    assert [("192.0.2.1", 80), ("2001:db8::1", 80)] == shield.services(options(*words))
    words = (
        "--port",
        "80",
        "--address",
        "::ffff:192.0.2.1",
        "--address",
        "fe80::1%eth0",
    )
    assert [("192.0.2.1", 80), ("fe80::1", 80)] == shield.services(options(*words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--port", "0"), "port 0 is not between 1 and 65535"),
        (("--port", "80", "--wscale", "15"), "--wscale is 0 to 14, not 15"),
        (("--port", "80", "--wscale", "-1"), "--wscale is 0 to 14, not -1"),
        (("--port", "80", "--address", "here"), "'here' is not an address"),
        (
            ("--port", "80", "--address", "0.0.0.0"),
            "--address 0.0.0.0 is not the address",
        ),
        (("--port", "80", "--address", "::"), "--address :: is not the address"),
        (("--port", "80", "--address", "127.0.0.1"), "nobody connects to it"),
        (("--port", "80", "--address", "ff02::1"), "nobody connects to it"),
    ],
)
def test_mistake_is_one_line(words, message):
    with pytest.raises(Failure, match=message):
        shield.services(options(*words))


def test_interface_that_is_not_there_is_one_line_and_status_1(capsys):
    assert 1 == main(["shield", "syncache-none", "--port", "80"])
    error = capsys.readouterr().err
    assert error.startswith("syncache shield: there is no interface syncache-none")
    assert 1 == error.count("\n")


@pytest.mark.parametrize(("level", "status"), [("ok", 0), ("note", 0), ("fail", 1)])
def test_report_says_by_its_status_whether_it_would_work(
    monkeypatch, capsys, level, status
):
    """A line for each thing that was looked at; notes are no failure."""
    asked = []

    def check(name, services, _, xdp):
        asked.append((name, services, xdp))
        return [Finding(level, "so it is")]

    monkeypatch.setattr(shield, "check", check)
    monkeypatch.setattr(shield.host_settings, "addresses", lambda: {"192.0.2.1"})
    words = ["shield", "eth0", "--port", "80", "--check", "--xdp", "tc"]
    assert status == main(words)
    assert f"{level:5}so it is\n" == capsys.readouterr().out
    assert [("eth0", [("192.0.2.1", 80)], "tc")] == asked


def test_check_passes_an_interface_that_is_waited_for(capsys):
    """A unit checks before each start."""
    words = ["shield", "syncache-none", "--port", "80", "--check"]
    assert 0 == main([*words, "--wait"])
    assert "is waited for\n" in capsys.readouterr().out
    assert 1 == main(words)


@pytest.mark.parametrize("name", ["", "file", "file/new", "none/new", "new"])
def test_check_refuses_pins_outside_a_bpf_file_system(tmp_path, capsys, name):
    (tmp_path / "file").touch()
    words = ["shield", "eth0", "--port", "80", "--check", "--pin"]
    assert 1 == main([*words, str(tmp_path / name)])
    assert "--pin takes a folder of a BPF file system" in capsys.readouterr().err
    assert ["file"] == [each.name for each in tmp_path.iterdir()]


def test_mode_is_a_tunable(monkeypatch):
    """The option goes before nothing and after the file."""
    seen = []

    def check(_, __, sysctl, ___):
        seen.append(sysctl["net.inet.tcp.syncache.x.shield.mode"])
        return []

    monkeypatch.setattr(shield, "check", check)
    main(["shield", "eth0", "--port", "80", "--check", "--mode", "watch"])
    main(["shield", "eth0", "--port", "80", "--check"])
    assert ["watch", "auto"] == seen


@pytest.mark.parametrize(
    ("words", "group", "scale"),
    [([], 7, 7), (["--wscale", "3"], 7, 3), ([], None, None)],
)
def test_scale_of_a_group_is_told_unless_another_is_chosen(
    monkeypatch, words, group, scale
):
    """A group's cookies have one under the MAC; else it is the kernel's."""
    seen = []

    def attached(_name, _sysctl, *, wscale, **_):
        seen.append(wscale)
        raise ValueError("enough")

    monkeypatch.setattr(shield, "Shield", attached)
    chosen = options("--port", "80", *words)
    source = SimpleNamespace(keys=None, wscale=group)
    with pytest.raises(Failure, match="enough"), contextlib.ExitStack() as links:
        shield.attach(chosen, source, Sysctl(), links)
    assert [scale] == seen
