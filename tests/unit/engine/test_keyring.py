"""Tests of `Keyring`: which key an epoch has, files, seals, what is never shown."""

from __future__ import annotations

import math
import random

import pytest

from syncache import Keyring
from syncache.keyring import (
    DerivedKeyring,
    KeyringError,
    Master,
    _Seal,
    derive,
    fingerprint,
)

LIFETIME_MS = 32_000
SECRET = bytes(range(32))
MASTER = Master(1, 0, SECRET)


def test_ephemeral_keys_are_drawn_once_and_forgotten():
    """The same epoch, the same key, while the engine may still ask for it."""
    keys = Keyring.ephemeral()
    drawn = [keys.key(epoch, LIFETIME_MS) for epoch in range(4)]
    assert drawn == [keys.key(epoch, LIFETIME_MS) for epoch in range(4)]
    assert 4 == len(set(drawn))
    keys.key(4, LIFETIME_MS)
    assert drawn[0] != keys.key(0, LIFETIME_MS)
    assert (None, None, 0.0, False) == (
        keys.begin(5, LIFETIME_MS),
        keys.ts_key(),
        keys.wall_offset,
        keys.shared,
    )


def test_ephemeral_keyrings_differ():
    """Two are never alike."""
    one, other = Keyring.ephemeral(), Keyring.ephemeral()
    assert one.key(0, LIFETIME_MS) != other.key(0, LIFETIME_MS)


def test_seeded_keys_agree():
    """One seed, one sequence of keys."""
    one, other = Keyring.from_seed(b"seed"), Keyring.from_seed(b"seed")
    assert one.key(7, LIFETIME_MS) == other.key(7, LIFETIME_MS)
    assert one.key(7, LIFETIME_MS) != one.key(8, LIFETIME_MS)
    assert one.key(7, LIFETIME_MS) != Keyring.from_seed(b"see").key(7, LIFETIME_MS)


@pytest.mark.parametrize(("seed", "error"), [(b"", ValueError), ("text", TypeError)])
def test_seed_that_is_none_raises(seed, error):
    """A seed is bytes."""
    with pytest.raises(error, match="a seed"):
        Keyring.from_seed(seed)


def test_fixed_keys_alternate_from_the_epoch_given():
    """keys[0] for even epochs, keys[1] for odd ones."""
    keys = Keyring.fixed((b"0" * 16, b"1" * 16), epoch=3)
    assert (3, 500) == keys.begin(500, LIFETIME_MS)
    assert [b"0" * 16, b"1" * 16] == [keys.key(e, LIFETIME_MS) for e in (2, 3)]


@pytest.mark.parametrize(
    ("keys", "epoch"),
    [((b"0" * 16,), 0), ((b"0" * 16, b"1" * 15), 0), ((b"0" * 16, b"1" * 16), -1)],
)
def test_fixed_refuses_wrong_keys(keys, epoch):
    """Two keys of 16 bytes, and an epoch that is not negative."""
    with pytest.raises(ValueError, match=r"16 bytes|not negative"):
        Keyring.fixed(keys, epoch)


def test_derivation_is_hkdf_sha256():
    """RFC 5869 by hand: extract with a zero salt, expand one block."""
    import hashlib
    import hmac

    info = b"purpose\0" + (7).to_bytes(8, "big")
    extracted = hmac.digest(bytes(32), SECRET, hashlib.sha256)
    expected = hmac.digest(extracted, info + b"\1", hashlib.sha256)[:16]
    assert expected == derive(SECRET, "purpose", 7)


def test_epochs_follow_the_wall_clock():
    """The epoch is the wall clock's period, and begins where that begins."""
    wall = 1_800_000_000.0
    keys = DerivedKeyring((MASTER,), wall_offset=wall - 100.0)
    epoch, start_ms = keys.begin(100_000, LIFETIME_MS)
    assert int(wall * 1000) // LIFETIME_MS == epoch
    assert 0 <= 100_000 - start_ms < LIFETIME_MS
    assert epoch * LIFETIME_MS == start_ms + round((wall - 100) * 1000)


def test_epoch_may_have_begun_before_our_clock_did():
    """A clock that starts at 0 is in the middle of a period."""
    keys = DerivedKeyring((MASTER,), wall_offset=1_800_000_031.0)
    assert -LIFETIME_MS < keys.begin(0, LIFETIME_MS)[1] <= 0


