"""`Intercept`: TCP Intercept, which shields a server that is behind us.

In intercept mode the engine completes the handshake with the client, only then opens
the connection to the server, and knits the two together for the connection's life.  In
watch mode everything passes, and what does not establish in time is reset.  Both modes
have two pairs of thresholds; above them (aggressive mode) each new connection costs an
incomplete one, and timers are halved.

Packets are judged in csrc/flow.  Here: which tunables and which access
list are in force, and values of what C tells.  The words of the original for these are
in `ios`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import flow_state
from ._core import flow as _core_flow
from .acl import AccessList
from .flow import Flow
from .ios import config as ios_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from .flow_session import Session
    from .keyring import Keyring
    from .sysctl import Sysctl
    from .tunables.knob import Engine

_I = "net.inet.tcp.intercept."
LIST = _I + "list"
MODE = _I + "mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How things stand; `one_minute` counts the requests of the last minute.

    `aggressive_since` is a time of the engine's clock, None while calm; `list` is the
    name of the access list, "" for none.
    """

    mode: str
    list: str
    incomplete: int
    established: int
    one_minute: int
    aggressive: bool
    aggressive_since: float | None

    @property
    def total(self) -> int:
        """Every connection."""
        return self.incomplete + self.established


class Intercept(Flow):
    """SYN proxy, or passive watch, between clients and the servers behind us.

    Which connections are protected is decided by an access list, looked at for a SYN
    from the client's side only; a connection that is known goes on whatever becomes of
    the list.

    Args:
        sysctl: the tunables, which belong to this engine from now on.
        acl: an access list, which is in force at once; or several, of which
            net.inet.tcp.intercept.list names the one in force; or None.
        keys: where cookie keys come from; drawn, or derived from the seed, if None.
        seed: makes everything deterministic; in production 16 secret random bytes.
        offload: a `Bridge` has the kernel carry connections once they are knitted, if
            it can; else they stay here, and its `offload_trouble` says why.
        pin: a folder of a BPF file system (/sys/fs/bpf/NAME), in which what the kernel
            carries outlives a process that is killed.

    Raises:
        ValueError: the tunables cannot be, or name a list that there is not.
        TypeError: an argument is of the wrong type.
        OSError: the system has not so much memory.
    """

    _KIND = _core_flow.INTERCEPT
    _ENGINE: Engine = "intercept"

    def __init__(
        self,
        sysctl: Sysctl | None = None,
        *,
        acl: AccessList | Iterable[AccessList] | None,
        keys: Keyring | None = None,
        seed: bytes | None = None,
        offload: bool = False,
        pin: Path | None = None,
    ) -> None:
        super().__init__(sysctl, keys, seed)
        self.offload, self.pin = offload, pin
        given = [acl] if isinstance(acl, AccessList) else list(acl or ())
        for each in given:
            if not isinstance(each, AccessList):
                raise TypeError(f"acl is an AccessList, not {type(each).__name__}")
        self._lists = {each.name: each for each in given}
        self._in_force: AccessList | None = None
        self._rules: bytes | None = None  # of it, as C has them
        self._before = self._fields()
        if isinstance(acl, AccessList) and not self._sysctl[LIST]:
            self._sysctl[LIST] = acl.name
        self._changed()
        self._sysctl.attach(self._changed, lambda: 0)

    @property
    def acl(self) -> AccessList | None:
        """The access list in force; None: there is none, and everything passes.

        May be set: the list takes the place of one of its name, and is in force.
        """
        return self._in_force

    @acl.setter
    def acl(self, acl: AccessList | None) -> None:
        if acl is None:
            self._sysctl[LIST] = ""
            return
        with _Staged(self, {acl.name: acl}):
            self._sysctl[LIST] = acl.name

    def configure(
        self, source: str | Path | Sequence[str], *, strict: bool = False
    ) -> list[str]:
        """Take an IOS configuration, whole or not at all: `ios_config.read`.

        Returns what has no effect, in sentences; with `strict`, lines of other features
        are errors.

        Raises:
            OSError: the file cannot be read.
            ValueError: file and line, and the fault.
        """
        config = ios_config.read(source, known=list(self._lists), strict=strict)
        with _Staged(self, config.lists):
            changes = ios_config.changes(config, self._sysctl)
            self._sysctl.assign(changes, config.places)
        return config.report("ip tcp intercept", "access lists")

    def adopt(self, sysctl: Sysctl, lists: Iterable[AccessList]) -> None:
        """Take over other tunables and access lists, whole or not at all.

        What is missing there is as in a new engine; connections go on.

        Raises:
            PermissionError: a tunable that differs is fixed at the start.
            ValueError: the tunables cannot be, or name a list that there is not.
        """
        before = self._lists
        self._lists = {each.name: each for each in lists}
        try:
            self._sysctl.adopt(sysctl)
        except BaseException:
            self._lists = before
            raise

    def configuration(self) -> str:
        """Return the IOS configuration that makes these tunables and lists."""
        return ios_config.written(self._sysctl, list(self._lists.values()))

    def _changed(self) -> None:
        """Take over tunables and list, or raise and leave both as they were."""
        name = str(self._sysctl[LIST])
        if name and name not in self._lists:
            known = ", ".join(self._lists) or "none"
            raise ValueError(f"there is no access list {name}; there are: {known}")
        acl = self._lists[name] if name else None
        fields = self._fields()
        with self._core as core:
            if not core.set_tunables(fields):
                raise ValueError(
                    f"{_I}wait_for_data needs a {_I}synack_window above 0, "
                    "or the client's data never comes"
                )
            rules = None if acl is None else acl.compiled()
            if rules != self._rules:
                if not core.set_rules(rules):
                    core.set_tunables(self._before)
                    count = 0 if acl is None else len(acl.rules)
                    raise ValueError(
                        f"access list {name} has {count} rules, more than "
                        f"{_I}rules_max={self._sysctl[_I + 'rules_max']}"
                    )
                self._rules = rules
        self._before, self._in_force = fields, acl

    def export_state(self, now: float) -> bytes:
        """Return the spliced connections, for `import_state` after a restart."""
        return b"".join(flow_state.parts(list(self.export_splices(now))))

    def export_splices(self, now: float) -> Iterator[bytes]:
        """Yield the spliced connections some at a time, for `flow_state.parts`.

        The engine may do anything else in between; a connection that begins meanwhile
        may or may not be among them.
        """
        with self._core as core:
            splices = core.splices(now)
        while True:
            with self._core:
                part = next(splices, None)
            if part is None:
                return
            yield part

    def import_state(self, data: bytes, now: float) -> tuple[int, int]:
        """Take up connections that `export_state` gave; how many, and of how many.

        The first packet each way must fit to where the connection was; if it went on
        too long without us, it is dropped.

        Raises:
            StateError: these are not such bytes; nothing has changed.
        """
        splices = flow_state.unpack(data)
        with self._core as core:
            taken = core.import_splices(splices, now)
        return taken, len(splices) // _core_flow.SPLICE_BYTES

    def connections(self) -> list[Session]:
        """List the connections; `ios.show_connections` makes text of it."""
        return self._sessions()

    def statistics(self, now: float | None = None) -> Statistics:
        """Tell how things stand; `ios.show_statistics` makes text of it."""
        counters = self.stats(now)
        aggressive = bool(counters["aggressive"])
        since = counters["aggressive_since_ms"] / 1000
        return Statistics(
            mode=str(self._sysctl[MODE]),
            list=str(self._sysctl[LIST]),
            incomplete=counters["incomplete"],
            established=counters["established"] + counters["terminating"],
            one_minute=counters["one_minute"],
            aggressive=aggressive,
            aggressive_since=since if aggressive else None,
        )


class _Staged:
    """Access lists that stay only if their use does not raise."""

    def __init__(self, intercept: Intercept, lists: dict[str, AccessList]) -> None:
        self._intercept = intercept
        self._lists = lists

    def __enter__(self) -> None:
        intercept = self._intercept
        self._before = intercept._lists  # noqa: SLF001
        intercept._lists = self._before | self._lists  # noqa: SLF001

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._intercept._lists = self._before  # noqa: SLF001
