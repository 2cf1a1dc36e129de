"""How long `syncache log` takes for a million lines of each form that it reads.

    python tests/tools/log_speed.py [FORM ...] [--lines 1000000]

Makes a file of each form in a temporary directory, reads it with the command in a
process of its own and prints the seconds of processor time and the largest memory.
Forms differ in their headers, their messages or the record that holds the line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEGIN = datetime(2026, 11, 29, 8, 0, 0, tzinfo=timezone.utc)
A_SECOND = 250  # lines


def when(number: int) -> datetime:
    """Return the time of a line."""
    return BEGIN + timedelta(
        seconds=number // A_SECOND, milliseconds=number % A_SECOND * 4
    )


def ends(number: int) -> tuple[str, str]:
    """Return a session's initiator and responder."""
    client = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return f"{client}:{1024 + number % 60_000}", f"192.0.2.{number % 16}:80"


def start(number: int) -> str:
    """A session begins, and never ends."""
    initiator, responder = ends(number)
    return (
        f"%FW-6-SESS_AUDIT_TRAIL_START: Start tcp session: initiator ({initiator}) "
        f"-- responder ({responder})"
    )


def stop(number: int) -> str:
    """A session ends."""
    initiator, responder = ends(number)
    return (
        f"%FW-6-SESS_AUDIT_TRAIL: Stop tcp session: initiator ({initiator}) sent 22 "
        f"bytes -- responder ({responder}) sent {number % 3 * 100} bytes"
    )


def session(number: int) -> str:
    """Return a START and its STOP in turn, a thousand lines apart."""
    turn, place = divmod(number, 2000)
    of_session = turn * 1000 + place % 1000
    return start(of_session) if place < 1000 else stop(of_session)


def zoned(number: int) -> str:
    """As a zone-based firewall writes it."""
    head, colon, text = session(number).partition(": ")
    return f"{head}{colon}(target:class)-(ZP:CM):{text}"


def old(number: int) -> str:
    """IOS 12.0: no STOP in the text, and no START."""
    return stop(number).replace("Stop tcp session:", "tcp session")


def alert(number: int) -> str:
    """An alert goes on and off."""
    if number % 2:
        return "%FW-4-ALERT_OFF: calming down, count (3/400) current 1-min rate: 390"
    return "%FW-4-ALERT_ON: getting aggressive, count (83/500) current 1-min rate: 501"


def ours(number: int) -> str:
    """An alert of ours, with its cause."""
    if number % 2:
        return alert(number)
    return f"{alert(number)} reason=rate limit=500 value=501 top={ends(number)[1]}(40)"


def intercept(number: int) -> str:
    """TCP Intercept's alerts."""
    if number % 2:
        return "%TCP-6-INTERCEPT: calming down, count (3/400) 1 min 390"
    return "%TCP-6-INTERCEPT: getting aggressive, count (83/500) 1 min 501"


def host(number: int) -> str:
    """One destination's limit, and its block."""
    where = f"198.51.{number >> 9 & 255}.{number >> 1 & 255}"
    if number % 2:
        return (
            f"%FW-2-BLOCK_HOST: Blocking new TCP connections to host {where} for 2 "
            "minutes (half-open count 50 exceeded)."
        )
    return (
        "%FW-4-HOST_TCP_ALERT_ON: Max tcp half-open connections (50) exceeded for "
        f"host {where}."
    )


def drop(number: int) -> str:
    """A dropped packet."""
    initiator, responder = ends(number)
    return (
        f"%FW-6-DROP_PKT: Dropping tcp session {initiator} {responder} on zone-pair ZP "
        f"class CM due to  Invalid Segment with ip ident {number % 65536}"
    )


def summary(number: int) -> str:
    """A digest of dropped packets."""
    initiator, responder = ends(number)
    return (
        f"%FW-6-LOG_SUMMARY: 3 tcp packets were dropped from Gi0/1 {initiator} => "
        f"{responder} (target:class)-(ZP:CM)"
    )


def step(number: int) -> str:
    """A step of `debug ip tcp intercept`."""
    initiator, responder = ends(number)
    return f"INTERCEPT: new connection ({initiator} SYN -> {responder})"


def linux(number: int) -> str:
    """What Linux says of a flood."""
    return (
        f"kernel: TCP: request_sock_TCP: Possible SYN flooding on port "
        f"192.0.2.{number % 200}:443. Sending cookies."
    )