def test_derived_keys_depend_on_group_lifetime_and_master():
    """Machines that differ in any of them do not share cookies."""
    keys = DerivedKeyring((MASTER,), wall_offset=0, group="web")
    same = DerivedKeyring((MASTER,), wall_offset=99, group="web")
    assert keys.key(5, LIFETIME_MS) == same.key(5, LIFETIME_MS)
    assert keys.ts_key() == same.ts_key()
    others = [
        DerivedKeyring((MASTER,), wall_offset=0).key(5, LIFETIME_MS),
        DerivedKeyring((Master(1, 0, bytes(32)),), wall_offset=0, group="web").key(
            5, LIFETIME_MS
        ),
        keys.key(5, LIFETIME_MS + 1000),
        keys.key(6, LIFETIME_MS),
        keys.ts_key(),
    ]
    assert 6 == len({keys.key(5, LIFETIME_MS), *others})


def test_next_master_is_in_force_from_its_time_on():
    """All machines change in the epoch that begins at or after the time."""
    new = Master(2, 320, bytes(32))
    old_only = DerivedKeyring((MASTER,), wall_offset=0)
    both = old_only.with_master(new)
    assert [1, 1, 2, 2] == [both.master(wall).number for wall in (0, 319, 320, 10**9)]
    assert old_only.key(9, LIFETIME_MS) == both.key(9, LIFETIME_MS)
    assert old_only.key(10, LIFETIME_MS) != both.key(10, LIFETIME_MS)


def test_timestamp_key_outlives_the_master_it_came_from(tmp_path):
    """After the first master is deleted from the file, offsets stay as they were."""
    path = tmp_path / "keys"
    both = DerivedKeyring((MASTER,), wall_offset=0).with_master(Master.generate(2))
    both.save(path)
    lines = [
        line for line in path.read_text().splitlines() if not line.startswith("key 1 ")
    ]
    path.write_text("\n".join(lines))
    left = Keyring.from_file(path, wall_offset=0)
    assert [2] == [master.number for master in left.masters]
    assert both.ts_key() == left.ts_key()


def test_before_every_master_the_first_is_in_force():
    """A clock that is far off still makes cookies."""
    keys = DerivedKeyring((Master(1, 1000, SECRET),), wall_offset=0)
    assert 1 == keys.master(0).number


@pytest.mark.parametrize(
    ("masters", "wall_offset", "message"),
    [
        ((), 0, "needs a master"),
        ((Master(2, 0, SECRET), MASTER), 0, "key 1 is out of order"),
        ((MASTER, MASTER), 0, "key 1 is out of order"),
        ((Master(1, 5, SECRET), Master(2, 4, SECRET)), 0, "key 2 is out of order"),
        ((MASTER,), math.nan, "finite"),
        ((MASTER,), math.inf, "finite"),
    ],
)
def test_impossible_keyring_raises(masters, wall_offset, message):
    """Numbers and times rise; the offset is a number."""
    with pytest.raises(ValueError, match=message):
        DerivedKeyring(masters, wall_offset=wall_offset)


@pytest.mark.parametrize(
    ("number", "begins", "secret"), [(-1, 0, SECRET), (1, -1, SECRET), (1, 0, b"short")]
)
def test_impossible_master_raises(number, begins, secret):
    """A master has 32 bytes, a number and a time."""
    with pytest.raises(ValueError, match=r"not negative|32 bytes"):
        Master(number, begins, secret)


@pytest.mark.parametrize("passphrase", [None, "open", b"\xff\x00"])
def test_file_comes_back(tmp_path, passphrase):
    """What is saved is read, plain or sealed, and is its owner's alone."""
    path = tmp_path / "keys"
    written = DerivedKeyring(
        (MASTER, Master.generate(2, 99)), wall_offset=0, group="web"
    )
    for _ in range(2):
        written.save(path, passphrase=passphrase)
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == list(tmp_path.iterdir())
    read = Keyring.from_file(path, wall_offset=1.5, passphrase=passphrase)
    assert (written.masters, "web", 1.5) == (read.masters, read.group, read.wall_offset)
    assert written.ts_key() == read.ts_key()
    assert (SECRET.hex() in path.read_text()) == (passphrase is None)


