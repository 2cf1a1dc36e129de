"""Tests of `Conf`: files, the environment, and mistakes in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncache.fleet import FleetError, conf
from syncache.fleet.conf import Conf

TEXT = """\
# ours
group = web
valkey = valkey://:secret@192.0.2.10:6379/0?protocol=2
key = /etc/syncache/fleet.key   # sealed with
keyring = /var/lib/syncache/web.ring
name = edge-1
"""


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "fleet.conf"
    made.write_text(TEXT)
    return made


def test_file_is_read(path):
    """Comments and spaces do not count."""
    made = Conf.read(path, {})
    assert ("web", "edge-1", False) == (made.group, made.name, made.adopt)
    path.write_text(TEXT + "adopt = yes\n")
    assert Conf.read(path, {}).adopt
    assert Path("/etc/syncache/fleet.key") == made.key
    assert Path("/var/lib/syncache/web.ring") == made.keyring
    assert Path("/var/lib/syncache/web.ring.group") == made.sealed
    assert Path("/etc/syncache/fleet.key.next") == made.next_key


@pytest.mark.parametrize(
    ("more", "expected"),
    [("", False), ("bloom = no\n", False), ("bloom = yes\n", True)],
)
def test_redeemed_handshakes_are_exchanged_by_choice(path, more, expected):
    """It costs bytes and time."""
    path.write_text(f"{TEXT}{more}")
    assert expected == Conf.read(path, {}).bloom


@pytest.mark.parametrize(
    ("word", "expected"),
    [("no", (False, False)), ("yes", (True, False)), ("block", (True, True))],
)
def test_attacks_on_others_are_adopted_in_two_steps(path, word, expected):
    """Cookies alone, and blocked networks as well."""
    path.write_text(f"{TEXT}adopt = {word}\n")
    made = Conf.read(path, {})
    assert expected == (made.adopt, made.block)


def test_password_of_the_url_is_never_shown(path):
    """Error messages and `status` have the address."""
    assert "valkey://192.0.2.10:6379/0" == Conf.read(path, {}).address


def test_hash_of_a_password_is_named_and_not_taken_for_a_comment(path):
    """Behind a space it is one; what is shown has no password."""
    path.write_text(TEXT.replace("name = edge-1", "name = edge-1  # ours"))
    assert "edge-1" == Conf.read(path, {}).name
    url = "valkey = valkey://user:pa#ss@192.0.2.10:6379/0\n"
    path.write_text(re.sub("valkey = .*\n", url, TEXT))
    with pytest.raises(FleetError, match="as %23") as caught:
        Conf.read(path, {})
    assert "pa#" not in str(caught.value)


def test_environment_takes_precedence_and_needs_no_file(path):
    """As containers want it."""
    assert "db" == Conf.read(path, {"SYNCACHE_FLEET_GROUP": "db"}).group
    values = {"GROUP": "a", "VALKEY": "unix:///s", "KEY": "k", "KEYRING": "r"}
    given = {f"SYNCACHE_FLEET_{name}": value for name, value in values.items()}
    assert "a" == Conf.read(None, given).group


def test_name_is_the_hosts_if_left_out(path, monkeypatch):
    """Without its domain."""
    monkeypatch.setattr(conf.socket, "gethostname", lambda: "edge-7.example.net")
    path.write_text(TEXT.replace("name = edge-1\n", ""))
    assert "edge-7" == Conf.read(path, {}).name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("group = web\n", ""), "group is missing"),
        (("group = web", "group = a b"), "'a b' is not a group"),
        (("name = edge-1", "name = -x"), "'-x' is not a name"),
        (("valkey = valkey:", "valkey = http:"), "valkey is valkey://HOST"),
        (("valkey = valkey:", "valkey = valkey://h/x\n#"), "database is a number"),
        (("valkey = valkey:", "valkey = valkey://a:b/c@h/0\n#"), "password as %2F"),
        (("valkey = valkey:", "valkey = valkey://[::1\n#"), "HOST:PORT/DB"),
        (("# ours", "colour = red"), ":1: a line is NAME = VALUE"),
        (("# ours", "adopt = maybe"), "adopt is yes, no or block, not 'maybe'"),
        (("# ours", "group = db"), ":2: group is given twice"),
        (("key = /", "key = /\0"), "key is the path of a file, not"),
        (("keyring = ", "keyring = / #"), "keyring is the path of a file, not '/'"),
        (("keyring = ", "keyring = /tmp #"), "keyring is a file, and /tmp is a folder"),
        (("valkey = valkey:", "valkey = valkey://h/0?tls=1\n#"), "unknown option tls"),
        (("# ours", "words"), ":1: a line is NAME = VALUE"),
    ],
)
def test_mistake_is_one_line_with_its_place(path, change, message):
    """It says what is legal."""
    path.write_text(TEXT.replace(*change))
    with pytest.raises(FleetError, match=message) as caught:
        Conf.read(path, {})
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_one_line(tmp_path):
    """With its name."""
    with pytest.raises(FleetError, match="none: No such file"):
        Conf.read(tmp_path / "none", {})
    with pytest.raises(FleetError, match="the environment: group"):
        Conf.read(None, {"SYNCACHE_FLEET_NAME": "x"})


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("long enough", 0o644, "chmod 600"),
        ("short", 0o600, "8 to 65536 bytes"),
        ("x" * 70_000, 0o600, "more than 65536 bytes"),
    ],
)
def test_key_file_that_is_none_is_refused(tmp_path, text, mode, message):
    """Open to others, or too short."""
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(FleetError, match=message):
        conf.read_secret(path)
    with pytest.raises(FleetError, match="No such file"):
        conf.read_secret(tmp_path / "none")
