"""syncache/fleet/url.py: where Valkey is, and what may be said about it."""

from __future__ import annotations

import pytest

from syncache.fleet import FleetError
from syncache.fleet.url import Url


@pytest.mark.parametrize(
    ("text", "kind", "settings"),
    [
        ("valkey://h", "tcp", {"host": "h", "port": 6379, "db": 0}),
        ("redis://h:1/2", "tcp", {"host": "h", "port": 1, "db": 2}),
        ("valkey://[2001:db8::1]:7/0", "tcp", {"host": "2001:db8::1", "port": 7}),
        ("valkey://[fe80::1%25eth0]/", "tcp", {"host": "fe80::1%eth0"}),
        ("valkey://u:p%2F%40@h/0", "tcp", {"username": "u", "password": "p/@"}),
        ("valkey://u:p@q:r@h/0", "tcp", {"host": "h", "password": "p@q:r"}),
        ("valkey://h?protocol=3&client_name=a", "tcp", {"protocol": 3}),
        ("rediss://h", "tls", {"ssl_check_hostname": True}),
        ("valkeys://h?ssl_check_hostname=no", "tls", {"ssl_check_hostname": False}),
        ("valkeys://h?ssl_cert_reqs=none", "tls", {"ssl_check_hostname": False}),
        ("unix:///run/a.sock?db=3", "unix", {"path": "/run/a.sock", "db": 3}),
        ("unix://u:p@/run/a.sock", "unix", {"username": "u", "password": "p"}),
        ("unix:///s?username=u&password=p", "unix", {"password": "p"}),
    ],
)
def test_parts_are_read(text, kind, settings):
    """Of every form that there is."""
    url = Url.read(text)
    assert kind == url.kind
    assert settings.items() <= url.settings.items()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://h", "valkey is valkey://HOST:PORT/DB"),
        ("valkey://[::1", "valkey is valkey://HOST:PORT/DB"),
        ("valkey://h:70000/0", "PORT is at most 65535"),
        ("valkey://h:x/0", "PORT is at most 65535"),
        ("valkey://h/x", "database is a number"),
        ("valkey://h/0/1", "database is a number"),
        ("valkey://h/0?timeout=9", "unknown option timeout: there are client_name"),
        ("valkey://h/0?ssl_ca_certs=/x", "those of TLS need valkeys://"),
        ("valkey://h/0?host=evil", "unknown option host"),
        ("valkeys://h?decode_responses=1", "there are client_name.*ssl_ca_certs"),
        ("valkeys://h?ssl_ca_certs=/nowhere/ca.pem", "/nowhere/ca.pem is none"),
        ("valkeys://h?ssl_ca_path=/nowhere", "a folder of certificates"),
        ("valkeys://h?ssl_cert_reqs=maybe", "ssl_cert_reqs is required or none"),
        ("valkeys://h?ssl_check_hostname=maybe", "is true or false"),
        ("valkey://h?protocol=4", "protocol is 2 or 3"),
        ("unix:///s?db=x", "db is a number"),
        ("unix://s", "with three /"),
        ("unix:///", "with three /"),
        ("valkey://u:p#q@h/0", "as %23"),
    ],
)
def test_mistake_says_what_is_legal(text, message):
    """In one line."""
    with pytest.raises(FleetError, match=message) as caught:
        Url.read(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sign", "/?#@[]:%&=+;,'\"\\")
def test_no_part_of_a_password_is_shown(sign):
    """Whatever is in it, and whether it is understood or not."""
    for place in ("h:1/0", "[::1]/0", "h", "/s"):
        scheme = "unix" if place == "/s" else "valkeys"
        text = f"{scheme}://user:hush{sign}quiet{sign}1@{place}"
        try:
            url = Url.read(text)
        except FleetError as error:
            shown = str(error)
        else:
            shown = url.shown + repr(url)
        assert "hush" not in shown
        assert "quiet" not in shown
