"""Random packets for the shield's programs, and what the programs are to do with each.

SYNs and ACKs as clients send them, and such with a byte or two changed: most are still
read, and each field has its turn.  `fate_of_syn` is a second reading of a packet, in
the words of docs/shield.md; what a SYN is answered is left to the core.
"""

from __future__ import annotations

import enum
import random
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from syncache import Segment
from syncache.links.shield_config import MSS_LEAST

SERVER = {4: "198.18.0.2", 6: "fd00:18::2"}
OURS = {family: ip_address(text).packed for family, text in SERVER.items()}
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
OPTIONS_MAX, DATA_MAX = 24, 1536  # that are looked at
END, NOP, MSS, MD5, AO = 0, 1, 2, 19, 29
TCP = 6
HEAD = {4: 20, 6: 40}
SUM_AT = 16  # in a TCP header


class Fate(enum.Enum):
    """What becomes of a SYN."""

    PASS = enum.auto()  # unchanged
    DROP = enum.auto()  # for a wrong sum
    UNFINISHED = enum.auto()  # XDP answers; in tc a packet itself tells, and it is not
    ANSWER = enum.auto()


class Expected(NamedTuple):
    """A reading of a packet: its fate, and the packet that the core would answer."""

    fate: Fate
    packet: bytes


def options(random_: random.Random) -> bytes:
    """Return the options of a SYN: as Linux sends them, or in any order, or broken."""
    edge = random_.choice([0, 1, 535, 536, 1219, 1220, 1359, 65535])
    mss = random_.choice([edge, 1300, 1400, 1460, 8960, random_.randrange(1220, 65536)])
    scale = random_.choice([*range(15), 15, 200])
    stamp = struct.pack(">BBII", 8, 10, random_.getrandbits(32), 0)
    linux = struct.pack(">BBH", 2, 4, mss), b"\4\2", stamp, bytes([1, 3, 3, scale])
    kind = random_.random()
    if kind < 0.4:
        return b"".join(linux)
    parts = [part for part in linux if random_.random() < 0.7]
    random_.shuffle(parts)
    if kind > 0.9:  # what has another length than it should, or ends too soon
        parts.insert(random_.randrange(len(parts) + 1), random_.choice(ODD))
    if 0.8 < kind < 0.82:  # more than are counted
        parts.insert(0, b"\1" * random_.randrange(20, 28))
    text = b"".join(parts)[:40]
    return text + random_.choice((b"\0", b"\1")) * (-len(text) % 4)


# Unknown, of another length, beyond the end, the end itself; signatures; Fast Open,
# MPTCP; each of ours a second time.
ODD = (
    b"\2\3\5",
    b"\2\5\5\5\5",
    b"\4\3\0",
    b"\10\13" + bytes(9),
    b"\x22\2",
    b"\x1e\4\0\1",
    b"\x4c\6abcd",
    b"\3\4\7\0",
    b"\x09\x30",
    b"\x09\0",
    b"\x09\1",
    b"\0",
    b"\x13\2",
    b"\x1d\4ab",
    b"\2\4\5\1",
    b"\3\3\3",
    b"\4\2",
)


def source(random_: random.Random, family: int) -> str:
    """Return a client's address, seldom one that no client has."""
    if family == 4:
        first = random_.choice([10] * 12 + [1, 0, 126, 127, 128, 169, 223, 224, 240])
        usual = str(IPv4Address(first << 24 | random_.getrandbits(24)))
        return random_.choice([*[usual] * 99, SERVER[4]])
    tail = f"{random_.getrandbits(16):x}:{random_.getrandbits(16):x}"
    usual = [f"2001:db8::{tail}"] * 40
    return random_.choice([*usual, *(text.format(tail) for text in ODD_SOURCES)])


ODD_SOURCES = (
    "::{}",
    "::ffff:{}",
    "::1:0:{}",
    "0:0:1::{}",
    "fe80::{}",
    "ff02::{}",
    "fd00:18::{}",
    "2002::2",  # half of it is ours
    SERVER[6],
)


def syn(random_: random.Random, family: int, port: int) -> Segment:
    """Return a random SYN to the server."""
    flags = random_.choice([0] * 6 + [ECE | CWR] * 2 + [PSH, URG, ECE, CWR, PSH | URG])
    return Segment(
        src=source(random_, family),
        dst=SERVER[family],
        sport=random_.randrange(1, 65536),
        dport=port,
        seq=random_.choice([random_.getrandbits(32)] * 9 + [2**32 - 1]),
        ack=random_.choice([0, 0, 0, random_.getrandbits(32)]),
        flags=SYN | flags,
        window=random_.getrandbits(16),
        urgent=random_.choice([0, 0, 0, random_.getrandbits(16)]),
        options_bytes=options(random_),
        payload=random_.randbytes(random_.choice(SIZES)),
        hop_limit=random_.choice([64, 64, 64, 1, 128, 254, 255]),
        tos=random_.choice([0, 0, 8, 1, 2, 3, 0xB8, 0xFF]),
        dont_fragment=random_.random() < 0.9,
        ip_id=random_.getrandbits(16) if family == 4 else 0,
        flow_label=0 if family == 4 else random_.getrandbits(20),
    )


