"""`Keyring`: where cookie keys come from.

Time is cut into periods of one cookie lifetime, numbered by epochs; each epoch has a
key of 16 bytes, and its lowest bit is the parity bit of the cookies it makes.  A
keyring tells which key an epoch has, and which epoch a time is in.

    ephemeral   drawn when first asked for, gone with the process
    from_seed   derived from a seed: two engines with one seed agree
    fixed       two given keys in turn, for vectors and for other people's cookies
    from_file   derived from master keys and the wall clock: machines with one file
                agree, and one that starts again honours the cookies it made before

Derivation is HKDF-SHA256 of a master over its purpose, the group, the lifetime and the
epoch.  The wall clock enters as an offset; when it is set, whoever watches it gives the
engine a keyring with another one (`at`).

A keyring file is text, UTF-8, one item a line; `#` begins a comment:

    syncache-keyring 1
    group web
    timestamp 77e0...          16 bytes in hex, of the timestamp offsets; stays
    key 1 0          2f5c...   number, first wall second in force, 32 bytes in hex
    key 2 1793404800 81aa...

Numbers and times rise.  The key in force for an epoch is the last whose time is not
after the epoch's begin, so a new one is put into every machine's file with a time by
which all of them have it; then all change in the same epoch.  A key may be deleted when
its successor has been in force for two lifetimes.

A sealed file is the same text under ChaCha20-Poly1305, its key by scrypt from a
passphrase (or the bytes of a key file), with the first line as associated data:

    syncache-keyring 1 sealed scrypt LOG2_N R P SALT
    NONCE CIPHERTEXT                       all three in hex
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ._core.mirror import limit
from .entropy import entropy
from .textfile import read_text

# cryptography is imported where a key is derived, named or sealed: keys that are drawn
# need none of it, and it is most of the memory that this package can take.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEY_BYTES = limit("SYNCACHE_KEY_BYTES")
MASTER_BYTES = 32
MAGIC = "syncache-keyring 1"
FILE_BYTES_MAX = 1024 * 1024
# 2^15 blocks of 8 x 128 bytes: 32 MiB and about a tenth of a second.
SCRYPT_LOG2_N = 15
SCRYPT_R = 8
SCRYPT_P = 1
SCRYPT_LOG2_N_MAX = 20
WALL_MAX = 2**53  # seconds; milliseconds of it fit 64 bits
_EPOCHS_KEPT = 4  # the engine asks for the epoch before, its own and the next
_UINT64 = 2**64
_ASIDE = 2**32  # epochs; even, so that a parity stays what it is


def derive(secret: bytes, purpose: str, *numbers: int, size: int = KEY_BYTES) -> bytes:
    """Return a key for one purpose: HKDF-SHA256, no salt."""
    info = purpose.encode() + b"".join(
        b"\0" + (number % _UINT64).to_bytes(8, "big") for number in numbers
    )
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=size, salt=None, info=info).derive(secret)


def checked_seed(seed: object) -> bytes:
    """Return a seed that is one."""
    if not isinstance(seed, bytes):
        raise TypeError(f"a seed is bytes, not {type(seed).__name__}")
    if not seed:
        raise ValueError("a seed has at least one byte; 16 random ones are safe")
    return seed


class KeyringError(ValueError):
    """A keyring file cannot be used; the message says why in one line."""


class Keyring(ABC):
    """A source of cookie keys; made by one of its static methods.

    `shared` tells whether others may have made cookies with the same keys, so that
    those of the epochs before and after the one in force are wanted too.
    """

    shared = False

    @staticmethod
    def ephemeral() -> Keyring:
        """Draw keys as they are needed; they die with the process."""
        return _Ephemeral()

    @staticmethod
    def from_seed(seed: bytes) -> Keyring:
        """Derive keys from a seed; whoever knows it can make cookies."""
        return _Seeded(checked_seed(seed))

    @staticmethod
    def fixed(keys: tuple[bytes, bytes], epoch: int = 0) -> Keyring:
        """Use two keys in turn, keys[0] for even epochs; `epoch` is the first.

        For test vectors and for cookies shared with another implementation: keys that
        come back are not safe.

        Raises:
            ValueError: a key has not 16 bytes, or the epoch is negative.
        """
        if [len(key) for key in keys] != [KEY_BYTES, KEY_BYTES]:
            raise ValueError(f"two keys of {KEY_BYTES} bytes each are needed")
        if epoch < 0:
            raise ValueError(f"an epoch is not negative: {epoch}")
        return _Fixed((bytes(keys[0]), bytes(keys[1])), epoch)

    @staticmethod
    def derived(
        masters: tuple[Master, ...], *, wall_offset: float, group: str = ""
    ) -> DerivedKeyring:
        """Derive keys from masters and the wall clock; see `from_file`."""
        return DerivedKeyring(masters, wall_offset=wall_offset, group=group)

    @staticmethod
    def from_file(
        path: str | Path,
        *,
        wall_offset: float,
        passphrase: str | bytes | None = None,
    ) -> DerivedKeyring:
        """Read a keyring file.

        Args:
            path: the file; only its owner may have access to it.
            wall_offset: seconds of the wall clock (since 1970) minus seconds of the
                engine's clock, now.
            passphrase: of a sealed file.

        Raises:
            KeyringError: the file is readable for others, broken, or sealed otherwise.
            OSError: it cannot be read.
        """
        place = Path(path)
        mode = place.stat().st_mode & 0o777
        if mode & 0o077:
            raise KeyringError(
                f"{place} is open to others (mode {mode:04o}): chmod 600 {place}"
            )
        text = read_text(place, FILE_BYTES_MAX)
        try:
            return _parse(_unsealed(text, passphrase), wall_offset)
        except KeyringError as error:
            raise KeyringError(f"{place}: {error}") from None

    @abstractmethod
    def key(self, epoch: int, lifetime_ms: int) -> bytes:
        """Return the key of an epoch, 16 bytes."""

    def begin(self, now_ms: int, lifetime_ms: int) -> tuple[int, int] | None:
        """Return the epoch in force at a time and when it began.

        None: whoever asks counts from epoch 0 at his first call.
        """
        del now_ms, lifetime_ms
        return None

    def ts_key(self) -> bytes | None:
        """Return the common key of timestamp offsets, if there is one."""
        return None

    @property
    def wall_offset(self) -> float:
        """Wall clock minus the engine's clock; 0 if the wall clock plays no part."""
        return 0.0


