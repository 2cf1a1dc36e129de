"""Redeemed handshakes: their part of the door to C; see `_core`, whose rules hold here.

The calls are described in csrc/flow/flow.h, and what is behind them in
csrc/flow/redeemed.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ffi, lib
from .block import milliseconds
from .mirror import limit

if TYPE_CHECKING:
    from .flow import FlowCore

KEY_BYTES = limit("SYNCACHE_KEY_BYTES")
NUMBERS = limit("FLOW_REDEEMED_NUMBERS")
FILTER_BYTES_MAX = limit("FLOW_REDEEMED_BYTES")
DATA_BYTES_MAX = 64


def numbers(key: bytes, data: bytes) -> tuple[int, ...]:
    """Return the numbers of a handshake; see `flow_redeemed_numbers`."""
    if len(key) != KEY_BYTES or len(data) > DATA_BYTES_MAX:
        raise ValueError(
            f"a key of {KEY_BYTES} bytes and data of at most {DATA_BYTES_MAX}, not of "
            f"{len(key)} and {len(data)}"
        )
    found = ffi.new("uint16_t[]", NUMBERS)
    lib.flow_redeemed_numbers(key, data, len(data), found)
    return tuple(found)


class Shared:
    """The handshakes that an engine completes, and the filters of those of others.

    Args:
        core: The engine's.
        key: Common to the group.
    """

    def __init__(self, core: FlowCore, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key of {KEY_BYTES} bytes, not of {len(key)}")
        self._core = core
        self._block = ffi.new("struct flow_redeemed *")
        self._block.key = key
        with core:
            core.set_redeemed(self._block)

    @property
    def refused(self) -> int:
        """How many ACKs were refused because another machine had redeemed them."""
        return int(self._block.refused)

    def fresh(self) -> list[tuple[int, ...]]:
        """Take the numbers of the handshakes that were completed since."""
        with self._core:
            block = self._block
            found = [tuple(block.fresh[n]) for n in range(block.fresh_count)]
            block.fresh_count = 0
        return found

    def hear(self, bits: bytes, now: float, seconds: float) -> None:
        """Keep a filter of another machine for so long."""
        if not 0 < len(bits) <= FILTER_BYTES_MAX:
            raise ValueError(f"a filter of {len(bits)} bytes")
        with self._core:
            lib.flow_redeemed_hear(
                self._block, milliseconds(now), milliseconds(seconds), bits, len(bits)
            )
