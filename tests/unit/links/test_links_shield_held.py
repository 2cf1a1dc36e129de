"""What others do to the programs of a shield, with a kernel that is made up."""

from __future__ import annotations

import errno

import pytest
from test_links_shield_attach import (  # noqa: F401
    ETH,
    PROGRAMS,
    TAGGED,
    TC,
    XDP,
    kernel,
)

from syncache._core import bpf as _core_bpf
from syncache.links import LinkError, shield_held
from syncache.links.shield_attach import Attachment

OURS, STRANGER, OTHER_SHIELD = 13, 77, 78
NAMES = {STRANGER: "cil_from_netdev", OTHER_SHIELD: "shield_ack"}


@pytest.fixture
def held(kernel, monkeypatch, tmp_path):  # noqa: F811
    """An attachment to eth0 and eth0.7: tc has the links 101 and 102, XDP 103."""
    kernel.interfaces = [ETH, TAGGED]
    kernel.order = {}
    monkeypatch.setattr(shield_held, "FDINFO", tmp_path)
    monkeypatch.setattr(
        _core_bpf, "bpf_query", lambda index, _: kernel.order.get(index, [OURS])
    )
    monkeypatch.setattr(_core_bpf, "bpf_program", lambda number: number)
    monkeypatch.setattr(
        _core_bpf,
        "bpf_info",
        lambda fd: _core_bpf.ProgramInfo(fd, NAMES.get(fd, ""), 1, 1),
    )
    for fd in range(101, 110):
        (tmp_path / str(fd)).write_text("link_type:\ttcx\nifindex:\t2\n")
    made = Attachment(ETH, None)
    made.attach(PROGRAMS, "native")
    kernel.attached.clear()
    kernel.attached += [None] * 3  # whose numbers go on
    return made


def off(tmp_path, fd):
    (tmp_path / str(fd)).write_text("link_type:\ttcx\nifindex:\t0\n")


def test_program_that_was_taken_off_is_put_back(held, kernel, tmp_path):  # noqa: F811
    """Once, with a line; what is on stays."""
    off(tmp_path, 101)
    off(tmp_path, 103)
    assert [
        "tc on eth0: somebody took the program off; it is on again",
        "xdp on eth0: somebody took the program off; it is on again",
    ] == list(held.mend({2, 3}))
    assert [(13, 2, TC, 8), (11, 2, XDP, 4)] == kernel.attached[3:]
    assert [] == list(held.mend({2, 3}))


def test_line_is_told_once_all_are_back(held, kernel, tmp_path):  # noqa: F811
    """Half a shield would answer SYNs and redeem no cookie, or the other way round."""
    off(tmp_path, 101)
    off(tmp_path, 103)
    next(held.mend({2, 3}))
    assert 2 == len(kernel.attached[3:])


def test_line_of_what_is_back_is_told_before_the_error(held, kernel, tmp_path):  # noqa: F811
    off(tmp_path, 101)
    off(tmp_path, 103)
    kernel.refused = {(XDP, 4): errno.EBUSY}
    lines = held.mend({2, 3})
    assert "tc on eth0: somebody took the program off; it is on again" == next(lines)
    with pytest.raises(LinkError, match="cannot attach xdp"):
        next(lines)


def test_device_that_is_gone_has_nothing_to_be_put_back(held, kernel, tmp_path):  # noqa: F811
    """A VLAN device that was deleted took its program with it."""
    off(tmp_path, 102)
    assert [] == list(held.mend({2}))
    assert 3 == len(kernel.attached)


def test_program_that_came_before_ours_is_passed_once(held, kernel):  # noqa: F811
    """Another shield's never, and who insists is let be."""
    kernel.order = {2: [OTHER_SHIELD, OURS, STRANGER], 3: [STRANGER, OURS]}
    assert [
        f"tc on eth0.7: program {STRANGER} came before ours, which is the first again"
    ] == list(held.mend({2, 3}))
    assert [(13, 3, TC, 8)] == kernel.attached[3:]
    assert [] == list(held.mend({2, 3}))


def test_each_of_ours_passes_a_program_that_came_in_between(held, kernel, monkeypatch):  # noqa: F811
    """It was behind the first when that was looked at, and before the second."""
    came = iter([[OURS], [STRANGER, OURS]])
    monkeypatch.setattr(_core_bpf, "bpf_query", lambda *_: next(came))
    assert 1 == len(list(held.mend({2, 3})))
    monkeypatch.setattr(_core_bpf, "bpf_query", lambda *_: [STRANGER, OURS])
    assert [
        f"tc on eth0: program {STRANGER} came before ours, which is the first again"
    ] == list(held.mend({2, 3}))


def test_own_programs_are_no_strangers_where_none_can_be_named(
    held,
    kernel,  # noqa: F811
    monkeypatch,
):
    """Without CAP_SYS_ADMIN the kernel opens no program by its number."""

    def refuse(_):
        raise PermissionError(errno.EPERM, "bpf(2)")

    monkeypatch.setattr(_core_bpf, "bpf_program", refuse)
    kernel.order = {2: [PROGRAMS["shield_syn"], OURS], 3: [OURS]}
    assert [] == list(held.mend({2, 3}))


def test_program_that_cannot_be_put_back_is_an_error(held, kernel, tmp_path):  # noqa: F811
    """Of one line, as at the start."""
    off(tmp_path, 103)
    kernel.refused = {(XDP, 4): errno.EBUSY}
    with pytest.raises(LinkError, match=r"cannot attach xdp to eth0: another program"):
        list(held.mend({2, 3}))


def test_program_that_may_not_be_opened_has_no_name(monkeypatch):
    """That takes CAP_SYS_ADMIN."""

    def refuse(_):
        raise PermissionError(errno.EPERM, "bpf(2)")

    monkeypatch.setattr(_core_bpf, "bpf_program", refuse)
    assert "" == shield_held.name_of(STRANGER)