def test_file_may_have_comments(tmp_path):
    """The format is a person's too."""
    path = tmp_path / "keys"
    text = f"# ours\nsyncache-keyring 1\n\nkey 1 0 {SECRET.hex()}  # first\n"
    path.write_text(text)
    path.chmod(0o600)
    assert (MASTER,) == Keyring.from_file(path, wall_offset=0).masters


def test_file_open_to_others_is_refused_in_one_line(tmp_path):
    """The message says what to do."""
    path = tmp_path / "keys"
    DerivedKeyring((MASTER,), wall_offset=0).save(path)
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(KeyringError, match=rf"0{mode:o}\): chmod 600 ") as caught:
            Keyring.from_file(path, wall_offset=0)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line is not"),
        ("something else\n", "first line is not"),
        ("syncache-keyring 2\n", "first line is not"),
        ("syncache-keyring 1\n", "needs a master"),
        ("syncache-keyring 1\ngroup a b\n", "line 2 is not understood"),
        ("syncache-keyring 1\ntimestamp\n", "line 2 is not understood"),
        (
            f"syncache-keyring 1\ntimestamp 00\nkey 1 0 {SECRET.hex()}\n",
            "a timestamp key has 16 bytes",
        ),
        ("syncache-keyring 1\nkey 1 0\n", "line 2 is not understood"),
        ("syncache-keyring 1\nkey 1 0 zz\n", "line 2 is not understood"),
        ("syncache-keyring 1\nkey 1 0 aabb\n", "line 2 is not understood"),
        (f"syncache-keyring 1\nlock 1 0 {SECRET.hex()}\n", "line 2 is not understood"),
        (
            f"syncache-keyring 1\n\nkey one 0 {SECRET.hex()}\n",
            "line 3 is not understood",
        ),
        (
            f"syncache-keyring 1\nkey 2 0 {SECRET.hex()}\nkey 1 0 {SECRET.hex()}\n",
            "key 1 is out of order",
        ),
        ("syncache-keyring 1 sealed scrypt 15 8 1 00\n", "a passphrase is needed"),
    ],
)
def test_broken_file_is_refused_without_its_keys(tmp_path, text, message):
    """The message has the file, the line, the reason; never what may be a key."""
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyringError, match=message) as caught:
        Keyring.from_file(path, wall_offset=0)
    assert str(path) in str(caught.value)
    assert SECRET.hex() not in str(caught.value)


def test_sealed_file_refuses_wrong_passphrase_and_changes(tmp_path):
    """Any bit of it counts, the first line included."""
    path = tmp_path / "keys"
    DerivedKeyring((MASTER,), wall_offset=0).save(path, passphrase="right")
    good = path.read_text()
    with pytest.raises(KeyringError, match="wrong passphrase"):
        Keyring.from_file(path, wall_offset=0, passphrase="wrong")
    changed = good[:-2] + ("0" if good[-2] != "0" else "1") + "\n"
    path.write_text(changed)
    with pytest.raises(KeyringError, match="wrong passphrase, or the file was changed"):
        Keyring.from_file(path, wall_offset=0, passphrase="right")


@pytest.mark.parametrize(
    "first",
    [
        "scrypt 15 8 1",
        "scrypt 15 8 x 00",
        "scrypt 40 8 1 00",
        "scrypt 15 9 1 00",
        "argon2 1 2 3 00",
    ],
)
def test_broken_seal_is_refused(tmp_path, first):
    """Parameters that would eat the machine's memory are not tried."""
    path = tmp_path / "keys"
    path.write_text(f"syncache-keyring 1 sealed {first}\n00 00\n")
    path.chmod(0o600)
    with pytest.raises(KeyringError, match="its seal is broken"):
        Keyring.from_file(path, wall_offset=0, passphrase="p")


def test_plain_file_refuses_a_passphrase(tmp_path):
    """Who thinks that his file is sealed is told that it is not."""
    path = tmp_path / "keys"
    DerivedKeyring((MASTER,), wall_offset=0).save(path)
    with pytest.raises(KeyringError, match="not sealed"):
        Keyring.from_file(path, wall_offset=0, passphrase="p")


def sealed(content):
    """A file whose content is sealed under "right", at little cost."""
    seal = _Seal(1, 8, 1, bytes(16))
    line = seal.line()
    body = seal.cipher("right").encrypt(bytes(12), content, line.encode())
    return f"{line}\n{bytes(12).hex()} {body.hex()}\n".encode()


