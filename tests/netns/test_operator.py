"""The in-line commands as services: what an operator may do to them while they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from namespace import ROOT, Namespace, wait_until

COMMAND = [sys.executable, "-m", "syncache.cli"]
LINKS = ["--outside", "o0", "--inside", "i0"]


@pytest.fixture
def us():
    """A namespace with two veth pairs; `o0` and `i0` are the box's ends."""
    made = Namespace()
    for name in ("o0", "i0"):
        made.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
        for end in (name, f"{name}p"):
            made.run("ip", "link", "set", end, "up")
    yield made
    made.close()


def start(us, *words, stdout=subprocess.PIPE):
    """Start a command with any standard output; its end is the namespace's."""
    return subprocess.Popen(
        us.command(*COMMAND, *words),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def full_pipe():
    """Make a pipe that has no room for a byte."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(writer, b"x" * size)
        except BlockingIOError:
            pass
    os.set_blocking(writer, True)
    return reader, writer


def test_intercept_with_stalled_reader_runs_and_obeys_sigterm(us, tmp_path):
    """The state file shows that it got past its first line."""
    reader, writer = full_pipe()
    state = tmp_path / "state"
    words = ["intercept", *LINKS, "--state", state, "--state-interval", "0.05"]
    with start(us, *words, stdout=writer) as process:
        os.close(writer)
        wait_until(state.exists)
        state.unlink()
        wait_until(state.exists)  # so the loop turns
        process.send_signal(signal.SIGUSR1)
        state.unlink()
        wait_until(state.exists)
        process.terminate()
        error = process.communicate(timeout=30)[1]
    os.close(reader)
    assert 0 == process.returncode, error
    assert "lines of the log are lost\n" in error


@pytest.mark.parametrize(
    "words", [["intercept", *LINKS], ["inspect", *LINKS], ["inspect", "--tap", "o0"]]
)
def test_log_on_a_full_disk_is_a_warning(us, words):
    """The box goes on until it is stopped."""
    with (
        open("/dev/full", "wb") as full,  # noqa: PTH123
        start(us, *words, stdout=full) as process,
    ):
        assert "cannot write the log: No space left" in process.stderr.readline()
        process.send_signal(signal.SIGUSR1)
        process.terminate()
        process.communicate(timeout=30)
    assert 0 == process.returncode


FULL = """
mount -t tmpfs -o size=64k tmpfs "$1" && printf old > "$1/state" &&
cat /dev/zero > "$1/fill" 2>/dev/null; cd "$1"; shift; exec "$@"
"""


def test_state_on_a_full_disk_is_a_warning(us, tmp_path):
    """The box starts, forwards and ends; the disk keeps what it had, and no more."""
    state = tmp_path / "state"
    words = ["intercept", *LINKS, "--state", state, "--state-interval", "0.05"]
    shell = ["unshare", "--mount", "sh", "-c", FULL, "sh", tmp_path]
    process = us.start(*shell, *COMMAND, *words)
    first = process.stdout.readline()
    assert f"{state} cannot be used (it is no state of this version" in first
    assert "mode between o0 and i0" in process.stdout.readline()
    warning = process.stdout.readline()
    assert f"cannot write {state}: No space left on device; going on" in warning
    process.terminate()
    out, error = process.communicate(timeout=30)
    assert (0, "", "") == (process.returncode, out, error)
