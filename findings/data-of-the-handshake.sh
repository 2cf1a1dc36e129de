#!/bin/sh
# Data can come as soon as with the SYN (RFC 7413) or with the third segment of the
# handshake, the one that acknowledges the SYN-ACK (RFC 9293 3.10.7.4).  Of a request of 27
# bytes whose first ten come so, two tools that write the data of a recording to files lose
# these ten:
# - tcptrace 6.6.7 (-e) writes ten NULs for those of a SYN;
# - tcpick 0.2.1 (-wR) leaves out those of a SYN and those of the third segment, and the
#   rest follows as if it were the beginning.
# Both are right where the server left the bytes of the SYN and the client sent them again.
# tcpflow 1.6.1 and tshark 4.0.17 (follow) have all 27 bytes each time.
# Debian's packages, unpacked in a temporary folder.
# Needs tshark 4.0.17, apt-get, dpkg-deb and python3.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in tshark apt-get dpkg-deb python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tshark --version 2>/dev/null | grep -q 'Wireshark) 4\.0\.17' || exit 77
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download tcptrace=6.6.7-6+b1 tcpick=0.2.1-10 tcpflow=1.6.1-2+b1 libpcap0.8 \
    libhttp-parser2.9 >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
python3 - <<'PY'
import struct

FIN, SYN, PSH, ACK = 1, 2, 8, 16
FIRST, REST = b"GET / HTTP", b"/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
COOKIE = b"\x22\x0acookie00\1\1"
ALL = 1001 + len(FIRST + REST)


def total(data):
    data += bytes(len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def segment(forward, flags, place, answers, data=b"", options=b""):
    ends, ports = bytes([192, 0, 2, 1, 198, 51, 100, 2]), (40000, 80)
    if not forward:
        ends, ports = ends[4:] + ends[:4], ports[::-1]
    size = 5 + len(options) // 4
    tcp = struct.pack("!HHIIBBHHH", *ports, place, answers, size << 4, flags, 9000, 0, 0)
    tcp += options + data
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, len(tcp)) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + ends
    return bytes(12) + b"\x08\0" + ip[:10] + total(ip) + ip[12:] + tcp


end = [
    segment(False, PSH | ACK, 5001, ALL, ANSWER),
    segment(True, FIN | ACK, ALL, 5001 + len(ANSWER)),
    segment(False, FIN | ACK, 5001 + len(ANSWER), ALL + 1),
    segment(True, ACK, ALL + 1, 5002 + len(ANSWER)),
]
later = 1001 + len(FIRST)
plain = [segment(True, SYN, 1000, 0), segment(False, SYN | ACK, 5000, 1001)]
bare = segment(True, ACK, 1001, 5001)
first = segment(True, PSH | ACK, 1001, 5001, FIRST)
rest = segment(True, PSH | ACK, later, 5001, REST)
opened = segment(True, SYN, 1000, 0, FIRST, COOKIE)
for name, segments in {
    "after": [*plain, bare, first, rest],
    "third": [*plain, first, rest],
    "syn": [opened, segment(False, SYN | ACK, 5000, later), segment(True, ACK, later, 5001), rest],
    "again": [opened, plain[1], bare, first, rest],
}.items():
    with open(f"{name}.pcap", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for second, frame in enumerate(segments + end):
            head = struct.pack("<IIII", 1_600_000_000 + second, 0, len(frame), len(frame))
            file.write(head + frame)
PY
join='import sys
data = b"".join(bytes.fromhex(line) for line in sys.stdin if line[:-1].isalnum())
print(data.decode().replace("\r", ".").replace("\n", "."))'
tools=$folder/root
run() { LD_LIBRARY_PATH="$libraries" "$@" >/dev/null 2>&1; }
show() { tr '\0\r\n' '0..' <"$1" 2>/dev/null; echo; }
for name in after third syn again; do
    mkdir $name
    (
        cd $name || exit 1
        run $tools/usr/bin/tcptrace -n -e ../$name.pcap
        run $tools/usr/sbin/tcpick -r ../$name.pcap -wR
        run $tools/usr/bin/tcpflow -r ../$name.pcap -o flow
        echo "$name: tcptrace $(show a2b_contents.dat)"
        echo "$name: tcpick   $(show tcpick_*serv.dat)"
        echo "$name: tcpflow  $(show flow/192.000.002.001.40000-198.051.100.002.00080)"
        echo "$name: tshark   $(tshark -r ../$name.pcap -q -z follow,tcp,raw,0 2>/dev/null |
            python3 -c "$join")"
    )
done | tee found
cat >expected <<'END'
after: tcptrace GET / HTTP/1.1..Host: a....
after: tcpick   GET / HTTP/1.1..Host: a....
after: tcpflow  GET / HTTP/1.1..Host: a....
after: tshark   GET / HTTP/1.1..Host: a....
third: tcptrace GET / HTTP/1.1..Host: a....
third: tcpick   /1.1..Host: a....
third: tcpflow  GET / HTTP/1.1..Host: a....
third: tshark   GET / HTTP/1.1..Host: a....
syn: tcptrace 0000000000/1.1..Host: a....
syn: tcpick   /1.1..Host: a....
syn: tcpflow  GET / HTTP/1.1..Host: a....
syn: tshark   GET / HTTP/1.1..Host: a....
again: tcptrace GET / HTTP/1.1..Host: a....
again: tcpick   GET / HTTP/1.1..Host: a....
again: tcpflow  GET / HTTP/1.1..Host: a....
again: tshark   GET / HTTP/1.1..Host: a....
END
cmp -s found expected
