#!/bin/sh
# editcap 4.0.17 writes captures in some twenty formats of other makers (-F), and tshark of
# the same package does not read each of them back, though editcap exits with 0:
# - of observer no packet can be read, and of commview-ncfx (CommView's current format) the
#   first one lacks 20 bytes and the rest cannot be read;
# - of 5views nothing is read from the first packet on that a snapshot length had cut;
# - visual takes four bytes, an FCS that nobody had written, off each frame's length;
# - lanalyzer puts the first packet at midnight and the others after it;
# - a packet with a time before the first one's, which is usual where several processors
#   or interfaces record, comes 49 days later (netmon1, visual), four years later
#   (lanalyzer) or in 584,554 years (ngwsniffer_1_1 and 2_0).
# netmon2, nettl and snoop keep all of it.  Needs tshark 4.0.17 of Debian and python3.
# Exit: 0 as described, 1 changed, 77 no such version.
set -u
command -v tshark >/dev/null || { echo "no tshark"; exit 77; }
tshark --version 2>/dev/null | head -1 | grep 'Wireshark) 4\.0\.17' || exit 77
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export TZ=UTC
python3 - <<'PY'
import struct

START = 1_600_000_000


def capture(name, *packets):
    with open(name, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for second, size, kept in packets:
            frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0".ljust(kept, b"x")
            file.write(struct.pack("<IIII", START + second, 250_000, kept, size) + frame)


capture("whole.pcap", (0, 60, 60), (1, 1514, 1514), (2, 90, 90))
capture("cut.pcap", (0, 60, 60), (1, 1514, 200), (2, 90, 90))
capture("earlier.pcap", (10, 60, 60), (0, 60, 60), (20, 90, 90))
PY
look() {
    editcap -F "$1" "$2.pcap" "$2.$1" || echo "editcap exits with $?"
    printf '%s %s: ' "$1" "$2"
    tshark -r "$2.$1" -T fields -E separator=, -e frame.time_epoch -e frame.len \
        2>errors | sed 's/\.\{0,1\}0*,/,/' | paste -s -d ' ' | tr -d '\n'
    sed -n 's/.*appears to \(be damaged\|have been cut short\).*/ [\1]/p' errors | tr -d '\n'
    echo
}
{
    for format in netmon2 observer commview-ncfx visual lanalyzer; do look $format whole; done
    for format in netmon2 5views; do look $format cut; done
    for format in netmon2 netmon1 visual lanalyzer ngwsniffer_1_1 ngwsniffer_2_0; do
        look $format earlier
    done
} | tee found
cat >expected <<'END'
netmon2 whole: 1600000000.25,60 1600000001.25,1514 1600000002.25,90
observer whole:  [be damaged]
commview-ncfx whole: 1600000000.25,40 [be damaged]
visual whole: 1600000000.25,56 1600000001.25,1510 1600000002.25,86
lanalyzer whole: 1599955200,60 1599955201,1514 1599955202,90
netmon2 cut: 1600000000.25,60 1600000001.25,1514 1600000002.25,90
5views cut: 1600000000.25,60 [have been cut short]
netmon2 earlier: 1600000010.25,60 1600000000.25,60 1600000020.25,90
netmon1 earlier: 1600000010.25,60 1604294967.546,60 1600000020.25,90
visual earlier: 1600000010.25,56 1604294967.546,56 1600000020.25,86
lanalyzer earlier: 1599955200,60 1740692678.355328,60 1599955210,90
ngwsniffer_1_1 earlier: 1600000010.25,60 18448344073709.80078125,60 1600000020.25,90
ngwsniffer_2_0 earlier: 1600000010.25,60 18448344073709.80078125,60 1600000020.25,90
END
cmp found expected
