"""Tests of `Sealer`: what opens, and that nothing else does."""

from __future__ import annotations

import pytest

from syncache.fleet import seal
from syncache.fleet.seal import Sealer, SealError, version_of

GROUP = Sealer("web", b"a secret of the group")


def test_message_comes_back_with_its_version():
    """And never looks the same twice."""
    one, other = GROUP.seal("keys", b"body", 7), GROUP.seal("keys", b"body", 7)
    assert (7, b"body") == GROUP.open("keys", one)
    assert one != other
    assert b"body" not in one
    assert 7 == version_of("keys", one[:30])


@pytest.mark.parametrize(
    "other",
    [Sealer("db", b"a secret of the group"), Sealer("web", b"another secret")],
)
def test_another_group_or_key_does_not_open_it(other):
    """The name is in the key too."""
    with pytest.raises(SealError, match="another key"):
        other.open("keys", GROUP.seal("keys", b"body"))


def test_every_bit_of_a_message_counts():
    """The line in front too: nobody gives a message another version."""
    message = GROUP.seal("keys", b"body", 7)
    for place in range(len(message)):
        changed = bytearray(message)
        changed[place] ^= 1
        with pytest.raises(SealError):
            GROUP.open("keys", bytes(changed))
    for size in range(len(message)):
        with pytest.raises(SealError):
            GROUP.open("keys", message[:size])


def test_record_of_one_member_is_not_anothers():
    """Kinds have keys of their own."""
    message = GROUP.seal("member:a", b"body")
    renamed = message.replace(b"member:a", b"member:b", 1)
    for kind, given in (("member:b", message), ("member:b", renamed)):
        with pytest.raises(SealError):
            GROUP.open(kind, given)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\n",
        b"syncache-fleet 1 keys\n",
        b"syncache-fleet 1 keys -1\n",
        b"syncache-fleet 2 keys 1\n",
        b"syncache-fleet 1 keys \xb2\n",
        b"syncache-fleet 1 keys " + b"9" * 40 + b"\n",
        b"x" * 1000,
    ],
)
def test_what_is_no_message_has_no_version(header):
    """Bytes of a liar raise nothing else."""
    with pytest.raises(SealError):
        version_of("keys", header)


def test_message_that_is_too_long_is_not_opened():
    """A bound, before any work."""
    with pytest.raises(SealError):
        GROUP.open("keys", GROUP.seal("keys", bytes(seal.MESSAGE_BYTES_MAX)))


def test_keys_of_kinds_are_bounded(monkeypatch):
    """However many members a liar invents."""
    monkeypatch.setattr(seal, "CIPHERS_MAX", 2)
    made = Sealer("web", b"a secret of the group")
    for number in range(10):
        kind = f"member:{number}"
        assert (0, b"x") == made.open(kind, made.seal(kind, b"x"))
        assert len(made._ciphers) == 1 + number % 2


def test_message_of_another_machine_opens():
    """The form is a promise to every version; made by other hands (hashlib, hmac)."""
    line = b"syncache-fleet 1 keys 7\n"
    nonce = bytes(range(12))
    sealed = bytes.fromhex("6c7e59d5c694f0ee137ab77d12f87179c1d9459a")
    assert (7, b"body") == GROUP.open("keys", line + nonce + sealed)


def test_message_may_be_empty_or_as_long_as_the_bound():
    """64 KiB with all that is around the body, and not a byte more."""
    assert (0, b"") == GROUP.open("keys", GROUP.seal("keys", b""))
    most = 64 * 1024 - len(GROUP.seal("keys", b""))
    assert (0, bytes(most)) == GROUP.open("keys", GROUP.seal("keys", bytes(most)))
    with pytest.raises(SealError, match="a message of 65537 bytes"):
        GROUP.open("keys", GROUP.seal("keys", bytes(most + 1)))


def test_line_in_front_has_at_most_128_bytes():
    """Its end is looked for no further."""
    longest = "k" * (128 - len(b"syncache-fleet 1  7\n"))
    assert 7 == version_of(longest, GROUP.seal(longest, b"", 7))
    with pytest.raises(SealError, match="not a message"):
        version_of(longest + "k", GROUP.seal(longest + "k", b"", 7))
