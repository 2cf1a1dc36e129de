"""`Syncache`: the half-open side of a TCP stack, as Python sees it.

Arguments are checked here, before C is called, and values are made of C's answers.
Packets are judged in csrc/core; the calls themselves are in `_core`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, overload

from . import address as addresses
from . import conn as conns
from ._core import Core, door
from ._core.block import OneProcess
from ._core.bursting import Bursting
from ._core.mirror import limit, numbers, words
from ._core.walk import half_open_slices
from .conn import Conn, Endpoint, Numbers
from .entropy import entropy
from .fourtuple import FourTuple
from .halfopen import HalfOpen, read
from .keyring import Keyring, checked_seed, derive
from .segment import Segment
from .stats import Stats
from .sysctl import Sysctl, of_kind
from .verdict import KINDS, PLAIN, REASONS, Kind, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from .ring import Ring

UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1
TS_HZ_MAX = limit("SYNCACHE_TS_HZ_MAX")
# syncache_known keeps its table within 2^28 nodes.
ESTABLISHED_MAX = 2**28
MTU_MIN = 68
ISA_NAMES = words("syncache_isa")
MD5_KEY_MAX = limit("SYNCACHE_MD5_KEY_MAX")

_PASS_KNOWN = Reason.PASS_KNOWN


class PortTakenError(ValueError):
    """Somebody listens on this port and address already."""


class Syncache(Bursting, OneProcess):
    """A SYN cache with SYN cookies: packets and times in, verdicts and replies out.

    `now` is seconds of one monotonic clock of the caller's, whatever its zero; an
    earlier one counts as the last, and one that is not finite raises ValueError.
    Nothing raises because of input from the network.  An engine serves one call at a
    time: an overlapping one, or one after `close()`, raises RuntimeError and changes
    nothing.  `stats`, `memory_bytes`, `paused`, `isa` and the tunables may be read from
    any thread, and disturb no call.

    Args:
        sysctl: the tunables, which belong to this engine from now on.
        keys: where cookie keys come from; drawn, or derived from the seed, if None.
        seed: makes everything deterministic; in production 16 secret random bytes.
        established_max: connections of the stack that are known here; 0: none, the
            stack looks up its own tuples before it hands over a packet.
        ts_base: our TSval is ts_base + now * ts_hz + the tuple's offset; keys of a
            keyring file add the wall clock, so that its machines have one clock.
        ts_hz: ticks a second, 1 to 1,000,000.
        ts_per_tuple: whether tuples have an offset.

    Raises:
        ValueError: an argument is out of range, or the Sysctl is another engine's.
        TypeError: sysctl or keys is something else, or the seed is not bytes.
        OSError: the system has not so much memory.
    """

    __slots__ = ("_core", "_endpoints", "_open", "_sysctl", "_ts", "keys")

    def __init__(
        self,
        sysctl: Sysctl | None = None,
        *,
        keys: Keyring | None = None,
        seed: bytes | None = None,
        established_max: int = 65536,
        ts_base: int = 0,
        ts_hz: int = 1000,
        ts_per_tuple: bool = True,
    ) -> None:
        self._sysctl = Sysctl() if sysctl is None else sysctl
        of_kind("sysctl", self._sysctl, Sysctl)
        within("established_max", established_max, 0, ESTABLISHED_MAX)
        within("ts_base", ts_base, 0, UINT32_MAX)
        within("ts_hz", ts_hz, 1, TS_HZ_MAX)
        known = None if seed is None else derive(checked_seed(seed), "syncache engine")
        secret = known or entropy(16)
        if keys is None:
            keys = Keyring.ephemeral() if seed is None else Keyring.from_seed(seed)
        of_kind("keys", keys, Keyring)
        self.keys = keys
        self._ts = ts_base, ts_hz
        config = self._sysctl.fields(boot=True) | {
            "established_max": established_max,
            "ts_base": (ts_base + round(keys.wall_offset * ts_hz)) & UINT32_MAX,
            "ts_hz": ts_hz,
            "ts_per_tuple": int(bool(ts_per_tuple)),
        }
        self._core = Core(config, secret, keys)
        self._tunables_changed()
        self._take_ts(self._core, keys)
        self._endpoints: list[Endpoint] = []
        self._open: set[tuple[int, bytes, int]] = set()
        self._sysctl.attach(self._tunables_changed, self._count)

    @property
    def sysctl(self) -> Sysctl:
        """The tunables of this engine."""
        return self._sysctl

    @property
    def stats(self) -> Stats:
        """Every counter, now; from any thread, while another call runs too."""
        return Stats.of_counters(self._core.statistics())

    def pulse(self) -> bytes:
        """Return bytes that are the same while nothing is counted: no objects."""
        return self._core.pulse()

    @property
    def memory_bytes(self) -> int:
        """All the memory that it will ever use, in bytes."""
        return self._core.memory_bytes

    @property
    def paused(self) -> bool:
        """Whether new half-open connections are not stored for the time being."""
        return self._core.paused()

    @property
    def isa(self) -> str:
        """Instructions that its bursts use: portable, avx2, avx512, neon or neon-sha3.

        The best that the machine has; SYNCACHE_ISA in the environment bounds it when
        the engine is made.  Results are the same.
        """
        return ISA_NAMES[self._core.isa]

    def listen(
        self,
        port: int,
        address: str | None = None,
        *,
        mtu: int = 1500,
        mss_max: int | None = None,
        rcv_window: int = 65535,
        rcv_wscale: int | None = None,
        options: bool | Collection[str] = True,
        hop_limit: int = 64,
        tos: int = 0,
        fastopen: int = 0,
        md5_keys: Mapping[str, bytes] | None = None,
        tag: object = None,
    ) -> Endpoint:
        """Begin to listen.

        Args:
            port: 1 to 65535.
            address: one of ours; None: any, of either family.
            mtu: of the path; 0: unknown.
            mss_max: upper bound of the MSS announced and used.
            rcv_window: receive buffer in bytes; the SYN-ACK says at most 65535.
            rcv_wscale: our window scale, 0 to 14; None: from kern.ipc.maxsockbuf.
            options: whether TCP options are used at all, or which of "scale", "sack"
                and "timestamps" the stack can do beside the MSS.
            hop_limit: TTL or hop limit of replies, 1 to 255.
            tos: TOS or traffic class of replies.
            fastopen: TCP Fast Open requests that may be pending; 0: off.
            md5_keys: RFC 2385 keys by peer address, 1 to 80 bytes each.
            tag: the caller's own; `Endpoint.tag`.

        Raises:
            ValueError: an argument is out of range; PortTakenError: somebody listens
                there.
            RuntimeError: no room for another endpoint or key.
        """
        family, laddr = _place(address)
        fields = {
            "laddr": laddr,
            "lport": addresses.port(port, lowest=1),
            "family": family,
            "options": _options(options),
            "ecn": 1,
            "hop_limit": within("hop_limit", hop_limit, 1, 255),
            "tos": within("tos", tos, 0, 255),
            "rcv_wscale": conns.WSCALE_NONE
            if rcv_wscale is None
            else within("rcv_wscale", rcv_wscale, 0, limit("SYNCACHE_WSCALE_MAX")),
            "rcv_wnd": within("rcv_window", rcv_window, 0, UINT32_MAX),
            "mtu": _mtu(mtu),
            "mss_max": 0 if mss_max is None else within("mss_max", mss_max, 1, 0xFFFF),
            "fastopen": within("fastopen", fastopen, 0, UINT32_MAX),
        }
        of_kind("md5_keys", md5_keys or {}, Mapping)
        peers = [(addresses.pack(a), _md5(key)) for a, key in (md5_keys or {}).items()]
        places = _places(family, laddr, port)
        if places & self._open:
            raise PortTakenError(f"{address or 'any address'} port {port} is taken")
        with self._core as core:
            number = core.listen(fields)
            if number is None:
                raise RuntimeError("no room: x.endpoint_max endpoints are open")
            if not all(core.md5_key(number, peer, key) for peer, key in peers):
                core.unlisten(number)
                raise RuntimeError("no room: x.md5_max keys are in use")
        self._open |= places
        return self._new_endpoint(number, address, port, tag)

    def packet(self, packet: Buffer, now: float) -> Verdict:
        """Take one IPv4 or IPv6 packet.

        Args:
            packet: its bytes, in any contiguous buffer, from the IP header on.
            now: the time, in seconds.
        """
        with self._core as core:
            verdict = core.packet(packet, now)
            if KINDS[verdict] is Kind.DROP:
                return PLAIN[verdict]
            return self._verdict(verdict)

    def segment(
        self,
        src: str | bytes,
        dst: str | bytes,
        segment: Buffer,
        now: float,
        *,
        payload_size: int | None = None,
        tos: int = 0,
    ) -> Verdict:
        """Take one TCP segment, for stacks that parsed and verified the IP header.

        The answer to send is `reply.tcp()`, between the same two addresses.

        Args:
            src: the peer's address.
            dst: ours.
            segment: TCP header, options, and as much of the payload as there is.
            now: the time, in seconds.
            payload_size: bytes of payload if they are not all there; then the caller
                has verified the checksum too.
            tos: of the IP header.

        Raises:
            ValueError: an argument is out of range, or the addresses are of different
                families.
        """
        ends = addresses.pair(src, dst)
        if payload_size is not None:
            within("payload_size", payload_size, 0, UINT32_MAX)
        within("tos", tos, 0, 255)
        with self._core as core:
            return self._verdict(core.segment(ends, segment, now, payload_size, tos))

    def accepted(self, conn: Conn, handle: int = 0, *, ok: bool = True) -> None:
        """Tell how the offer of a handshake ended.

        Args:
            conn: as it was offered.
            handle: comes back with each later packet of the connection.
            ok: False: the stack had no room, so the handshake goes on.

        Raises:
            ValueError: another engine offered it, or the handle is out of range.
        """
        within("handle", handle, 0, UINT64_MAX)
        of_kind("conn", conn, Conn)
        if not conn.endpoint.is_of(self):
            raise ValueError(f"{conn.endpoint!r} is not one of this engine")
        self._core.accepted(conn.raw, handle, bool(ok))

    def guard(self, conn: Conn | FourTuple, numbers: Numbers) -> None:
        """Set the limits of an established connection, whenever they have changed.

        At the latest before the next packets after something was sent.  Segments that
        change nothing then pass in a bounded number only, by the tunables of challenge
        ACKs (net.inet.tcp.ack_war_cnt); the others are DROP_KNOWN_LIMIT.
        """
        raw = conn.key if isinstance(conn, Conn) else FourTuple(*conn).to_c()
        door.guard(self._core, raw, numbers)

    def opened(self, four_tuple: FourTuple, handle: int = 0) -> bool:
        """Register an active open; False if the table of connections is full.

        Raises:
            ValueError: a port or the handle is out of range, or an address is invalid.
        """
        within("handle", handle, 0, UINT64_MAX)
        raw = FourTuple(*four_tuple).to_c()
        with self._core as core:
            return core.opened(raw, handle)

    def closed(self, conn: Conn | FourTuple) -> None:
        """Forget a connection, by its Conn or its tuple; nothing if it is unknown."""
        raw = conn.key if isinstance(conn, Conn) else FourTuple(*conn).to_c()
        with self._core as core:
            core.forget(raw)

    def unsent(self, reply: Segment) -> None:
        """Say that a reply could not be sent; the entry of a SYN-ACK is removed."""
        raw = _sent_on(reply)
        with self._core as core:
            core.unsent(raw, reply.seq)

    def icmp_error(self, quoted: Segment, now: float) -> None:
        """Take an ICMP error that quotes a segment of ours, after `segment()`."""
        raw = _sent_on(quoted)
        with self._core as core:
            core.unreach(raw, quoted.seq, now)

    @overload
    def poll(self, now: float, tx: Ring) -> int: ...

    @overload
    def poll(self, now: float, tx: None = None) -> list[bytes]: ...

    def poll(self, now: float, tx: Ring | None = None) -> int | list[bytes]:
        """Append to tx the SYN-ACKs that are due again, and return how many packets.

        Call again while it was filled: the engine keeps what found no slot.  Without a
        ring the packets that are due are returned, all of them.
        """
        if tx is None:
            with self._core as core:
                return core.due(now)
        return door.poll(self._core, tx, now)

    def next_deadline(self) -> float | None:
        """Return the time at which `poll` is due, in seconds, or None: never."""
        with self._core as core:
            return core.next_deadline()

    def half_open(self) -> list[HalfOpen]:
        """List the half-open connections."""
        with self._core as core:
            return [entry for part in core.entries() for entry in read(part)]

    def half_open_slices(self, look: int = 1024, begin: float = 0) -> Iterator[bytes]:
        """Yield the list in steps of `look` buckets, for `halfopen.read`.

        `begin`, below 1, is the part of the table to pass over, for a random sample.
        """
        first = int(begin * int(self._sysctl["net.inet.tcp.syncache.hashsize"]))
        return half_open_slices(self._core, look, first)

    def rekey(self, keys: Keyring) -> None:
        """Take cookie keys from another keyring from now on.

        For one with another master or wall clock; epochs and timestamps follow that.

        Raises:
            TypeError: keys is no Keyring.
        """
        of_kind("keys", keys, Keyring)
        with self._core as core:
            core.set_keys(keys)
            self._take_ts(core, keys)
            self.keys = keys

    def _take_ts(self, core: Core, keys: Keyring) -> None:
        """The machines of a group have one key and one clock of timestamps."""
        if (ts_key := keys.ts_key()) is not None:
            core.set_ts(ts_key, self._ts[0] + round(keys.wall_offset * self._ts[1]))

    def rehash(self, seed: bytes | None = None) -> None:
        """Draw the bucket hash anew; half-open connections are left to their cookies.

        Args:
            seed: for repeatable runs; None: 16 bytes of the system's entropy.
        """
        fresh = entropy(16)
        if seed is not None:
            fresh = derive(checked_seed(seed), "syncache engine")
        with self._core as core:
            core.rehash(fresh)

    def close(self) -> None:
        """Wipe and give back the memory; every later call raises RuntimeError."""
        with self._core as core:
            core.close()

    def _verdict(self, verdict: int) -> Verdict:
        """Make the value of C's answer."""
        core = self._core
        kind = KINDS[verdict]
        if kind is Kind.REPLY:
            packet = core.reply()
            reply = None if packet is None else Segment.of_packet(packet)
            return Verdict(kind, REASONS[verdict], reply)
        if kind is Kind.ACCEPT:
            packet = core.reply()
            reply = None if packet is None else Segment.of_packet(packet)
            conn = conns.read(core.conn(), self._endpoints)
            return Verdict(kind, REASONS[verdict], reply, conn)
        if verdict == _PASS_KNOWN:
            return Verdict(kind, REASONS[verdict], None, None, core.handle())
        return PLAIN[verdict]

    def _new_endpoint(
        self, number: int, address: str | None, port: int, tag: object
    ) -> Endpoint:
        """Keep an endpoint under its number, until the number is used again."""
        endpoint = Endpoint(self, number, address, port, tag)
        while len(self._endpoints) <= number:
            self._endpoints.append(endpoint)
        self._endpoints[number] = endpoint
        return endpoint

    def _close_endpoint(self, endpoint: Endpoint) -> None:
        family, laddr = _place(endpoint.address)
        with self._core as core:
            core.unlisten(endpoint.number)
        self._open -= _places(family, laddr, endpoint.port)

    def _address(self, address: str | bytes) -> None:
        """Make an address ours although nobody listens on it."""
        family, laddr = addresses.pack(address)
        with self._core as core:
            if not core.address(family, laddr):
                raise RuntimeError("no room: x.address_max addresses are in use")

    def _tunables_changed(self) -> None:
        with self._core as core:
            if not core.set_tunables(self._sysctl.fields(boot=False)):
                raise ValueError("the core refuses this combination of tunables")

    def _count(self) -> int:
        return self._core.count()


