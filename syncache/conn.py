"""`Conn`: a completed handshake, all that a stack needs to make the connection.

And `Endpoint`, the listening end that it came in by.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Protocol

from . import address
from .fourtuple import FourTuple
from .options import Mss, Option, SackPermitted, Timestamps, WindowScale, encode
from .segment import CWR, ECE, SYN, Segment

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

WSCALE_NONE = 255
# By enum syncache_ecn and enum syncache_via.
ECN = ("none", "classic", "accurate", "echo")
VIA = ("cache", "cookie", "fastopen")

# struct syncache_conn, its tuple included.
_CONN = Struct("=16s16sHHB3xIIIIIIIIHBBBBBBBBB5x")
CONN_BYTES = _CONN.size


class _Closer(Protocol):
    def _close_endpoint(self, endpoint: Endpoint) -> None: ...


class Endpoint:
    """A listening address and port of one engine; `tag` is the caller's own.

    `closed` tells whether it has ended listening.
    """

    __slots__ = ("_engine", "address", "closed", "number", "port", "tag")

    def __init__(
        self, engine: _Closer, number: int, address: str | None, port: int, tag: object
    ) -> None:
        self._engine = engine
        self.closed = False
        self.number = number
        self.address = address
        self.port = port
        self.tag = tag

    def is_of(self, engine: object) -> bool:
        """Tell whether that engine made it."""
        return self._engine is engine

    def close(self) -> None:
        """End listening; half-open connections go on until they expire.

        Raises:
            RuntimeError: the engine is closed, or in use by another call.
        """
        if not self.closed:
            self._engine._close_endpoint(self)  # noqa: SLF001
            self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<Endpoint {self.address or '*'} port {self.port} {state}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conn:
    """A completed handshake.

    `mss` is what the peer may be sent, defaults applied.  A scale is None if window
    scaling was not negotiated.  `rcv_window` is what our SYN-ACK announced,
    `peer_window` the ACK's window with its scale applied.  Our TSval is the engine's
    clock plus `ts_offset`.  `ecn` is none, classic, accurate, or echo: never send ECT,
    but echo CE once a packet has come with ECT or CE.  `via`: cache, cookie, fastopen.
    `rxmits` counts the SYN-ACKs sent: above 1 the initial window is one segment
    (RFC 5681 3.1).  `tos` is that of the completing packet.
    """

    faddr: str
    laddr: str
    fport: int
    lport: int
    iss: int
    irs: int
    mss: int
    snd_wscale: int | None
    rcv_wscale: int | None
    rcv_window: int
    peer_window: int
    sack_permitted: bool
    timestamps: bool
    ts_recent: int
    ts_offset: int
    ecn: str
    via: str
    rxmits: int
    md5: bool
    tos: int
    payload_size: int
    endpoint: Endpoint

    @property
    def four_tuple(self) -> FourTuple:
        """The tuple, as `Syncache.opened()` and `closed()` take it."""
        return FourTuple(self.faddr, self.fport, self.laddr, self.lport)

    def syn_packet(self) -> bytes:
        """Return the peer's SYN, rebuilt: to replay into a stack that knows only SYNs.

        It says what this connection uses.  What the handshake did not keep is plain:
        TTL 64, TSecr 0, no payload; the window is the largest that its scale allows.
        """
        options: list[Option] = [Mss(self.mss)]
        if self.sack_permitted:
            options.append(SackPermitted())
        if self.timestamps:
            options.append(Timestamps(self.ts_recent, 0))
        if self.snd_wscale is not None:
            options.append(WindowScale(self.snd_wscale))
        classic = self.ecn == "classic"
        return Segment(
            src=self.faddr,
            dst=self.laddr,
            sport=self.fport,
            dport=self.lport,
            seq=self.irs,
            flags=SYN | ECE | CWR if classic else SYN,
            window=min(self.peer_window, 0xFFFF),
            options_bytes=encode(tuple(options)),
        ).packet()


def read(view: bytes | memoryview, endpoints: list[Endpoint], place: int = 0) -> Conn:
    """Make a Conn of the C structure at a place; `endpoints` by number."""
    (
        faddr,
        laddr,
        fport,
        lport,
        family,
        iss,
        irs,
        rcv_wnd,
        snd_wnd,
        ts_recent,
        ts_offset,
        endpoint,
        payload_size,
        mss,
        snd_wscale,
        rcv_wscale,
        sack_permitted,
        timestamps,
        ecn,
        via,
        rxmits,
        md5,
        tos,
    ) = _CONN.unpack_from(view, place)
    return Conn(
        faddr=address.text(family, faddr),
        laddr=address.text(family, laddr),
        fport=fport,
        lport=lport,
        iss=iss,
        irs=irs,
        mss=mss,
        snd_wscale=None if snd_wscale == WSCALE_NONE else snd_wscale,
        rcv_wscale=None if rcv_wscale == WSCALE_NONE else rcv_wscale,
        rcv_window=rcv_wnd,
        peer_window=snd_wnd,
        sack_permitted=bool(sack_permitted),
        timestamps=bool(timestamps),
        ts_recent=ts_recent,
        ts_offset=ts_offset,
        ecn=ECN[ecn],
        via=VIA[via],
        rxmits=rxmits,
        md5=bool(md5),
        tos=tos,
        payload_size=payload_size,
        endpoint=endpoints[endpoint],
    )


def to_c(conn: Conn) -> bytes:
    """Return the C structure of a Conn."""
    family, faddr, laddr = address.pair(conn.faddr, conn.laddr)
    return _CONN.pack(
        faddr,
        laddr,
        conn.fport,
        conn.lport,
        family,
        conn.iss,
        conn.irs,
        conn.rcv_window,
        conn.peer_window,
        conn.ts_recent,
        conn.ts_offset,
        conn.endpoint.number,
        conn.payload_size,
        conn.mss,
        WSCALE_NONE if conn.snd_wscale is None else conn.snd_wscale,
        WSCALE_NONE if conn.rcv_wscale is None else conn.rcv_wscale,
        conn.sack_permitted,
        conn.timestamps,
        ECN.index(conn.ecn),
        VIA.index(conn.via),
        conn.rxmits,
        conn.md5,
        conn.tos,
    )
