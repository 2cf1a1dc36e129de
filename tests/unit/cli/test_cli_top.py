"""syncache/cli/top.py: the command, also in a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import types
from pathlib import Path

import pytest
from test_cli_top_data import server, serving

from syncache.cli import main
from syncache.cli.top import plain

ROOT = Path(__file__).resolve().parents[3]
ESCAPE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")


@pytest.fixture
def process(tmp_path):
    path = str(tmp_path / "web")
    with serving({path: server()}):
        yield path


def test_once_prints_one_picture(process, capsys, monkeypatch):
    """For a script, or a terminal that cannot do more."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    assert 0 == main(["top", "--socket", process, "--once"])
    lines = capsys.readouterr().out.splitlines()
    assert 24 == len(lines)
    assert lines[0].startswith("syncache ")
    assert any("192.0.2.1:80" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "say which process: --socket PATH"),
        (["--socket", "/nowhere/web"], "/nowhere/web: No such file or directory"),
        (["--socket", "/nowhere/web", "--every", "0"], "--every is 0.2 to 86400"),
        (["--socket", "{}"], "it needs a terminal; --once prints one picture"),
    ],
)
def test_mistake_is_one_line(words, error, process, capsys, monkeypatch):
    """And a process that is not there is found before the terminal is taken."""
    monkeypatch.delenv("SYNCACHE_SOCKET", raising=False)
    assert 1 == main(["top", *(word.format(process) for word in words)])
    assert error in capsys.readouterr().err


@pytest.mark.parametrize(
    ("term", "draws", "error"),
    [
        ("xterm", True, "pip install 'tcp-syncache[top]'"),
        ("xterm", False, "the standard error has to be the terminal too"),
        ("dumb", True, "TERM=dumb places no"),
    ],
)
def test_terminal_or_library_that_is_not_enough_is_named(
    term, draws, error, process, capsys, monkeypatch
):
    """With the words that install it, or go without."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setitem(sys.modules, "textual.app", None)
    monkeypatch.delitem(sys.modules, "syncache.cli.top_app", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: draws, raising=False)
    assert 1 == main(["top", "--socket", process])
    assert error in capsys.readouterr().err


class Terminal:
    """A pseudo-terminal of 80 columns and 24 lines, and what was written to it."""

    def __init__(self, *words):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "syncache.cli", "top", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)},
        )
        os.close(theirs)
        self.raw = b""

    def until(self, condition, seconds=60):
        """Read until something is so."""
        end = time.monotonic() + seconds
        while not condition(ESCAPE.sub(b"", self.raw).decode(errors="replace")):
            assert time.monotonic() < end, self.raw[-4000:]
            if select.select([self.ours], [], [], 0.1)[0]:
                try:
                    self.raw += os.read(self.ours, 65536)
                except OSError:  # the other end is closed
                    self.process.wait(30)
                    assert condition(""), self.raw[-4000:]
                    return

    def press(self, keys):
        os.write(self.ours, keys)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


def test_top_runs_in_a_terminal_obeys_its_keys_and_leaves_it_as_it_was(process):
    """Over a pseudo-terminal, as over ssh."""
    pytest.importorskip("textual")
    terminal = Terminal("--socket", process, "--every", "0.2")
    try:
        terminal.until(lambda text: "192.0.2.1:80" in text and "half-open" in text)
        terminal.until(lambda text: "q quit" in text)
        terminal.raw = b""
        terminal.press(b"g")
        terminal.until(lambda text: "destination " in text)
        terminal.press(b"p")
        terminal.until(lambda text: "PAUSED" in text)
        terminal.press(b"q")
        terminal.until(lambda _: terminal.process.poll() is not None)
        assert 0 == terminal.process.returncode
        assert b"\x1b[?1049l" in terminal.raw  # the screen of before
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("encoding", "line"), [("utf-8", "▁▄█ ←→"), ("ascii", "_-# <>"), (None, "▁▄█ ←→")]
)
def test_picture_without_utf_8_is_ascii(encoding, line, monkeypatch):
    """A pipe of a machine whose locale is POSIX."""
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(encoding=encoding))
    assert line == plain("▁▄█ ←→")
