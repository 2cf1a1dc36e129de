#!/bin/sh
# A compressed stream that was cut short: Python's gzip, bz2 and lzma and the package lz4
# raise EOFError when they reach the end.  zstandard 0.25.0's stream_reader() returns the
# bytes up to there and then an ordinary end of file, so a cut file reads as a whole one;
# only decompressobj().eof shows the difference.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install zstandard==0.25.0 lz4==4.4.5 || exit 77
"$folder/v/bin/python" - <<'PY'
import bz2
import gzip
import io
import lzma
import random
import sys

import lz4.frame
import zstandard

data = random.Random(1).randbytes(300_000)


def zstd(file):
    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)


kinds = {
    "gzip": (gzip.compress(data), gzip.open),
    "bz2": (bz2.compress(data), bz2.open),
    "lzma": (lzma.compress(data), lzma.open),
    "lz4": (lz4.frame.compress(data), lz4.frame.open),
    "zstandard": (zstandard.compress(data), zstd),
}
found = {}
for name, (whole, opened) in kinds.items():
    stream, count = opened(io.BytesIO(whole[: len(whole) // 2])), 0
    try:
        while part := stream.read(4096):
            count += len(part)
        found[name] = "end of file"
    except EOFError:
        found[name] = "EOFError"
    print(f"{name}: half of {len(data)} bytes compressed: {count} bytes, {found[name]}")
frame = zstandard.ZstdDecompressor().decompressobj()
whole = kinds["zstandard"][0]
frame.decompress(whole[: len(whole) // 2])
print("zstandard: decompressobj().eof is", frame.eof)
expected = dict.fromkeys(kinds, "EOFError") | {"zstandard": "end of file"}
sys.exit(found != expected or frame.eof)
PY
