#!/bin/sh
# Three forms of captures that scapy 2.8.0 reads otherwise than they say, without a word.
# A Simple Packet Block of an interface without a limit (snaplen 0, which is what most
# writers put there) comes out empty, as the limit is taken for one of no bytes.
# if_tsoffset is left out, so that times are seconds since something else than 1970.
# Of a pcap file that was cut within its last packet (its writer was killed) the piece
# that is there is given as a packet, as if it had been recorded so; of pcapng it is not.
# Exit: 0 as described, 1 changed, 77 the version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install scapy==2.8.0 || exit 77
"$folder/v/bin/python" - <<'PY'
import io
import struct
import sys

from scapy.utils import RawPcapNgReader, RawPcapReader

PACKET = bytes(range(20))
SECOND = 1_600_000_000
RAW_IP = 101


def block(kind, body):
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def interface(snaplen, offset=0):
    body = struct.pack("<HHI", RAW_IP, 0, snaplen)
    body += struct.pack("<HHq", 14, 8, offset) + bytes(4)  # if_tsoffset
    return block(1, body)


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
SIMPLE = block(3, struct.pack("<I", len(PACKET)) + PACKET)
units = SECOND * 10**6
ENHANCED = block(
    6,
    struct.pack("<IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(PACKET), len(PACKET))
    + PACKET,
)
CLASSIC = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, RAW_IP)
CLASSIC += struct.pack("<IIII", SECOND, 0, len(PACKET), len(PACKET)) + PACKET


def simple(snaplen):
    (packet,) = RawPcapNgReader(io.BytesIO(SECTION + interface(snaplen) + SIMPLE))
    return len(packet[0])


def seconds(offset):
    ((_, meta),) = RawPcapNgReader(
        io.BytesIO(SECTION + interface(0, offset) + ENHANCED)
    )
    return ((meta.tshigh << 32) + meta.tslow) / meta.tsresol


def cut(by):
    data = CLASSIC[: len(CLASSIC) - by]
    return [(len(p), meta.wirelen) for p, meta in RawPcapReader(io.BytesIO(data))]


found = {
    "simple packet, a limit of 100": simple(100),
    "simple packet, no limit": simple(0),
    "time without an offset": seconds(0) - SECOND,
    "time with an offset of an hour": seconds(3600) - SECOND,
    "whole": cut(0),
    "cut": cut(5),
}
for name, value in found.items():
    print(f"{name}: {value}")
expected = (20, 0, 0.0, 0.0, [(20, 20)], [(15, 20)])
sys.exit(tuple(found.values()) != expected)
PY
