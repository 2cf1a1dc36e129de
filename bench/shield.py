"""Hold a shield on an interface: `python -m bench.shield INTERFACE PORT MODE`.

In the driver: the flood's end has an XDP program of its own, for
which veth sends what XDP transmits.
"""

from __future__ import annotations

import signal
import sys

from syncache import Shield, Sysctl


def main(interface: str, port: str, mode: str) -> None:
    """Shield until SIGTERM."""
    sysctl = Sysctl({"net.inet.tcp.syncache.x.shield.mode": mode})
    with Shield(interface, sysctl, xdp="native") as shield:
        shield.protect(int(port))
        print("ready", flush=True)
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
