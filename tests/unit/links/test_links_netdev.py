"""What is changed of an interface, and that it is put back; a fake pyroute2."""

from __future__ import annotations

import asyncio
import errno
import resource
import sys
import threading
from types import SimpleNamespace

import pytest

from syncache.links import LinkError
from syncache.links.netdev import Netdev, by_netlink


class NetlinkError(Exception):
    def __init__(self, code):
        super().__init__(code, "refused")
        self.code = code


class Message(dict):
    def get_attr(self, name):
        return self.get(name.removeprefix("IFLA_").removeprefix("IFA_").lower())


class Kernel:
    """Interface 7, whose changes are recorded as words."""

    def __init__(self):
        self.log = []
        self.refused = {}
        self.addresses = []
        self.state, self.mtu = "down", 1500

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def link_lookup(self, ifname):
        return [7] if ifname == "tun7" else []

    def get_links(self, _index):
        return [Message(state=self.state, mtu=self.mtu, txqlen=500)]

    def get_addr(self, index):
        return self.addresses

    def _take(self, noun, verb, **what):
        what.pop("index", None)
        what.pop("oif", None)
        words = " ".join([noun, verb, *map(str, what.values())])
        if words in self.refused:
            raise NetlinkError(self.refused[words])
        self.log.append(words)

    def link(self, verb, **what):
        self._take("link", verb, **what)

    def addr(self, verb, **what):
        self._take("addr", verb, **what)

    def route(self, verb, **what):
        self._take("route", verb, **what)


@pytest.fixture
def kernel(monkeypatch):
    made = Kernel()
    module = SimpleNamespace(IPRoute=lambda: made, NetlinkError=NetlinkError)
    monkeypatch.setitem(sys.modules, "pyroute2", module)
    return made


def test_everything_asked_for_is_set_and_then_undone_in_reverse(kernel):
    """Addresses before routes, for a route may need one."""
    device = Netdev(
        "tun7", ["192.0.2.1/24"], routes=["198.51.100.0/24"], mtu=9000, queue=10_000
    )
    done = [
        "link set 9000",
        "link set 10000",
        "addr add 192.0.2.1/24",
        "link set up",
        "route add 198.51.100.0/24",
    ]
    assert kernel.log == done
    device.restore()
    device.restore()
    assert kernel.log[5:] == [
        "route del 198.51.100.0/24",
        "link set down",
        "addr del 192.0.2.1/24",
        "link set 500",
        "link set 1500",
    ]


def test_what_is_there_already_is_left_there(kernel):
    """An address that was found, an interface that was up: not ours to remove."""
    kernel.state, kernel.mtu = "up", 9000
    kernel.refused["addr add 192.0.2.1/24"] = errno.EEXIST
    device = Netdev("tun7", ["192.0.2.1/24", "2001:db8::1/64"], mtu=9000)
    device.restore()
    assert kernel.log == ["addr add 2001:db8::1/64 2", "addr del 2001:db8::1/64"]


def test_refusal_undoes_what_was_done_and_raises_one_line(kernel):
    """Half a configuration is none."""
    kernel.refused["route add 198.51.100.0/24"] = errno.EINVAL
    with pytest.raises(LinkError, match=r"^cannot configure tun7: ") as caught:
        Netdev("tun7", ["192.0.2.1/24"], routes=["198.51.100.0/24"])
    assert caught.value.errno == errno.EINVAL
    assert kernel.log == [
        "addr add 192.0.2.1/24",
        "link set up",
        "link set down",
        "addr del 192.0.2.1/24",
    ]


def test_refusal_for_want_of_a_right_says_which(kernel):
    """In words, not as a library prints its exception."""
    kernel.refused["addr add 192.0.2.1/24"] = errno.EPERM
    with pytest.raises(LinkError) as caught:
        Netdev("tun7", ["192.0.2.1/24"])
    text = "cannot configure tun7: refused: run as root (CAP_NET_ADMIN)"
    assert text == str(caught.value)


