"""`Conn`: a completed handshake, all that a stack needs to make the connection.

And `Endpoint`, the listening end that it came in by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from . import address
from ._core.mirror import layout, limit, words
from .fourtuple import TUPLE_BYTES, FourTuple
from .options import Mss, Option, SackPermitted, Timestamps, WindowScale, encode
from .segment import CWR, ECE, SYN, Segment

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class Numbers(NamedTuple):
    """The limits of an established connection, modulo 2^32, for `Syncache.guard()`.

    `rcv_adv` is the right edge that the peer was told, `snd_max` the end of what was
    sent; `ts_recent` counts if `timestamps` were negotiated.  `gathers`: segments of a
    burst that continue each other may be one arrival, which is for `Stack`.
    """

    rcv_nxt: int
    rcv_adv: int
    snd_una: int
    snd_max: int
    ts_recent: int = 0
    timestamps: bool = False
    gathers: bool = False


class Opening(NamedTuple):
    """The members of `struct syncache_conn`, as C has them; see there."""

    faddr: bytes
    laddr: bytes
    fport: int
    lport: int
    family: int
    iss: int
    irs: int
    rcv_wnd: int
    snd_wnd: int
    ts_recent: int
    ts_offset: int
    endpoint: int
    payload_size: int
    peer_mss: int
    snd_wscale: int
    rcv_wscale: int
    sack_permitted: int
    timestamps: int
    ecn: int
    via: int
    rxmits: int
    md5: int
    syn_tos: int


WSCALE_NONE = limit("SYNCACHE_WSCALE_NONE")
ECN = words("syncache_ecn")
VIA = words("syncache_via")

_OF_TUPLE = frozenset(("faddr", "laddr", "fport", "lport", "family"))
_CONN = layout(
    "syncache_conn",
    " ".join(f"tuple.{m}" if m in _OF_TUPLE else m for m in Opening._fields),
)
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


@dataclass(frozen=True, kw_only=True)
class Conn:
    """A completed handshake: a view of the C structure, decoded where it is read.

    `mss` is what the peer may be sent, defaults applied.  A scale is None if window
    scaling was not negotiated.  `rcv_window` is what our SYN-ACK announced,
    `peer_window` the ACK's window with its scale applied.  Our TSval is the engine's
    clock plus `ts_offset`.  `ecn` is none, classic, accurate, or echo: never send ECT,
    but echo CE once a packet has come with ECT or CE.  `via`: cache, cookie, fastopen.
    `rxmits` counts the SYN-ACKs sent: above 1 the initial window is one segment
    (RFC 5681 3.1).  `tos` is that of the completing packet.

    `raw` is the structure, 88 bytes; `key` its tuple, which names the connection, and
    `opening` its members as they are.
    """

    __slots__ = ("endpoint", "opening", "raw")
    # Of each object, but no fields of the dataclass: all of them are read from here.
    raw: ClassVar[bytes]
    opening: ClassVar[Opening]

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

    if not TYPE_CHECKING:

        def __init__(self, *, endpoint: Endpoint, **members: object) -> None:
            missing = _DECODED.keys() - members.keys()
            unknown = members.keys() - _DECODED.keys()
            if missing or unknown:
                raise TypeError(f"Conn: missing {missing}, unknown {unknown}")
            raw = _pack(endpoint.number, members)
            _fill(self, raw, tuple.__new__(Opening, _CONN.unpack(raw)), endpoint)

    @property
    def key(self) -> bytes:
        """The tuple in C's form, as `FourTuple.to_c()` returns it."""
        return self.raw[:TUPLE_BYTES]

    @property
    def family(self) -> int:
        """The address family, 4 or 6."""
        return self.opening.family

    @property
    def snd_nxt(self) -> int:
        """The number that follows our SYN-ACK, from which data will be sent."""
        return (self.iss + 1) & 0xFFFFFFFF

    def __reduce__(self) -> tuple[object, ...]:
        return view_of, (self.raw, self.endpoint)

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


def view_of(raw: bytes, endpoint: Endpoint) -> Conn:
    """Return the Conn of C's bytes."""
    conn: Conn = object.__new__(Conn)
    _fill(conn, raw, tuple.__new__(Opening, _CONN.unpack(raw)), endpoint)
    return conn


def read(view: bytes | memoryview, endpoints: list[Endpoint], place: int = 0) -> Conn:
    """Make a Conn of the C structure at a place; `endpoints` by number."""
    raw = bytes(view[place : place + CONN_BYTES])
    opening = tuple.__new__(Opening, _CONN.unpack(raw))
    conn: Conn = object.__new__(Conn)
    _fill(conn, raw, opening, endpoints[opening.endpoint])
    return conn


def _fill(conn: Conn, raw: bytes, opening: Opening, endpoint: Endpoint) -> None:
    """Set the members that a Conn has; it is frozen to all others."""
    _set(conn, "raw", raw)
    _set(conn, "opening", opening)
    _set(conn, "endpoint", endpoint)


_set = object.__setattr__


def _scale(value: int) -> int | None:
    return None if value == WSCALE_NONE else value


def _of_scale(scale: int | None) -> int:
    return WSCALE_NONE if scale is None else scale


def _itself(value: int) -> int:
    return value


# Name -> the member of the structure, out of C and into it.  Addresses and the
# endpoint are decoded with what stands beside them.
_Codec = Callable[[Any], Any]
_DECODED: dict[str, tuple[str, _Codec, _Codec]] = {
    "faddr": ("faddr", _itself, _itself),
    "laddr": ("laddr", _itself, _itself),
    "fport": ("fport", _itself, _itself),
    "lport": ("lport", _itself, _itself),
    "iss": ("iss", _itself, _itself),
    "irs": ("irs", _itself, _itself),
    "rcv_window": ("rcv_wnd", _itself, _itself),
    "peer_window": ("snd_wnd", _itself, _itself),
    "ts_recent": ("ts_recent", _itself, _itself),
    "ts_offset": ("ts_offset", _itself, _itself),
    "payload_size": ("payload_size", _itself, _itself),
    "mss": ("peer_mss", _itself, _itself),
    "snd_wscale": ("snd_wscale", _scale, _of_scale),
    "rcv_wscale": ("rcv_wscale", _scale, _of_scale),
    "sack_permitted": ("sack_permitted", bool, int),
    "timestamps": ("timestamps", bool, int),
    "ecn": ("ecn", ECN.__getitem__, ECN.index),
    "via": ("via", VIA.__getitem__, VIA.index),
    "rxmits": ("rxmits", _itself, _itself),
    "md5": ("md5", bool, int),
    "tos": ("syn_tos", _itself, _itself),
}


def _pack(endpoint: int, members: dict[str, Any]) -> bytes:
    """Return the C structure with these members."""
    family, faddr, laddr = address.pair(members["faddr"], members["laddr"])
    values = {"faddr": faddr, "laddr": laddr, "family": family, "endpoint": endpoint}
    for name, (member, _, into) in _DECODED.items():
        values.setdefault(member, into(members[name]))
    return _CONN.pack(*(values[member] for member in Opening._fields))


def _reader(name: str, member: str, out: _Codec) -> property:
    """Return the reader of one member."""
    get = attrgetter(f"opening.{member}")
    if name in ("faddr", "laddr"):
        return property(lambda conn: address.text(conn.family, get(conn)))
    return property(get if out is _itself else lambda conn: out(get(conn)))


for _name, (_member, _out, _) in _DECODED.items():
    setattr(Conn, _name, _reader(_name, _member, _out))