class _Ephemeral(Keyring):
    def __init__(self) -> None:
        self._keys: dict[int, bytes] = {}

    def key(self, epoch: int, lifetime_ms: int) -> bytes:
        del lifetime_ms
        if epoch not in self._keys:
            self._keys[epoch] = entropy(KEY_BYTES)
            if len(self._keys) > _EPOCHS_KEPT:
                del self._keys[next(iter(self._keys))]  # the one drawn first
        return self._keys[epoch]

    def __repr__(self) -> str:
        return "Keyring.ephemeral()"


class _Seeded(Keyring):
    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    def key(self, epoch: int, lifetime_ms: int) -> bytes:
        del lifetime_ms
        return derive(self._seed, "syncache cookie", epoch)

    def __repr__(self) -> str:
        return f"<Keyring from seed {fingerprint(self._seed)}>"


class _Fixed(Keyring):
    shared = True

    def __init__(self, keys: tuple[bytes, bytes], epoch: int) -> None:
        self._keys = keys
        self._epoch = epoch

    def key(self, epoch: int, lifetime_ms: int) -> bytes:
        del lifetime_ms
        return self._keys[epoch & 1]

    def begin(self, now_ms: int, lifetime_ms: int) -> tuple[int, int] | None:
        del lifetime_ms
        return self._epoch, now_ms

    def __repr__(self) -> str:
        prints = ", ".join(fingerprint(key) for key in self._keys)
        return f"<Keyring fixed {prints}>"


@dataclass(frozen=True, slots=True)
class Master:
    """A master key: number, wall second from which it is in force, secret."""

    number: int
    begins: int
    secret: bytes

    def __post_init__(self) -> None:
        if self.number < 0 or self.begins < 0:
            raise ValueError("a key's number and time are not negative")
        if len(self.secret) != MASTER_BYTES:
            raise ValueError(f"a master key has {MASTER_BYTES} bytes")

    @classmethod
    def generate(cls, number: int = 1, begins: int = 0) -> Master:
        """Draw a new one."""
        return cls(number, begins, entropy(MASTER_BYTES))

    def __repr__(self) -> str:
        return f"<Master {self.number} {fingerprint(self.secret)} from {self.begins}>"


