"""What a kernel is set to, from files that are made up."""

from __future__ import annotations

import pytest

from syncache.links import host_settings


@pytest.fixture
def proc(monkeypatch, tmp_path):
    """An empty /proc; write to it by path."""

    def write(path, text):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    monkeypatch.setattr(host_settings, "PROC", tmp_path)
    return write


def test_nothing_is_in_the_way_of_a_usual_kernel(proc):
    """Nor where a setting does not exist."""
    assert [] == host_settings.in_the_way()
    for name in host_settings.NEEDED:
        proc(f"sys/net/ipv4/{name}", "1\n")
    assert [] == host_settings.in_the_way()


@pytest.mark.parametrize("name", host_settings.NEEDED)
def test_setting_that_is_off_is_named_with_its_remedy(proc, name):
    """One line."""
    proc(f"sys/net/ipv4/{name}", "0\n")
    (line,) = host_settings.in_the_way()
    assert line.startswith(f"net.ipv4.{name} is 0")
    assert line.endswith(f"sysctl -w net.ipv4.{name}=1")


@pytest.mark.parametrize(
    ("tcp_rmem", "rmem_max", "scale"),
    [
        ("4096 131072 6291456", "212992", 7),
        ("4096 131072 33554432", "4194304", 10),
        ("4096 16384 32768", "65536", 1),
        ("4096 16384 16384", "16384", 0),
    ],
)
def test_window_scale_is_the_kernels(proc, tcp_rmem, rmem_max, scale):
    """By its largest receive buffer."""
    proc("sys/net/ipv4/tcp_rmem", tcp_rmem)
    proc("sys/net/core/rmem_max", rmem_max)
    assert scale == host_settings.wscale()


@pytest.mark.parametrize(
    ("default", "mss", "window"),
    [
        (131072, 1460, 64240),
        (131072, 1440, 64800),
        (16384, 1460, 7300),
        (1000, 1460, 500),
    ],
)
def test_window_is_whole_segments_that_the_buffer_has(proc, default, mss, window):
    """Half of the buffer is the kernel's own."""
    proc("sys/net/ipv4/tcp_rmem", f"4096 {default} 6291456")
    assert window == host_settings.window(mss)


def test_hop_limit_is_the_kernels(proc):
    """64 where it does not say."""
    assert (64, 64) == host_settings.hop_limits("eth0.7")
    proc("sys/net/ipv4/ip_default_ttl", "99")
    proc("sys/net/ipv6/conf/eth0.7/hop_limit", "55")
    assert (99, 55) == host_settings.hop_limits("eth0.7")


def test_sockets_are_read_of_both_families(proc):
    """Their ends; where there is no IPv6, of one."""
    head = "  sl  local_address rem_address   st\n"
    assert set() == host_settings.connections()
    proc("net/tcp", f"{head}   0: 010200C0:01BB 097100CB:9C40 01\n")
    assert {("010200C0:01BB", "097100CB:9C40")} == host_settings.connections()
    proc("net/tcp6", f"{head}   0: 01:0050 02:9C41 06\n   1: 01:0050 00:0000 0A\n")
    assert 3 == len(host_settings.connections())


def test_addresses_are_ours_and_reachable(monkeypatch):
    """Neither loopback nor link-local ones."""
    known = ["192.0.2.2", "127.0.0.1", "2001:db8::2", "fe80::2", "::1"]
    monkeypatch.setattr(host_settings.rtnetlink, "addresses", lambda: known)
    assert {"192.0.2.2", "2001:db8::2"} == host_settings.addresses()