def within(name: str, value: object, lowest: int, highest: int) -> int:
    """Return a number that is one and in range."""
    if not isinstance(value, int) or not lowest <= value <= highest:
        raise ValueError(f"{name} is {lowest} to {highest}, not {value!r}")
    return value


def _place(address: str | None) -> tuple[int, bytes]:
    """Pack an address to listen on; family 0 is any address of either."""
    return (0, addresses.ANY) if address is None else addresses.pack(address)


def _places(family: int, laddr: bytes, port: int) -> set[tuple[int, bytes, int]]:
    """Return the places of an endpoint: of each family an address and port."""
    return {(each, laddr, port) for each in ((family,) if family else (4, 6))}


_NUMBERS = numbers("syncache_options", "option-scale option-sack option-timestamps")
_OPTIONS = dict(zip(("scale", "sack", "timestamps"), _NUMBERS, strict=True))


def _options(options: bool | Collection[str]) -> int:
    """The options of an endpoint as C takes them; ValueError for an unknown name."""
    if isinstance(options, bool):
        return int(options)
    if not isinstance(options, Collection):
        raise TypeError(f"options is a bool or a set of names, not {options!r:.40}")
    if isinstance(options, str) or not set(options) <= set(_OPTIONS):
        raise ValueError(f"options={options!r} is not a set of {', '.join(_OPTIONS)}")
    return 2 + sum(_OPTIONS[name] for name in set(options))


def _mtu(mtu: int) -> int:
    whole = isinstance(mtu, int)
    if not whole or (mtu != 0 and not MTU_MIN <= mtu <= 0xFFFF):
        raise ValueError(f"mtu is 0 (unknown) or {MTU_MIN} to 65535, not {mtu!r}")
    return mtu


def _md5(key: bytes) -> bytes:
    if not isinstance(key, bytes):
        raise TypeError(f"an MD5 key is bytes, not {type(key).__name__}")
    if not 1 <= len(key) <= MD5_KEY_MAX:
        raise ValueError(f"an MD5 key has 1 to {MD5_KEY_MAX} bytes, not {len(key)}")
    return bytes(key)


def _sent_on(segment: Segment) -> bytes:
    """Return the tuple of a segment that we sent."""
    of_kind("what was sent", segment, Segment)
    return FourTuple(segment.dst, segment.dport, segment.src, segment.sport).to_c()
