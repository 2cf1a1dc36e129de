"""`syncache serve --shards N`: a service of several processes on one interface.

Contents: what they share is made before the first of them, and undone behind the last;
an interface that is lost ends them all, and is waited for with `--wait`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from ..aio.attentive import run_attentive
from ..attempts import Attempts
from ..entropy import entropy
from ..keyring import KEY_BYTES
from ..links.frames import Interface
from ..links.link import LinkError
from ..links.packet import FANOUT_ID_MAX, Packet
from ..links.shard import run
from ..links.xdp import Xdp, XdpProgram
from . import guarded
from . import options as opts
from .addresses import awaited, check_local
from .notify import SOCKET, Notify, OfShards
from .output import opened
from .record import reason_name, recording, shard_file
from .service import LOST, wait_for
from .shard_alarms import ShardAlarms
from .signals import STOP, Signals

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine

    from .. import Sysctl
    from ..links.shard import Shard
    from ..lookout import Lookout
    from .keys import KeySource

LOST_STATUS = 75  # of a process whose interface is gone while the service goes on


class Shards:
    """The service.

    Args:
        options: Of `serve`.
        ours: Addresses.
        source: Of the keys; None: they are drawn.
        tunables: Reads them, by the options.
        serve: Serves on a link until the end: `serve.serve`.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        ours: list[str],
        source: KeySource | None,
        tunables: Callable[..., Sysctl],
        serve: Callable[..., Coroutine[Any, Any, None]],
    ) -> None:
        self._tunables, self._serve = tunables, serve
        self._options, self._ours, self._source = options, ours, source
        self._name: str = options.packet or options.xdp
        self._manager = OfShards(options.shards)
        self._signals = Signals()
        self._secret = entropy(KEY_BYTES)  # so that what is counted can be added up
        self._program: XdpProgram | None = None

    def run(self) -> int:
        """Serve until a signal, or the loss of the interface."""
        notify, signals = Notify(), self._signals
        status = LOST_STATUS
        with signals, contextlib.ExitStack() as stack:
            stack.callback(self._manager.close)
            while status == LOST_STATUS and not signals.stopping:
                if self._options.wait:
                    wanted = awaited(self._name, self._options.address)
                    wait_for(wanted, signals, notify)
                if not signals.stopping:
                    check_local(self._options.address)
                    status = self._begin()
        return 0 if status == LOST_STATUS else status

    def _begin(self) -> int:
        """Make what all share, and work; LOST_STATUS if the interface is to return."""
        try:
            with contextlib.ExitStack() as undo:
                return self._work_together(undo)
        except LinkError as error:
            if self._is_awaited(error):
                return LOST_STATUS
            raise

    def _is_awaited(self, error: LinkError) -> bool:
        return bool(self._options.wait) and error.errno in LOST

    def _work_together(self, undo: contextlib.ExitStack) -> int:
        options, ours, source = self._options, self._ours, self._source
        interface = Interface(self._name, options.address, claim=True)
        undo.callback(interface.restore)
        if options.xdp:
            self._program = XdpProgram(self._name, ours)
            undo.callback(self._program.close)
        group = os.getpid() & FANOUT_ID_MAX
        files = [shard_file(options.pcapng, index) for index in range(options.shards)]
        sysctl = self._tunables(options, source.settings if source else ())
        alarms = ShardAlarms("syncache serve", options)
        undo.callback(alarms.close)
        control = options.control

        def work(shard: Shard) -> int:
            os.environ.pop(SOCKET, None)  # to the manager the parent is the service
            link = self._link(shard, group)
            shard.ready()
            if control is not None:
                options.control = f"{control}.{shard.index}"
            given = source.of_shard(shard.index) if source else shard.keys
            record = recording(files[shard.index], reason_name, [self._name])

            def look_out(lookout: Lookout) -> None:
                lookout.attempts = Attempts(self._secret)
                lookout.looked = lambda look: alarms.tell(shard.index, look)

            with (
                Signals() as own,
                opened("syncache serve", options) as output,
                record as recorder,
            ):
                parts = (options, sysctl, ours, link, given, own, output, recorder)
                run_attentive(self._serve(*parts, look_out))
            return 0

        def turn(reloaded: bool) -> float:
            self._signals.begin()
            wait = self._manager.turn(reloaded)
            wait = min(wait, alarms.turn(time.monotonic(), reloaded))
            if self._signals.stopping:  # said before `run` took the signals
                os.kill(os.getpid(), signal.SIGTERM)
            return wait

        parts = (options.shards, lambda one: self._guard(one, work))
        status = run(*parts, turn=turn, wakes=alarms.filenos)
        if status == LOST_STATUS:
            alarms.write(f"{self._name} is gone; waiting for {self._name}")
        return status

    def _guard(self, shard: Shard, work: Callable[[Shard], int]) -> None:
        """Do the work of a process, which ends with its status."""
        for number in STOP:  # until it takes them: the parent's are not its own
            signal.signal(number, signal.SIG_DFL)

        def lose() -> int:
            try:
                return work(shard)
            except LinkError as error:
                if self._is_awaited(error):
                    return LOST_STATUS
                raise

        raise SystemExit(guarded(f"shard {shard.index}", lose))

    def _link(self, shard: Shard, group: int) -> Packet | Xdp:
        """Open the part of the interface that a process has."""
        options, name, ours = self._options, self._name, self._ours
        cpu = shard.cpu if options.cpu is None else options.cpu + shard.index
        hints = {"cpu": cpu, "priority": options.priority}
        link: Packet | Xdp
        if self._program:
            program = self._program
            link = Xdp(name, ours, queue=shard.index, program=program, **hints)
        else:
            link = Packet(name, ours, fanout=group, **opts.ring_of(options), **hints)
        link.logs_condition = shard.index == 0  # once is enough
        return link
