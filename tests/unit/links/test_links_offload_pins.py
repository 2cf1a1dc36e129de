"""What a killed process left in the kernel, with a kernel that is made up."""

from __future__ import annotations

import errno
import os

import pytest

from syncache import flow_state
from syncache._core import bpf as _core_bpf
from syncache._core.offload import config
from syncache.links import offload_pins, shield_attach
from syncache.links.offload_pins import OffloadPins, caught_up

LAYOUT = (1, 2, 3)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Names are files, and maps are empty."""

    def pin(_, path):
        path.write_text("map")

    def open_(path):
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "bpf(2)")
        return os.open(os.devnull, os.O_RDONLY)

    told = config(bytes(16), 1, 2)
    monkeypatch.setattr(_core_bpf, "bpf_pin", pin)
    monkeypatch.setattr(_core_bpf, "bpf_open", open_)
    monkeypatch.setattr(_core_bpf, "lookup", lambda *_: told)
    monkeypatch.setattr(shield_attach, "layout_of_map", lambda _: LAYOUT)
    known = dict.fromkeys(OffloadPins.KEPT, LAYOUT)
    monkeypatch.setattr(offload_pins, "layout_of", lambda _: known)
    return tmp_path / "pins"


def test_names_are_given_and_removed(folder):
    pins = OffloadPins(folder)
    pins.keep(dict.fromkeys(OffloadPins.KEPT, 5))
    assert {*OffloadPins.KEPT} == {path.name for path in folder.iterdir()}
    pins.drop_all()
    pins.drop_all()
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("kept", [(), OffloadPins.KEPT[:2], OffloadPins.KEPT])
def test_state_without_its_connection_in_the_maps_stays_as_it_is(folder, kept):
    """Nothing is there, or some of it, or the maps have other connections."""
    OffloadPins(folder)
    for name in kept:
        (folder / name).write_text("map")
    state = flow_state.pack(bytes(72))
    assert state == caught_up(folder, state)


def test_state_that_is_none_is_left_to_who_takes_it_up(folder):
    OffloadPins(folder).keep(dict.fromkeys(OffloadPins.KEPT, 5))
    assert b"rubbish" == caught_up(folder, b"rubbish")
