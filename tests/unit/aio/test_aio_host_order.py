"""syncache/aio/host.py: who is served first."""

from __future__ import annotations

from aio_world import PORT, Recorder, World, on_loop


@on_loop
async def test_who_asks_for_a_connection_does_not_wait_for_the_work_on_others():
    """The link has the SYN-ACK before a connection is given its segment."""
    order = []
    async with World() as world:
        await world.host.create_server(Recorder, PORT)
        send, take = world.link.send, world.host.stack.take

        def note(tx):
            order.extend(["sent"] * len(tx))
            return send(tx)

        def spy(rx, now):
            order.append("taken")
            return take(rx, now)

        world.link.send, world.host.stack.take = note, spy
        await world.connect()
    assert ["sent", "taken"] == order[:2]