def test_sealed_content_that_is_no_utf_8_is_read_as_a_plain_file_is(tmp_path):
    """A comment in Latin-1 is none of our business; such a word is not understood."""
    path = tmp_path / "keys"
    good = DerivedKeyring((MASTER,), wall_offset=0).text().encode()
    for content, words in (
        (good, {}),
        (sealed(good + b"# \xe9\n"), {"passphrase": "right"}),
    ):
        path.write_bytes(content + b"# \xe9\n" * (not words))
        path.chmod(0o600)
        assert (MASTER,) == Keyring.from_file(path, wall_offset=0, **words).masters
    path.write_bytes(sealed(good + b"key \xe9\n"))
    with pytest.raises(KeyringError, match="line 4 is not understood"):
        Keyring.from_file(path, wall_offset=0, passphrase="right")


def test_seal_that_takes_more_memory_than_there_is_is_one_line(tmp_path, monkeypatch):
    """It says how much it takes."""

    def cipher(*_):
        raise MemoryError

    monkeypatch.setattr(_Seal, "cipher", cipher)
    path = tmp_path / "keys"
    path.write_text("syncache-keyring 1 sealed scrypt 20 8 1 00\n00 00\n")
    path.chmod(0o600)
    with pytest.raises(KeyringError, match="its seal takes 1024 MiB of memory to open"):
        Keyring.from_file(path, wall_offset=0, passphrase="right")


NUMBERS = (b"9" * 30, b"9" * 5000, b"-1", b"1e9", b"\xd9\xa1", b"")


def mutated(draw, data):
    """Some bytes flipped, cut, doubled, or a number that lies."""
    for _ in range(draw.choice((1, 2, 4))):
        at = draw.randrange(len(data) + 1)
        words = data.split(b" ")
        words[draw.randrange(len(words))] = draw.choice(NUMBERS)
        data = draw.choice(
            (
                data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :],
                data[:at] + draw.choice((b"0", b"7", b"f")) + data[at + 1 :],
                data[:at],
                data[:at] + data[at + draw.randrange(40) :],
                data + data[at:],
                b" ".join(words),
            )
        )
    return data


@pytest.mark.parametrize("kind", ["plain", "sealed", "content"])
def test_mutated_file_is_a_keyring_or_one_line(tmp_path, kind):
    """Whatever is read can be used and written again."""
    draw = random.Random(kind)
    path = tmp_path / "keys"
    masters = (MASTER, Master(2, 1_793_404_800, SECRET[::-1]))
    plain = DerivedKeyring(masters, wall_offset=0, group="web").text().encode()
    words = {} if kind == "plain" else {"passphrase": "right"}
    whole = sealed(plain) if kind == "sealed" else plain
    said = set()
    for _ in range(300):
        content = mutated(draw, whole)
        path.write_bytes(sealed(content) if kind == "content" else content)
        path.chmod(0o600)
        try:
            keys = Keyring.from_file(path, wall_offset=1.8e9, **words)
        except KeyringError as error:
            said.add(str(error).count("\n"))
            continue
        epoch, _ = keys.begin(5000, LIFETIME_MS)
        keys.key(epoch, LIFETIME_MS)
        keys.save(path)
        assert keys.masters == Keyring.from_file(path, wall_offset=0).masters
    assert {0} == said


def test_missing_file_raises_os_error(tmp_path):
    """As open() does."""
    with pytest.raises(FileNotFoundError):
        Keyring.from_file(tmp_path / "none", wall_offset=0)


def test_no_repr_shows_a_key():
    """A fingerprint names a key; logs may have it."""
    key = b"0123456789abcdef"
    shown = [
        repr(Keyring.from_seed(key)),
        repr(Keyring.fixed((key, key))),
        repr(MASTER),
        repr(DerivedKeyring((MASTER,), wall_offset=0, group="web")),
        repr(DerivedKeyring((MASTER,), wall_offset=0)),
        repr(Keyring.ephemeral()),
    ]
    for text in shown:
        for secret in (key, SECRET):
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in text
    assert fingerprint(SECRET) in shown[2]
    assert 8 == len(fingerprint(SECRET))


def test_base_class_has_no_keys():
    """A source of keys has to say which."""
    with pytest.raises(TypeError, match="abstract"):
        Keyring()


