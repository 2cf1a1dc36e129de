"""`syncache shield`: SYN floods answered in the kernel, for servers as they are.

The programs do the work (`syncache.links.shield`); this process gives them keys, says
what happens, one line each, and answers on the control socket.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import ipaddress
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import FourTuple
from ..control import Control
from ..control_socket import ControlServer
from ..cookies import WSCALE_MAX
from ..flow_event import Place
from ..links import host_settings
from ..links.link import LinkError
from ..links.shield import Shield
from ..links.shield_attach import PIN_FOLDER, takes_pins
from ..links.shield_check import check
from ..links.shield_services import own_address
from ..lookout import LOOK_SECONDS, Lookout
from ..plural import plural
from ..tunables.shield import MODE
from . import Failure, keyopts, serve
from . import options as opts
from .addresses import endpoint
from .exporting import exporting
from .log_form import INFO, WARNING
from .output import Output, opened
from .service import Service, keep_open
from .signals import Signals
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine import Syncache
    from ..sysctl import Sysctl
    from .keys import KeySource

EASY = {"calm", "retry", "on", "up", "renamed"}  # events that are no trouble


class ShieldControl(Control):
    """Answers requests about a shield; two more than about any engine.

    shield                      {"services", "xdp", "counters": {name: value}}
    explain                     what the cookie of an ACK says, or null; its arguments:
                                foreign, fport, local, lport, seq, ack

    The counters of the programs are among those of `stats`, as shield_NAME.
    """

    def _do_stats(self) -> dict[str, int]:
        shield = cast("Shield", self._engine)
        named = {f"shield_{name}": count for name, count in shield.counters.items()}
        levels = {
            "shield_services": len(shield.services),
            "shield_flooded": len(shield.flooded),
        }
        return super()._do_stats() | named | levels

    def _do_status(self) -> dict[str, Any]:
        return super()._do_status() | {"engine": "shield"}

    def _do_explain(
        self, foreign: str, fport: int, local: str, lport: int, seq: int, ack: int
    ) -> dict[str, Any] | None:
        shield = cast("Shield", self._engine)
        return shield.explain(FourTuple(foreign, fport, local, lport), seq, ack)

    def _do_shield(self) -> dict[str, Any]:
        shield = cast("Shield", self._engine)
        return {
            "services": shield.services,
            "xdp": shield.xdp_mode,
            "counters": shield.counters,
        }


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache shield",
        description="Answer SYN floods in XDP, for the servers of this machine, which "
        "stay as they are; needs root and Linux 6.9.",
    )
    p.add_argument("interface", metavar="IF", help="where the SYNs come in")
    p.add_argument(
        "--port",
        metavar="N",
        type=int,
        action="append",
        required=True,
        help="to protect; may be repeated",
    )
    p.add_argument(
        "--address",
        metavar="ADDR",
        action="append",
        default=[],
        help="of ours; may be repeated [all, also those that come later]",
    )
    p.add_argument(
        "--mode",
        choices=("auto", "always", "watch"),
        help="answer while a listener is flooded, always, or only count [auto]",
    )
    p.add_argument(
        "--check",
        action="store_true",
        help="say whether it would work, and what to do; change nothing",
    )
    p.add_argument(
        "--xdp",
        choices=("auto", "native", "tc", "generic"),
        default="auto",
        help="answer in the driver, in tc, or in between [%(default)s: in the driver "
        "where that works, else in tc]",
    )
    p.add_argument(
        "--wscale",
        metavar="N",
        type=int,
        help="of our window [as the kernel offers; 7 with the keys of a group]",
    )
    p.add_argument(
        "--pin",
        metavar="DIR",
        type=Path,
        help="below /sys/fs/bpf: the programs outlive this process there",
    )
    opts.add_wait(p)
    opts.add_tunables(p, ios=False)
    keyopts.add_options(p)
    opts.add_control(p, "`syncache sysctl` and `netstat`")
    opts.add_log(p)
    p.set_defaults(user=None, group=None)
    return p


def run(options: argparse.Namespace) -> int:
    """Shield until SIGINT or SIGTERM.

    Raises:
        Failure: it cannot be, or the interface went away and is not waited for.
    """
    places = services(options)
    if options.metrics:
        endpoint(options.metrics, "--metrics")
    opts.check_descriptors()
    opts.check_control(options)
    source = keyopts.source(options)
    if options.mode:
        options.sysctl.append(f"{MODE}={options.mode}")
    sysctl = tunables(options, source)
    if options.check:
        opts.check_outputs(options)
        if options.pin is not None and not takes_pins(options.pin):
            raise Failure(f"{options.pin}: {PIN_FOLDER}")
        return report(options, places, sysctl)
    with contextlib.ExitStack() as stack:
        stack.enter_context(exporting(options))
        signals = stack.enter_context(Signals())
        output = stack.enter_context(opened("syncache shield", options))

        def once(links: contextlib.ExitStack) -> None:
            fresh = tunables(options, source)
            shield = attach(options, source, fresh, links)
            shield.protect_each(places)
            service = Service(
                options,
                signals,
                output.write,
                lambda: prepare(options, source, shield),
                output.reopen,
            )
            links.callback(service.close)
            where = ", ".join(str(Place(*service)) for service in shield.services)
            output.write(
                f"{fresh[MODE]} on {options.interface} ({shield.xdp_mode}): {where}\n"
            )
            asyncio.run(watch(options, shield, source, service, output))
            if shield.is_gone:
                raise LinkError(f"{options.interface} is gone", errno.ENODEV)

        awaited = [options.interface] if options.wait else []
        keep_open(once, awaited, signals, output.write)
    return 0


def attach(
    options: argparse.Namespace,
    source: KeySource | None,
    sysctl: Sysctl,
    links: contextlib.ExitStack,
) -> Shield:
    """Put a shield on the interface, until the links are closed."""
    wscale = options.wscale
    if wscale is None and source is not None:
        wscale = source.wscale
    try:
        shield = Shield(
            options.interface,
            sysctl,
            keys=source.keys if source else None,
            wscale=wscale,
            pin=options.pin,
            xdp=options.xdp,
        )
    except ValueError as error:
        raise Failure(str(error)) from None
    links.callback(shield.close)
    return shield


def tunables(options: argparse.Namespace, source: KeySource | None) -> Sysctl:
    """Read the tunables, which have to be the group's if there is one."""
    sysctl = serve.tunables(options, source.settings if source else ())
    if source:
        source.check(sysctl)
    return sysctl


