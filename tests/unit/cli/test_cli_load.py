"""syncache/cli/load.py: the processes of the demonstration, on the loopback."""

from __future__ import annotations

import asyncio
import json

import pytest

from syncache import Kind, Segment
from syncache.cli import load
from syncache.segment import SYN
from syncache.stack import Stack


@pytest.fixture
def visit(monkeypatch, capsys):
    """Let clients visit a server of the loopback; return what they told."""

    def run(factory, **spec):
        async def main():
            loop = asyncio.get_running_loop()
            server = await loop.create_server(factory, "127.0.0.1", 0)
            monkeypatch.setattr(load, "PORT", server.sockets[0].getsockname()[1])
            monkeypatch.setattr(load, "OURS", "127.0.0.1")
            async with server:
                await load.visit({"clients": 3, "every": 0.01, "timeout": 5} | spec)

        asyncio.run(main())
        told = map(json.loads, capsys.readouterr().out.splitlines())
        return sorted(told, key=lambda seen: seen["client"])

    return run


def test_every_client_gets_its_own_bytes(visit):
    """Clients check what they get, and say how long connecting took."""
    seen = visit(load.Fetch)
    assert [True] * 3 == [client["served"] for client in seen]
    assert all(client["connect_ms"] > 0 for client in seen)
    assert load.body(bytes(8)) != load.body(bytes(7) + b"\1")
    assert load.BODY_BYTES == len(load.body(bytes(8)))


def test_wrong_bytes_are_noticed(visit):
    """A client that gets another client's bytes is not served."""

    class Wrong(load.Fetch):
        def data_received(self, data):
            super().data_received(bytes(8))

    assert [True, False, False] == [client["served"] for client in visit(Wrong)]


def test_silent_server_is_a_time_out(visit):
    """A client that gets nothing says so."""
    seen = visit(asyncio.Protocol, clients=1, timeout=0.2)
    assert [(False, "TimeoutError")] == [(c["served"], c["error"]) for c in seen]


def test_closing_server_is_an_error(visit):
    """A client whose connection ends early says so."""

    class Closing(asyncio.Protocol):
        def connection_made(self, transport):
            transport.close()

    seen = visit(Closing, clients=1)[0]
    assert not seen["served"]
    assert seen["error"] in {"IncompleteReadError", "ConnectionResetError"}


def test_sample_counts_syns_whatever_came_of_them():
    """SYNs are counted by the engine's verdicts."""
    stack = Stack("198.18.0.2", {"net.inet.tcp.syncookies_only": 1}, seed=bytes(16))
    stack.listen(80)
    syn = Segment(src="198.18.0.1", dst="198.18.0.2", sport=9, dport=80, flags=SYN)
    assert Kind.REPLY is stack.syncache.packet(syn.packet(), 1.0).kind
    seen = load.sample(stack)
    assert (1, 1, 0) == (seen["syns"], seen["syn_acks"], seen["half_open"])
    assert seen["rss"] > 2**20


def test_failing_role_is_one_line(capsys, monkeypatch):
    """A server that cannot open its device says why and returns 1."""

    async def fail(spec):
        raise PermissionError(1, "not allowed")

    monkeypatch.setattr(load, "serve", fail)
    assert 1 == load.main("server", {})
    assert 1 == capsys.readouterr().err.count("\n")
