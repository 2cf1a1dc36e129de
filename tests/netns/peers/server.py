"""A server on our TCP over a TUN device, as a program: `server.py JSON`.

Says "ready" when it listens.  Ends when its standard input does, or with its device,
and then says as JSON how it went.  GET /N brings N bytes of content.py; PUT and POST
are answered with the SHA-256 of what was sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import resource
import sys
from pathlib import Path

from content import chunks

from syncache import Sysctl
from syncache.aio import Host
from syncache.links.impaired import Impaired
from syncache.links.packet import Packet
from syncache.links.tun import Tun
from syncache.links.xdp import Xdp


class HttpProtocol(asyncio.Protocol):
    """Just enough HTTP/1.1 for curl: one request, a body either way, close."""

    poured = 0  # bytes of all answers that were written so far

    def connection_made(self, transport):
        self.transport = transport
        self.head = b""
        self.missing = None
        self.source = iter(())
        self.is_paused = False

    def data_received(self, data):
        if self.missing is None:
            self.head += data
            head, end, data = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            self.begin(head.decode().split("\r\n"))
        self.take(data)

    def begin(self, lines):
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        self.method, path, _ = lines[0].split(" ")
        self.missing = int(fields.get("content-length", 0))
        self.digest = hashlib.sha256()
        if self.method == "GET":
            self.body, self.size = chunks(int(path[1:])), int(path[1:])
        if fields.get("expect") == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def take(self, data):
        self.digest.update(data)
        self.missing -= len(data)
        if self.missing > 0:
            return
        if self.method != "GET":
            self.body, self.size = iter([self.digest.hexdigest().encode()]), 64
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {self.size}\r\n"
        self.transport.write(head.encode() + b"Connection: close\r\n\r\n")
        self.source = self.body
        self.pour()

    def pour(self):
        while not self.is_paused:
            chunk = next(self.source, None)
            if chunk is None:
                self.transport.close()
                return
            HttpProtocol.poured += len(chunk)
            self.transport.write(chunk)

    def pause_writing(self):
        self.is_paused = True

    def resume_writing(self):
        self.is_paused = False
        self.pour()


async def echo(reader, writer):
    """Send back what comes, then the end of it: a half-closed peer still listens."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
    writer.close()


async def asgi_app(scope, receive, send):
    """The same two answers as HttpProtocol's."""
    assert scope["client"] is not None
    digest, more = hashlib.sha256(), True
    while more:
        message = await receive()
        digest.update(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["method"] != "GET":
        body = digest.hexdigest().encode()
        await send({"type": "http.response.body", "body": body})
        return
    for chunk in chunks(int(scope["path"][1:])):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def uvicorn_factory(implementation):
    import uvicorn
    from uvicorn.server import ServerState

    config = uvicorn.Config(
        asgi_app, http=implementation, lifespan="off", log_level="error"
    )
    config.load()
    state = ServerState()
    return lambda: config.http_protocol_class(
        config=config, server_state=state, app_state={}
    )


async def aiohttp_factory():
    from aiohttp import web

    async def get(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks(int(request.match_info["size"])):
            await response.write(chunk)
        return response

    async def put(request):
        digest = hashlib.sha256()
        async for data in request.content.iter_any():
            digest.update(data)
        return web.Response(text=digest.hexdigest())

    app = web.Application(client_max_size=2**30)
    app.router.add_get("/{size}", get)
    app.router.add_put("/{size}", put)
    runner = web.AppRunner(app)
    await runner.setup()
    return runner.server


async def listen(host, app, port):
    """Start the server that was asked for."""
    if app == "echo":
        await host.start_server(echo, port)
    elif app == "http":
        await host.create_server(HttpProtocol, port, backlog=1024)
    elif app == "aiohttp":
        await host.create_server(await aiohttp_factory(), port)
    else:
        await host.create_server(uvicorn_factory(app), port)


async def stdin_closed():
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()


def rss_bytes_max():
    """Return the peak of this program; ru_maxrss would begin with its parent's."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) * 1024


def open_link(spec):
    """Open the link that was asked for; a TUN device without a word."""
    options = spec.get("options", {})
    if "packet" in spec:
        link = Packet(spec["packet"], spec["ours"], **options)
    elif "xdp" in spec:
        link = Xdp(spec["xdp"], spec["ours"], **options)
    else:
        vnet_hdr = spec.get("vnet_hdr", True)
        link = Tun(spec["tun"], spec.get("kernel", ()), vnet_hdr=vnet_hdr)
    for networks in spec.get("block", ()):
        link.block(networks)
    return link


async def main(spec):
    link = open_link(spec)
    below = link
    if spec.get("impaired"):
        link = Impaired(link, **spec["impaired"])
    sysctl = Sysctl()
    sysctl.update(spec.get("sysctl", {}))
    ours = [address.partition("/")[0] for address in spec["ours"]]
    host = Host(link, ours, sysctl=sysctl)
    await listen(host, spec["app"], spec["port"])
    print("ready", flush=True)
    end = asyncio.ensure_future(stdin_closed())
    await asyncio.wait({end, host.closed}, return_when=asyncio.FIRST_COMPLETED)
    stats = host.stack.stats
    counters = ("sc_completed", "sc_recvcookie", "sc_sendcookie", "sc_added")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    said = {name: getattr(stats, name) for name in counters}
    said["poured_bytes"] = HttpProtocol.poured
    said["rss_bytes_max"] = rss_bytes_max()
    said["cpu_seconds"] = usage.ru_utime + usage.ru_stime
    said["link"] = below.counts
    if link is not below:
        said["impaired"] = link.counts
    said["closed"] = str(host.closed.result()) if host.closed.done() else None
    await host.aclose()
    print(json.dumps(said))


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    asyncio.run(main(json.loads(sys.argv[1])))
