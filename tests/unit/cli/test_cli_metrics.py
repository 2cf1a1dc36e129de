"""syncache/cli/metrics.py: counters in Prometheus's words, beside the packets."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncache import Inspection, Intercept
from syncache.cli import Failure, main
from syncache.cli.control_socket import ControlSocket
from syncache.cli.metrics import GAUGES, Exporter, address, exposition
from syncache.control import FlowControl

RULES = Path(__file__).resolve().parents[3] / "examples/prometheus/syncache.rules.yml"
LINE = re.compile(r'[a-z_]+\{process="[^"]+"(,[a-z]+="[a-z0-9_]+")?\} \d+(\.\d+)?')


@pytest.fixture
def sockets(tmp_path):
    """Two processes that answer, and one that does not."""
    served = [
        ControlSocket(str(tmp_path / "shield"), FlowControl(Intercept(acl=None))),
        ControlSocket(str(tmp_path / "box"), FlowControl(Inspection())),
    ]
    end = threading.Event()

    def work():
        while not end.wait(0.001):
            for one in served:
                one.turn()

    thread = threading.Thread(target=work)
    thread.start()
    yield [str(tmp_path / name) for name in ("shield", "box", "none")]
    end.set()
    thread.join()
    for one in served:
        one.close()


@contextmanager
def exporting(sockets):
    with Exporter(("127.0.0.1", 0), sockets) as exporter:
        thread = threading.Thread(target=exporter.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{exporter.server_address[1]}"
        exporter.shutdown()
        thread.join()


def test_exposition_has_each_family_once_with_its_type(sockets):
    """Rows of all processes stand together; a name says what it is."""
    text = exposition(sockets)
    names = re.findall(r"# TYPE (\S+) (\S+)", text)
    assert len(names) == len(dict(names))
    for name, kind in names:
        assert (kind == "counter") == name.endswith("_total")
        assert f"# HELP {name} " in text
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert [] == [row for row in rows if not LINE.fullmatch(row)]
    assert f'syncache_up{{process="{sockets[0]}"}} 1\n' in text
    assert f'syncache_up{{process="{sockets[2]}"}} 0\n' in text
    assert f'syncache_sessions_limit{{process="{sockets[1]}"}} 262144\n' in text
    assert 'verdict="drop_no_room"} 0\n' in text
    assert 'reason="timeout"} 0\n' in text
    for name in ("sent", "received", "failed"):
        assert f"syncache_syncookies_{name}_total{{" in text


def test_every_level_is_one_that_an_engine_has():
    """A counter that was renamed would become a level that only falls at a restart."""
    assert set(Intercept(acl=None).stats()) >= GAUGES


def test_promtool_takes_metrics_and_rules(sockets):
    """Where it is there to ask: Debian's prometheus."""
    promtool = shutil.which("promtool")
    assert "SyncacheFlood" in RULES.read_text()
    if promtool is None:
        return
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposition(sockets),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stdout + done.stderr)
    words = [promtool, "check", "rules", RULES]
    subprocess.run(words, capture_output=True, timeout=60, check=True)


def test_scrape_and_health_over_http(sockets):
    """Health is about every process; other paths are not found."""
    with exporting(sockets[:2]) as url:
        with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0")
            assert b"syncache_up" in answer.read()
        with urllib.request.urlopen(f"{url}/health", timeout=20) as answer:
            assert b"ok\n" == answer.read()
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{url}/", timeout=20)
        assert 404 == error.value.code
        error.value.close()
    with exporting(sockets) as url:
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{url}/health", timeout=20)
        assert 503 == error.value.code
        error.value.close()


def test_textfile_is_written_whole(sockets, tmp_path):
    """For node_exporter, which runs as somebody else."""
    path = tmp_path / "syncache.prom"
    words = ["--socket", sockets[0], "--textfile", str(path), "--every", "0"]
    assert 0 == main(["metrics", *words])
    assert "syncache_up" in path.read_text()
    assert 0o644 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("text", ["9100", "host", "host:", ":x", "h:70000", "h:-1"])
def test_address_that_is_none_is_one_line(text):
    """It says what it is."""
    with pytest.raises(Failure, match="it is ADDR:PORT"):
        address(text)


def test_addresses_of_both_families():
    """With brackets for IPv6."""
    assert ("127.0.0.1", 9100) == address("127.0.0.1:9100")
    assert ("::1", 9100) == address("[::1]:9100")


def test_address_that_is_taken_is_one_line():
    """And so is a process that was not named."""
    with (
        exporting([]) as url,
        pytest.raises(Failure, match=r"--listen 127.0.0.1:.*: Address already in use"),
    ):
        Exporter(("127.0.0.1", int(url.rpartition(":")[2])), [])
