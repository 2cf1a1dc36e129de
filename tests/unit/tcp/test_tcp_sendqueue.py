"""The circular buffer against a plain string of bytes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from syncache.tcp.sendqueue import SendQueue

STEPS = st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 40_000)), max_size=12)


@settings(deadline=None)
@given(STEPS, st.data())
def test_queue_holds_what_a_string_would(steps, data):
    """Written, looked at anywhere, discarded from the front."""
    queue, model, number = SendQueue(), b"", 0
    for write, discard in steps:
        chunk = bytes((number + i) & 0xFF for i in range(write))
        number += write
        queue.write(chunk)
        model += chunk
        count = min(discard, len(model))
        queue.discard(count)
        model = model[count:]
        assert len(model) == queue.size
        start = data.draw(st.integers(0, len(model)))
        size = data.draw(st.integers(0, len(model) - start))
        assert model[start : start + size] == bytes(queue.look(start, size))


def test_clear_gives_the_memory_back():
    """After the end nothing is kept."""
    queue = SendQueue()
    queue.write(bytes(1000))
    queue.clear()
    assert 0 == queue.size
    queue.write(b"again")
    assert b"again" == bytes(queue.look(0, 5))