def freebsd(number: int) -> str:
    """What FreeBSD says of a full accept queue."""
    return (
        f"kernel: sonewconn: pcb 0xfffff8003c2d{number % 4096:04x} "
        f"(192.0.2.{number % 16}:80 (proto 6)): Listen queue overflow: 193 already in "
        f"queue awaiting acceptance ({number % 30 + 1} occurrences)"
    )


def foreign(number: int) -> str:
    """A line of another feature."""
    return f"%LINK-3-UPDOWN: Interface GigabitEthernet0/{number % 48}, changed state"


def strange(number: int) -> str:
    """A line of inspection that is not understood."""
    return f"%FW-6-SESS_AUDIT_TRAIL: {number} something else altogether"


MESSAGES = (
    *(session, start, stop, zoned, old, alert, ours, intercept, host, drop, summary),
    *(step, linux, freebsd, foreign, strange),
)


def syslog(number: int, text: str) -> str:
    """RFC 3164, as a log server writes it."""
    return f"{when(number):%b %e %H:%M:%S} r{number % 4} {number}: {text}"


def iso(number: int, text: str) -> str:
    """As rsyslog writes it today."""
    return f"{when(number).isoformat()} r{number % 4} {number}: {text}"


def with_own_time(number: int, text: str) -> str:
    """A log server's time, and a router's with milliseconds and zone."""
    own = f"{when(number):%b %e %H:%M:%S}.{number % 1000:03}"
    return f"{when(number):%b %e %H:%M:%S} r1 {number}: *{own} CET: {text}"


def router(number: int, text: str) -> str:
    """`show logging`: a router's own time alone."""
    own = f"{when(number):%b %e %Y %H:%M:%S}.{number % 1000:03}"
    return f"{number:06}: *{own} UTC: {text}"


