"""Another's tc program on an interface, first for now, which gives one verdict on all.

    python attached.py '["s0", 0]'

prints "ready", and holds it until it is ended.
"""

from __future__ import annotations

import json
import signal
import socket
import sys

from syncache._core import bpf as _core_bpf
from syncache.links import bpf


def main(name: str, verdict: int) -> None:
    program = bpf.Assembler()
    program.leave(verdict)
    fd = bpf.load(bpf.PROG_SCHED_CLS, bpf.ATTACH_TCX_INGRESS, program.program())
    where = (socket.if_nametoindex(name), bpf.ATTACH_TCX_INGRESS)
    _core_bpf.bpf_attach(fd, *where, bpf.TCX_FIRST)
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
