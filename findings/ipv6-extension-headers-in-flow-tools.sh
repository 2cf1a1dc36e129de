#!/bin/sh
# The same TCP connection over IPv6 (a handshake, ten bytes each way, two FINs), once plain
# and once each behind the extension headers of RFC 8200 (4.1), in four flow tools:
# - nfpcapd of nfdump 1.7.1 takes the first extension header for the transport: flows of
#   protocol 0, 60, 43 or 44, without ports and flags, so no SYN is counted;
# - tcpflow 1.6.1 finds nothing in any of them;
# - tcptrace 6.6.7 passes the other headers, but behind a fragment header of offset 0 with
#   nothing to follow (RFC 6946) it reads eight bytes too late: no connection in most
#   packets, and from the data of two of them connections with invented ports;
# - argus 3.0.8.2 finds the connection in all of them.
# tcptrace alone warns, of short packets and reserved bits.  The client chooses what it sends.
# Debian's packages, unpacked in a temporary folder.
# Needs apt-get, dpkg-deb and python3.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in apt-get dpkg-deb python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download nfdump=1.7.1-2+deb12u1 tcpflow=1.6.1-2+b1 tcptrace=6.6.7-6+b1 \
    argus-server=2:3.0.8.2-2.2 argus-client=1:3.0.8.2-6.1+b3 libpcap0.8 libhttp-parser2.9 \
    libwrap0 libtirpc3 libgeoip1 >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
LD_LIBRARY_PATH=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
export LD_LIBRARY_PATH
python3 - <<'PY'
import socket
import struct

CLIENT, SERVER = (socket.inet_pton(socket.AF_INET6, f"2001:db8::{end}") for end in (1, 2))
HEADERS = {
    "none": (6, b""),
    "hop-by-hop": (0, bytes([6, 0, 1, 4, 0, 0, 0, 0])),
    "destination": (60, bytes([6, 0, 1, 4, 0, 0, 0, 0])),
    "routing": (43, bytes([6, 2, 4, 0, 0, 0, 0, 0]) + CLIENT),  # segments left: 0
    "fragment": (44, struct.pack("!BBHI", 6, 0, 0, 7)),
}
SYN, ACK, PSH, FIN = 2, 16, 8, 1
SEGMENTS = (
    (True, SYN, 100, 0, b""),
    (False, SYN | ACK, 500, 101, b""),
    (True, ACK, 101, 501, b""),
    (True, PSH | ACK, 101, 501, b"0123456789"),
    (False, PSH | ACK, 501, 111, b"abcdefghij"),
    (True, FIN | ACK, 111, 511, b""),
    (False, FIN | ACK, 511, 112, b""),
    (True, ACK, 112, 512, b""),
)


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


for name, (following, header) in HEADERS.items():
    with open(f"{name}.pcap", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, (forward, flags, place, answers, data) in enumerate(SEGMENTS):
            ends = CLIENT + SERVER if forward else SERVER + CLIENT
            ports = (40000, 80) if forward else (80, 40000)
            tcp = struct.pack("!HHIIBBHHH", *ports, place, answers, 0x50, flags, 9000, 0, 0)
            tcp += data
            check = total(ends + struct.pack("!II", len(tcp), 6) + tcp)
            body = header + tcp[:16] + check + tcp[18:]
            frame = bytes(12) + b"\x86\xdd"
            frame += struct.pack("!IHBB", 6 << 28, len(body), following, 64) + ends + body
            file.write(struct.pack("<IIII", 1_600_000_000, number, len(frame), len(frame)))
            file.write(frame)
PY
for name in none hop-by-hop destination routing fragment; do
    mkdir flows data
    root/usr/bin/nfpcapd -r $name.pcap -w flows -S 0 >/dev/null 2>&1
    flows=$(for file in flows/nfcapd.*; do
        root/usr/bin/nfdump -q -r "$file" -N -o 'fmt:%pr %sp %dp %flg' 2>/dev/null
    done | tr -s ' \n' ' ')
    root/usr/bin/tcpflow -r $name.pcap -o data >/dev/null 2>&1
    traced=$(root/usr/bin/tcptrace -n $name.pcap 2>/dev/null | sed -n 's/.* seen, //p')
    ends=$(root/usr/bin/tcptrace -n $name.pcap 2>/dev/null |
        sed -n 's/^ *[0-9]*: .*:\([0-9]*\) - .*:\([0-9]*\) (.*/\1-\2/p' | tr '\n' ' ')
    argus=$(root/usr/sbin/argus -r $name.pcap -w - 2>/dev/null |
        root/usr/bin/ra -n -r - -s proto sport dport state 2>/dev/null | tail -n +2 | tr -s ' ')
    echo "$name: nfpcapd $flows"
    echo "  tcpflow: $(find data -name '*2001*' | wc -l) streams"
    echo "  tcptrace: $traced, $ends"
    echo "  argus:$argus"
    rm -r flows data
done | tee found
cat >expected <<'END'
none: nfpcapd 6 40000 80 ...AP.SF 6 80 40000 ...AP.SF 
  tcpflow: 2 streams
  tcptrace: 8 TCP packets traced, 40000-80 
  argus: tcp 40000 80 FIN
hop-by-hop: nfpcapd 0 0 0 ........ 0 0 0 ........ 
  tcpflow: 0 streams
  tcptrace: 8 TCP packets traced, 40000-80 
  argus: tcp 40000 80 FIN
destination: nfpcapd 60 0 0 ........ 60 0 0 ........ 
  tcpflow: 0 streams
  tcptrace: 8 TCP packets traced, 40000-80 
  argus: tcp 40000 80 FIN
routing: nfpcapd 43 0 0 ........ 43 0 0 ........ 
  tcpflow: 0 streams
  tcptrace: 8 TCP packets traced, 40000-80 
  argus: tcp 40000 80 FIN
fragment: nfpcapd 44 0 0 ........ 44 0 0 ........ 
  tcpflow: 0 streams
  tcptrace: 2 TCP packets traced, 0-501 0-111 
  argus: tcp 40000 80 FIN
END
cmp -s found expected
