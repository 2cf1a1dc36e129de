"""Where programs are attached, with a kernel that is made up."""

from __future__ import annotations

import errno

import pytest

from syncache._core import bpf as _core_bpf
from syncache.links import LinkError, ethtool, shield_attach
from syncache.links.rtnetlink import InterfaceInfo
from syncache.links.shield_attach import (
    Attachment,
    Pins,
    above,
    modes_of,
    receiver_of,
    tags_off,
)
from syncache.links.shield_held import Held

XDP, TC = 37, 46
PROGRAMS = {"shield_syn": 11, "shield_any": 12, "shield_ack": 13, "shield_skb": 14}


def info(name, index, kind="", below=0, **others):
    fields = {"is_below_elsewhere": False, "is_up": True, "xdp_program": 0} | others
    return InterfaceInfo(name, index, bytes(6), 1500, kind, below, **fields)


ETH = info("eth0", 2)
TAGGED = info("eth0.7", 3, "vlan", 2)
TWICE = info("eth0.7.9", 4, "vlan", 3)
THRICE = info("eth0.7.9.1", 5, "vlan", 4)
OTHER = info("eth1.7", 6, "vlan", 99)


@pytest.fixture
def kernel(monkeypatch):
    """Attaches everything; remembers what, and refuses what it is told to."""

    class Kernel:
        def __init__(self):
            self.attached, self.refused, self.interfaces = [], {}, [ETH]
            self.offloads = 0
            self.closed = []
            self.before, self.named = set, set()  # names when something is attached

        def attach(self, program, index, kind, flags):
            self.named = self.before()
            number = self.refused.get((kind, flags))
            if number:
                raise OSError(number, "bpf(2)")
            self.attached.append((program, index, kind, flags))
            return 100 + len(self.attached)

    made = Kernel()
    monkeypatch.setattr(_core_bpf, "bpf_attach", made.attach)
    monkeypatch.setattr(shield_attach, "interfaces", lambda: made.interfaces)
    monkeypatch.setattr(ethtool, "flags", lambda _: made.offloads)
    monkeypatch.setattr(shield_attach, "interface", lambda _: made.interfaces[0])
    monkeypatch.setattr(shield_attach.os, "close", made.closed.append)
    return made


def test_what_redeems_is_attached_before_what_answers(kernel):
    """Also to VLAN devices up to two tags deep."""
    kernel.interfaces = [ETH, TAGGED, TWICE, THRICE, OTHER]
    assert "native" == Attachment(ETH, None).attach(PROGRAMS, "auto")
    assert [(13, 2, TC, 8), (13, 3, TC, 8), (13, 4, TC, 8), (11, 2, XDP, 4)] == (
        kernel.attached
    )
    assert [TAGGED, TWICE] == above(ETH)


def test_tags_that_the_card_takes_off_are_seen_in_tc(kernel):
    """XDP would answer without them, if there are VLAN devices."""
    kernel.offloads = ethtool.RX_VLAN
    kernel.interfaces = [ETH, OTHER]
    assert ["native", "tc"] == modes_of(ETH, "auto")
    kernel.interfaces = [ETH, TAGGED, TWICE]
    assert ["eth0.7", "eth0.7.9"] == tags_off(ETH)
    assert ["tc"] == modes_of(ETH, "auto")
    assert ["native"] == modes_of(ETH, "native")
    kernel.offloads = ethtool.LRO
    assert ["native", "tc"] == modes_of(ETH, "auto")


def test_port_of_a_bridge_answers_and_the_bridge_redeems(kernel):
    """Of a bond both is the port's."""
    port, bridge = info("eth0", 2, master=9), info("br0", 9, "bridge")
    kernel.interfaces = [port, bridge, info("br0.7", 10, "vlan", 9)]
    Attachment(port, None).attach(PROGRAMS, "tc")
    assert [(13, 9, TC, 8), (13, 10, TC, 8), (14, 2, TC, 8)] == kernel.attached
    kernel.interfaces = [port, info("bond0", 9, "bond")]
    assert port is receiver_of(port)


def test_driver_without_xdp_is_done_without(kernel):
    """In tc, unless the driver was asked for."""
    kernel.refused = {(XDP, 4): errno.EOPNOTSUPP}
    assert "tc" == Attachment(ETH, None).attach(PROGRAMS, "auto")
    assert [(13, 2, TC, 8), (14, 2, TC, 8)] == kernel.attached
    assert "generic" == Attachment(ETH, None).attach(PROGRAMS, "generic")
    with pytest.raises(LinkError, match=r"cannot attach xdp to eth0.*no XDP"):
        Attachment(ETH, None).attach(PROGRAMS, "native")


@pytest.mark.parametrize(
    ("peer", "modes"),
    [
        (info("v1", 8, "veth", 7, xdp_program=5), ["native", "tc"]),
        (info("v1", 8, "veth", 7), ["tc"]),
    ],
)
def test_veth_is_native_only_if_its_peer_has_a_program(kernel, peer, modes):
    """What is sent from the driver waits in a peer without."""
    end = info("v0", 7, "veth", 8)
    kernel.interfaces = [end, peer]
    assert modes == modes_of(end, "auto")
    assert ["native"] == modes_of(end, "native")


