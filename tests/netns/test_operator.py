"""The in-line commands as services: what an operator may do to them while they run."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from full_pipe import fill
from namespace import PATIENCE, Namespace, wait_until

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


@contextmanager
def start(us, *words, stdout=subprocess.PIPE):
    """Start a command with any standard output; a test that fails kills it."""
    with us.start(*COMMAND, *words, stdout=stdout) as process:
        try:
            yield process
        finally:
            process.kill()


def full_pipe():
    """Make a pipe that has no room for a byte."""
    reader, writer = os.pipe()
    fill(writer)
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
        error = process.communicate(timeout=PATIENCE)[1]
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
        process.communicate(timeout=PATIENCE)
    assert 0 == process.returncode


@pytest.fixture
def full(tmp_path):
    """The folder of a disk of 64 kB that has room for nothing more than `state`."""
    # No mount namespace of its own: unshare(1) makes none in a chroot.
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True
    )
    try:
        (disk / "state").write_text("old")
        with pytest.raises(OSError, match="No space"):
            (disk / "fill").write_bytes(bytes(64 << 10))
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_state_on_a_full_disk_is_a_warning(us, full):
    """The box starts, forwards and ends; the disk keeps what it had, and no more."""
    state = full / "state"
    words = ["intercept", *LINKS, "--state", state, "--state-interval", "0.05"]
    process = us.start(*COMMAND, *words)
    first = process.stdout.readline()
    assert f"{state} cannot be used (it is not a state of this version" in first
    assert "mode between o0 and i0" in process.stdout.readline()
    warning = process.stdout.readline()
    assert f"cannot write {state}: No space left on device; going on" in warning
    process.terminate()
    out, error = process.communicate(timeout=PATIENCE)
    assert (0, "", "") == (process.returncode, out, error)


SERVE = ["serve", "--discard", "--packet", "o0", "--address"]
GIVEN = ["198.18.0.2/24", "--address", "fd00:18::2/64"]


def interface(us):
    """What a process could have changed of `o0`."""
    return us.show("o0"), us.run("cat", "/proc/sys/net/ipv6/conf/o0/keep_addr_on_down")


def test_killed_process_left_an_address_and_the_next_orderly_end_removes_it(us):
    """Whatever the next one serves; and so until one of them ends in order."""
    us.run("ip", "link", "set", "o0", "down")
    before = interface(us)
    for given in (GIVEN, GIVEN, ["198.18.0.3/24"]):
        with start(us, *SERVE, *given) as process:
            assert "discard on " in process.stdout.readline()
            process.kill()
    assert before != interface(us)
    with start(us, *SERVE, *GIVEN) as process:
        process.stdout.readline()
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert before == interface(us)


def test_forwarder_removes_what_a_killed_server_left(us):
    """The kernel would answer there."""
    before = interface(us)
    with start(us, *SERVE, *GIVEN) as process:
        process.stdout.readline()
        process.kill()
    with start(us, "intercept", *LINKS) as process:
        process.stdout.readline()
        assert before[0]["addresses"] == us.show("o0")["addresses"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert before == interface(us)


def test_second_process_on_an_interface_is_refused(us):
    """Whichever of the commands; a tap disturbs nobody."""
    with start(us, "intercept", *LINKS) as first:
        first.stdout.readline()
        for words in (
            ["inspect", "--outside", "i0", "--inside", "o0p"],
            [*SERVE, "198.18.0.2/24"],
            [*SERVE, "198.18.0.2/24", "--shards", "2"],
        ):
            with start(us, *words) as second:
                error = second.communicate(timeout=PATIENCE)[1]
            assert 1 == second.returncode
            assert f" is in use by process {first.pid}: stop that first\n" in error
        with start(us, "inspect", "--tap", "o0") as tap:
            assert "inspecting beside o0\n" == tap.stdout.readline()
            tap.terminate()
            tap.communicate(timeout=PATIENCE)
        first.terminate()
        first.communicate(timeout=PATIENCE)


@pytest.mark.parametrize(
    "words",
    [
        ["intercept", *LINKS],
        ["inspect", "--tap", "o0"],
        [*SERVE, "198.18.0.2/24"],
        ["serve", "--discard", "--xdp", "o0", "--address", "198.18.0.2/24"],
    ],
)
def test_deleted_interface_ends_the_process_with_one_line(us, words):
    """Although nothing is sent."""
    with start(us, *words) as process:
        assert process.stdout.readline()
        us.run("ip", "link", "del", "o0")
        error = process.communicate(timeout=PATIENCE)[1]
    assert 1 == process.returncode
    assert "o0 is gone: " in error.splitlines()[-1]
    assert 1 == error.count("is gone")


@pytest.mark.parametrize(
    ("words", "stream"),
    [
        (["intercept", *LINKS], "stderr"),
        (["inspect", "--tap", "o0"], "stderr"),
        ([*SERVE, "198.18.0.2/24"], "stderr"),
        (["shield", "o0", "--port", "80", "--address", "198.18.0.2"], "stdout"),
    ],
)
def test_interface_that_goes_down_and_comes_up_again_is_worth_a_line_each(
    us, words, stream
):
    """Its cable too, and another name, and the address that `serve` has there."""
    us.run("ip", "addr", "add", "198.18.0.2/24", "dev", "o0")
    with start(us, *words) as process:
        assert process.stdout.readline()
        lines = getattr(process, stream)
        given = [
            ("ip addr flush dev o0", "this machine has lost 198.18.0.2, and "),
            ("ip addr add 198.18.0.2/24 dev o0", "this machine has 198.18.0.2 again\n"),
        ]
        for command, said in (
            ("ip link set o0 down", "o0 is down: `ip link set o0 up`\n"),
            ("ip link set o0 up", "o0 is up again\n"),
            *(given if words[0] == "serve" else ()),
            ("ip link set o0p down", "o0 has no carrier: "),
            ("ip link set o0p up", "o0 is up again\n"),
            ("ip link set o0 down", "o0 is down: "),
            ("ip link set o0 name w0", "o0 is called w0 now\n"),
            ("ip link set w0 up", "w0 is up again\n"),
        ):
            us.run("sh", "-ec", command)
            assert said in lines.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert 0 == process.returncode


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["serve", "--discard", "--tun", "t0", "--address", "198.18.0.2/24"], []),
        (
            ["inspect", "--tun", "--outside", "t0", "--inside", "t1"],
            ["t0 is down: `ip link set t0 up`\n", "t1 is down: `ip link set t1 up`\n"],
        ),
    ],
)
def test_tun_device_that_goes_down_and_comes_up_again_is_worth_a_line_each(
    us, words, first
):
    """And another name; one that is down from the start is said too."""
    with start(us, *words) as process:
        assert process.stdout.readline()
        # What the kernel sends to one while the other is down is another line.
        lines = (line for line in process.stderr if "sending" not in line)
        assert first == [next(lines) for _ in first]
        for name in [line[:2] for line in first]:
            us.run("ip", "link", "set", name, "up")
        assert {f"{line[:2]} is up again\n" for line in first} == {
            next(lines) for _ in first
        }
        for command, said in (
            ("ip link set t0 down", "t0 is down: `ip link set t0 up`\n"),
            ("ip link set t0 name w0", "t0 is called w0 now\n"),
            ("ip link set w0 up", "w0 is up again\n"),
        ):
            us.run("sh", "-ec", command)
            assert said == next(lines)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert 0 == process.returncode


def test_address_that_nobody_has_is_refused(us):
    """The kernel would not answer ARP for it."""
    with start(us, *SERVE, "198.18.0.9") as process:
        error = process.communicate(timeout=PATIENCE)[1]
    assert 1 == process.returncode
    assert "198.18.0.9 is not an address of this machine" in error


@pytest.mark.parametrize("way", ["--packet", "--xdp"])
def test_interface_that_was_renamed_is_left_as_it_was(us, way):
    """The address that we gave would have the kernel answer our clients with RSTs."""
    before = us.show("o0")
    words = ["serve", "--discard", way, "o0", "--address"]
    with start(us, *words, *GIVEN) as process:
        assert "discard on " in process.stdout.readline()
        for change in (["down"], ["name", "o9"], ["up"]):
            us.run("ip", "link", "set", "o9" if change == ["up"] else "o0", *change)
        process.terminate()
        error = process.communicate(timeout=PATIENCE)[1]
    assert 0 == process.returncode, error
    assert before == us.show("o9")


@pytest.mark.parametrize(
    "words",
    [
        ["intercept", *LINKS],
        ["inspect", *LINKS],
        ["inspect", "--tap", "o0"],
        ["serve", "--discard", "--packet", "o0", "--address", "198.18.0.2/24"],
    ],
)
@pytest.mark.parametrize("scarce", ["descriptors", "threads"])
def test_process_goes_on_when_it_may_have_no_more(us, words, scarce, tmp_path):
    """A look at the interface, a reload and the end need nothing new."""
    command = [*COMMAND, *words, "--log", tmp_path / "log"]
    if scarce == "threads":
        command = ["sh", "-c", 'ulimit -u 1; exec "$@"', "sh", *command]
        command += ["--user", "nobody"]
    with us.start(*command) as process:
        try:
            log = tmp_path / "log"
            wait_until(lambda: log.exists() and log.read_text())
            tmp_path.chmod(0o777)
            if scarce == "descriptors":
                resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (5, 4096))
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: " configuration " in log.read_text())
            time.sleep(2.5)  # it looks at the interface once a second
            process.terminate()
            error = process.communicate(timeout=PATIENCE)[1]
        finally:
            process.kill()
    assert 0 == process.returncode, error
    assert "Traceback" not in error
    assert "198.18.0.2" not in us.run("ip", "addr")
