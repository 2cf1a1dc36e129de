"""What every link promises."""

from __future__ import annotations

import errno

import pytest

from syncache.links import Link, LinkError


def test_link_error_is_an_os_error_of_one_line():
    """Whoever catches OSError sees the line alone, and the number if there is one."""
    error = LinkError("tun0 is gone", errno.EBADFD)
    assert isinstance(error, OSError)
    assert str(error) == "tun0 is gone"
    assert error.errno == errno.EBADFD
    assert LinkError("no number").errno is None


@pytest.mark.parametrize("missing", ["mtu", "fileno", "receive", "send", "close"])
def test_link_protocol_names_five_things(missing):
    """An object that lacks one of them is no link."""
    names = {"mtu", "fileno", "receive", "send", "close"}
    whole = type("Whole", (), dict.fromkeys(names, print))()
    part = type("Part", (), dict.fromkeys(names - {missing}, print))()
    assert isinstance(whole, Link)
    assert not isinstance(part, Link)
