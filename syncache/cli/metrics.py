"""`syncache metrics`: counters of running processes for Prometheus.

A process of its own asks the control sockets, one snapshot of counters a scrape, so
that nothing of it is on the path of packets.  Over HTTP with `--listen`, or in a file
for node_exporter's textfile collector with `--textfile`.  `/health` is 200 while every
process answers.  Names and labels: docs/operations.md.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import socket
import threading
from collections.abc import Iterable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from ..alarms import STATES
from ..control import Client, ControlError
from . import Failure, one_line
from .addresses import endpoint
from .files import replace
from .processes import expanded
from .sink import PASSING, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Name, type, labels and value of each number of a group.
Fleet = Iterable[tuple[str, str, dict[str, str], str]]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TIMEOUT_SECONDS = 2.0  # of one process
REQUEST_SECONDS = 10.0  # of one scrape
CONNECTIONS_MAX = 32
NEVER = 1e6  # seconds between looks whether to end; the process ends at once
ENDS = {signal.SIGINT, signal.SIGTERM}
# What is a level and not a count.
GAUGES = {
    "incomplete",
    "incomplete_udp",
    "uncounted",
    "established",
    "terminating",
    "one_minute",
    "aggressive",
    "aggressive_reason",
    "hosts",
    "hosts_blocked",
    "incomplete_max",
    "established_max",
    "terminating_max",
    "one_minute_max",
    "last_incomplete",
    "aggressive_since_ms",
    "last_created_ms",
    "shield_services",
    "shield_flooded",
}
EVERY_MAX = 86400
# One name for what every engine has: the first counter that there is.
COMMON = {
    "syncookies_sent": ("sc_sendcookie", "cookies_sent"),
    "syncookies_received": ("sc_recvcookie", "cookies_redeemed"),
    "syncookies_failed": ("sc_failcookie", "cookies_failed"),
    "overflows": ("listendrop", "table_full"),
}
# Counters of one kind are one family with a label.
LINKS = {"link", "tap", "outside", "inside"}
LABELLED = {"verdict_": ("verdicts", "verdict"), "ended_": ("ended", "reason")}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache metrics",
        description="Give the counters of running processes to Prometheus.",
    )
    p.add_argument(
        "--socket",
        metavar="PATH",
        action="append",
        default=[],
        help="of a process, as given to its --control, or of all its shards; may be "
        "repeated",
    )
    p.add_argument(
        "--fleet",
        metavar="CONF",
        nargs="?",
        const="",
        help="every member of a group, as it publishes itself (syncache fleet); "
        "without CONF by the environment",
    )
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument("--listen", metavar="ADDR:PORT", help="answer /metrics there")
    where.add_argument(
        "--textfile", metavar="FILE", type=Path, help="write FILE again and again"
    )
    p.add_argument(
        "--every",
        metavar="SECONDS",
        type=float,
        default=15.0,
        help="with --textfile: how often; 0: once [%(default)s]",
    )
    return p


def run(options: argparse.Namespace) -> int:
    """Answer scrapes, or write the file, until SIGINT or SIGTERM."""
    if not options.socket and options.fleet is None:
        raise Failure(
            "say which process: --socket PATH, as given to its --control; or --fleet"
        )
    if not 0 <= options.every <= EVERY_MAX:
        span = f"0 to {EVERY_MAX} seconds"
        raise Failure(f"--every is {span}, not {options.every:g}")
    fleet = None
    if options.fleet is not None:
        from .metrics_fleet import FleetSamples

        fleet = FleetSamples(Path(options.fleet) if options.fleet else None)
    if options.textfile:
        over = threading.Event()
        for number in ENDS:
            signal.signal(number, lambda *_: over.set())
        return write_file(options, over, fleet)
    with Exporter(endpoint(options.listen), options.socket, fleet) as exporter:
        # Every thread has them blocked: nothing wakes up to look for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        exporter.start()
        host, port = exporter.server_address[:2]
        print(f"metrics on http://{_host(str(host))}:{port}/metrics", flush=True)
        signal.sigwait(ENDS)
    return 0


def write_file(
    options: argparse.Namespace, over: threading.Event, fleet: Fleet | None
) -> int:
    """Write the metrics once, or every so often.

    A disk that is full is a warning, and another one when it is over.

    Raises:
        Failure: the file can never be written, or not this once.
    """
    trouble = ""
    while True:
        try:
            sockets = [one for path in options.socket for one in expanded(path)]
            text = exposition(sockets, fleet)
            replace(options.textfile, [text.encode()], 0o644)
        except OSError as error:
            why = f"{options.textfile}: {error.strerror}"
            if options.every <= 0 or error.errno not in PASSING:
                raise Failure(why) from None
            if why != trouble:
                say(f"syncache metrics: {one_line(why)}; tried again")
            trouble = why
        else:
            if trouble:
                say(f"syncache metrics: {options.textfile} is written again")
            trouble = ""
        if options.every <= 0 or over.wait(options.every):
            return 0


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# The text.


def exposition(
    processes: Iterable[str],
    fleet: Fleet | None = None,
    *,
    openmetrics: bool = False,
) -> str:
    """Return one snapshot of every process, families together.

    In Prometheus's text format, or in that of OpenMetrics, where the family of a
    counter has no `_total`.
    """
    families: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}

    def add(name: str, kind: str, labels: str, value: str) -> None:
        kinds[name] = kind
        families.setdefault(name, []).append(f"{name}{labels} {value}")

    for process in processes:
        for sample in samples(process):
            add(*sample)
    for name, kind, given, value in fleet or ():
        add(name, kind, _labels(**given), value)
    lines = []
    for name, rows in families.items():
        family = name.removesuffix("_total") if openmetrics else name
        lines += [f"# HELP {family} {_help(name)}", f"# TYPE {family} {kinds[name]}"]
        lines += rows
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def samples(path: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, labels and value of each number of one process."""
    client = Client(path, timeout=TIMEOUT_SECONDS, keeps=True)
    whose = _labels(process=path)
    try:
        top: Mapping[str, Any] = client.request("top")
        counters: Mapping[str, int] = client.request("stats")
    except (ControlError, ValueError):
        yield "syncache_up", "gauge", whose, "0"
        return
    finally:
        client.close()
    yield "syncache_up", "gauge", whose, "1"
    tables = top["tables"]
    yield "syncache_half_open", "gauge", whose, str(tables.get("half-open", [0])[0])
    if "sessions" in tables:
        yield "syncache_sessions_limit", "gauge", whose, str(tables["sessions"][1])
    for table, (count, limit) in tables.items():
        labels = _labels(process=path, table=table.replace(" ", "_"))
        yield "syncache_table_entries", "gauge", labels, str(count)
        yield "syncache_table_limit", "gauge", labels, str(limit)
    yield "syncache_floods", "gauge", whose, str(len(top["floods"]))
    for state in STATES:
        labels = _labels(process=path, state=state)
        yield "syncache_state", "gauge", labels, str(int(top["state"] == state))
    for name, known in COMMON.items():
        found = next((counters[each] for each in known if each in counters), None)
        if found is not None:
            yield f"syncache_{name}_total", "counter", whose, str(found)
    for name, count in counters.items():
        yield _sample(path, name, count)


