"""SYNs whose checksums are left to be finished, or not: `unfinished.py JSON`.

interface; mac of the other end; source, target, port; family: 4 or 6; unfinished: left
to the device, as the kernel sends them; chance: so chosen that what stands in the field
is the sum of the pseudo header and right as it is.  Sends one by a packet socket that
says so (PACKET_VNET_HDR), and prints of the SYN-ACK whether it is left unfinished and
whether it is right once that is done.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from dataclasses import replace

from syncache import Segment

SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CSUM = 1
HEADER = struct.Struct("=BBHHHH")  # struct virtio_net_hdr
LINUX = bytes.fromhex("020405b40402080a000000010000000001030307")
AT = 16  # of the checksum
KINDS = {4: b"\x08\x00", 6: b"\x86\xdd"}


def total(data):
    """Sum 16-bit words."""
    found = sum(struct.unpack(f">{len(data) // 2}H", data))
    while found >> 16:
        found = (found & 0xFFFF) + (found >> 16)
    return found


def pseudo(packet, start):
    """Return the sum of the pseudo header."""
    addresses = packet[12:20] if start == 20 else packet[8:40]
    return total(addresses + struct.pack(">HH", 6, len(packet) - start))


def finished(packet, start):
    """Return a packet with its checksum as the device would make it."""
    done = ~total(packet[start:]) & 0xFFFF
    return packet[: start + AT] + done.to_bytes(2, "big") + packet[start + AT + 2 :]


def syn(spec, start):
    """Return the SYN, its checksum as it is to be sent."""
    segment = Segment(
        src=spec["source"],
        dst=spec["target"],
        sport=spec["sport"],
        dport=spec["port"],
        seq=0,
        flags=2,
        window=64_240,
        options_bytes=LINUX,
    )
    if spec["chance"]:  # the sequence number makes the sum come out
        whole = segment.packet()
        field = int.from_bytes(whole[start + AT : start + AT + 2], "big")
        seq = (field - pseudo(whole, start)) % 0xFFFF
        segment = replace(segment, seq=seq)
    whole = bytearray(segment.packet())
    if spec["unfinished"]:
        left = pseudo(whole, start)
        whole[start + AT : start + AT + 2] = left.to_bytes(2, "big")
    return bytes(whole)


def main(spec):
    start = 20 if spec["family"] == 4 else 40
    packet = syn(spec, start)
    field = int.from_bytes(packet[start + AT : start + AT + 2], "big")
    looks = field == pseudo(packet, start)
    right = total(packet[start:] + pseudo(packet, start).to_bytes(2, "big")) == 0xFFFF
    assert looks == (spec["unfinished"] or spec["chance"])
    assert right == (spec["chance"] or not spec["unfinished"])
    flags = NEEDS_CSUM if spec["unfinished"] else 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        sock.bind((spec["interface"], 3))
        sock.settimeout(60)
        mac = bytes.fromhex(spec["mac"].replace(":", ""))
        frame = mac + bytes.fromhex("020000000099") + KINDS[spec["family"]] + packet
        sock.send(HEADER.pack(flags, 0, 0, 0, 14 + start, AT) + frame)
        while True:
            data = sock.recv(2048)
            left = bool(data[0] & NEEDS_CSUM)
            reply = data[HEADER.size + 14 :]
            if data[HEADER.size + 12 :][:2] != KINDS[spec["family"]]:
                continue
            if reply[start + 13] & 0x12 == 0x12:
                break
    if left:
        reply = finished(reply, start)
    count = acks(spec, frame, reply[start:]) if spec.get("acks") else 0
    irs, iss = (
        int.from_bytes(one[4:8], "big") for one in (packet[start:], reply[start:])
    )
    return {
        "left": left,
        "right": is_right(reply),
        "irs": irs,
        "iss": iss,
        "acks": count,
    }


def acks(spec, frame, reply):
    """Send the ACK of a handshake again and again; resets end what it began.

    A tenth of a second lies between two, longer than a batch of packets.
    """
    iss = int.from_bytes(reply[4:8], "big")
    path = {name: spec[name] for name in ("source", "target")}
    ends = {"src": path["source"], "dst": path["target"]}
    ends |= {"sport": spec["sport"], "dport": spec["port"], "seq": 1}
    stamps = b"\1\1\10\12\0\0\0\2" + reply[32:36]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind((spec["interface"], 3))
        for _ in range(spec["acks"]):
            last = Segment(**ends, ack=iss + 1, flags=16, options_bytes=stamps)
            sock.send(frame[:14] + last.packet())
            time.sleep(0.05)
            if spec.get("resets", True):
                sock.send(frame[:14] + Segment(**ends, flags=4).packet())
            time.sleep(0.05)
    return spec["acks"]


def is_right(packet):
    """Let C, which verifies checksums, read it."""
    try:
        Segment.parse(packet)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
