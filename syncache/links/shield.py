"""`Shield`: SYN floods answered inside the kernel, for servers that stay as they are.

Two programs hang on an interface.  In XDP a SYN to a protected service gets a SYN-ACK
whose ISS is a cookie of ours; in tc the ACK that brings the cookie back becomes a
connection of the kernel's own listener.  No packet reaches this process: it gives keys,
watches what the programs depend on, and reads counters.  docs/shield.md has the whole.

Whatever the programs cannot do right passes to the kernel as if they were not there.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

from .._core import bpf as _core_bpf
from .._core import shield as core
from ..cookies import WSCALE_MAX
from ..keyring import Keyring
from ..sysctl import Sysctl
from . import host_settings
from .bpf_object import BpfObject, layout_of
from .claim import Claim
from .link import LinkError
from .shield_around import Around
from .shield_arrivals import Service, why_lost
from .shield_attach import Attachment, Pins, XdpChoice
from .shield_config import LAYOUT, REPLAY, TS_REFUSED_MAX, ShieldConfig, number
from .shield_counters import ZERO, processors, raw_counters, read_counters, stats_of
from .shield_events import Events, Ring, ShieldEvent, Told
from .shield_handshakes import are_held, recent
from .shield_redeemed import ShieldRedeemed, room_for
from .shield_services import (
    ServiceMaps,
    own_address,
    own_port,
    read_service,
    write_service,
)
from .shield_sources import ShieldSources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from ..fourtuple import FourTuple
    from ..stats import Stats

POLL_SECONDS = 0.25  # between looks at services while a flood is on
LOOK_SECONDS = 1.0  # between looks at settings, while something is wrong or changes
REST_SECONDS = 5.0  # likewise, while nothing does


class Shield:
    """The shield of one interface; take it off with `close`, or by `with`.

    A thread keeps keys in place while it is on.  If the process dies, the kernel takes
    the programs off (or, pinned, they pass everything once their keys are over).

    Args:
        name: Of the interface.
        sysctl: The tunables, which belong to this shield from now on.
        keys: Where cookie keys come from; drawn, if None.
        wscale: Window scale of SYN-ACKs; None: as the kernel would offer.
        pin: A folder of a BPF file system, in which everything outlives the process.
        xdp: Where SYNs are answered: "native" in the driver, "tc" in the kernel's
            receiving, "generic" before it; "auto": in the driver where that works,
            else in tc.

    Raises:
        LinkError: One line that states the remedy.
        ValueError: an argument or a tunable is not for a shield.
    """

    paused = False

    def __init__(
        self,
        name: str,
        sysctl: Sysctl | None = None,
        *,
        keys: Keyring | None = None,
        wscale: int | None = None,
        pin: Path | None = None,
        xdp: XdpChoice = "auto",
    ) -> None:
        if wscale is not None and not 0 <= wscale <= WSCALE_MAX:
            raise ValueError(f"wscale is 0 to {WSCALE_MAX}, not {wscale}")
        self.name = name
        self.sysctl = Sysctl() if sysctl is None else sysctl
        self.keys = Keyring.ephemeral() if keys is None else keys
        self._fds: list[int] = []
        self._pins: Pins | None = None
        self._lock = threading.RLock()
        self._events = Events()
        self._asked: set[tuple[str | None, int]] = set()
        self._services: dict[bytes, Service] = {}
        self._look = 0.0
        self._trouble = ""
        self._ts_refused = 0
        now = time.monotonic()
        self._around = Around(name, self._events)
        self._config = ShieldConfig(self.sysctl, self.keys, wscale, now)
        self._claim = Claim(name)
        try:
            pins = self._pins = Pins(pin) if pin else None
            maps = self._pinned(pins) if pins else {}
            sizes = {"redeemed": room_for(number(self.sysctl, REPLAY))}
            self._object = BpfObject("shield", sizes, maps, in_pieces=xdp != "generic")
            self._maps = self._object.maps
            self._places = ServiceMaps(self._maps)
            self.sources = ShieldSources(self._maps, processors())
            self._redeemed = ShieldRedeemed(self._maps)
            # The first SYN may come before the thread has looked around.
            self._config.is_off = bool(host_settings.in_the_way())
            self._write(now)
            programs = self._object.programs
            _core_bpf.bpf_map_set(self._maps["pieces"], 0, programs["shield_any"])
            if maps:  # of a process before us
                self._places.clear()
            self._attachment = Attachment(self._around.interface, pins)
            self.xdp_mode = self._attachment.attach(programs, xdp)
            if pins:
                pins.keep(self._maps)
            self._ring = Ring(self._maps["events"], self._around.changes.fileno())
            self.sysctl.attach(lambda: self._write(time.monotonic()), lambda: 0)
        except BaseException:
            if self._pins:
                self._pins.undo()
            self._release()
            raise
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _pinned(self, pins: Pins) -> dict[str, int]:
        """Open the maps of a process before us."""
        pins.claim(self.name)
        maps = pins.maps(layout_of("shield"))
        self._fds += maps.values()
        return maps

    def protect(self, port: int, address: str | None = None) -> None:
        """Answer for a port of an address; None: of each address that we have.

        Raises:
            ValueError: the port or the address is invalid.
            LinkError: there is no room for more services.
        """
        self.protect_each([(address, port)])

    def protect_each(self, places: Iterable[tuple[str | None, int]]) -> None:
        """Answer for several addresses and ports, or, with an error, for none of them.

        Raises:
            ValueError, LinkError: as for one.
        """
        fresh = {(_address(address), own_port(port)) for address, port in places}
        with self._lock:
            before = set(self._asked)
            self._asked |= fresh
            try:
                self._follow_services()
            except LinkError:
                self._asked = before
                self._follow_services()
                raise

    def unprotect(self, port: int, address: str | None = None) -> None:
        """Leave a port of an address to the kernel again, as it was protected."""
        with self._lock:
            self._asked.discard((_address(address), port))
            self._follow_services()

    def block(self, networks: Sequence[str]) -> None:
        """Drop SYNs of some networks to protected services, and of no others."""
        with self._lock:
            self.sources.block(networks)
            self._config.is_blocking = self.sources.blocks
            self._write(time.monotonic())

    def redeemed(self, key: bytes) -> ShieldRedeemed:
        """Begin to tell others which handshakes were redeemed, and to hear of theirs.

        Args:
            key: Common to the group.
        """
        with self._lock:
            self._redeemed.begin(key)
            self._config.is_sharing = True
            self._write(time.monotonic())
        return self._redeemed

    @property
    def is_gone(self) -> bool:
        """Whether the interface was deleted."""
        return self._around.is_gone

    @property
    def services(self) -> list[tuple[str, int]]:
        """The protected addresses and ports."""
        with self._lock:
            return sorted(read_service(key) for key in self._services)

    @property
    def flooded(self) -> list[tuple[str, int]]:
        """The protected addresses and ports whose listeners are flooded now."""
        with self._lock:
            known = self._services.items()
            return sorted(read_service(key) for key, one in known if one.flooded)

    @property
    def counters(self) -> dict[str, int]:
        """The counters of the programs, by the names of csrc/bpf/shield_abi.h."""
        with self._lock:
            counters = read_counters(self._maps["counters_map"])
            counters["events_lost"] += self._events.lost
            return counters

    def pulse(self) -> bytes:
        """Return bytes that are the same while the programs count nothing."""
        with self._lock:
            return raw_counters(self._maps["counters_map"])

    @property
    def stats(self) -> Stats:
        """The counters under the names of the engine's."""
        return stats_of(self.counters)

    def half_open(self) -> list[object]:
        """List half-open connections: there are none, which is the point of it."""
        return []

    def half_open_slices(self, **_: object) -> Iterator[bytes]:
        """As `Syncache.half_open_slices`, of nothing."""
        return iter(())

    def events(self) -> Iterator[ShieldEvent]:
        """Take the events since the last call.

        No more than 1,024 are kept: the oldest go, and count as `events_lost`.
        """
        return self._events.take()

    def await_events(self, call: Callable[[], object]) -> None:
        """Have the thread call something while there are events to take."""
        self._events.awaited = call

    def explain(self, path: FourTuple, seq: int, ack: int) -> dict[str, object] | None:
        """Say what a cookie says that came back in an ACK; None: it is none of ours.

        Args:
            path: Of the peer and of us.
            seq: The sequence number of the ACK.
            ack: Its acknowledgment number.

        Raises:
            ValueError: an address, a port or a number is none.
        """
        with self._lock:
            found = self._config.explain(path, seq, ack, time.monotonic())
            if found is None:
                return None
            return {
                "layout": self.sysctl[LAYOUT],
                "mss": found.mss,
                "wscale": found.wscale,
                "sack_permitted": found.sack_permitted,
                "rcv_wscale": self._config.wscale,
            }

    def rekey(self, keys: Keyring) -> None:
        """Take cookie keys from another keyring from now on."""
        with self._lock:
            self.keys = keys
            now = time.monotonic()
            self._config.rekey(keys, now)
            self._write(now)

    def close(self) -> None:
        """Take the programs off; pinned ones stay."""
        self._end.set()
        with contextlib.suppress(AttributeError, OSError):  # closed before
            self._ring.wake()
        if self._thread is not threading.current_thread():
            self._thread.join()
        with self._lock:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What the thread does.

    def _work(self) -> None:
        while not self._end.is_set():
            self._ring.wait(self._patience())
            self._around.changes.take()
            with self._lock:
                if not self._end.is_set():
                    self._poll_safely(time.monotonic())
            self._events.wake()

    def _patience(self) -> float:
        """Return in how many seconds something has to be done at the latest."""
        if self.is_busy:
            return POLL_SECONDS
        changes = self._around.changes
        if changes.are_due or changes.fileno() < 0:
            return max(self._look + LOOK_SECONDS - time.monotonic(), 0.0)
        if self._around.obstacles or self._trouble:
            return LOOK_SECONDS
        return min(REST_SECONDS, self._config.lifetime / 2)

    @property
    def is_busy(self) -> bool:
        """Whether more may happen than a flood's beginning, which is an event."""
        return self._config.mode() == core.ALWAYS or any(
            service.is_busy for service in [*self._services.values()]
        )

    def _poll_safely(self, now: float) -> None:
        """Poll; what is refused is said once and tried again."""
        try:
            self.poll(now)
        except (OSError, ValueError) as error:
            said = str(error)
        else:
            said = ""
        if said and said != self._trouble:
            self._events.tell(now, "trouble", said)
        self._trouble = said

    def poll(self, now: float) -> None:
        """Renew keys, and look at the programs' conditions; the thread does."""
        for told in self._ring.take():
            self._hear(told)
        self._watch_services(now)
        if now - self._look >= LOOK_SECONDS:
            self._look = now
            self._look_around(now)
        self._write(now)

    def _look_around(self, now: float) -> None:
        if self._around.look_at_interfaces(now):
            try:
                self._follow_services()
            except OSError:
                self._around.changes.again()
                raise
        if self.is_gone:
            return
        self._around.look_for_obstacles(now, self.xdp_mode, self._attachment)
        self._config.is_off = bool(self._around.obstacles)
        refused = self.counters["ts_refused"]
        self._config.is_ts_required = refused - self._ts_refused > TS_REFUSED_MAX
        self._ts_refused = refused

    def _are_held(self, key: bytes) -> bool:
        """Return whether the kernel has a connection that was made of a cookie."""
        known = recent(self._maps, time.monotonic_ns())
        return are_held(each for each in known if each.service == key)

    def _is_lost(
        self, key: bytes, service: Service, counts: tuple[int, int], now: float
    ) -> bool:
        """Leave a service whose connections do not arrive to the kernel for a while."""
        found = service.arrivals.look(*counts, now, lambda: self._are_held(key))
        if found == "arrive":
            self._places.trust(key)
            service.absence.arrived(now)
        if found != "lost":
            return False
        self._places.put(key, refused=True)
        service.refused = 1
        service.absence.begin(now)
        where = "{} port {}: ".format(*read_service(key))
        self._events.tell(now, "refused", where + why_lost(service.absence.seconds))
        return True

    def _watch_services(self, now: float) -> None:
        """Report floods that begin and end, and connections that were refused."""
        now_ns = int(now * 1e9)
        for key, service in self._services.items():
            value = self._places.get(key)
            if value is None:
                continue
            flood_ns, refused, _, made, seen, _ = value
            service.is_busy = bool(flood_ns > now_ns or refused or made)
            where = "{} port {}".format(*read_service(key))
            if (flood_ns > now_ns) != service.flooded:
                service.flooded = not service.flooded
                if service.flooded:
                    self._events.tell(now, "flood", f"{where} is flooded")
                else:
                    text = f"{where} is not flooded any more"
                    self._events.tell(now, "calm", text)
            if not refused and self._is_lost(key, service, (made, seen), now):
                continue
            if refused and not service.refused:
                self._refused(service, where, now)
            elif refused and service.absence.is_over(now):
                refused = 0
                self._places.put(key)
                self._events.tell(now, "retry", f"{where} is protected again")
            service.refused = refused

    def _hear(self, told: Told) -> None:
        """Take an event of a program about a service, unless it is known already."""
        service = self._services.get(write_service(told.address, told.port))
        if service is None:
            return
        where = f"{told.address} port {told.port}"
        if told.kind == core.FULL:
            text = (
                f"{where}: {told.number} connections wait to be accepted, and there is "
                "room for no more: the server is too slow, or its backlog too small"
            )
            self._events.tell(told.time, "full", text)
        elif told.kind == core.FLOOD and not service.flooded:
            service.flooded = True
            text = f"{where} is flooded: {told.number} half-open connections"
            if told.number == 0:
                text = f"{where} gets cookies, as from the kernel: its backlog is 0"
            self._events.tell(told.time, "flood", text)
        elif told.kind == core.REFUSED and not service.refused:
            service.refused = 1
            self._refused(service, where, told.time, os.strerror(told.number))

    def _refused(self, service: Service, where: str, now: float, why: str = "") -> None:
        service.absence.begin(now)
        reason = f" ({why})" if why else ""
        text = (
            f"{where}: the kernel refused a connection{reason}; for "
            f"{service.absence.seconds:.0f} s its SYNs are the kernel's (syncache "
            "shield --check says why)"
        )
        self._events.tell(now, "refused", text)

    def _follow_services(self) -> None:
        """Have exactly the services in the maps that were asked for."""
        own = host_settings.addresses()
        wanted = {
            write_service(one, port)
            for address, port in self._asked
            for one in ([address] if address else own)
        }
        for key in self._services.keys() - wanted:
            del self._services[key]
            self._places.remove(key)
        for key in wanted - self._services.keys():
            try:
                self._places.put(key)
            except OSError as error:
                raise LinkError(
                    f"no room for {len(wanted)} services (an address and a port each): "
                    f"{len(self._services)} are protected; name addresses"
                ) from error
            self._services[key] = Service()

    def _write(self, now: float) -> None:
        with self._lock:
            content = self._config.content(now, self._around.receiver)
            _core_bpf.update(self._maps["config_map"], ZERO, content)

    def _release(self) -> None:
        with contextlib.suppress(AttributeError):
            self._around.close()
        with contextlib.suppress(AttributeError):  # it did not come to that
            self._attachment.close()
        with contextlib.suppress(AttributeError):
            self._ring.close()
            del self._ring
        with contextlib.suppress(AttributeError):
            self._object.close()
        while self._fds:
            os.close(self._fds.pop())
        if self._pins:
            self._pins.release()
        self._claim.release()


def _address(address: str | None) -> str | None:
    return None if address is None else own_address(address)
