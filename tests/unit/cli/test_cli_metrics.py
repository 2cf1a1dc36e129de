"""syncache/cli/metrics.py: counters in Prometheus's words, beside the packets."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import needs
import ports
import pytest

from syncache import Inspection, Intercept, Syncache
from syncache.cli import Failure, main, metrics
from syncache.cli.metrics import GAUGES, Exporter, exposition
from syncache.control import Control, FlowControl
from syncache.control_socket import ControlSocket
from syncache.lookout import Lookout

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RULES = EXAMPLES / "prometheus/syncache.rules.yml"
DASHBOARD = EXAMPLES / "grafana/syncache.json"
LINE = re.compile(r'[a-z_]+\{process="[^"]+"(,[a-z]+="[a-z0-9_-]+")?\} \d+(\.\d+)?')


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


def test_scrape_for_which_there_is_no_thread_is_silent(sockets, monkeypatch, capfd):
    """And the next one is answered."""
    with exporting(sockets) as url:
        with monkeypatch.context() as patch:

            def refuse(*_):
                raise RuntimeError("can't start new thread")

            patch.setattr(Exporter, "process_request", refuse)
            with pytest.raises(OSError, match=r"."):
                urllib.request.urlopen(f"{url}/health", timeout=60)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{url}/health", timeout=60)
    assert ("", "") == capfd.readouterr()


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
    shields = {"shield_services", "shield_flooded"}
    assert {*Intercept(acl=None).stats(), *shields} >= GAUGES


def test_openmetrics_is_read_by_the_reference_parser(sockets):
    """Of every family and every process; and the other format by its own."""
    openmetrics = pytest.importorskip("prometheus_client.openmetrics.parser")
    prometheus = pytest.importorskip("prometheus_client.parser")
    text = exposition(sockets, openmetrics=True)
    families = list(openmetrics.text_string_to_metric_families(text))
    plain = list(prometheus.text_string_to_metric_families(exposition(sockets)))
    assert len(plain) == len(families) > 50
    assert {f.type for f in families} == {"counter", "gauge"}
    up = next(family for family in families if family.name == "syncache_up")
    assert [1.0, 1.0, 0.0] == [sample.value for sample in up.samples]


def expressions():
    """Every expression of the rules and of the dashboard."""
    found = re.findall(r"expr: (.*)", RULES.read_text())
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found += [target["expr"] for panel in panels for target in panel["targets"]]
    return [
        text.replace("$__rate_interval", "1m").replace("$process", ".*")
        for text in found
    ]


def test_rules_and_dashboard_use_names_that_there_are(sockets, tmp_path):
    """Of whichever engine; a renamed counter would be an empty picture."""
    server = str(tmp_path / "server")
    link = {f"link_{n}": 1 for n in ("kernel_dropped", "received", "sent")}
    engine = Syncache(seed=bytes(16))
    made = ControlSocket(server, Control(engine, Lookout(engine, lambda: link)))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(exposition, [*sockets, server])
        while not asked.done():
            made.turn()
    made.close()
    known = set(re.findall(r"^(\w+)\{", asked.result(), re.MULTILINE))
    assert "syncache_frames_total{process=" in asked.result()
    known |= set(re.findall(r"record: (\S+)", RULES.read_text()))
    for text in expressions():
        for name in re.findall(r"\b[\w:]*syncache_\w+[\w:]*(?=[{\[ ]|$)", text):
            assert name in known, text


RULE_TEST = """
rule_files: [{rules}]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - series: syncache_up{{process="gone"}}
        values: 0x20
      - series: syncache_floods{{process="web"}}
        values: 0x4 1x16
      - series: syncache_table_entries{{process="web",table="sessions"}}
        values: 90x20
      - series: syncache_table_limit{{process="web",table="sessions"}}
        values: 100x20
      - series: syncache_frames_total{{{lost},link="outside"}}
        values: 0+30x20
      - series: syncache_frames_total{{{lost},link="inside"}}
        values: 0+15x20
    alert_rule_test:
      - eval_time: 1m
        alertname: SyncacheFlood
        exp_alerts: []
      - eval_time: 3m
        alertname: SyncacheFlood
        exp_alerts:
          - exp_labels: {{severity: warning, process: web}}
            exp_annotations:
              summary: web is in a SYN flood
              description: "`syncache top --socket web` shows {who}."
      - eval_time: 3m
        alertname: SyncacheDown
        exp_alerts:
          - exp_labels: {{severity: critical, process: gone}}
            exp_annotations: {{summary: gone does not answer}}
      - eval_time: 3m
        alertname: SyncacheTableFills
        exp_alerts:
          - exp_labels: {{severity: warning, process: web, table: sessions}}
            exp_annotations: {{summary: web uses 90% of its table of sessions}}
      - eval_time: 3m
        alertname: SyncacheRingLoses
        exp_alerts:
          - exp_labels: {{severity: warning, process: web}}
            exp_annotations:
              summary: web loses 3 frames a second in the ring of its link
