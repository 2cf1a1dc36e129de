"""`HalfOpen`: one entry of the cache, as listed."""

from __future__ import annotations

from dataclasses import dataclass

from . import address
from ._core.mirror import layout
from .conn import ECN, WSCALE_NONE

_ENTRY = layout(
    "syncache_half_open",
    "tuple.faddr tuple.laddr tuple.fport tuple.lport tuple.family iss irs endpoint "
    "age_ms deadline_ms peer_mss snd_wscale rcv_wscale sack_permitted timestamps "
    "ecn rxmits",
)
ENTRY_BYTES = _ENTRY.size
_NEVER = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfOpen:
    """A half-open connection: the tuple, its SYN's options, and its timer.

    `mss` and the scales are None if the SYN did not offer them; `age` is in seconds,
    `deadline` a time of the engine's clock (None: no timer); `endpoint` is a number.
    """

    faddr: str
    laddr: str
    fport: int
    lport: int
    iss: int
    irs: int
    endpoint: int
    age: float
    deadline: float | None
    mss: int | None
    snd_wscale: int | None
    rcv_wscale: int | None
    sack_permitted: bool
    timestamps: bool
    ecn: str
    rxmits: int

    @classmethod
    def read(cls, view: bytes | memoryview, place: int = 0) -> HalfOpen:
        """Read the C structure at a place."""
        faddr, laddr, fport, lport, family, *rest = _ENTRY.unpack_from(view, place)
        iss, irs, endpoint, age_ms, deadline_ms, mss, *flags = rest
        snd_wscale, rcv_wscale, sack_permitted, timestamps, ecn, rxmits = flags
        return cls(
            faddr=address.text(family, faddr),
            laddr=address.text(family, laddr),
            fport=fport,
            lport=lport,
            iss=iss,
            irs=irs,
            endpoint=endpoint,
            age=age_ms / 1000,
            deadline=None if deadline_ms == _NEVER else deadline_ms / 1000,
            mss=mss or None,
            snd_wscale=None if snd_wscale == WSCALE_NONE else snd_wscale,
            rcv_wscale=None if rcv_wscale == WSCALE_NONE else rcv_wscale,
            sack_permitted=bool(sack_permitted),
            timestamps=bool(timestamps),
            ecn=ECN[ecn],
            rxmits=rxmits,
        )

    def __str__(self) -> str:
        """Spell it as netstat(1) does."""
        protocol = "tcp6" if ":" in self.faddr else "tcp4"
        local = f"{self.laddr}.{self.lport}"
        foreign = f"{self.faddr}.{self.fport}"
        return f"{protocol:<6} 0 0 {local:<22} {foreign:<22} SYN_RECEIVED"


def read(view: bytes) -> list[HalfOpen]:
    """Read the C structures of entries."""
    return [HalfOpen.read(view, place) for place in range(0, len(view), ENTRY_BYTES)]
