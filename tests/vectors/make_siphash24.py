"""
Write siphash24.txt: SipHash-2-4 of the 64 prefixes of 00 01 02 .. 3e.

A plain reading of the paper, sharing no code with csrc/core/siphash.c.  Run it as
`python tests/vectors/make_siphash24.py`; test_siphash.py fails if the committed
file differs.
"""

from __future__ import annotations

from pathlib import Path

MASK = (1 << 64) - 1
KEY = bytes(range(16))
VECTORS = Path(__file__).with_name("siphash24.txt")


def rotate(word: int, bits: int) -> int:
    """Rotate a 64-bit word to the left."""
    return (word << bits | word >> (64 - bits)) & MASK


def sip_round(v: list[int]) -> None:
    """Mix the four words, half-round by half-round as figure 2.1 draws it."""
    for rotations in ((13, 16), (17, 21)):
        for (a, b), bits in zip(((0, 1), (2, 3)), rotations, strict=True):
            v[a] = (v[a] + v[b]) & MASK
            v[b] = rotate(v[b], bits) ^ v[a]
        v[0] = rotate(v[0], 32)
        v[0], v[2] = v[2], v[0]


def siphash24(key: bytes, data: bytes) -> int:
    """Return the 64-bit SipHash-2-4 of data."""
    k = [int.from_bytes(key[i : i + 8], "little") for i in (0, 8)]
    text = b"somepseudorandomlygeneratedbytes"
    v = [int.from_bytes(text[8 * i : 8 * i + 8], "big") ^ k[i % 2] for i in range(4)]
    padding = bytes(-(len(data) + 1) % 8)
    padded = data + padding + bytes([len(data) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        sip_round(v)
        sip_round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def lines() -> list[str]:
    """Return the file's lines: the size of the prefix and its hash."""
    return [f"{size} {siphash24(KEY, bytes(range(size))):016x}" for size in range(64)]


if __name__ == "__main__":
    VECTORS.write_text("\n".join(lines()) + "\n", encoding="ascii")
