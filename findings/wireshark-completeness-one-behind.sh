#!/bin/sh
# tcp.completeness of Wireshark 4.0.17 says which parts of a connection are there (1 SYN,
# 2 SYN-ACK, 4 ACK, 8 data, 16 FIN, 32 RST), by which half-open connections can be counted.
# In tshark's usual single pass it is one packet behind: it has what came before the packet
# that it stands at.  A SYN has 0, a SYN without an answer is never found by `== 1`, the last
# packet is in none, and a connection that was reset at once looks like a SYN alone.  As a
# read filter with -2 (-R) it is the same; as a display filter with -2 (-Y) it is right,
# and then every packet has the value of the whole connection.
# Needs tshark 4.0.17 of Debian and python3.
# Exit: 0 as described, 1 changed, 77 no such version.
set -u
for tool in tshark python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tshark --version 2>/dev/null | grep -q 'Wireshark) 4\.0\.17' || exit 77
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 - <<'PY'
import struct

SYN, RST, ACK = 2, 4, 16
for name, segments in {
    "a SYN": ((True, SYN, 1, 0),),
    "a SYN and its SYN-ACK": ((True, SYN, 1, 0), (False, SYN | ACK, 7, 2)),
    "a SYN and a reset": ((True, SYN, 1, 0), (False, RST | ACK, 0, 2)),
    "a handshake": ((True, SYN, 1, 0), (False, SYN | ACK, 7, 2), (True, ACK, 2, 8)),
}.items():
    with open(f"{name}.pcap", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for second, (forward, flags, place, answers) in enumerate(segments):
            ports = (40000, 80) if forward else (80, 40000)
            ends = [192, 0, 2, 1, 198, 51, 100, 2]
            ends = bytes(ends if forward else ends[4:] + ends[:4])
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
            ip += struct.pack("!HHIIBBHHH", *ports, place, answers, 0x50, flags, 9000, 0, 0)
            file.write(struct.pack("<IIII", 1_600_000_000 + second, 0, len(ip), len(ip)) + ip)
PY
values() { tshark "$@" -T fields -e tcp.completeness 2>/dev/null | paste -s -d ' '; }
found() { tshark "$@" 2>/dev/null | wc -l; }
for name in "a SYN" "a SYN and its SYN-ACK" "a SYN and a reset" "a handshake"; do
    file="$name.pcap"
    echo "$name: one pass $(values -r "$file"), with -2 $(values -2 -r "$file");" \
        "packets of a SYN alone (== 1): -Y $(found -r "$file" -Y 'tcp.completeness == 1')," \
        "-2 -R $(found -2 -r "$file" -R 'tcp.completeness == 1')," \
        "-2 -Y $(found -2 -r "$file" -Y 'tcp.completeness == 1')"
done | tee out
cat >expected <<'END'
a SYN: one pass 0, with -2 1; packets of a SYN alone (== 1): -Y 0, -2 -R 0, -2 -Y 1
a SYN and its SYN-ACK: one pass 0 1, with -2 3 3; packets of a SYN alone (== 1): -Y 1, -2 -R 1, -2 -Y 0
a SYN and a reset: one pass 0 1, with -2 37 37; packets of a SYN alone (== 1): -Y 1, -2 -R 1, -2 -Y 0
a handshake: one pass 0 1 3, with -2 7 7 7; packets of a SYN alone (== 1): -Y 1, -2 -R 1, -2 -Y 0
END
cmp -s out expected
