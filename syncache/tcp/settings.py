"""The tunables that a connection obeys, read once when it is made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Settings:
    """Fields are named after `net.inet.tcp.` tunables; times are milliseconds."""

    recvspace: int
    recvbuf_max: int
    sendspace: int
    sendbuf_max: int
    initcwnd_segments: int
    rexmit_initial: int
    rexmit_min: int
    rexmit_max: int
    rexmit_slop: int
    persmin: int
    persmax: int
    delayed_ack: int
    delacktime: int
    msl: int
    finwait2_timeout: int
    keepinit: int
    always_keepalive: int
    keepidle: int
    keepintvl: int
    keepcnt: int
    minmss: int
    tolerate_missing_ts: int
    insecure_rst: int
    insecure_syn: int
    ack_war_cnt: int
    ack_war_timewindow: int

    @classmethod
    def of(cls, sysctl: Mapping[str, int | str]) -> Settings:
        """Read the values in force."""
        return cls(*(int(sysctl[name]) for name in _NAMES))


_NAMES = tuple(f"net.inet.tcp.{field.name}" for field in fields(Settings))
