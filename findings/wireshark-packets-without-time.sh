#!/bin/sh
# A Simple Packet Block of pcapng (4.4 of its specification) has no time, and tshark 4.0.17
# shows none.  The tools beside it, which write Enhanced Packet Blocks, give it one:
# - editcap and mergecap 1970-01-01 00:00:00; for mergecap it is the first packet then;
# - reordercap 1970-01-01 00:00:02.147483, which is INT_MAX nanoseconds, and
#   moves it to the beginning, away from the packets that it was recorded between.
# So a copy states a time, capinfos a recording of 50 years, where its source does not.
# None of them warns.  Needs tshark 4.0.17 of Debian (with wireshark-common) and python3.
# Exit: 0 as described, 1 changed, 77 no such version.
set -u
for tool in tshark editcap mergecap reordercap capinfos python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tshark --version 2>/dev/null | head -1 | grep 'Wireshark) 4\.0\.17' || exit 77
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 - <<'PY'
import struct


def block(kind, body):
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def frame(number):
    return bytes(12) + b"\x88\xb5" + bytes([number]) * 46


def simple(number):
    data = frame(number)
    return block(3, struct.pack("<I", len(data)) + data)


def timed(number, second):
    units, data = second * 10**6, frame(number)
    head = (0, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
    return block(6, struct.pack("<IIIII", *head) + data)


begin = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
begin += block(1, struct.pack("<HHI", 1, 0, 0))
early, late = timed(1, 1_600_000_001), timed(3, 1_600_000_003)
for name, packets in (("mixed", early + simple(2) + late), ("timed", early), ("simple", simple(2))):
    with open(f"{name}.pcapng", "wb") as file:
        file.write(begin + packets)
PY
show() { # the packets of a file: time and first byte behind the ether type
    tshark -r "$1" -T fields -e frame.time_epoch -e data.data 2>/dev/null |
        sed 's/\([0-9.]*\)\t\(..\).*/\2 at [\1]/' | tr '\n' ' '
    capinfos -Tru "$1" 2>/dev/null | cut -f2 | cut -d. -f1
}
editcap mixed.pcapng edited.pcapng
mergecap -w merged.pcapng timed.pcapng simple.pcapng
reordercap mixed.pcapng reordered.pcapng >/dev/null
for name in mixed edited merged reordered; do
    printf '%s: ' $name
    show $name.pcapng
done | tee found
cat >expected <<'END'
mixed: 01 at [1600000001.000000000] 02 at [] 03 at [1600000003.000000000] n/a
edited: 01 at [1600000001.000000000] 02 at [0.000000000] 03 at [1600000003.000000000] 1600000003
merged: 02 at [0.000000000] 01 at [1600000001.000000000] 1600000001
reordered: 02 at [2.147483000] 01 at [1600000001.000000000] 03 at [1600000003.000000000] 1600000000
END
cmp -s found expected
