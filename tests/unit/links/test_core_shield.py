"""The shield's structures, as Python fills them."""

from __future__ import annotations

import struct

import pytest

from syncache._core import shield as core

KEY_BYTES = 40


def keys_of(config):
    """Return the epochs of the four places."""
    text = config.content()
    return [struct.unpack_from("=Q", text, i * KEY_BYTES + 32)[0] for i in range(4)]


def test_fresh_configuration_has_no_key():
    """No epoch is the one that the programs look for."""
    assert [core.NO_EPOCH] * 4 == keys_of(core.Config())


def test_key_lies_where_its_epoch_belongs_and_is_wiped():
    """By the lowest two bits of the epoch."""
    config = core.Config()
    for epoch in (6, 7, 8):
        config.key(epoch, bytes(range(16)))
    assert [8, core.NO_EPOCH, 6, 7] == keys_of(config)
    config.forget({8})
    assert [8, *[core.NO_EPOCH] * 3] == keys_of(config)
    assert bytes(32) == config.content()[2 * KEY_BYTES : 2 * KEY_BYTES + 32]


def test_key_is_mixed_with_the_constants_of_siphash():
    """As siphash_begin() does."""
    config = core.Config()
    config.key(0, bytes(16))
    state = struct.unpack_from("=4Q", config.content())
    assert b"somepseudorandomlygeneratedbytes" == b"".join(
        word.to_bytes(8, "big") for word in state
    )


@pytest.mark.parametrize("layout", [0, 1])
def test_index_of_every_scale_is_that_of_the_table(layout):
    """Four bits for each: the largest entry from the first that is not above it."""
    config = core.Config()
    config.put(rcv_wscale=7)
    config.shape(layout, 0)
    for family in config._config.family:
        table = list(family.wscale)
        for scale in range(15):
            index = max(i for i in range(1, 8) if i == 1 or table[i] <= scale)
            assert index == family.wscale_index >> 4 * scale & 15


def test_fields_are_set_by_their_names():
    """And an address in two words, as it lies in a frame."""
    config = core.Config()
    config.put(window=1234, epoch=9)
    config.mac(bytes.fromhex("020000000a0b"))
    assert 1234 == config.window
    assert bytes.fromhex("020000000a0b0000") in config.content()


def test_counters_are_those_of_the_programs():
    """One word each."""
    assert {"syn", "synack", "redeemed", "refused"} <= set(core.COUNTERS)
    (row,) = core.PROCESSOR.unpack(bytes(core.PROCESSOR.size))
    assert 8 * len(core.COUNTERS) == len(row)
