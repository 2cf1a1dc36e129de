"""syncache/links/refusals.py: what a link says of a kernel that takes nothing."""

from __future__ import annotations

import errno
import logging

from syncache.links import LinkError
from syncache.links.refusals import Refusals, gone


def test_each_change_is_told_once(caplog):
    """Begin, another reason, end; no line while nothing changes."""
    caplog.set_level(logging.WARNING)
    refusals = Refusals()
    for error in (0, errno.EIO, errno.EIO, errno.ENETDOWN, 0, 0):
        refusals.tell("eth7", error)
    assert [record.getMessage() for record in caplog.records] == [
        "eth7: not sending: Input/output error; going on",
        "eth7: not sending: Network is down; going on",
        "eth7: sending again",
    ]


def test_refusal_with_a_remedy_names_it(caplog):
    """What the system's words alone do not tell."""
    caplog.set_level(logging.WARNING)
    refusals = Refusals()
    for error in (errno.ENOBUFS, errno.EPERM):
        refusals.tell("eth7", error)
    full, rule = [record.getMessage() for record in caplog.records]
    assert "available: the interface's queue is full, or it has no carrier; " in full
    assert "not permitted: a rule of this machine's firewall" in rule


def test_outage_that_another_link_tells_is_not_told_again(caplog):
    """Neither its begin nor its end; other reasons are."""
    caplog.set_level(logging.WARNING)
    refusals = Refusals()
    for error in (errno.ENETDOWN, 0, errno.EIO, 0):
        refusals.tell("eth7", error, outages=False)
    assert [record.getMessage() for record in caplog.records] == [
        "eth7: not sending: Input/output error; going on",
        "eth7: sending again",
    ]


def test_gone_names_the_interface_and_keeps_the_number():
    """A LinkError, for whoever ends with it."""
    error = gone("eth7", errno.ENODEV)
    assert isinstance(error, LinkError)
    assert str(error) == "eth7 is gone: No such device"
    assert error.errno == errno.ENODEV
