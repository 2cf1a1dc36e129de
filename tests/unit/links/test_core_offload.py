"""The offload's door to C without a privilege: sizes, and a kernel that refuses.

What the kernel has to run is in netns/test_offload_programs.py.
"""

from __future__ import annotations

import pytest

from syncache import AccessList, Intercept
from syncache._core.offload import CONFIG, HANDED_BYTES, PROCESSOR, Carried

NO_MAPS = {"carried4": -1, "carried6": -1, "events": -1}


@pytest.fixture
def engine():
    made = Intercept(acl=AccessList.parse(["permit tcp any any"]), seed=bytes(16))
    yield made
    made.close()


def test_structures_have_the_sizes_of_the_maps():
    """csrc/bpf/offload_abi.h and flow.h."""
    assert (48, 40, 96) == (CONFIG.size, PROCESSOR.size, HANDED_BYTES)


def test_nothing_to_give_costs_no_call_and_nothing_comes_back(engine):
    """The descriptors are none, so each call would fail."""
    carried = engine.carried(NO_MAPS, bytes(16))
    assert isinstance(carried, Carried)
    carried.offer(on=True)
    assert (0, 0) == carried.put(1.0)
    assert 0 == carried.take_events(1.0)


def test_map_that_cannot_be_read_is_an_error_of_the_system(engine):
    carried = engine.carried(NO_MAPS, bytes(16))
    with pytest.raises(OSError, match="bpf"):
        next(carried.look(1.0))
    with pytest.raises(OSError, match="bpf"):
        carried.take_all(1.0)