def prepare(
    options: argparse.Namespace, source: KeySource | None, shield: Shield
) -> Callable[[], None]:
    """Read everything again; return the function that puts it in force."""
    fresh = source.read() if source else None
    sysctl = tunables(options, source)

    def apply() -> None:
        shield.sysctl.adopt(sysctl)
        if source is not None and fresh is not None:
            source.give(shield, fresh)

    return apply


def status(shield: Shield) -> str:
    """Return in a few words how things stand."""
    flooded = len(shield.flooded)
    noun = plural(flooded, "service")
    state = f"{flooded} {noun} flooded" if flooded else "calm"
    return f"{state}, {len(shield.services)} protected"


def services(options: argparse.Namespace) -> list[tuple[str | None, int]]:
    """Return the ports and addresses to protect.

    Raises:
        Failure: one of them, or a number beside them, cannot be.
    """
    for port in options.port:
        if not 0 < port < 2**16:
            raise Failure(f"port {port} is not between 1 and 65535")
    if options.wscale is not None and not 0 <= options.wscale <= WSCALE_MAX:
        raise Failure(f"--wscale is 0 to {WSCALE_MAX}, not {options.wscale}")
    addresses: list[str | None] = []
    for word in options.address:
        try:
            ipaddress.ip_address(word)
        except ValueError:
            raise Failure(f"{word!r} is not an address") from None
        try:
            addresses.append(own_address(word))
        except ValueError as error:
            raise Failure(f"--address {error}") from None
    return [(a, port) for port in options.port for a in addresses or [None]]


def report(
    options: argparse.Namespace, places: list[tuple[str | None, int]], sysctl: Sysctl
) -> int:
    """Print the findings of a check; 1 if a shield would not work."""
    if options.wait and not opts.exists(options.interface):
        print(f"note {options.interface} does not exist yet, and is waited for")
        return 0
    known = sorted(host_settings.addresses())
    wanted = [
        (one, port)
        for address, port in places
        for one in ([address] if address else known)
    ]
    failed = 0
    for finding in check(options.interface, wanted, sysctl, options.xdp):
        print(f"{finding.level:5}{finding.text}")
        failed += finding.level == "fail"
    return int(failed > 0)


async def watch(
    options: argparse.Namespace,
    shield: Shield,
    source: KeySource | None,
    service: Service,
    output: Output,
) -> None:
    """Report events until a signal, or until the interface is gone."""
    async with contextlib.AsyncExitStack() as stack:
        reader = source.watch(service.wake) if source else None
        lookout = Lookout(cast("Syncache", shield))
        if reader:
            reader.beside(shield.sources.counted, shield.block)
            stack.callback(reader.close)
        if options.control is not None:
            # It has what the control socket asks of an engine.
            answers = ShieldControl(cast("Syncache", shield), lookout)
            place = opts.control_place(options.control)
            stack.callback(ControlServer(place, answers).close)
        shield.await_events(service.wake)
        service.begin(lambda: status(shield))

        def turn() -> bool:
            gone = shield.is_gone  # the last event is before this
            service.turn(time.monotonic())
            if reader and reader.waiting:
                reader.take(shield, output.write)
            for event in shield.events():
                if event.kind == "gone" and options.wait:
                    continue  # `keep_open` says it
                severity = INFO if event.kind in EASY else WARNING
                output.write(
                    f"{event.text}\n",
                    kind=event.kind,
                    severity=severity,
                    time=event.time,
                )
            for alarm in lookout.look(time.monotonic()):
                output.alarm(alarm)
            return not (service.stopping or gone)

        def beat() -> float | None:
            resting = lookout.rests and not shield.is_busy
            return None if resting else time.monotonic() + LOOK_SECONDS

        await Turns(service, turn, beat).run()