class DerivedKeyring(Keyring):
    """Keys of masters and of the wall clock; machines with the same ones agree."""

    shared = True

    def __init__(
        self,
        masters: tuple[Master, ...],
        *,
        wall_offset: float,
        group: str = "",
        ts_key: bytes | None = None,
    ) -> None:
        if not masters:
            raise ValueError("a keyring needs a master key")
        for one, other in pairwise(masters):
            if other.number <= one.number or other.begins < one.begins:
                raise ValueError(f"key {other.number} is out of order")
        if not -WALL_MAX < wall_offset < WALL_MAX:
            raise ValueError(f"wall_offset is finite, within 2^53, not {wall_offset!r}")
        if ts_key is None:
            ts_key = derive(masters[0].secret, f"syncache timestamp {group}")
        if len(ts_key) != KEY_BYTES:
            raise ValueError(f"a timestamp key has {KEY_BYTES} bytes")
        self.masters = masters
        self.group = group
        self._wall_offset = wall_offset
        self._ts_key = ts_key

    @property
    def wall_offset(self) -> float:
        """Wall clock minus the engine's clock, as given."""
        return self._wall_offset

    def begin(self, now_ms: int, lifetime_ms: int) -> tuple[int, int] | None:
        """Return the epoch that the wall clock is in, and when it began for us."""
        offset_ms = round(self._wall_offset * 1000)
        epoch = max(now_ms + offset_ms, 0) // lifetime_ms
        return epoch, epoch * lifetime_ms - offset_ms

    def key(self, epoch: int, lifetime_ms: int) -> bytes:
        """Return the key of an epoch, from the master in force when it begins."""
        master = self.master(epoch * lifetime_ms // 1000)
        purpose = f"syncache cookie {self.group}"
        return derive(master.secret, purpose, lifetime_ms, epoch)

    def master(self, wall: int) -> Master:
        """Return the master in force at a second of the wall clock."""
        begun = [master for master in self.masters if master.begins <= wall]
        return begun[-1] if begun else self.masters[0]

    def ts_key(self) -> bytes | None:
        """Return the key of timestamp offsets; it outlives the masters."""
        return self._ts_key

    def aside(self) -> Keyring:
        """Return drawn keys for a time in which nobody is to have ours.

        Their epochs are far from the group's, so that an engine which changes to them,
        or back, goes on taking the cookies of a moment ago.
        """
        return _Aside(self)

    def at(self, wall_offset: float) -> DerivedKeyring:
        """Return the same keys for another wall clock."""
        return DerivedKeyring(
            self.masters,
            wall_offset=wall_offset,
            group=self.group,
            ts_key=self._ts_key,
        )

    def with_master(self, master: Master) -> DerivedKeyring:
        """Return a keyring with one more master."""
        return self.with_masters((*self.masters, master))

    def with_masters(self, masters: tuple[Master, ...]) -> DerivedKeyring:
        """Return a keyring of the same group with other masters."""
        return DerivedKeyring(
            masters,
            wall_offset=self._wall_offset,
            group=self.group,
            ts_key=self._ts_key,
        )

    def text(self, *, passphrase: str | bytes | None = None) -> str:
        """Return the content of a keyring file."""
        lines = [MAGIC]
        if self.group:
            lines.append(f"group {self.group}")
        lines.append(f"timestamp {self._ts_key.hex()}")
        lines += [f"key {m.number} {m.begins} {m.secret.hex()}" for m in self.masters]
        text = "\n".join(lines) + "\n"
        return text if passphrase is None else _sealed(text, passphrase)

    def save(self, path: str | Path, *, passphrase: str | bytes | None = None) -> None:
        """Write a keyring file: a reader sees the old one or the new one, whole."""
        text = self.text(passphrase=passphrase)
        import tempfile

        place = Path(path)
        # Made with mode 0600, in the same folder so that it can take the place over.
        with tempfile.NamedTemporaryFile(
            "w", dir=place.parent, prefix=place.name, delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        Path(file.name).replace(place)

    def __repr__(self) -> str:
        return f"<Keyring {self.group or 'without group'} {list(self.masters)}>"


class _Aside(_Ephemeral):
    def __init__(self, group: DerivedKeyring) -> None:
        super().__init__()
        self._group = group

    def begin(self, now_ms: int, lifetime_ms: int) -> tuple[int, int] | None:
        begun = self._group.begin(now_ms, lifetime_ms)
        assert begun is not None
        epoch, start_ms = begun
        return epoch + _ASIDE, start_ms

    def ts_key(self) -> bytes | None:
        return self._group.ts_key()

    @property
    def wall_offset(self) -> float:
        return self._group.wall_offset


def fingerprint(secret: bytes) -> str:
    """Name a key without telling it: 8 hexadecimal digits."""
    from cryptography.hazmat.primitives.hashes import SHA256, Hash

    digest = Hash(SHA256())
    digest.update(b"syncache fingerprint" + secret)
    return digest.finalize().hex()[:8]


def _parse(text: str, wall_offset: float) -> DerivedKeyring:
    lines = [line.partition("#")[0].split() for line in text.splitlines()]
    words = [(number, line) for number, line in enumerate(lines, 1) if line]
    if not words or " ".join(words[0][1]) != MAGIC:
        raise KeyringError(f"the first line is not {MAGIC!r}")
    group = ""
    ts_key = None
    masters: list[Master] = []
    for number, line in words[1:]:
        try:
            if line[0] == "group":
                _, group = line
            elif line[0] == "timestamp":
                ts_key = bytes.fromhex(line[1])
            else:
                masters.append(_parse_key(*line))
        except (IndexError, TypeError, ValueError):
            # The line may hold a key, so it is not repeated.
            raise KeyringError(f"line {number} is not understood") from None
    try:
        return DerivedKeyring(
            tuple(masters), wall_offset=wall_offset, group=group, ts_key=ts_key
        )
    except ValueError as error:
        raise KeyringError(str(error)) from None


def _parse_key(word: str, number: str, begins: str, secret: str) -> Master:
    if word != "key":
        raise ValueError(word)
    return Master(int(number), int(begins), bytes.fromhex(secret))


@dataclass(frozen=True, slots=True)
class _Seal:
    """The first line of a sealed file."""

    log2_n: int
    r: int
    p: int
    salt: bytes

    @classmethod
    def parse(cls, line: str) -> _Seal:
        """Read the line; one that would cost a reader gigabytes is refused."""
        words = line.removeprefix(MAGIC + " sealed scrypt ").split()
        *numbers, salt = words
        log2_n, r, p = (int(number) for number in numbers)
        if not 1 <= log2_n <= SCRYPT_LOG2_N_MAX or (r, p) != (SCRYPT_R, SCRYPT_P):
            raise ValueError(line)
        return cls(log2_n, r, p, bytes.fromhex(salt))

    def line(self) -> str:
        numbers = f"{self.log2_n} {self.r} {self.p} {self.salt.hex()}"
        return f"{MAGIC} sealed scrypt {numbers}"

    def cipher(self, passphrase: str | bytes) -> ChaCha20Poly1305:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        secret = passphrase.encode() if isinstance(passphrase, str) else passphrase
        kdf = Scrypt(salt=self.salt, length=32, n=1 << self.log2_n, r=self.r, p=self.p)
        return ChaCha20Poly1305(kdf.derive(secret))


def _sealed(text: str, passphrase: str | bytes) -> str:
    seal = _Seal(SCRYPT_LOG2_N, SCRYPT_R, SCRYPT_P, entropy(16))
    nonce = entropy(12)
    line = seal.line()
    body = seal.cipher(passphrase).encrypt(nonce, text.encode(), line.encode())
    return f"{line}\n{nonce.hex()} {body.hex()}\n"


def _unsealed(text: str, passphrase: str | bytes | None) -> str:
    first, _, rest = text.partition("\n")
    if not first.startswith(MAGIC + " sealed"):
        if passphrase is not None:
            raise KeyringError("it is not sealed, so it takes no passphrase")
        return text
    if passphrase is None:
        raise KeyringError("it is sealed: a passphrase is needed")
    if not isinstance(passphrase, str | bytes):
        raise TypeError(
            f"a passphrase is str or bytes, not {type(passphrase).__name__}"
        )
    from cryptography.exceptions import InvalidTag

    try:
        seal = _Seal.parse(first)
        nonce, body = (bytes.fromhex(word) for word in rest.split())
        plain = seal.cipher(passphrase).decrypt(nonce, body, first.encode())
    except InvalidTag:
        raise KeyringError("wrong passphrase, or the file was changed") from None
    except (TypeError, ValueError):
        raise KeyringError("its seal is broken") from None
    except MemoryError:
        need = (1 << seal.log2_n) * seal.r * 128 // 2**20
        raise KeyringError(f"its seal takes {need} MiB of memory to open") from None
    return plain.decode(errors="replace")  # as a file that is not sealed is read
