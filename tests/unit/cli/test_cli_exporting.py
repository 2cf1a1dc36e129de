"""syncache/cli/exporting.py: scrapes answered beside a command, by another process."""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import ports
import pytest

from syncache.cli import Failure
from syncache.cli.exporting import exporting

PROGRAM = """
import argparse, sys, time
from syncache import Intercept
from syncache.control_socket import ControlSocket
from syncache.cli.exporting import exporting
from syncache.control import FlowControl
options = argparse.Namespace(metrics=sys.argv[1], control=sys.argv[2] or None)
with exporting(options):
    box = ControlSocket(options.control, FlowControl(Intercept(acl=None)))
    print(options.control, flush=True)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        box.turn()
        time.sleep(0.01)
"""


@contextmanager
def box(where, control, folder):
    """A process with metrics; its first line."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, where, control],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"SYNCACHE_RUN": str(folder)},
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def scraped(where):
    with urllib.request.urlopen(f"http://{where}/metrics", timeout=60) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("control", ["", "box.control"])
def test_counters_of_the_command_are_scraped(tmp_path, control):
    """With a control socket of its own, if none was asked for."""
    where = f"127.0.0.1:{ports.free()}"
    given = str(tmp_path / control) if control else ""
    with box(where, given, tmp_path / "run") as (_, path):
        text = scraped(where)
        assert f'syncache_up{{process="{path}"}} 1' in text
        assert path == (given or str(tmp_path / "run" / f"{where}.control"))


def test_scrapes_end_with_a_command_that_was_killed(tmp_path):
    """The next start has the address again."""
    where = f"127.0.0.1:{ports.free()}"
    with box(where, "", tmp_path) as (process, _):
        scraped(where)
        process.kill()
        process.wait(60)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                scraped(where)
            except (OSError, http.client.HTTPException):  # or in the midst of one
                return
            time.sleep(0.01)
    raise AssertionError("somebody still answers")


def test_address_that_cannot_be_had_is_one_line(tmp_path):
    """Before anything else is opened."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        options = argparse.Namespace(metrics=where, control=str(tmp_path / "x"))
        with pytest.raises(Failure, match="cannot listen on"), exporting(options):
            pass


def test_without_the_option_nothing_is_made():
    """Not even a socket."""
    options = argparse.Namespace(metrics=None, control=None)
    with exporting(options):
        assert options.control is None
