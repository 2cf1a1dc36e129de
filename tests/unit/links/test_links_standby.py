"""syncache/links/standby.py: what can be seen without a kernel.

That frames pass or do not is shown by tests/netns/test_standby.py.
"""

from __future__ import annotations

import socket
import sys
import types

import pytest

from syncache.links import LinkError, bpf, standby
from syncache.links.standby import stand_by


def test_without_pyroute2_there_is_nothing_to_leave(monkeypatch):
    """And what cannot be placed is said with the remedy."""
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    stand_by("o0", "i0", "leave")
    with pytest.raises(LinkError, match=r"needs pyroute2: pip install"):
        stand_by("o0", "i0", "bypass")


LOOPBACK = socket.if_nametoindex("lo")


@pytest.mark.parametrize(
    ("name", "known", "asked"),
    [("lo", set(), 0), ("lo", {LOOPBACK}, 1), ("none0", set(), 1)],
)
def test_pyroute2_is_not_loaded_where_there_is_nothing_to_undo(
    monkeypatch, name, known, asked
):
    """It would be a quarter of the start, of one after a kill above all."""
    library, calls = types.SimpleNamespace(NetlinkError=OSError), []
    monkeypatch.setitem(sys.modules, "pyroute2", library)
    monkeypatch.setattr(standby.rtnetlink, "have_clsact", lambda: known)
    monkeypatch.setattr(standby, "by_netlink", calls.append)
    stand_by(name, name, "leave")
    assert asked == len(calls)


def test_interface_that_is_not_there_is_named():
    """Both are, since it is about both."""
    pytest.importorskip("pyroute2")
    with pytest.raises(LinkError, match="--on-exit block of none0 and none1: "):
        stand_by("none0", "none1", "block")


def test_program_of_a_bypass_names_the_other_interface():
    """Index, flags, the helper, its result."""
    code = list(bpf.INSTRUCTION.iter_unpack(bpf.pass_on_program(7)))
    assert [(0xB7, 1, 0, 7), (0xB7, 2, 0, 0), (0x85, 0, 0, 23), (0x95, 0, 0, 0)] == code
