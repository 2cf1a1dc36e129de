"""csrc/python/door.h, a module in the file of `_ffi`: calls without cffi."""

from __future__ import annotations

from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import TYPE_CHECKING

from .. import _ffi

__all__ = ["Door", "Place", "burst", "guard", "poll", "wait"]

if TYPE_CHECKING:
    from typing_extensions import Self

    class Door:
        """The token of who may use an engine."""

        _engine: int
        _keys_until: float
        closed: bool

        def __enter__(self) -> Self: ...
        def __exit__(self, *_: object) -> None: ...

    class Place:
        """Where a ring lies."""

        _ring: int

        def clear(self) -> None: ...

    def burst(core: Door, rx: Place, tx: Place, now: float, /) -> int: ...
    def guard(core: Door, key: bytes, numbers: tuple[int, ...], /) -> None: ...
    def poll(core: Door, tx: Place, now: float, /) -> int: ...
    def wait(
        core: Door, attend: int, epoll: int, timeout: float, /
    ) -> list[tuple[int, int]]: ...

else:
    _loader = ExtensionFileLoader("syncache._door", _ffi.__file__)
    _door = module_from_spec(spec_from_loader(_loader.name, _loader))
    _loader.exec_module(_door)
    Door, Place = _door.Door, _door.Place
    burst, guard, poll = _door.burst, _door.guard, _door.poll
    wait = getattr(_door, "wait", None)  # with csrc/link alone
