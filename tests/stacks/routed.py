"""A stack of user space on a TUN device of this namespace, whose kernel is its router.

    routed.py ADDRESS PROGRAM WORD ...

The program gets the device as descriptor 3 and ADDRESS, which is its own.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys

DESCRIPTOR = 3
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
FORWARDING = (
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv4.conf.all.rp_filter=0",
)


def route(address: str, device: str) -> None:
    """Have the kernel forward between a device and the wire."""
    bits = 128 if ":" in address else 32
    for words in (
        ("ip", "link", "set", device, "up"),
        ("ip", "route", "replace", f"{address}/{bits}", "dev", device),
        ("sysctl", "-qw", *FORWARDING),
    ):
        subprocess.run(words, check=True, capture_output=True)


def main(address: str, *words: str) -> None:
    """Become the program."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    name = "routed6" if ":" in address else "routed4"
    flags = IFF_TUN | IFF_NO_PI
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH14x", name.encode(), flags))
    route(address, name)
    if device == DESCRIPTOR:
        os.set_inheritable(device, True)
    else:
        os.dup2(device, DESCRIPTOR)
    program, *rest = words
    os.execvp(program, (program, str(DESCRIPTOR), address, *rest))


if __name__ == "__main__":
    main(*sys.argv[1:])
