"""Raw frames from and to an interface: `frames.py '[interface, [hex, ...], count]'`.

Sends the frames, then prints the frames of TCP, and of ICMP about a packet that is too
big, that come until there are `count` of them, as hexadecimal, outer VLAN tag put back.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_AUXDATA, ETH_P_ALL = 263, 8, 3
PACKET_OUTGOING = 4
VLAN_VALID = 0x10
SECONDS = 60.0  # of patience; a busy machine is slow


def with_tag(frame, ancillary):
    """Return the frame as it was on the wire."""
    for _, _, data in ancillary:
        status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
        if status & VLAN_VALID:
            return frame[:12] + struct.pack(">HH", tpid or 0x8100, tci) + frame[12:]
    return frame


def is_wanted(frame):
    at = 12
    while frame[at : at + 2] in {b"\x81\x00", b"\x88\xa8"}:
        at += 4
    ethertype, packet = frame[at : at + 2], frame[at + 2 :]
    if ethertype == b"\x08\x00":
        return packet[9] in {1, 6}
    if ethertype != b"\x86\xdd":
        return False
    return packet[6] == 6 or packet[6:7] + packet[40:41] == b"\x3a\2"


def main(interface, frames, count):
    found = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        sock.bind((interface, ETH_P_ALL))
        for frame in frames:
            sock.send(bytes.fromhex(frame))
        end = time.monotonic() + SECONDS
        while len(found) < count and (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                frame, ancillary, _, where = sock.recvmsg(65536, 100)
            except TimeoutError:
                break
            if where[2] != PACKET_OUTGOING and is_wanted(frame):
                found.append(with_tag(frame, ancillary).hex())
    return found


if __name__ == "__main__":
    print(json.dumps(main(*json.loads(sys.argv[1]))))
