"""Configure a network interface, and put it back as it was.

Through pyroute2, which the extra `cli` brings; only this module needs it.
"""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Netdev:
    """Addresses, routes, MTU and state given to one interface.

    Args:
        name: The interface.
        addresses: Of the kernel's end, with prefix length: "192.0.2.1/24".
        routes: Prefixes that the kernel shall send through the interface.
        mtu: None leaves it.
        queue: Packets that the kernel holds for a reader (txqueuelen); None leaves it.

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
    ) -> None:
        self.name = name
        self._undo: list[Callable[[Any], object]] = []
        try:
            import pyroute2  # optional, and slow to load
        except ImportError:
            raise LinkError(
                f"configuring {name} needs pyroute2: pip install 'tcp-syncache[cli]', "
                f"or give {name} its addresses with ip and ask for none here"
            ) from None
        self._refused = (OSError, pyroute2.NetlinkError)
        self._run(lambda ip: self._apply(ip, addresses, routes, mtu=mtu, txqlen=queue))

    def restore(self) -> None:
        """Undo what was changed, in reverse order; what is gone stays gone."""
        if self._undo:
            self._run(self._roll_back)

    def _run(self, work: Callable[[Any], None]) -> None:
        try:
            by_netlink(work)
        except (*self._refused, LookupError, ValueError) as error:
            message = f"cannot configure {self.name}: {error}"
            raise LinkError(message, error_number(error)) from None

    def _apply(
        self,
        ip: Any,
        addresses: Sequence[str],
        routes: Sequence[str],
        **sizes: int | None,
    ) -> None:
        index = ip.link_lookup(ifname=self.name)[0]
        link = ip.get_links(index)[0]
        try:
            for size, value in sizes.items():
                self._resize(ip, link, size, value)
            self._keep_ipv6_addresses()
            for address in addresses:
                self._add(ip.addr, index=index, address=address)
            if link["state"] != "up":
                ip.link("set", index=index, state="up")
                self._undo.append(lambda ip: ip.link("set", index=index, state="down"))
            for route in routes:
                self._add(ip.route, dst=route, oif=index)
        except Exception:
            self._roll_back(ip)
            raise

    def _resize(self, ip: Any, link: Any, size: str, value: int | None) -> None:
        if value is None:
            return
        was = link.get_attr(f"IFLA_{size.upper()}")
        index = ip.link_lookup(ifname=self.name)[0]
        if value != was:
            ip.link("set", index=index, **{size: value})
            self._undo.append(lambda ip: ip.link("set", index=index, **{size: was}))

    def _keep_ipv6_addresses(self) -> None:
        """Have them survive that the interface goes down, as those of IPv4 do."""
        setting = Path("/proc/sys/net/ipv6/conf", self.name, "keep_addr_on_down")
        with suppress(OSError):  # no IPv6, or /proc is not ours to write
            was = setting.read_text("ascii")
            setting.write_text("1", "ascii")
            self._undo.append(lambda _: setting.write_text(was, "ascii"))

    def _add(self, call: Callable[..., object], **what: object) -> None:
        """Add an address or a route unless it is there already."""
        try:
            call("add", **what)
        except self._refused as error:
            if error_number(error) != errno.EEXIST:
                raise
            return
        noun = "route" if "dst" in what else "addr"
        self._undo.append(lambda ip: getattr(ip, noun)("del", **what))

    def _roll_back(self, ip: Any) -> None:
        while self._undo:
            # An address may be gone, and its route with it.
            with suppress(*self._refused):
                self._undo.pop()(ip)


def by_netlink(work: Callable[[Any], None]) -> None:
    """Call `work` with a netlink socket, in a thread of its own.

    pyroute2 runs an event loop inside each call, so it cannot be used where one
    already runs; a fresh thread has none, and is in the same network namespace.
    """
    import pyroute2

    def call() -> None:
        with pyroute2.IPRoute() as ip:
            work(ip)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(call).result()


def error_number(error: BaseException) -> int | None:
    """Return the number of an OSError or of pyroute2's NetlinkError."""
    return getattr(error, "code", None) or getattr(error, "errno", None)
