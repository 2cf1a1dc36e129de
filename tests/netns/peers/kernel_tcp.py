"""A server and clients on the kernel's own TCP, which report what was negotiated.

    python kernel_tcp.py '{"role": "serve", "port": 80, "backlog": 128}'

prints "ready", then answers each byte with its TCP_INFO; a line on stdin makes it begin
to accept, if it was started with "wait": true.  "mptcp": listen by MPTCP; "device": on
this interface alone; "first": the server closes first.  With role "connect" the clients
connect `count` times to `address` ("hold": wait for a line before they say anything;
"from": an address of theirs) and print JSON: how many were served, refused and lost,
and the last TCP_INFO.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading

IPPROTO_MPTCP = 262
INFO_BYTES = 104
TIMESTAMPS, SACK, WSCALE = 1, 2, 4


def main(spec: dict) -> None:
    {"serve": serve, "connect": connect}[spec["role"]](spec)


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(spec: dict) -> None:
    address = spec.get("address", "::")
    protocol = IPPROTO_MPTCP if spec.get("mptcp") else 0
    with socket.socket(family(address), socket.SOCK_STREAM, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if "device" in spec:
            name = spec["device"].encode()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
        listener.bind((address, spec["port"]))
        listener.listen(spec.get("backlog", 128))
        print("ready", flush=True)
        if spec.get("wait"):
            sys.stdin.readline()
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=answer, args=(sock, spec), daemon=True).start()


def answer(sock: socket.socket, spec: dict) -> None:
    with sock:
        sock.settimeout(60)
        try:
            if sock.recv(1):
                info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES)
                sock.sendall(info)
            if not spec.get("first"):
                sock.recv(1)
        except OSError:
            pass


def connect(spec: dict) -> None:
    found: dict = {"served": 0, "refused": 0, "lost": 0}
    threads = []
    for _ in range(spec.get("count", 1)):
        if spec.get("together"):
            threads.append(threading.Thread(target=once, args=(spec, found)))
            threads[-1].start()
        else:
            once(spec, found)
    for thread in threads:
        thread.join()
    print(json.dumps(found))


def once(spec: dict, found: dict) -> None:
    address = spec["address"]
    with socket.socket(family(address), socket.SOCK_STREAM) as sock:
        sock.settimeout(spec.get("timeout", 60))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if "source" in spec or "from" in spec:
                sock.bind((spec.get("from", ""), spec.get("source", 0)))
            sock.connect((address, spec["port"]))
            if spec.get("hold"):
                print("connected", flush=True)
                sys.stdin.readline()
            sock.sendall(b"x")
            info = b""
            while len(info) < INFO_BYTES and (part := sock.recv(INFO_BYTES)):
                info += part
            if spec.get("first"):
                while sock.recv(1):
                    pass
        except ConnectionError:
            found["refused"] += 1
            return
        except OSError:
            found["lost"] += 1
            return
    if len(info) < INFO_BYTES:
        found["lost"] += 1
        return
    found["served"] += 1
    options, scales = info[5], info[6]
    found["timestamps"] = bool(options & TIMESTAMPS)
    found["sack"] = bool(options & SACK)
    found["wscale"] = [scales & 15, scales >> 4] if options & WSCALE else None
    (found["mss"],) = struct.unpack_from("=I", info, 16)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