# Of data on a SYN: mostly none, and what lies around the pieces it is summed up in.
SIZES = (*[0] * 30, 1, 2, 3, 4, 252, 253, 255, 256, 257, 511, 1200, 1535, 1536, 1537)


def ack(random_: random.Random, segment: Segment, reply: Segment) -> Segment:
    """Return the ACK that answers the core's SYN-ACK, half of the time spoiled."""
    seq, sport = (segment.seq + 1) % 2**32, segment.sport
    number = reply.seq
    kind = random_.randrange(6)
    if kind == 0:  # also in the two places that leave a cookie's byte as it is
        bit = random_.randrange(32)
        number ^= 1 << bit | random_.randrange(2) << (bit ^ 24)
    elif kind == 1:
        seq ^= 1 << random_.randrange(32)
    elif kind == 2:
        sport = sport ^ 1 or 2
    odd = (PSH, FIN, URG, ECE, CWR, RST, SYN, FIN | PSH)
    flags = random_.choice([0] * 8 + [PSH, *odd])
    return Segment(
        src=segment.src,
        dst=segment.dst,
        sport=sport,
        dport=segment.dport,
        seq=seq,
        ack=(number + 1) % 2**32,
        flags=ACK | flags if random_.random() < 0.98 else flags,
        window=502,
        options_bytes=stamps(random_, reply),
        payload=random_.randbytes(random_.choice([0, 0, 10])),
        hop_limit=random_.choice([64, 1, 255]),
        tos=random_.choice([0, 2, 3]),
    )


def stamps(random_: random.Random, reply: Segment) -> bytes:
    """Return the options of an ACK, with the timestamp of our SYN-ACK or another.

    Seconds before or behind it, not near a limit of an age.
    """
    kind = random_.random()
    echo = 0 if reply.timestamps is None else reply.timestamps.tsval
    if kind < 0.2:
        echo += random_.choice([-7_400_000, -100_000, -7_000, 500, 3_000, 2**31])
    elif kind < 0.25:
        echo = random_.getrandbits(32)
    stamp = struct.pack(">BBII", 8, 10, 7, echo % 2**32)
    if reply.timestamps is None and kind < 0.9:
        return b""
    if kind < 0.8:
        return b"\1\1" + stamp
    parts = [stamp, random_.choice(ODD), b"\1", b"\5\12" + random_.randbytes(8)]
    parts = [part for part in parts if random_.random() < 0.8]
    random_.shuffle(parts)
    text = b"".join(parts)[:40]
    return text + bytes(-len(text) % 4)


def mangled(random_: random.Random, packet: bytes) -> bytes:
    """Change a byte or two of the headers; mostly the sums are made right again."""
    family = packet[0] >> 4
    changed = bytearray(packet)
    for _ in range(random_.choice([1, 1, 2])):
        begin = random_.choice([0, HEAD[family], HEAD[family] + 20])
        end = min(len(packet), HEAD[family] + 44)
        at = random_.randrange(min(begin, end - 1), end)
        bit = packet[at] ^ 1 << random_.randrange(8)
        changed[at] = random_.choice([bit, random_.randrange(256)])
    changed[0] = changed[0] & 0x0F | family << 4
    kind = random_.random()
    if kind < 0.7:
        return repaired(bytes(changed))
    if kind < 0.8:  # made on this machine: the device would finish it
        changed = bytearray(repaired(packet))
        at = HEAD[family] + SUM_AT
        changed[at : at + 2] = total(pseudo(packet)).to_bytes(2, "big")
    return bytes(changed)


def pseudo(packet: bytes) -> bytes:
    """Return the pseudo header of a packet without options of IP."""
    family = packet[0] >> 4
    addresses = packet[12:20] if family == 4 else packet[8:40]
    return addresses + struct.pack(">II", len(packet) - HEAD[family], TCP)


def repaired(packet: bytes) -> bytes:
    """Return it with right sums, if there is a TCP header of the usual place."""
    family = packet[0] >> 4
    whole = bytearray(packet)
    if family == 4:
        whole[10:12] = bytes(2)
        whole[10:12] = (total(whole[:20]) ^ 0xFFFF).to_bytes(2, "big")
    at = HEAD[family] + SUM_AT
    if len(packet) >= HEAD[family] + 20:
        whole[at : at + 2] = bytes(2)
        summed = pseudo(packet) + bytes(whole[HEAD[family] :])
        whole[at : at + 2] = (total(summed) ^ 0xFFFF).to_bytes(2, "big")
    return bytes(whole)


