#!/bin/sh
# Wireshark 4.0.17 opens captures that zstd compressed, also several frames joined by `cat`
# and with a skippable frame (RFC 8878 3.1.2) behind or between them, but not when one is
# at the beginning.  That is where pzstd of the same package puts one, for the size of its
# first frame: what `pzstd capture.pcap` writes is "not a capture file" to tshark and
# capinfos, while zstd and Python's zstandard read it as any other.
# Debian's packages.  Needs tshark of 4.0 and pzstd (the packages tshark and zstd).
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in tshark pzstd python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tshark --version 2>/dev/null | head -1 | grep 'Wireshark) 4\.0\.17' || exit 77
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 -m venv v || exit 1
v/bin/pip -q install zstandard==0.25.0 || exit 77
python3 - <<'PY'
import struct

ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0)
ip += bytes([192, 0, 2, 1, 198, 51, 100, 2])
frame = bytes(12) + b"\x08\0" + ip
frame += struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 100, 0, 0)
record = struct.pack("<IIII", 1_600_000_000, 0, len(frame), len(frame)) + frame
with open("head", "wb") as file:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + record * 1000)
with open("tail", "wb") as file:
    file.write(record * 1000)
with open("skippable", "wb") as file:
    file.write(struct.pack("<II", 0x184D2A5E, 4) + b"user")
PY
cat head tail >whole
for part in head tail whole; do zstd -q $part; done
pzstd -q whole -o pzstd.pcap.zst
cp whole.zst zstd.pcap.zst
cat head.zst tail.zst >joined.pcap.zst
cat whole.zst skippable >behind.pcap.zst
cat head.zst skippable tail.zst >between.pcap.zst
cat skippable whole.zst >before.pcap.zst
cat >count.py <<'PY'
import sys
import zstandard
with open(sys.argv[1], "rb") as file:
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    print((len(reader.read()) - 24) // 70)
PY
for name in zstd joined behind between before pzstd; do
    file=$name.pcap.zst
    echo "$name: tshark $(tshark -r $file 2>/dev/null | wc -l)," \
        "zstd $((($(zstd -qdc $file | wc -c) - 24) / 70)), Python $(v/bin/python count.py $file)"
done | tee found
cat >expected <<'END'
zstd: tshark 2000, zstd 2000, Python 2000
joined: tshark 2000, zstd 2000, Python 2000
behind: tshark 2000, zstd 2000, Python 2000
between: tshark 2000, zstd 2000, Python 2000
before: tshark 0, zstd 2000, Python 2000
pzstd: tshark 0, zstd 2000, Python 2000
END
cmp -s found expected
