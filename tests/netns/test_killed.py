"""Killed and started again, and read again, while a flood runs.

A few rounds of what `make floods-soak ARGS="KILLS RELOADS"` does fifty and a hundred
times.
"""

from __future__ import annotations

import hashlib
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest
from namespace import PATIENCE, wait_until
from shielded import ADDRESS, Sips, shielding
from storms import ENGINES, SERVING, Stormed, result

pytestmark = pytest.mark.slow
RATE = 20_000
SERVED_WITHIN = 1.0
SIZE = 40_000_000  # of `make floods-soak`
SHORT = 8_000_000
TUNABLE = {
    "inspect": "net.inet.inspect.tcp.idle_time",
    "intercept": "net.inet.tcp.intercept.connection_timeout",
}


def is_served(made, family, timeout_ms):
    """Does a client get its byte back in time?"""
    return len(result(made.crowd(family, 1, 1, timeout_ms))["served_ms"]) == 1


def kill_often(made, engine, rounds, seed):
    """Kill it at random moments; return how long each took to serve a client again.

    That is from its start on, of an interpreter that has read the modules already.
    """
    draw = random.Random(seed)
    took = []
    made.start_engine(engine)
    before = [made.us.show(name) for name in ("o0", "i0")]
    made.end_engine()
    flood = None
    for number in range(rounds):
        if flood is None or flood.poll() is not None:
            flood = made.flood("syn", 4, RATE, 50)
        start = time.monotonic()
        made.start_engine(engine)
        patience = 300
        while not is_served(made, (4, 6)[number % 2], patience):
            assert time.monotonic() - start < PATIENCE, f"round {number}, seed {seed}"
            patience *= 2
        took.append(time.monotonic() - start)
        time.sleep(draw.uniform(0, 0.3))
        made.process.kill()
        made.process.wait()
        made.log.unlink()
    made.start_engine(engine)
    assert before == [made.us.show(name) for name in ("o0", "i0")]
    made.end_engine()
    flood.kill()
    return took


def reload_often(made, engine, reloads, size=SIZE):
    """Read files again during a download and a flood; the SHA-256 of what came."""
    conf = Path(made.folder, "box.conf")
    name = TUNABLE.get(engine, "net.inet.tcp.keepidle")
    conf.write_text(f"{name}=1000\n")
    folder = ("--directory", Path(made.folder, "served"))
    process = made.start_engine(engine, "--conf", conf, app=folder)
    # A server of ours is on the port that is flooded.
    port = 80 if engine in SERVING else 8080
    download = Sips(made.client, ADDRESS[4], "/file", size // 2 // reloads, port)
    flood = None
    for number in range(reloads):
        if flood is None or flood.poll() is not None:
            flood = made.flood("syn", 4, RATE, 50)
        conf.write_text(f"{name}={1000 + number}\n")
        said = made.log.read_text().count("configuration read again")
        process.send_signal(signal.SIGHUP)
        wait_until(
            lambda said=said: (
                made.log.read_text().count("configuration read again") > said
            )
        )
        download.more()
    got = download.rest()
    flood.kill()
    made.end_engine()
    return got


def serve_file(made, size=SIZE):
    """Serve a file on another port, protected too."""
    content = bytes(range(256)) * (size // 256)
    Path(made.folder, "served").mkdir()
    Path(made.folder, "served", "file").write_bytes(content)
    words = ("-m", "http.server", "8080", "-d", Path(made.folder, "served"))
    made.server.start(sys.executable, *words)
    made.acl.write_text("permit tcp any host 198.18.0.2 eq www 8080\n")
    wait_until(lambda: ":1F90 " in made.server.run("cat", "/proc/net/tcp"))
    return content


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_engine_serves_again_in_a_flood(engine, tmp_path):
    """Four times at random moments; what it left of the interfaces is as before."""
    with shielding(tmp_path, Stormed) as made:
        seed = random.randrange(2**32)
        print(f"seed {seed}", kill_often(made, engine, 4, seed))


@pytest.mark.parametrize("engine", ["inspect", "intercept", "serve-packet"])
def test_files_are_read_again_during_a_download_and_a_flood(engine, tmp_path):
    """Six times; every byte arrives."""
    with shielding(tmp_path, Stormed) as made:
        content = serve_file(made, SHORT)
        got = reload_often(made, engine, 6, SHORT)
    assert hashlib.sha256(content).hexdigest() == got


def main(kills=50, reloads=100) -> None:
    """All rounds, and what they showed."""
    for engine in (*ENGINES, "shield"):
        with tempfile.TemporaryDirectory() as folder:
            made = Stormed(Path(folder))
            try:
                took = kill_often(made, engine, kills, 1)
            finally:
                made.close()
            late = sum(seconds > SERVED_WITHIN for seconds in took)
            print(f"{engine:13}{kills} kills: served after {max(took):.2f} s at most,")
            print(f"{'':13}{late} later than {SERVED_WITHIN} s", flush=True)
    for engine in ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            made = Stormed(Path(folder))
            try:
                content = serve_file(made)
                same = hashlib.sha256(content).hexdigest() == reload_often(
                    made, engine, reloads
                )
            finally:
                made.close()
            print(f"{engine:13}{reloads} reloads: {'whole' if same else 'NOT whole'}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
