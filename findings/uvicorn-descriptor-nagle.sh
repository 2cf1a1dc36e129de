#!/bin/sh
# uvicorn 0.54.0 takes a listening socket from systemd (or another parent) by --fd.  It
# opens the descriptor as one of AF_UNIX, whatever it is; TCP works over it all the same,
# but asyncio sets TCP_NODELAY on connections of AF_INET and AF_INET6 only, so Nagle's
# algorithm is on: a response that is written in parts (header and body, or a body in two)
# waits for the client's delayed ACK.  A request over loopback takes 40 ms or more, one
# hundred times as long as by --host and --port.  hypercorn 0.18.0 with the same descriptor
# (--bind fd://) asks the socket for its family, and is fast.
# Servers on the loopback interface of a network namespace of its own; two of PyPI.
# Needs unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 a version or the namespace is gone.
set -u
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 -m venv v || exit 1
v/bin/pip -q install uvicorn==0.54.0 hypercorn==0.18.0 || exit 77
cat >app.py <<'PY'
async def app(scope, receive, send):
    if scope["type"] == "http":
        length = (b"content-length", b"2000")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        await send({"type": "http.response.body", "body": b"x" * 1000})
PY
cat >ask.py <<'PY'
import socket
import statistics
import subprocess
import sys
import time

ADDRESS = ("127.0.0.1", 8000)


def median(client):
    """Milliseconds of a request, the median of 25 on one connection, the first 5 apart."""
    times = []
    answer = client.makefile("rb")
    for _ in range(30):
        begin = time.perf_counter()
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while answer.readline() != b"\r\n":
            pass
        answer.read(2000)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[5:]) * 1000


def serve(name, *options):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(ADDRESS)
        passed = []
        if any("{}" in option for option in options):
            listener.listen()
            passed.append(listener.fileno())
        else:
            listener.close()
        options = [option.format(*passed) for option in options]
        command = [f"v/bin/{name}", *options, "--log-level", "warning", "app:app"]
        server = subprocess.Popen(command, pass_fds=passed)
        try:
            for _ in range(200):
                try:
                    with socket.create_connection(ADDRESS) as client:
                        client.settimeout(30)
                        return median(client)
                except ConnectionRefusedError:
                    time.sleep(0.1)
        finally:
            server.kill()
            server.wait()


found = []
for command in (
    ("uvicorn", "--host", ADDRESS[0], "--port", str(ADDRESS[1])),
    ("uvicorn", "--fd", "{}"),
    ("hypercorn", "--bind", "{}:{}".format(*ADDRESS), "--workers", "0"),
    ("hypercorn", "--bind", "fd://{}", "--workers", "0"),
):
    found.append(serve(*command))
    print(*command[:3], f"-> {found[-1]:.1f} ms a request")
sys.exit([one > 30 for one in found] != [False, True, False, False])
PY
unshare -rn sh -c "ip link set lo up && exec v/bin/python ask.py"