def test_restore_passes_over_what_somebody_else_removed(kernel):
    """The rest is still put back."""
    device = Netdev("tun7", ["192.0.2.1/24"])
    kernel.refused["addr del 192.0.2.1/24"] = errno.EADDRNOTAVAIL
    kernel.log.clear()
    device.restore()
    assert kernel.log == ["link set down"]


@pytest.mark.usefixtures("kernel")
@pytest.mark.usefixtures("kernel")
def test_without_a_further_thread_or_descriptor_it_is_done_all_the_same(monkeypatch):
    """At the end of a process that has used up all it may have."""
    seen = []

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    def work(_):
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        seen.append(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    async def main():
        running = asyncio.get_running_loop()
        by_netlink(work)
        assert asyncio.get_running_loop() is running

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    by_netlink(work)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    asyncio.run(main())
    assert [before[1]] * 2 == seen
    assert before == resource.getrlimit(resource.RLIMIT_NOFILE)


@pytest.mark.usefixtures("kernel")
def test_error_of_the_work_is_no_want_of_a_thread():
    """It is done once."""
    calls = []

    def work(_):
        calls.append(1)
        raise RuntimeError("of its own")

    with pytest.raises(RuntimeError, match="of its own"):
        by_netlink(work)
    assert [1] == calls


def test_interface_that_does_not_exist_raises_one_line():
    """It may have gone while it was being configured."""
    with pytest.raises(LinkError, match="cannot configure tun8"):
        Netdev("tun8", ["192.0.2.1/24"])


def test_without_pyroute2_one_line_says_how_to_get_it(monkeypatch):
    """And how to do without."""
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    with pytest.raises(LinkError, match=r"pip install 'tcp-syncache\[cli\]', or give"):
        Netdev("tun7", ["192.0.2.1/24"])


class Record:
    """A claim: what is on record when each change is made."""

    def __init__(self, steps=()):
        self.steps = list(steps)

    def record(self, steps):
        self.steps = steps


def test_address_that_the_interface_has_is_not_put_on_record(kernel):
    """A process killed right then leaves nobody who would remove it."""
    kernel.addresses = [
        Message(address="192.0.2.1", prefixlen=24),
        Message(local="192.0.2.9", address="192.0.2.8", prefixlen=31),
    ]
    claim = Record()
    Netdev("tun7", ["192.0.2.1/24", "192.0.2.9/31"], claim=claim)
    assert [["down"]] == claim.steps
    assert ["link set up"] == kernel.log


def test_change_is_on_record_before_it_is_made(kernel):
    """And no longer when it is undone."""
    claim = Record()
    seen = []
    take = kernel._take
    kernel._take = lambda *words, **what: (
        seen.append((words[0], len(claim.steps))),
        take(*words, **what),
    )
    device = Netdev("tun7", ["192.0.2.1/24"], mtu=9000, claim=claim)
    assert [("link", 1), ("addr", 2), ("link", 3)] == seen
    device.restore()
    assert [] == claim.steps


def test_what_a_killed_process_left_is_undone_by_the_next(kernel):
    """The values from before the first; what nobody wants now, at once."""
    kernel.state, kernel.mtu = "up", 9000
    kernel.addresses = [Message(address="192.0.2.1", prefixlen=24)]
    left = [["mtu", 1500], ["addr", "192.0.2.1/24"], ["addr", "192.0.2.2/24"], ["down"]]
    claim = Record(left)
    device = Netdev("tun7", ["192.0.2.1/24"], mtu=8000, claim=claim)
    assert ["addr del 192.0.2.2/24", "link set 8000"] == kernel.log
    kernel.log.clear()
    device.restore()
    assert ["link set down", "addr del 192.0.2.1/24", "link set 1500"] == kernel.log


@pytest.mark.usefixtures("kernel")
def test_record_that_makes_no_sense_is_passed_over():
    """It is a file that anybody with root may have spoilt."""
    claim = Record([["nonsense"], ["mtu", "x"], ["mtu"], ["addr"], ["route", 5]])
    device = Netdev("tun7", claim=claim)
    device.restore()
    assert [] == claim.steps
