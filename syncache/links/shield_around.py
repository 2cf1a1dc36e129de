"""What a shield depends on around it: its interface, the kernel's settings, its hooks.

The kernel tells of interfaces and addresses (`rtnetlink.Changes`); settings and hooks
are looked at now and then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import host_settings
from .condition import Condition
from .link import LinkError
from .rtnetlink import Changes, ethernet, interfaces
from .shield_attach import UNTAGGED, receiver_of, tags_off

if TYPE_CHECKING:
    from .rtnetlink import InterfaceInfo
    from .shield_attach import Attachment
    from .shield_events import Events


class Around:
    """The surroundings of a shield.

    Args:
        name: Of the interface.
        events: Where it is told what has changed.

    `interface` is ours as it was last seen, `receiver` the one that TCP sees packets
    of; `is_gone` is whether it was deleted; `obstacles` says why the kernel takes no
    connection from a cookie.

    Raises:
        LinkError: there is no such interface.
    """

    def __init__(self, name: str, events: Events) -> None:
        self.interface: InterfaceInfo = ethernet(name)
        self.receiver = receiver_of(self.interface)
        self.is_gone = False
        self.obstacles: list[str] = []
        self._changes: Changes | None = None
        self._events = events
        self._condition = Condition(name)
        self._there: set[int] = set()  # numbers of the interfaces

    @property
    def changes(self) -> Changes:
        """Whether `look_at_interfaces` may have something to say."""
        if self._changes is None:
            self._changes = Changes()
        return self._changes

    def close(self) -> None:
        """Hear of nothing any more."""
        if self._changes is not None:
            self._changes.close()

    def look_at_interfaces(self, now: float) -> bool:
        """Look if something has changed; False: there is nothing new, or all is over.

        Raises:
            LinkError: the kernel does not say.
        """
        if self.is_gone or not self.changes.seen():
            return False
        try:
            known = {info.index: info for info in interfaces()}
        except BaseException:
            self.changes.again()
            raise
        self._there = {*known}
        index = self.interface.index  # which stays, whatever its name
        if index not in known:
            self.is_gone = True
            self._events.tell(now, "gone", f"{self.interface.name} is gone")
            return False
        self.interface = known[index]
        self.receiver = receiver_of(self.interface)
        flags = self.interface.flags
        for change in self._condition.look(self.interface.name, flags):
            self._events.tell(now, *change)
        return True

    def look_for_obstacles(self, now: float, mode: str, hooks: Attachment) -> None:
        """Put back what was taken off, and tell what is in the way, once.

        Args:
            now: Seconds of the monotonic clock.
            mode: Where SYNs are answered.
            hooks: Of the programs.
        """
        found = host_settings.in_the_way()
        if mode != "tc" and (tagged := tags_off(self.interface)):
            found.append(UNTAGGED.format(self.interface.name, ", ".join(tagged)))
        try:
            for text in hooks.mend(self._there):
                self._events.tell(now, "trouble", text)
        except LinkError as error:  # the other half has to be without effect
            found.append(str(error))
        if found != self.obstacles:
            for text in found or ["the kernel takes connections from cookies again"]:
                self._events.tell(now, "off" if found else "on", text)
        self.obstacles = found
