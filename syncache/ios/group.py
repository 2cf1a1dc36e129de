"""The commands of object groups and of hosts' names in a configuration.

    object-group network NAME, then members     object network NAME, then its address
    object-group service NAME, likewise         object service NAME, then its ports
    ip host NAME 192.0.2.1 192.0.2.2            name 192.0.2.1 NAME, of firewalls

Contents: the commands, and the blocks behind them.  Elsewhere: members themselves
(`acl.object_group`), what becomes of a name (`acl.names`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import address as addresses
from ..abbreviation import keyword
from ..acl.names import UnknownHost, is_address, resolved
from ..acl.object_group import NETWORK, PORTS, PROTOCOL, SERVICE, Group

if TYPE_CHECKING:
    from .syntax import Config, Handler

_KINDS = {"network": NETWORK, "v6-network": NETWORK, "service": SERVICE}
_KINDS |= {"v6-service": SERVICE, "ip": NETWORK, "ipv6": NETWORK, "port": PORTS}
_KINDS |= {"protocol": PROTOCOL}
_OTHER_KINDS = ("security", "fqdn", "geo", "icmp-type", "user")
_FAMILIES = {NETWORK: ("ipv4", "ipv6"), "ip": ("address",), "ipv6": ("address",)}
_MEMBERS = (
    *("host", "range", "group-object", "tcp-udp", "exit"),
    *("network-object", "service-object", "port-object"),
    *("protocol-object", "icmp-object"),
)
_OBJECT = ("host", "subnet", "range", "service", "nat", "description")


def _with_names(config: Config, words: list[str]) -> list[str]:
    """Return words with the address of a name, if there is one."""
    try:
        return resolved(words, config.hosts, addresses.IPV4)[0]
    except UnknownHost as why:
        config.unknown.add(why.name)
        return words  # the group will say that it is a name


@dataclass(slots=True)
class GroupBlock:
    """The members under `object-group network NAME` and its kin."""

    config: Config
    group: Group

    def takes(self, words: list[str], indented: bool) -> bool:
        """Tell whether a line is below the command, or looks like a member."""
        return indented or keyword(words[0], _MEMBERS) is not None

    def claims(self, indented: bool) -> bool:
        """Tell whether a line is below the command."""
        return indented

    def line(self, words: list[str], no: bool) -> None:
        """Add a member; a removed one cannot be told from one that stays.

        Raises:
            ValueError: it is not understood.  Beside other features, the group may be
                theirs: its fault is kept until a rule names it.
        """
        if no:
            self.group.unclear = f"{' '.join(words)!r} is removed from it"
            return
        try:
            self.group.take(_with_names(self.config, words))
        except ValueError as error:
            if self.config.strict:
                raise
            self.group.fault = self.group.fault or f"{self.config.where}{error}"


def _group(config: Config, words: list[str], no: bool) -> GroupBlock | None:
    """Read `object-group network NAME`, `service NAME`, and others."""
    kind = keyword(words[0] if words else "", (*_KINDS, *_OTHER_KINDS))
    names = words[1:]
    if kind is None and names and not config.strict:
        kind = words[0]  # of another feature; no rule can use it
    if len(names) > 1 and kind in {"ip", "ipv6"} and keyword(names[0], ("port",)):
        kind, names = "port", names[1:]  # of a `portgroup`
    elif len(names) > 1 and keyword(names[0], _FAMILIES.get(kind or "", ())):
        names = names[1:]
    # A service group may say its protocol behind its name: tcp, udp, tcp-udp.
    if kind is None or not names:
        raise ValueError("object-group wants network or service, and a name")
    if no:
        config.groups.pop(names[0], None)
        return None
    group = config.groups.setdefault(names[0], Group(names[0], _KINDS.get(kind, kind)))
    return GroupBlock(config, group)


@dataclass(slots=True)
class ObjectBlock:
    """What is under `object network NAME` of a firewall: one address, or several."""

    config: Config
    group: Group

    def takes(self, words: list[str], indented: bool) -> bool:  # noqa: ARG002
        """Tell whether a line is below the command."""
        return indented

    def claims(self, indented: bool) -> bool:
        """Tell whether a line is below the command."""
        return indented

    def line(self, words: list[str], no: bool) -> None:  # noqa: ARG002
        """Take the address or service; NAT and names are not expressed here."""
        kind = keyword(words[0], _OBJECT)
        words = _with_names(self.config, words)
        try:
            if kind in {"host", "range"}:
                self.group.take(words)
            elif kind == "subnet":
                self.group.take(words[1:])
            elif kind == "service" and words[1:]:
                self.group.take(["service-object", *words[1:]])
            elif kind is None:
                self.group.unclear = f"{words[0]} is not expressed here"
        except ValueError as error:
            if self.config.strict:
                raise
            self.group.fault = self.group.fault or f"{self.config.where}{error}"


def _object(kind: str) -> Handler:
    """Return the reader of `object network NAME`; its NAT may come later."""

    def take(config: Config, words: list[str], no: bool) -> ObjectBlock | None:
        if len(words) != 1:
            raise ValueError(f"one name is wanted, not {' '.join(words)!r}")
        if no:
            config.groups.pop(words[0], None)
            return None
        found = config.groups.setdefault(words[0], Group(words[0], kind))
        return ObjectBlock(config, found)

    return take


def _host(config: Config, words: list[str], no: bool) -> None:
    """Read `ip host [vrf V] NAME [PORT] ADDRESS ...`."""
    config.skipped += 1
    rest = words[2:] if words and words[0].lower() in {"vrf", "view"} else words
    if no and rest:
        config.names.pop(rest[0], None)
    elif rest:
        found = [word for word in rest[1:] if is_address(word)]
        config.names.setdefault(rest[0], []).extend(found)


def _name(config: Config, words: list[str], no: bool) -> None:
    """Read `name ADDRESS NAME`, as PIX and ASA have it."""
    config.skipped += 1
    if len(words) > 1 and is_address(words[0]):
        if no:
            config.names.pop(words[1], None)
        else:
            config.names[words[1]] = [words[0]]
    elif config.strict:
        raise ValueError(f"{' '.join(['name', *words])!r} is not understood")


COMMANDS: dict[tuple[str, ...], Handler] = {
    ("object-group",): _group,
    ("object", "network"): _object(NETWORK),
    ("object", "service"): _object(SERVICE),
    ("ip", "host"): _host,
    ("ipv6", "host"): _host,
    ("name",): _name,
}