def test_peer_in_another_namespace_has_none_that_we_see(kernel):
    """Its number there may be one of ours here."""
    end = info("v0", 7, "veth", 8, is_below_elsewhere=True)
    kernel.interfaces = [end, info("eth8", 8, xdp_program=5)]
    assert ["tc"] == modes_of(end, "auto")


def test_program_that_is_there_is_named(kernel, monkeypatch):
    """And not replaced; the generic mode is not tried."""
    kernel.interfaces = [info("eth0", 2, xdp_program=77)]
    kernel.refused = {(XDP, 4): errno.EBUSY}
    known = _core_bpf.ProgramInfo(77, "other_firewall", 1, 1)
    monkeypatch.setattr(_core_bpf, "bpf_program", lambda _: 5)
    monkeypatch.setattr(_core_bpf, "bpf_info", lambda _: known)
    with pytest.raises(LinkError, match=r"other_firewall \(program 77\) is on it"):
        Attachment(ETH, None).attach(PROGRAMS, "auto")


def test_mtu_that_the_driver_does_not_take_is_named(kernel):
    """And what takes any."""
    kernel.refused = {(XDP, 4): errno.ERANGE}
    with pytest.raises(LinkError, match=r"a lower MTU than 1500; --xdp tc does"):
        Attachment(ETH, None).attach(PROGRAMS, "native")
    assert "tc" == Attachment(ETH, None).attach(PROGRAMS, "auto")


def test_program_of_the_other_mode_is_named_with_its_word(kernel, monkeypatch):
    """The kernel has one of the two modes on an interface; tc does without."""
    kernel.interfaces = [info("eth0", 2, xdp_program=77, is_xdp_generic=True)]
    kernel.refused = {(XDP, 4): errno.EEXIST}
    known = _core_bpf.ProgramInfo(77, "other_firewall", 1, 1)
    monkeypatch.setattr(_core_bpf, "bpf_program", lambda _: 5)
    monkeypatch.setattr(_core_bpf, "bpf_info", lambda _: known)
    with pytest.raises(LinkError, match=r"other_firewall .* xdpgeneric off"):
        Attachment(ETH, None).attach(PROGRAMS, "native")
    assert "tc" == Attachment(ETH, None).attach(PROGRAMS, "auto")


def test_program_that_cannot_be_opened_is_named_by_its_number(kernel, monkeypatch):
    """One needs a capability for the rest."""

    def refuse(_):
        raise PermissionError(errno.EPERM, "bpf(2)")

    monkeypatch.setattr(_core_bpf, "bpf_program", refuse)
    assert "program 77" == shield_attach.holder(info("eth0", 2, xdp_program=77))
    assert "" == shield_attach.holder(ETH)


@pytest.fixture
def pins(monkeypatch, tmp_path):
    """A folder in which names are files."""
    opened = {}

    def pin(fd, path):
        path.write_text(str(fd))

    def open_(path):
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "bpf(2)")
        opened[path.name] = int(path.read_text())
        return opened[path.name]

    monkeypatch.setattr(_core_bpf, "bpf_pin", pin)
    monkeypatch.setattr(_core_bpf, "bpf_open", open_)
    monkeypatch.setattr(shield_attach, "interface_of", lambda _: ETH.index)
    return Pins(tmp_path / "pins")


def test_pinned_maps_and_links_are_found_again(kernel, pins, monkeypatch):
    """The programs of the next process take the places of the old ones."""
    replaced = []
    monkeypatch.setattr(_core_bpf, "bpf_replace", lambda *pair: replaced.append(pair))
    Attachment(ETH, pins).attach(PROGRAMS, "auto")
    pins.keep({name: 40 + i for i, name in enumerate(Pins.KEPT)})
    monkeypatch.setattr(shield_attach, "layout_of_map", lambda _: (1, 2, 3))
    layout = dict.fromkeys(Pins.KEPT, (1, 2, 3))
    assert {name: 40 + i for i, name in enumerate(Pins.KEPT)} == pins.maps(layout)
    kernel.attached.clear()
    taken = Attachment(ETH, pins)
    taken.attach(PROGRAMS, "auto")
    assert [] == kernel.attached
    assert [(101, 13), (102, 11)] == replaced
    taken.close()
    assert [102, 101] == kernel.closed[-2:]


def test_program_of_a_process_before_that_is_off_is_put_back(kernel, pins, monkeypatch):
    """Its name, which would keep the place, is given away first."""
    monkeypatch.setattr(_core_bpf, "bpf_replace", lambda *_: None)
    Attachment(ETH, pins).attach(PROGRAMS, "tc")
    made = Attachment(ETH, pins)
    made.attach(PROGRAMS, "tc")
    kernel.attached.clear()
    kernel.before = lambda: {place.name for place in pins.folder.iterdir()}
    monkeypatch.setattr(Held, "number", 5)
    monkeypatch.setattr(Held, "before", lambda *_: [])
    monkeypatch.setattr(Held, "is_off", lambda held: held.kind == "tc")
    assert ["tc on eth0: somebody took the program off; it is on again"] == [
        *made.mend({ETH.index})
    ]
    assert [(13, 2, TC, 8)] == kernel.attached
    assert {"syn-eth0"} == kernel.named