@pytest.mark.parametrize(
    "offset", [1e300, -1e16, 2.0**53, -(2.0**53), math.inf, math.nan]
)
def test_wall_offset_that_no_clock_has_raises(offset):
    """Epochs are numbers of 64 bits; better now than with the first packet."""
    with pytest.raises(ValueError, match="wall_offset is finite"):
        Keyring.derived((Master.generate(),), wall_offset=offset)


def test_sealed_file_with_a_passphrase_of_a_wrong_type_raises(tmp_path):
    """That is the caller's mistake, and none of the file's."""
    path = tmp_path / "keyring"
    keys = Keyring.derived((Master.generate(),), wall_offset=0)
    keys.save(path, passphrase="right")
    with pytest.raises(TypeError, match="a passphrase is str or bytes, not int"):
        Keyring.from_file(path, wall_offset=0, passphrase=5)


def test_keys_that_are_put_aside_begin_with_the_groups_and_are_nobodys():
    """Another epoch of the same parity, and the same clock of timestamps."""
    keys = Keyring.derived((MASTER,), wall_offset=5000.0, group="web")
    aside, begun = keys.aside(), keys.begin(1000, 32_000)
    epoch, start = aside.begin(1000, 32_000)
    assert (begun[1], 0) == (start, (epoch - begun[0]) % 2)
    assert epoch - begun[0] > 1000
    assert (keys.ts_key(), 5000.0) == (aside.ts_key(), aside.wall_offset)
    assert aside.key(epoch, 32_000) != keys.key(begun[0], 32_000)
    assert not aside.shared
    assert (keys.masters, 7.0) == (keys.at(7.0).masters, keys.at(7.0).wall_offset)


# scrypt of "right" with n = 16, r = 8, p = 1, and ChaCha20-Poly1305 with a nonce of
# zeros, by other hands: key 1 of SECRET, from 0 on.
SEALED = (
    "syncache-keyring 1 sealed scrypt 4 "
    "8 1 000102030405060708090a0b0c0d0e0f\n"
    "000000000000000000000000 "
    "6530aed740e45f83cabbaae76c0a9fc55dbe87d2d8d0f84ee260390f7aec980a"
    "6c9062abd599a669da6f23efbe11fb7f7ec97438921e0e7e962e5e282dafcc17"
    "bdbb4942bd4ae2adea74a0af8811f0714154536b44d97fe88caa4708f53a73aa"
    "276b6109bc05556571736397"
    "\n"
)


def test_sealed_file_of_another_machine_is_read(tmp_path):
    """The form of the file is a promise to every version."""
    path = tmp_path / "keys"
    path.write_text(SEALED)
    path.chmod(0o600)
    keys = Keyring.from_file(path, wall_offset=0, passphrase="right")
    assert (MASTER,) == keys.masters


def test_saved_file_is_sealed_with_32_mebibytes_of_work(tmp_path):
    """2^15 blocks of 8 times 128 bytes, a salt of 16 and a nonce of 12."""
    path = tmp_path / "keys"
    DerivedKeyring((MASTER,), wall_offset=0).save(path, passphrase="right")
    first, second = path.read_text().splitlines()
    words = first.split()
    assert ["scrypt", "15", "8", "1"] == words[3:7]
    assert (16, 12) == (len(words[7]) // 2, len(second.split()[0]) // 2)


@pytest.mark.parametrize(
    ("work", "good"), [(0, False), (1, True), (20, True), (21, False)]
)
def test_seal_may_cost_a_reader_a_gibibyte_at_most(work, good):
    """2^20 blocks of 1024 bytes; and less than two blocks are none."""
    line = f"syncache-keyring 1 sealed scrypt {work} 8 1 00"
    if good:
        assert line == _Seal.parse(line).line()
        return
    with pytest.raises(ValueError, match="scrypt"):
        _Seal.parse(line)


def test_keys_that_others_may_have_are_shared():
    """The engine asks for the neighbours' epochs where others make cookies too."""
    assert DerivedKeyring((MASTER,), wall_offset=0).shared
    assert Keyring.fixed((b"0" * 16, b"1" * 16)).shared
    assert not Keyring.from_seed(b"seed").shared


def test_fixed_keys_begin_with_epoch_0():
    """Unless another one is given."""
    keys = Keyring.fixed((b"0" * 16, b"1" * 16))
    assert (0, 500) == keys.begin(500, LIFETIME_MS)
