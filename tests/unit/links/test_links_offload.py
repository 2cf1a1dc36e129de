"""`Offload` without a privilege: what it refuses.

What it does is in netns/test_offload.py.
"""

from __future__ import annotations

import os

import pytest

from syncache import AccessList, Intercept
from syncache.links import offload
from syncache.links.link import LinkError
from syncache.links.memory import pair
from syncache.links.offload import Offload
from syncache.links.packet import Packet

NO_MAPS = ("config_map", "processor_map", "carried4", "carried6", "events")


class Interface(Packet):
    """An interface that is none."""

    index = 1

    def __init__(self):
        self.programs = []

    def select(self, program):
        self.programs.append(program)


class Programs:
    """Programs and maps that no kernel has."""

    programs = {"offload_take": 7, "offload_splice": 8}  # noqa: RUF012
    maps = dict.fromkeys(NO_MAPS, -1)

    def __init__(self, name, entries):
        assert (name, {*entries}) == ("offload", {"carried4", "carried6"})

    def close(self):
        pass


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(offload, "BpfObject", Programs)
    monkeypatch.setattr(offload._core_bpf, "update", lambda *_: None)
    null = lambda *_: os.open(os.devnull, os.O_RDONLY)  # noqa: E731
    monkeypatch.setattr(offload._core_bpf, "bpf_attach", null)
    engine = Intercept(acl=AccessList.parse(["permit tcp any any"]))
    offloaded = Offload(engine, Interface(), Interface())
    yield offloaded, engine
    offloaded.close(9.0)
    engine.close()


def test_map_that_cannot_be_read_is_told_and_asked_again_later(made):
    """A file of connections is written all the same."""
    offloaded, _ = made
    offloaded.turn(1.0)
    assert 2.0 == offloaded.next_deadline()
    assert "map of connections: " in offloaded.trouble
    assert not offloaded.is_looking
    assert offloaded.is_fresh(1.5)


def test_taking_back_is_tried_again_until_it_succeeds(made, monkeypatch):
    """Nothing is forgotten in the kernel's hands."""
    offloaded, engine = made
    engine.sysctl[offload.WANTED] = 0
    assert 0.0 == offloaded.next_deadline()
    answers = [OSError(5, "refused"), 0]

    def take_all(*_):
        if isinstance(answer := answers.pop(0), OSError):
            raise answer
        return answer

    monkeypatch.setattr(type(offloaded._carried), "take_all", take_all)
    offloaded.turn(1.0)
    assert 1 == len(answers)
    assert 2.0 == offloaded.next_deadline()
    offloaded.turn(2.0)
    assert offloaded.next_deadline() is None
    offloaded.turn(3.0)
    assert [] == answers
    answers.append(0)  # of the end


def test_links_that_are_no_interfaces_are_refused():
    """Before anything is asked of the kernel."""
    engine = Intercept(acl=AccessList.parse(["permit tcp any any"]))
    link, other = pair()
    with pytest.raises(LinkError, match="two interfaces"):
        Offload(engine, link, other)
    engine.close()