def _sample(path: str, name: str, count: int) -> tuple[str, str, str, str]:
    if name.isupper():  # what became of a packet, in the core's words
        labels = _labels(process=path, verdict=name.lower())
        return "syncache_verdicts_total", "counter", labels, str(count)
    link, _, outcome = name.partition("_")
    if link in LINKS and outcome:
        labels = _labels(process=path, link=link, outcome=outcome)
        return "syncache_frames_total", "counter", labels, str(count)
    for prefix, (family, label) in LABELLED.items():
        if name.startswith(prefix):
            labels = _labels(process=path, **{label: name.removeprefix(prefix)})
            return f"syncache_{family}_total", "counter", labels, str(count)
    value, stem = str(count), name
    if name.endswith("_ms"):
        value, stem = str(count / 1000), name.removesuffix("_ms") + "_seconds"
    labels = _labels(process=path)
    if name in GAUGES:
        return f"syncache_{stem}", "gauge", labels, value
    return f"syncache_{stem}_total", "counter", labels, value


def _labels(**labels: str) -> str:
    pairs = (f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    text = text.encode(errors="backslashreplace").decode()  # a path may be of any bytes
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _help(name: str) -> str:
    stem = name.removeprefix("syncache_").removesuffix("_total")
    return {
        "up": "1 if the process answers on its control socket.",
        "half_open": "Half-open connections now.",
        "sessions_limit": "Sessions that there is room for.",
        "table_entries": "Entries of a table now, or what a threshold is about.",
        "table_limit": "The limit of a table, or a threshold.",
        "floods": "Ports on which a SYN flood is on.",
        "state": "1 for the state of the process, 0 for the others.",
        "syncookies_sent": "SYN-ACKs whose number is a cookie.",
        "syncookies_received": "Cookies that came back right.",
        "syncookies_failed": "Cookies that came back wrong.",
        "frames": "Frames of a link by outcome; kernel_dropped: the ring was full.",
        "overflows": "Connections for which there was no room.",
        "fleet_up": "1 if Valkey answers and holds a group that the key opens.",
        "fleet_version": "Of the newest document of the group.",
        "fleet_key": "The number of the newest key.",
        "fleet_members": "Members with a record.",
        "fleet_member_age_seconds": "Since its last record.",
        "fleet_member_version": "Of the document that the member has.",
        "fleet_member_key": "The number of the newest key that the member has.",
        "fleet_member_clock_seconds": "The member's clock minus Valkey's.",
        "fleet_member_refuses": "1 if it makes no cookies of the group: wrong clock.",
        "fleet_member_wrong": "Faults that `syncache fleet status` names.",
        "fleet_member_alarms": "Alarms that it raises.",
        "fleet_member_state": "1 for the state that it is in.",
        "fleet_member_rate": "Packets a second, by kind.",
    }.get(stem, f"{stem.replace('_', ' ')}, as `syncache netstat` has it.")


# HTTP.


class Exporter(ThreadingHTTPServer):
    """Answers scrapes.

    Raises:
        Failure: the address cannot be had.
    """

    daemon_threads = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(
        self,
        where: tuple[str, int],
        processes: Sequence[str],
        fleet: Fleet | None = None,
    ) -> None:
        self.processes, self.fleet = processes, fleet
        self._talks: dict[socket.socket, None] = {}  # the first one is the oldest
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        try:
            super().__init__(where, Scrape)
        except (OSError, UnicodeError, TypeError) as error:
            why = "it is not the name of a host"
            if isinstance(error, OSError):
                why = error.strerror or str(error)
            raise Failure(
                f"cannot listen on {_host(where[0])}:{where[1]}: {why}"
            ) from None

    def start(self) -> None:
        """Answer until the process ends, in a thread that sleeps while nobody asks."""
        serve = partial(self.serve_forever, poll_interval=NEVER)
        threading.Thread(target=serve, daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; the scraper that has taken longest makes room."""
        with self._lock:
            oldest = next(iter(self._talks), None)
            if oldest is not None and len(self._talks) >= CONNECTIONS_MAX:
                del self._talks[oldest]
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread closes it
            self._talks[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock:
            self._talks.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """Say nothing of a scrape that fails: no thread or memory, nobody there."""

    def server_bind(self) -> None:
        """Bind; the name that the base looks up nobody needs, and DNS may be slow."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]


class Scrape(BaseHTTPRequestHandler):
    """One scrape."""

    timeout = REQUEST_SECONDS
    server_version = "syncache"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer /metrics and /health."""
        assert isinstance(self.server, Exporter)
        processes = [one for each in self.server.processes for one in expanded(each)]
        place = self.path.partition("?")[0]
        if place == "/metrics":
            wanted = _accepts_openmetrics(self.headers.get("Accept", ""))
            text = exposition(processes, self.server.fleet, openmetrics=wanted)
            self._answer(200, text, OPENMETRICS_TYPE if wanted else CONTENT_TYPE)
        elif place in {"/health", "/healthz"}:
            well = all(_answers(process) for process in processes)
            self._answer(200 if well else 503, "ok\n" if well else "no answer\n")
        else:
            self._answer(404, "there are /metrics and /health\n")

    def do_HEAD(self) -> None:
        """Answer as GET does, without the text: how balancers look at /health."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing: a scrape is not an event."""

    def _answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _accepts_openmetrics(accept: str) -> bool:
    """Return whether a field Accept wants the format no less than Prometheus's text.

    One that names neither gets the text.
    """
    wanted: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *given = (word.replace(" ", "") for word in part.split(";"))
        weights = [re.fullmatch(r"q=([01](?:\.\d*)?)", word) for word in given]
        weight = min([float(found[1]) for found in weights if found], default=1.0)
        wanted[kind] = max(weight, wanted.get(kind, 0.0))
    ours = wanted.get("application/openmetrics-text", 0.0)
    return ours > 0 and ours >= wanted.get("text/plain", 0.0)


def _answers(process: str) -> bool:
    try:
        Client(process, timeout=TIMEOUT_SECONDS).request("status")
    except (ControlError, ValueError):
        return False
    return True