def test_pinned_map_of_another_version_is_made_anew(kernel, pins, monkeypatch):
    """Its values have another size; the others stay."""
    pins.keep({name: 40 + i for i, name in enumerate(Pins.KEPT)})
    monkeypatch.setattr(shield_attach, "layout_of_map", lambda _: (1, 2, 3))
    layout = dict.fromkeys(Pins.KEPT, (1, 2, 3)) | {"services4": (1, 2, 4)}
    assert {*Pins.KEPT} - {"services4"} == pins.maps(layout).keys()
    assert {*Pins.KEPT} - {"services4"} == pins.maps(
        dict.fromkeys(layout, (1, 2, 3))
    ).keys()


def test_link_of_an_interface_that_had_the_name_is_not_taken_over(
    kernel, pins, monkeypatch
):
    """It was renamed, and another one is called so now."""
    Attachment(ETH, pins).attach(PROGRAMS, "tc")
    kernel.attached.clear()
    monkeypatch.setattr(shield_attach, "interface_of", lambda _: ETH.index + 1)
    Attachment(ETH, pins).attach(PROGRAMS, "tc")
    assert [(13, 2, TC, 8), (14, 2, TC, 8)] == kernel.attached


def test_link_of_an_interface_that_is_gone_is_made_anew(kernel, pins, monkeypatch):
    """Its name is given to the new one."""

    def refuse(*_):
        raise OSError(errno.ENOLINK, "bpf(2)")

    Attachment(ETH, pins).attach(PROGRAMS, "auto")
    monkeypatch.setattr(_core_bpf, "bpf_replace", refuse)
    kernel.attached.clear()
    Attachment(ETH, pins).attach(PROGRAMS, "auto")
    assert 2 == len(kernel.attached)


@pytest.mark.parametrize("before", ["native", "generic", "tc"])
@pytest.mark.parametrize("after", ["native", "generic", "tc"])
def test_syns_are_answered_in_one_place_after_another_choice(
    kernel, pins, monkeypatch, before, after
):
    """What a process before us answered by goes."""
    monkeypatch.setattr(_core_bpf, "bpf_replace", lambda *_: None)
    Attachment(ETH, pins).attach(PROGRAMS, before)
    kernel.before = lambda: {place.name for place in pins.folder.iterdir()}
    Attachment(ETH, pins).attach(PROGRAMS, after)
    # XDP has one place, of either mode, which a name would keep.
    other = {"native": "generic-eth0", "generic": "xdp-eth0", "tc": ""}[after]
    assert other not in kernel.named
    names = {place.name for place in pins.folder.iterdir()}
    assert {"tc-eth0", f"{shield_attach.KINDS[after]}-eth0"} == names


def test_folder_belongs_to_one_process_and_one_interface(monkeypatch, tmp_path):
    """Their programs have their maps in common; one that is gone leaves no program."""
    known = [info("eth0.5", 2), info("eth1", 3)]
    monkeypatch.setattr(shield_attach, "interfaces", lambda: known)
    pins, other = Pins(tmp_path / "pins"), Pins(tmp_path / "pins")
    pins.claim("eth0.5")
    with pytest.raises(LinkError, match=r"is another process's"):
        other.claim("eth0.5")
    other.release()
    pins.release()
    closed = []
    with monkeypatch.context() as patch:
        patch.setattr(shield_attach.os, "close", closed.append)
        pins.release()  # a second time: what is closed then is somebody else's
    assert [] == closed
    (pins.folder / "syn-eth0%2E5").touch()
    with pytest.raises(LinkError, match=r"has the programs of eth0.5: .*rm -r"):
        other.claim("eth1")
    other.release()
    del known[0]
    other.claim("eth1")
    other.release()
    assert [] == list(pins.folder.iterdir())


def test_names_that_were_given_are_removed_again(kernel, tmp_path, pins):
    """Of a shield that did not come about; a folder that was there stays."""
    Attachment(ETH, pins).attach(PROGRAMS, "tc")
    pins.undo()
    assert not pins.folder.exists()
    tmp_path.joinpath("mine").mkdir()
    pins = Pins(tmp_path / "mine")
    pins.hold("tc", "eth0", 7)
    pins.undo()
    assert [] == list(pins.folder.iterdir())


def test_folder_of_another_file_system_is_refused(tmp_path, monkeypatch):
    """With the place that it should be in."""

    def refuse(*_):
        raise OSError(errno.EINVAL, "bpf(2)")

    monkeypatch.setattr(_core_bpf, "bpf_pin", refuse)
    with pytest.raises(LinkError, match="/sys/fs/bpf/NAME"):
        Pins(tmp_path).hold("xdp", "eth0", 3)
    with pytest.raises(LinkError, match="/sys/fs/bpf/NAME"):
        Pins(tmp_path / "no" / "such")