def uptime(number: int, text: str) -> str:
    """A router that does not know the time."""
    hours, rest = divmod(number // A_SECOND, 3600)
    return f"{hours:02}:{rest // 60:02}:{rest % 60:02}: {text}"


def rfc5424(number: int, text: str) -> str:
    """RFC 5424, of ours and others."""
    return (
        f"<134>1 {when(number).isoformat()} r{number % 4} syncache 77 FW-6 - "
        f"\ufeff{text}"
    )


def kiwi(number: int, text: str) -> str:
    """A table with tabs."""
    return (
        f"{when(number):%Y-%m-%d\t%H:%M:%S}\tLocal7.Debug\t10.0.0.1\t{number}: {text}"
    )


def windows(number: int, text: str) -> str:
    """A date as in the United States."""
    return f"{when(number):%m/%d/%Y %I:%M:%S %p} r1 {text}"


def unix(number: int, text: str) -> str:
    """journalctl -o short-unix."""
    return f"{when(number).timestamp():.6f} r1 syncache[7]: {text}"


def tai(number: int, text: str) -> str:
    """multilog."""
    seconds = int(when(number).timestamp()) + 2**62 + 10
    return f"@{seconds:016x}{number % 1000:08x} {text}"


def dmesg(number: int, text: str) -> str:
    """A Linux kernel's own time."""
    return f"[{number / A_SECOND:12.6f}] {text}"


def glog(number: int, text: str) -> str:
    """As glog and klog write it."""
    return f"I{when(number):%m%d %H:%M:%S.%f} 77 main.go:1] {text}"


def bare(_number: int, text: str) -> str:
    """No header at all."""
    return text


def journal_json(number: int, text: str) -> str:
    """journalctl -o json."""
    return json.dumps(
        {
            "__REALTIME_TIMESTAMP": f"{when(number).timestamp() * 1e6:.0f}",
            "_HOSTNAME": f"r{number % 4}",
            "_PID": "77",
            "PRIORITY": "6",
            "MESSAGE": text,
        }
    )


def journal_export(number: int, text: str) -> str:
    """journalctl -o export: six lines an entry."""
    return (
        f"__CURSOR=s=1;i={number:x}\n"
        f"__REALTIME_TIMESTAMP={when(number).timestamp() * 1e6:.0f}\n_HOSTNAME=r1\n"
        f"PRIORITY=6\nMESSAGE={text}\n"
    )


def journal_verbose(number: int, text: str) -> str:
    """journalctl -o verbose: five lines an entry."""
    stamp = f"{when(number):%a %Y-%m-%d %H:%M:%S.%f UTC}"
    return (
        f"{stamp} [s=1;i={number:x};b=2]\n    PRIORITY=6\n    _HOSTNAME=r1\n"
        f"    _PID=77\n    MESSAGE={text}"
    )


def our_json(number: int, text: str) -> str:
    """`--log-format json`."""
    return json.dumps(
        {
            "time": f"{when(number):%Y-%m-%dT%H:%M:%S}.{number % 1000:03}Z",
            "command": "inspect",
            "pid": 77,
            "severity": "info",
            "kind": "message",
            "text": text,
        }
    )


def docker(number: int, text: str) -> str:
    """Docker's json-file."""
    time = f"{when(number):%Y-%m-%dT%H:%M:%S.%f}000Z"
    return json.dumps({"log": f"{text}\n", "stream": "stdout", "time": time})


def elastic(number: int, text: str) -> str:
    """Elastic's common schema."""
    return json.dumps(
        {
            "@timestamp": f"{when(number):%Y-%m-%dT%H:%M:%S.%fZ}",
            "event": {"original": text, "module": "cisco"},
            "host": {"name": "r1"},
            "log": {"level": "informational"},
        }
    )


def gelf(number: int, text: str) -> str:
    """Graylog's."""
    return json.dumps(
        {
            "version": "1.1",
            "host": "r1",
            "short_message": text,
            "timestamp": when(number).timestamp(),
            "level": 6,
        }
    )


def array(number: int, text: str) -> str:
    """An array of records, one a line."""
    return f"{'[' if not number else ''}{our_json(number, text)},"


def document(number: int, text: str) -> str:
    """A record over many lines: six of them."""
    record = {
        "time": f"{when(number):%Y-%m-%dT%H:%M:%SZ}",
        "host": "r1",
        "message": text,
    }
    return json.dumps(record, indent=2)


def yaml(number: int, text: str) -> str:
    """A record of YAML: three lines."""
    return f"- time: {when(number):%Y-%m-%dT%H:%M:%SZ}\n  host: r1\n  message: '{text}'"


def csv(number: int, text: str) -> str:
    """A query's table."""
    return f'{when(number):%Y-%m-%dT%H:%M:%SZ},r1,"{text}"'


def behind(number: int, text: str) -> str:
    """A query's table, with the time behind the text."""
    return f'"{text}",r1,{when(number):%Y-%m-%dT%H:%M:%SZ}'


def pairs(number: int, text: str) -> str:
    """Names and values."""
    return f'time="{when(number):%Y-%m-%dT%H:%M:%SZ}" host=r1 msg="{text}"'


def kubernetes(number: int, text: str) -> str:
    """A container's log."""
    return f"{when(number):%Y-%m-%dT%H:%M:%S.%f}000Z stdout F {text}"


WRAPPINGS = (
    *(syslog, iso, with_own_time, router, uptime, rfc5424, kiwi, windows, unix, tai),
    *(dmesg, glog, bare, journal_json, journal_export, journal_verbose, our_json),
    *(docker, elastic, gelf, array, document, yaml, csv, behind, pairs, kubernetes),
)


def forms() -> dict[str, Callable[[int], str]]:
    """Every message in the commonest header, and the commonest ones in every other."""
    found: dict[str, Callable[[int], str]] = {}
    for text in MESSAGES:
        found[text.__name__] = lambda n, t=text: syslog(n, t(n))
    for wrap in WRAPPINGS:
        for text in (session, start, alert, foreign):
            if wrap is not syslog:
                name = f"{wrap.__name__}/{text.__name__}"
                found[name] = lambda n, t=text, w=wrap: w(n, t(n))
    found["year_of_hosts"] = lambda n: f"{when(n * 9):%b %e %H:%M:%S} h{n} {session(n)}"
    found["repeated"] = lambda n: syslog(
        n, alert(0) if not n % 2 else f"message repeated 3 times: [ {alert(0)}]"
    )
    return found


def lines_of(form: Callable[[int], str], number: int) -> Iterator[str]:
    """Yield texts of a form that have so many lines in all."""
    at = 0
    while number > 0:
        text = form(at) + "\n"
        number -= text.count("\n")
        at += 1
        yield text


def read(path: Path) -> tuple[float, int]:
    """Run the command; return its processor seconds and its memory in bytes."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(sys.executable, [sys.executable, "-m", "syncache", "log", str(path)])
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"syncache log {path}: status {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def main() -> int:
    """Measure the forms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("forms", nargs="*", metavar="FORM", help="parts of names")
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        for name, form in forms().items():
            if options.forms and not any(part in name for part in options.forms):
                continue
            with path.open("w") as file:
                file.writelines(lines_of(form, options.lines))
            seconds, memory = read(path)
            slowest = max(slowest, seconds)
            print(f"{name:28} {seconds:6.2f} s {memory / 2**20:6.0f} MiB", flush=True)
    print(f"{'the slowest':28} {slowest:6.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
