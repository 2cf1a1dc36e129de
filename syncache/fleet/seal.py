r"""`Sealer`: authenticated encryption of everything that leaves a machine.

ChaCha20-Poly1305.  One scrypt of the key file, with a salt from the group's name, gives
a root; each kind of message has a key of its own, derived from the root and the kind.
A message is a line of text and bytes:

    syncache-fleet 1 KIND VERSION \n  nonce (12 bytes)  ciphertext

The line is authenticated too, so that nobody can give a message another version, or
pass one member's for another's.  Random nonces of 96 bits: after 2^38 messages of one
kind (a member that publishes once a second for 8,700 years) two are alike with a
probability of 2^-21.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..entropy import entropy
from ..keyring import SCRYPT_LOG2_N, SCRYPT_P, SCRYPT_R, derive
from . import FleetError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

MAGIC = "syncache-fleet 1"
MESSAGE_BYTES_MAX = 64 * 1024
HEADER_BYTES_MAX = 128
NONCE_BYTES = 12
VERSION_MAX = 2**53
CIPHERS_MAX = 20_000  # one for each member that was heard of


class SealError(FleetError):
    """A message was not sealed with our key, or was changed."""


class Sealer:
    """Seals and opens messages of one group.

    Args:
        group: Its name.
        secret: Of the key file; whoever has it is a member.
    """

    def __init__(self, group: str, secret: bytes) -> None:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        salt = hashlib.sha256(b"syncache fleet " + group.encode()).digest()[:16]
        kdf = Scrypt(salt=salt, length=32, n=1 << SCRYPT_LOG2_N, r=SCRYPT_R, p=SCRYPT_P)
        self._root = kdf.derive(secret)
        self._ciphers: dict[str, ChaCha20Poly1305] = {}

    def seal(self, kind: str, body: bytes, version: int = 0) -> bytes:
        """Return a message."""
        header = f"{MAGIC} {kind} {version}\n".encode()
        nonce = entropy(NONCE_BYTES)
        return header + nonce + self._cipher(kind).encrypt(nonce, body, header)

    def open(self, kind: str, message: bytes) -> tuple[int, bytes]:
        """Return the version and the body of a message.

        Raises:
            SealError: it is none of this kind, or was not sealed with our key.
        """
        from cryptography.exceptions import InvalidTag

        version = version_of(kind, message)
        place = message.index(b"\n") + 1
        header, nonce = message[:place], message[place : place + NONCE_BYTES]
        sealed = message[place + NONCE_BYTES :]
        if len(message) > MESSAGE_BYTES_MAX or len(sealed) < 16:
            raise SealError(f"a message of {len(message)} bytes is not one of ours")
        try:
            return version, self._cipher(kind).decrypt(nonce, sealed, header)
        except InvalidTag:
            raise SealError("sealed with another key, or changed") from None

    def _cipher(self, kind: str) -> ChaCha20Poly1305:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        if kind not in self._ciphers:
            if len(self._ciphers) >= CIPHERS_MAX:
                self._ciphers.clear()
            key = derive(self._root, f"syncache fleet {kind}", size=32)
            self._ciphers[kind] = ChaCha20Poly1305(key)
        return self._ciphers[kind]


def version_of(kind: str, message: bytes) -> int:
    """Return the version that a message, or its beginning, claims to have.

    Raises:
        SealError: it is not a message of this kind.
    """
    line, newline, _ = message[:HEADER_BYTES_MAX].partition(b"\n")
    words = line.decode("ascii", errors="replace").split(" ")
    if not newline or words[:-1] != [*MAGIC.split(" "), kind]:
        raise SealError("not a message of this kind")
    text = words[-1]
    if not text.isdigit() or len(text) > len(str(VERSION_MAX)):
        raise SealError("a message without a version")
    return int(text)
