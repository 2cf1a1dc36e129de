"""syncache/fleet/unseal.py: the key file, and the one that takes over."""

from __future__ import annotations

import pytest
from first_document import FIRST

from syncache.fleet import FleetError, unseal
from syncache.fleet.document import KIND
from syncache.fleet.seal import Sealer, SealError
from syncache.fleet.unseal import SEALERS_MAX, KeyFile

NEXT = b"another secret"


def sealed(secret, document=FIRST):
    return Sealer("web", secret).seal(KIND, document.encode(), document.version)


@pytest.fixture
def key_file(member_conf):
    """Make the key file of a member; the lines it told are its `told`."""

    def make(*, keeps=True):
        told = []
        made = KeyFile(member_conf("edge-1"), told.append, keeps=keeps)
        made.told = told
        return made

    return make


def put(path, secret):
    path.write_bytes(secret)
    path.chmod(0o600)


def test_successor_takes_over_with_what_it_alone_opens(key_file, member_conf):
    """It is the key file from then on."""
    made, conf = key_file(), member_conf("edge-1")
    put(conf.next_key, NEXT)
    assert FIRST == made.open(sealed(b"a secret of the group"))
    assert conf.next_key.exists()
    assert FIRST == made.open(sealed(NEXT))
    assert (NEXT, False) == (conf.key.read_bytes(), conf.next_key.exists())
    assert 1 == len(made.told)


def test_successor_that_opened_no_lie_opens_the_document(key_file, member_conf):
    """It is in place long before; what came first that no key opens counts nothing."""
    made, conf = key_file(), member_conf("edge-1")
    put(conf.next_key, NEXT)
    for _ in range(3):
        with pytest.raises(SealError):
            made.open(sealed(b"a stranger's"))
    assert FIRST == made.open(sealed(NEXT))


def test_key_that_came_back_is_taken_again(key_file, member_conf):
    """As an operator may who changes his mind."""
    made, conf = key_file(), member_conf("edge-1")
    for secret in (NEXT, b"a secret of the group", NEXT):
        put(conf.key, secret)
        assert FIRST == made.open(sealed(secret))


def test_lies_cost_no_scrypt_each(key_file, member_conf, monkeypatch):
    """And the keys that were tried are bounded."""
    made, conf = key_file(), member_conf("edge-1")
    put(conf.next_key, NEXT)
    stranger, calls = sealed(b"a stranger's"), []

    def counted(*words):
        calls.append(words)
        return Sealer(*words)

    monkeypatch.setattr(unseal, "Sealer", counted)
    for _ in range(5):
        with pytest.raises(SealError):
            made.open(stranger)
    assert 1 == len(calls)
    for number in range(2 * SEALERS_MAX):
        made.sealer_of(b"secret %d" % number)
    assert len(made._sealers) <= SEALERS_MAX


def test_who_only_looks_changes_no_file(key_file, member_conf):
    """`top` and `metrics` may be somebody else's."""
    made, conf = key_file(keeps=False), member_conf("edge-1")
    put(conf.next_key, NEXT)
    assert FIRST == made.open(sealed(NEXT))
    assert conf.next_key.exists()
    assert NEXT != conf.key.read_bytes()


def test_change_writes_the_key_and_takes_the_successor_away(key_file, member_conf):
    """Another one that waits stays."""
    made, conf = key_file(), member_conf("edge-1")
    made.announce(NEXT)
    assert NEXT == conf.next_key.read_bytes().strip()
    made.change(NEXT)
    assert (NEXT, False) == (conf.key.read_bytes().strip(), conf.next_key.exists())
    made.announce(b"a third secret")
    made.change(b"a fourth secret")
    assert conf.next_key.exists()


def test_folder_that_cannot_be_written_is_one_line(key_file, member_conf, monkeypatch):
    """Nothing has changed."""
    made = key_file()

    def full(path, _):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(unseal.files, "replace", full)
    for act in (made.announce, made.change):
        with pytest.raises(FleetError, match="No space left"):
            act(NEXT)
    assert b"a secret of the group" == made.secret
