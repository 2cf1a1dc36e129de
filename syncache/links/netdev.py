"""Configure a network interface, and put it back as it was.

Through pyroute2, which the extra `cli` brings; only this module needs it.
"""

from __future__ import annotations

import errno
import ipaddress
import resource
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .link import LinkError

IFA_F_NODAD = 2  # linux/if_addr.h

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .claim import Claim, Step


class Netdev:
    """Addresses, routes, MTU and state given to one interface.

    Args:
        name: The interface.
        addresses: Of the kernel's end, with prefix length: "192.0.2.1/24".
        routes: Prefixes that the kernel shall send through the interface.
        mtu: None leaves it.
        queue: Packets that the kernel holds for a reader (txqueuelen); None leaves it.
        claim: Remembers what to undo if the process is killed; what a killed process
            left is undone too.

    Raises:
        LinkError: pyroute2 is missing, or the kernel refuses; nothing is changed.
    """

    def __init__(
        self,
        name: str,
        addresses: Sequence[str] = (),
        *,
        routes: Sequence[str] = (),
        mtu: int | None = None,
        queue: int | None = None,
        claim: Claim | None = None,
    ) -> None:
        self.name = name
        self._index = -1  # the name may change
        self._claim = claim
        self._steps: list[Step] = list(claim.steps) if claim else []
        try:
            import pyroute2  # optional, and slow to load
        except ModuleNotFoundError:
            raise LinkError(
                f"configuring {name} needs pyroute2: pip install 'tcp-syncache[cli]', "
                f"or give {name} its addresses with ip and ask for none here"
            ) from None
        self._refused = (OSError, pyroute2.NetlinkError)
        self._run(lambda ip: self._apply(ip, addresses, routes, mtu=mtu, txqlen=queue))

    def restore(self) -> None:
        """Undo the changes, in reverse order; deleted devices stay deleted."""
        if self._steps:
            self._run(self._roll_back)

    def _run(self, work: Callable[[Any], None]) -> None:
        try:
            by_netlink(work)
        except (*self._refused, LookupError, ValueError) as error:
            message = f"cannot configure {self.name}: {reason(error)}"
            raise LinkError(message, error_number(error)) from None

    def _apply(
        self,
        ip: Any,
        addresses: Sequence[str],
        routes: Sequence[str],
        **sizes: int | None,
    ) -> None:
        index = self._index = ip.link_lookup(ifname=self.name)[0]
        link = ip.get_links(index)[0]
        wanted = [["addr", address] for address in addresses]
        wanted += [["route", route] for route in routes]
        sizes_wanted = {size for size, value in sizes.items() if value is not None}
        self._drop_left(ip, wanted, sizes_wanted)
        try:
            for size, value in sizes.items():
                self._resize(ip, link, size, value)
            if not (wanted or sizes_wanted):
                return
            self._keep_ipv6_addresses()
            for address in addresses:
                if not _has(ip, index, address):
                    given: dict[str, object] = {"index": index, "address": address}
                    # An IPv6 address answers at once, not after a second in which
                    # others could claim it (RFC 4862 5.4): it is ours by order.
                    if ":" in address:
                        given["flags"] = IFA_F_NODAD
                    self._do(["addr", address], ip.addr, **given)
            if link["state"] != "up":
                self._do(["down"], ip.link, "set", index=index, state="up")
            for route in routes:
                self._do(["route", route], ip.route, dst=route, oif=index)
        except Exception:
            self._roll_back(ip)
            raise

    def _drop_left(self, ip: Any, wanted: list[Step], sizes: set[str]) -> None:
        """Undo the changes of a killed process that nobody wants now."""
        for step in reversed(self._steps):
            given = step[0] in {"addr", "route"} and step not in wanted
            if given or (step[0] in {"mtu", "txqlen"} and step[0] not in sizes):
                self._undo(ip, step)

    def _resize(self, ip: Any, link: Any, size: str, value: int | None) -> None:
        was = link.get_attr(f"IFLA_{size.upper()}")
        if value is not None and value != was:
            change = {"index": self._index, size: value}
            self._do([size, was], ip.link, "set", **change)

    def _keep_ipv6_addresses(self) -> None:
        """Have them survive that the interface goes down, as those of IPv4 do."""
        with suppress(OSError):  # no IPv6, or /proc is not ours to write
            was = self._keeping.read_text("ascii").strip()
            if was != "1":
                self._do(["keep", was], self._keeping.write_text, "1", "ascii")

    @property
    def _keeping(self) -> Path:
        name = self.name
        with suppress(OSError):
            name = socket.if_indextoname(self._index)
        return Path("/proc/sys/net/ipv6/conf", name, "keep_addr_on_down")

    def _do(
        self, step: Step, call: Callable[..., object], *words: str, **what: object
    ) -> None:
        """Make one change, which is on record before it is made.

        A step of a killed process that is made again keeps its record: it has the
        value from before.
        """
        known = step[0] in {"addr", "route"}
        names = [old[:2] if known else old[:1] for old in self._steps]
        is_new = (step[:2] if known else step[:1]) not in names
        if is_new:
            self._record([*self._steps, step])
        try:
            call(*(words or ("add",)), **what)
        except self._refused as error:
            if is_new:
                self._record(self._steps[:-1])
            if not (known and error_number(error) == errno.EEXIST):
                raise

    def _record(self, steps: list[Step]) -> None:
        self._steps = steps
        if self._claim is not None:
            self._claim.record(steps)

    def _roll_back(self, ip: Any) -> None:
        for step in reversed(self._steps):
            self._undo(ip, step)

    def _undo(self, ip: Any, step: Step) -> None:
        """Undo one change; its address may be gone, and its route with it."""
        word, *arguments = step
        with suppress(*self._refused, LookupError, ValueError):
            if word == "keep":
                self._keeping.write_text(str(arguments[0]), "ascii")
            else:
                index = self._index
                if word == "addr":
                    ip.addr("del", index=index, address=arguments[0])
                elif word == "route":
                    ip.route("del", dst=arguments[0], oif=index)
                elif word == "down":
                    ip.link("set", index=index, state="down")
                elif word in {"mtu", "txqlen"}:
                    ip.link("set", index=index, **{word: int(arguments[0])})
        self._record([each for each in self._steps if each is not step])


