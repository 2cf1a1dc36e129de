"""Lets an interface have super-segments of up to so many bytes: big_tcp.py NAME SIZE.

`ip` of many distributions has no word for those of IPv4.  See linux/if_link.h.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

RTM_NEWLINK, NLM_F_REQUEST, NLM_F_ACK = 16, 1, 4
GSO, GRO, GSO_IPV4, GRO_IPV4 = 41, 58, 63, 64
HEADER, LINK, ATTRIBUTE = "=IHHII", "=BxHiII", "=HHI"


def main(name, size):
    """Set all four, or raise OSError."""
    attributes = b"".join(
        struct.pack(ATTRIBUTE, 8, kind, size) for kind in (GSO, GRO, GSO_IPV4, GRO_IPV4)
    )
    body = struct.pack(LINK, 0, 0, socket.if_nametoindex(name), 0, 0) + attributes
    flags = NLM_F_REQUEST | NLM_F_ACK
    head = struct.pack(HEADER, 16 + len(body), RTM_NEWLINK, flags, 1, 0)
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE
    ) as sock:
        sock.send(head + body)
        (error,) = struct.unpack_from("=i", sock.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
