"""Would a shield work here?  Looks at everything it needs and changes nothing.

The programs are loaded but not attached, and are asked what they would do with a SYN
to each service (BPF_PROG_TEST_RUN), so a listener that the kernel's function refuses is
found by the program that would have to deal with it.
"""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from .._core import bpf as _core_bpf
from .._core import shield as core
from ..keyring import Keyring
from ..segment import Segment
from ..sysctl import Sysctl
from ..tunables.shield import MODE
from . import ethtool, host_settings, netfilter
from .bpf_object import BpfObject
from .link import LinkError
from .rtnetlink import (
    IFF_LOOPBACK,
    InterfaceInfo,
    interface,
    is_ethernet,
    no_ethernet,
)
from .shield_attach import UNTAGGED, holder, peer_has_xdp, receiver_of, tags_off
from .shield_config import ShieldConfig
from .shield_counters import ZERO, processors, read_counters
from .shield_services import ServiceMaps, write_service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .shield_attach import XdpChoice

SYN = 2
# Of a SYN that every stack could have sent.
MSS_OPTION = bytes.fromhex("020405b4")
PEER4, PEER6 = "203.0.113.1", "2001:db8::1"
REDIRECTED = 7  # TCX_REDIRECT
_MPTCP = (
    "the listener is MPTCP, for which the kernel takes no connection from a cookie: "
    "its SYNs stay the kernel's (Go: GODEBUG=multipathtcp=0)"
)
_SIGNING = (
    "the listener has keys of TCP-MD5 or TCP-AO, which a cookie cannot tell the peers "
    "of: its SYNs stay the kernel's"
)
_NOBODY = (
    "nobody listens for it in this network namespace: SYNs pass, and the kernel "
    "refuses them (a container's port: nsenter -t PID -n syncache shield ...)"
)
# What a counter of the programs means for a service.
PASSED = {
    "no_listener": ("note", _NOBODY),
    "mptcp": ("note", _MPTCP),
    "signing": ("note", _SIGNING),
    "known": ("note", "a connection has this tuple"),
}

# Kinds of interfaces whose frames reach no listener as frames of theirs.
ASTRAY = {
    "macvtap": "its frames are of the program that holds it: put the shield into the "
    "machine behind it",
    "ifb": "packets are received by the interface that they came from: put the shield "
    "there",
}

Level = Literal["fail", "note", "ok"]


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Level
    text: str


def check(
    name: str,
    services: Iterable[tuple[str, int]],
    sysctl: Sysctl,
    xdp: XdpChoice = "auto",
) -> Iterator[Finding]:
    """Yield the findings; "fail" is a condition a shield cannot work with.

    Args:
        name: Of the interface.
        services: Addresses and ports.
        sysctl: The tunables that the shield would have.
        xdp: Where it is to answer.
    """
    try:
        info = interface(name)
    except LinkError as error:
        yield Finding("fail", str(error))
        return
    yield from _interface(info, xdp)
    for text in host_settings.in_the_way():
        yield Finding("fail", text)
    if netfilter.loses_connections():
        yield Finding("note", netfilter.NAT)
    if is_ethernet(info):
        yield from _programs(info, services, sysctl)


def _kind(info: InterfaceInfo) -> str:
    """Say what to know of this kind of interface; "": nothing."""
    name = info.name
    if info.flags & IFF_LOOPBACK:
        return f"{name} has only this machine's own SYNs, which pass"
    if info.kind in ASTRAY:
        return f"{name} is {info.kind}: {ASTRAY[info.kind]}"
    if info.kind in {"bond", "team", "bridge"}:
        return (
            f"{name} is a {info.kind}: answers leave by the port that a SYN came by; "
            "a shield on each port does the same and is faster"
        )
    return ""