"""


def test_promtool_takes_metrics_rules_and_expressions(sockets, tmp_path):
    """Debian's; the alerts fire as they should."""
    needs.want("promtool", "prometheus", "monitoring")

    def run(*words, **options):
        done = subprocess.run(
            ["promtool", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "" == run("check", "metrics", input=exposition(sockets))
    run("check", "rules", RULES)
    rows = [{"record": "x", "expr": text} for text in expressions()]
    group = {"groups": [{"name": "all", "rules": rows[:1]}]}
    for row in rows:
        group["groups"][0]["rules"] = [row]
        (tmp_path / "all.yml").write_text(json.dumps(group))
        run("check", "rules", tmp_path / "all.yml")
    test = tmp_path / "test.yml"
    lost = 'process="web",outcome="kernel_dropped"'
    who = "which port, and who sends"
    test.write_text(RULE_TEST.format(rules=RULES, lost=lost, who=who))
    assert "SUCCESS" in run("test", "rules", test)


PROMETHEUS = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [{rules}]
scrape_configs:
  - job_name: syncache
    static_configs: [{{targets: ["{target}"]}}]
"""


def test_prometheus_scrapes_and_the_rules_are_evaluated(sockets, tmp_path):
    """Debian's prometheus itself."""
    needs.want("prometheus", "prometheus", "monitoring")
    port = ports.free()
    with exporting(sockets) as url:
        target = url.removeprefix("http://")
        conf = tmp_path / "conf.yml"
        conf.write_text(PROMETHEUS.format(rules=RULES, target=target))
        words = [f"--config.file={conf}", f"--storage.tsdb.path={tmp_path}/data"]
        words.append(f"--web.listen-address=127.0.0.1:{port}")
        with subprocess.Popen(
            ["prometheus", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                asked = f"http://127.0.0.1:{port}/api/v1/query?query="
                query = "process_table:syncache_table:ratio"
                rows = until(lambda: result_of(asked + query))
                up = until(lambda: result_of(asked + "syncache_up"))
            finally:
                process.terminate()
    found = {row["metric"]["process"]: row["value"][1] for row in up}
    assert dict(zip(sockets, ["1", "1", "0"], strict=True)) == found
    assert {"sessions", "half-open", "a_minute"} == {r["metric"]["table"] for r in rows}


def result_of(url):
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]["result"]
    except OSError:
        return []


def until(ask):
    """Ask until there is an answer."""
    end = time.monotonic() + 60
    while not (found := ask()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def test_scrape_and_health_over_http(sockets):
    """Health is about every process; other paths are not found."""
    with exporting(sockets[:2]) as url:
        with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0")
            assert b"syncache_up" in answer.read()
        with urllib.request.urlopen(f"{url}/health", timeout=60) as answer:
            assert b"ok\n" == answer.read()
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{url}/", timeout=60)
        assert 404 == error.value.code
        error.value.close()
    with exporting(sockets) as url:
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{url}/health", timeout=60)
        assert 503 == error.value.code
        error.value.close()


def ask(url, request):
    """Send a request; return all of the answer."""
    where = urllib.parse.urlsplit(url)
    with socket.create_connection((where.hostname, where.port), 60) as client:
        client.sendall(f"{request}\r\n\r\n".encode())
        return client.makefile("rb").read().partition(b"\r\n\r\n")


def test_head_is_get_without_the_text(sockets):
    """As balancers look at /health."""
    with exporting(sockets[:2]) as url:
        head, _, text = ask(url, "HEAD /health HTTP/1.0")
        assert b" 200 " in head.splitlines()[0]
        assert b"Content-Length: 3" in head
        assert b"" == text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.7", "app"),
        ("application/openmetrics-text; q=0.0, */*", "text"),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.1", "text"),
        ("application/openmetrics-text;q=none, text/plain", "app"),
        ("*/*", "text"),
    ],
)
def test_format_is_the_one_that_is_asked_for(sockets, accept, kind):
    """What a scraper refuses it does not get."""
    with exporting(sockets[:1]) as url:
        head, _, _ = ask(url, f"GET /metrics HTTP/1.0\r\nAccept: {accept}")
    assert f"Content-Type: {kind}".encode() in head


def test_scrapers_that_never_end_make_room(sockets, monkeypatch):
    """The one that has taken longest is ended."""
    monkeypatch.setattr(metrics, "CONNECTIONS_MAX", 2)
    with exporting(sockets[:1]) as url, contextlib.ExitStack() as stack:
        where = urllib.parse.urlsplit(url)
        slow = [
            stack.enter_context(
                socket.create_connection((where.hostname, where.port), 60)
            )
            for _ in range(4)
        ]
        assert ask(url, "GET /health HTTP/1.0")[2] == b"ok\n"
        assert [b""] * 3 == [one.recv(1) for one in slow[:3]]


def test_socket_whose_path_is_no_text_is_a_label(tmp_path):
    """Linux takes any bytes; a backslash of the label is one of Prometheus's."""
    target = tmp_path / "x.prom"
    path = str(tmp_path / "a\udcff")
    words = ["metrics", "--socket", path, "--textfile", str(target), "--every", "0"]
    assert 0 == main(words)
    assert f'process="{tmp_path}/a\\\\udcff"}} 0\n' in target.read_text()


def test_textfile_is_written_whole(sockets, tmp_path):
    """For node_exporter, which runs as somebody else."""
    path = tmp_path / "syncache.prom"
    words = ["--socket", sockets[0], "--textfile", str(path), "--every", "0"]
    assert 0 == main(["metrics", *words])
    assert "syncache_up" in path.read_text()
    assert 0o644 == path.stat().st_mode & 0o777


def test_textfile_on_a_full_disk_is_said_once_and_written_again(
    tmp_path, monkeypatch, capsys
):
    """node_exporter would go on with the old numbers, and nobody would know."""
    path = tmp_path / "x.prom"
    turns = iter([errno.ENOSPC, errno.ENOSPC, None, None, errno.EACCES])

    def write(*_):
        number = next(turns)
        if number is not None:
            raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(metrics, "replace", write)
    options = argparse.Namespace(textfile=path, socket=[], every=0.001)
    with pytest.raises(Failure, match=f"{path}: Permission denied"):
        metrics.write_file(options, threading.Event(), None)
    assert capsys.readouterr().err == (
        f"syncache metrics: {path}: No space left on device; tried again\n"
        f"syncache metrics: {path} is written again\n"
    )


def test_signal_ends_it_though_nothing_wakes_up_to_look_for_one(sockets, capsys):
    """Two looks a second were most of what an idle exporter cost."""
    url, main_thread = f"http://127.0.0.1:{ports.free()}", threading.get_ident()

    def end():
        assert until(lambda: answers(f"{url}/health"))
        signal.pthread_kill(main_thread, signal.SIGTERM)

    ending = threading.Thread(target=end)
    ending.start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        words = ["--socket", sockets[0], "--listen", url.removeprefix("http://")]
        assert 0 == metrics.run(metrics.parser().parse_args(words))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        ending.join()
    assert f"metrics on {url}/metrics\n" == capsys.readouterr().out


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_address_that_is_taken_is_one_line():
    """And so is a process that was not named."""
    with (
        exporting([]) as url,
        pytest.raises(
            Failure, match=r"cannot listen on 127.0.0.1:.*: Address already in use"
        ),
    ):
        Exporter(("127.0.0.1", int(url.rpartition(":")[2])), [])
