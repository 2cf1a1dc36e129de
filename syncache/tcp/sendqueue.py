"""The bytes that the application wrote and the peer has not acknowledged.

A circular buffer that doubles when it is full, so that writing, carving segments and
dropping what was acknowledged cost no more than one copy of each byte.
"""

from __future__ import annotations

_FIRST_CAPACITY = 16384
_NOTHING = memoryview(b"")


class SendQueue:
    """A queue of bytes whose any part can be looked at again."""

    __slots__ = ("_head", "_memory", "size")

    def __init__(self) -> None:
        self._memory = _NOTHING
        self._head = 0
        self.size = 0

    def write(self, data: memoryview | bytes | bytearray) -> None:
        """Append all of `data`."""
        count = len(data)
        if count == 0:
            return
        if self.size + count > len(self._memory):
            self._grow(self.size + count)
        capacity = len(self._memory)
        tail = (self._head + self.size) % capacity
        first = min(count, capacity - tail)
        self._memory[tail : tail + first] = data[:first]
        if first < count:
            self._memory[: count - first] = data[first:]
        self.size += count

    def look(self, offset: int, count: int) -> memoryview:
        """Return `count` bytes from `offset` on, valid until the next write."""
        assert 0 <= offset <= offset + count <= self.size
        capacity = len(self._memory)
        start = self._head + offset
        if start >= capacity:
            start -= capacity
        end = start + count
        if end <= capacity:
            return self._memory[start:end]
        joined = bytes(self._memory[start:]) + bytes(self._memory[: end - capacity])
        return memoryview(joined)

    def discard(self, count: int) -> None:
        """Forget the first `count` bytes."""
        assert 0 <= count <= self.size
        self.size -= count
        if self.size:
            self._head = (self._head + count) % len(self._memory)
        else:
            self._head = 0

    def clear(self) -> None:
        """Forget everything and give the memory back."""
        self._memory = _NOTHING
        self._head = self.size = 0

    def _grow(self, needed: int) -> None:
        capacity = max(_FIRST_CAPACITY, len(self._memory))
        while capacity < needed:
            capacity *= 2
        memory = memoryview(bytearray(capacity))
        memory[: self.size] = self.look(0, self.size)
        self._memory = memory
        self._head = 0