def _has(ip: Any, index: int, address: str) -> bool:
    """Return whether an interface has an address with this length."""
    wanted = ipaddress.ip_interface(address)
    for found in ip.get_addr(index=index):
        local = found.get_attr("IFA_LOCAL") or found.get_attr("IFA_ADDRESS")
        if ipaddress.ip_interface(f"{local}/{found['prefixlen']}") == wanted:
            return True
    return False


def by_netlink(work: Callable[[Any], None]) -> None:
    """Call `work` with a netlink socket, in a thread of its own.

    pyroute2 runs an event loop inside each call, so it cannot be used where one
    already runs; a fresh thread has none, and is in the same network namespace.  Where
    there can be no further thread the loop that runs is hidden from it.
    """
    import pyroute2

    begun = []

    def call() -> None:
        begun.append(True)
        with pyroute2.IPRoute() as ip:
            work(ip)

    with _all_descriptors():
        try:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(call).result()
        except RuntimeError:
            if begun:
                raise
            from asyncio import events

            # For makers of loops: asyncio exports them in spite of their names.
            running = events._get_running_loop()  # noqa: SLF001
            events._set_running_loop(None)  # noqa: SLF001
            try:
                call()
            finally:
                events._set_running_loop(running)  # noqa: SLF001


@contextmanager
def _all_descriptors() -> Iterator[None]:
    """Let the process have as many as it ever may: all others may be in use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def error_number(error: BaseException) -> int | None:
    """Return the number of an OSError or of pyroute2's NetlinkError."""
    return getattr(error, "code", None) or getattr(error, "errno", None)


def reason(error: BaseException) -> str:
    """Return the words about a refusal of the kernel, and what to do."""
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    is_refused = error_number(error) == errno.EPERM
    return f"{text}: run as root (CAP_NET_ADMIN)" if is_refused else text
