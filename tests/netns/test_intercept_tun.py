"""`syncache intercept --tun`: between two TUN devices of a router.

The client and the server of shielded.py are on one network, of which the router in
between answers for both; what comes from either is routed into the TUN device of its
side, and what comes out of the other device goes on.
"""

from __future__ import annotations

import hashlib
import os
import signal

import pytest
from namespace import PATIENCE, wait_until
from shielded import ADDRESS, CLIENT, COMMAND, HOST, shielding, sysctl

pytestmark = pytest.mark.netns

BULK = os.urandom(20_000_000)
SIDES = {"tuno": ("o0", CLIENT[4], ADDRESS[4]), "tuni": ("i0", ADDRESS[4], CLIENT[4])}


@pytest.fixture(scope="module")
def routed(tmp_path_factory):
    with shielding(tmp_path_factory.mktemp("routed")) as made:
        for name in ("ip_forward", "conf.o0.proxy_arp", "conf.i0.proxy_arp"):
            sysctl(made.us, f"net.ipv4.{name}", 1)
        for name in ("all", "default", "o0", "i0"):
            sysctl(made.us, f"net.ipv4.conf.{name}.rp_filter", 0)
        made.us.run("ip", "addr", "add", "198.18.0.254/32", "dev", "o0")
        made.nginx(bulk=BULK)
        yield made


def lead(us, tun, table):
    """Route one side through its device, and what comes out of the other one to it."""
    veth, near, far = SIDES[tun]
    us.run("ip", "link", "set", tun, "up")
    us.run("ip", "route", "add", near, "dev", veth)
    us.run("ip", "route", "add", far, "dev", tun, "table", table)
    us.run("ip", "rule", "add", "iif", veth, "table", table)


def test_transfer_both_ways_between_two_tun_devices_arrives_whole(routed, tmp_path):
    """Super-segments of the kernel go through like any other packet."""
    links = ["--tun", "--outside", "tuno", "--inside", "tuni", "--list", routed.acl]
    routed.process = routed.us.start(*COMMAND, *links)
    assert "between tuno and tuni" in routed.process.stdout.readline()
    wait_until(lambda: all(routed.us.show(name) for name in SIDES))
    for table, name in enumerate(SIDES, 100):
        lead(routed.us, name, str(table))
    url = f"http://{HOST[4]}"
    routed.curl("-m", "99", "-o", tmp_path / "down", f"{url}/bulk")
    routed.curl("-m", "99", "-T", tmp_path / "down", f"{url}/up")
    expected = hashlib.sha256(BULK).hexdigest()
    for path in (tmp_path / "down", routed.folder / "root" / "up"):
        assert expected == hashlib.sha256(path.read_bytes()).hexdigest()
    routed.process.send_signal(signal.SIGINT)
    routed.process.communicate(timeout=PATIENCE)  # it tells of devices not yet up
    assert 0 == routed.process.returncode