def total(data: bytes | bytearray) -> int:
    """Return the sum of RFC 1071: 0xffff where it has a right checksum in it."""
    added = sum(struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2]))
    if len(data) % 2:
        added += data[-1] << 8
    while added >> 16:
        added = (added & 0xFFFF) + (added >> 16)
    return added


def readable(frame: bytes, port: int) -> bytes | None:
    """Return the packet at the beginning of `frame`, if it may be of our service.

    None: no TCP, a fragment, options of IP, headers that are not whole, another
    address or port.
    """
    family = frame[0] >> 4
    head = HEAD[family]
    if len(frame) < head + 20:
        return None
    if family == 4:
        size = int.from_bytes(frame[2:4], "big")
        fragment = int.from_bytes(frame[6:8], "big") & 0x3FFF
        plain = frame[0] == 0x45 and fragment == 0 and frame[9] == TCP
        target = frame[16:20]
    else:
        size = 40 + int.from_bytes(frame[4:6], "big")
        plain = frame[6] == TCP
        target = frame[24:40]
    here = int.from_bytes(frame[head + 2 : head + 4], "big") == port
    ours = plain and here and target == OURS[family]
    return frame[:size] if ours and is_whole(frame) else None


def is_whole(frame: bytes) -> bool:
    """Return whether the headers at the beginning are whole, and IP's length is."""
    head = HEAD[frame[0] >> 4]
    if len(frame) < head + 20:
        return False
    size = int.from_bytes(frame[2:4], "big") if head == HEAD[4] else 40
    if head != HEAD[4]:
        size += int.from_bytes(frame[4:6], "big")
    header = (frame[head + 12] >> 4) * 4
    return head + 20 <= head + header <= size <= len(frame)


def is_no_client(family: int, address: bytes) -> bool:
    """Return whether a source is no host's, or our own."""
    if address == OURS[family]:
        return True
    if family == 4:
        return address[0] in {0, 127} or address[0] >= 224
    whole = IPv6Address(address)
    embedded = address[:12] == bytes(12) or whole.ipv4_mapped is not None
    return whole.is_multicast or embedded


def is_unfit(packet: bytes) -> bool:
    """Return whether a SYN is only for the kernel to judge."""
    family = packet[0] >> 4
    head = HEAD[family]
    text = packet[head + 20 : head + (packet[head + 12] >> 4) * 4]
    if len(packet) - head - 20 - len(text) > DATA_MAX:
        return True
    if is_no_client(family, packet[12:16] if family == 4 else packet[8:24]):
        return True
    mss = mss_of(text)
    return mss is None or 0 < mss < MSS_LEAST[0 if family == 4 else 1]


def mss_of(text: bytes) -> int | None:
    """Return the MSS in options, 0 without; None: signed, or more than are counted."""
    at, count, mss = 0, 0, 0
    while at < len(text):
        count += 1
        if count > OPTIONS_MAX:  # the end counts as one
            return None
        if text[at] == END:
            break
        size = 1 if text[at] == NOP else (text[at + 1 : at + 2] or b"\0")[0]
        if text[at] != NOP and not 2 <= size <= len(text) - at:
            break
        if text[at] in {MD5, AO}:
            return None
        if text[at] == MSS and size == 4:
            mss = int.from_bytes(text[at + 2 : at + 4], "big")
        at += size
    return mss


def fate_of_syn(frame: bytes, port: int, *, verify: bool) -> Expected:
    """Return what becomes of what may be a SYN at the beginning of `frame`."""
    packet = readable(frame, port)
    if packet is None:
        return Expected(Fate.PASS, frame)
    head = HEAD[packet[0] >> 4]
    is_syn = packet[head + 13] & (FIN | SYN | RST | ACK) == SYN
    if not is_syn or is_unfit(packet):
        return Expected(Fate.PASS, packet)
    right = repaired(packet)
    sums = pseudo(packet)
    found = int.from_bytes(packet[head + SUM_AT : head + SUM_AT + 2], "big")
    is_right = total(sums + packet[head:]) == 0xFFFF
    unfinished = found == total(sums)
    if verify and head == HEAD[4] and total(packet[:20]) != 0xFFFF:
        return Expected(Fate.DROP, packet)
    if verify and not is_right:
        return Expected(Fate.UNFINISHED if unfinished else Fate.DROP, right)
    return Expected(Fate.ANSWER, right)


def may_be_cookie(frame: bytes, port: int) -> bytes | None:
    """Return the ACK at the beginning of `frame` if tc is to look for a cookie."""
    packet = readable(frame, port)
    if packet is None:
        return None
    head = HEAD[packet[0] >> 4]
    if packet[head + 13] & (SYN | RST | ACK) != ACK:
        return None
    text = packet[head + 20 : head + (packet[head + 12] >> 4) * 4]
    return None if mss_of(text) is None else repaired(packet)