def _interface(info: InterfaceInfo, xdp: XdpChoice) -> Iterator[Finding]:
    name = info.name
    tagged = tags_off(info)
    waits = info.kind == "veth" and not peer_has_xdp(info)
    in_tc = xdp == "tc" or (xdp == "auto" and bool(waits or tagged))
    if not is_ethernet(info):
        yield Finding("fail", no_ethernet(info))
    if not info.is_up:
        yield Finding("note", f"{name} is down: ip link set {name} up")
    if (taken := holder(info)) and in_tc:
        yield Finding("note", f"{name} has an XDP program, {taken}, before us in tc")
    elif taken:
        yield Finding(
            "fail",
            f"{name} has an XDP program, {taken}: stop what holds it, or, if nothing "
            f"does, `ip link set dev {name} xdp off`; --xdp tc does without XDP",
        )
    if waits and xdp in {"auto", "native"}:
        answered = "SYNs are answered in tc, since what the driver sends would wait"
        if xdp == "native":
            answered = "what the driver sends waits"
        yield Finding(
            "note",
            f"{name} is veth, and its peer has no XDP program that we see: {answered} "
            "in the peer",
        )
    if text := _kind(info):
        yield Finding("note", text)
    if (bridge := receiver_of(info)) is not info:
        yield Finding(
            "note",
            f"{name} is a port of {bridge.name}: SYNs to the addresses of "
            f"{bridge.name} are answered on {name}, and their ACKs taken on "
            f"{bridge.name}",
        )
    if tagged and xdp == "auto":
        remedy = f"; in the driver with: ethtool -K {name} rxvlan off"
        yield Finding(
            "note",
            f"{name} takes the VLAN tags of {', '.join(tagged)} off before XDP sees a "
            f"frame: SYNs are answered in tc{'' if waits else remedy}",
        )
    elif tagged and xdp != "tc":
        yield Finding("fail", UNTAGGED.format(name, ", ".join(tagged)))
    if ethtool.flags(name) & ethtool.LRO and not in_tc:
        yield Finding("fail", f"{name} has LRO on: ethtool -K {name} lro off")


def _programs(
    info: InterfaceInfo, services: Iterable[tuple[str, int]], sysctl: Sysctl
) -> Iterator[Finding]:
    try:
        programs = BpfObject("shield")
    except LinkError as error:
        yield Finding("fail", str(error))
        return
    try:
        for name in programs.programs:
            known = programs.info(name)
            yield Finding("ok", f"{name} loads ({known.verified:,} instructions)")
        try:
            yield from _services(programs, info, services, sysctl)
        except ValueError as error:
            yield Finding("fail", str(error))
    finally:
        programs.close()


def _services(
    programs: BpfObject,
    info: InterfaceInfo,
    services: Iterable[tuple[str, int]],
    sysctl: Sysctl,
) -> Iterator[Finding]:
    now = time.monotonic()
    always = Sysctl({name: sysctl[name] for name in sysctl if _is_set(sysctl, name)})
    always[MODE] = "always"
    config = ShieldConfig(always, Keyring.ephemeral(), None, now)
    maps = programs.maps
    ifindex = info.index  # a listener may be bound to it (SO_BINDTODEVICE)
    info = receiver_of(info)
    _core_bpf.update(maps["config_map"], ZERO, config.content(now, info))
    local = host_settings.addresses()
    for address, port in services:
        where = f"{address} port {port}"
        if address not in local:
            yield Finding(
                "note", f"{where}: the address does not belong to this machine"
            )
        key = write_service(address, port)
        ServiceMaps(maps).put(key)
        # As by XDP; but only to tc can a packet be given as if it came by an interface.
        verdict = _core_bpf.bpf_run(
            programs.programs["shield_skb"],
            _syn(info, address, port),
            ifindex=ifindex,
        ).verdict
        counted = read_counters(maps["counters_map"])
        _core_bpf.update(maps["counters_map"], ZERO, _zeros())
        if verdict == REDIRECTED:
            yield Finding("ok", f"{where}: SYNs would be answered")
        for name, (level, text) in PASSED.items():
            if counted[name]:
                yield Finding("note" if level == "note" else "fail", f"{where}: {text}")
        if counted["queue_full"]:
            yield Finding("note", f"{where}: the accept queue is full")


def _is_set(sysctl: Sysctl, name: str) -> bool:
    knob = sysctl.describe(name)
    return knob.settable != "never" and sysctl[name] != knob.default


def _zeros() -> bytes:
    return bytes(core.PROCESSOR.size * processors())


def _syn(info: InterfaceInfo, address: str, port: int) -> bytes:
    """Return a frame with a SYN, as it would arrive."""
    family = ipaddress.ip_address(address).version
    segment = Segment(
        src=PEER4 if family == 4 else PEER6,
        dst=address,
        sport=1,
        dport=port,
        flags=SYN,
        options_bytes=MSS_OPTION,
    )
    kind = b"\x08\x00" if family == 4 else b"\x86\xdd"
    return (info.mac + bytes(6) + kind + segment.packet()).ljust(60, b"\0")
