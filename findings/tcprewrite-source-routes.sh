#!/bin/sh
# The checksum of TCP covers the packet's final destination (RFC 8200 8.1), which while a
# source route is not used up stands in the option or the routing header and not in IP's.
# tcprewrite 4.4.3 takes the address in IP's header and makes a valid checksum wrong:
# - of IPv4 with a loose source route in a copy with no option of editing;
# - of IPv6 with a routing header (segment routing's, type 4) by --fixcsum.
# bittwiste 2.0 does the same to the IPv4 packet; IPv6 it leaves alone.
# And in each copy tcprewrite gives IPv6 frames of unicast addresses two of multicast: both
# MAC addresses begin with 33:33 then.  IPv4 frames and their MAC addresses stay.
# tshark 4.0.17 finds all checksums of the source good.
# Debian's packages, unpacked in a temporary folder.
# Needs tshark 4.0.17, apt-get, dpkg-deb and python3.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in tshark apt-get dpkg-deb python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tshark --version 2>/dev/null | head -1 | grep 'Wireshark) 4\.0\.17' || exit 77
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download tcpreplay=4.4.3-1 bittwist=2.0-15 libdumbnet1 libpcap0.8 \
    >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
python3 - <<'PY'
import socket
import struct


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def syn(source, last):
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 9000, 0, 0)
    check = total(source + last + struct.pack("!II", 6, len(tcp)) + tcp)
    return tcp[:16] + check + tcp[18:]


def four(route):
    """A SYN to 198.51.100.2, with the route by way of 203.0.113.1."""
    source, last, first = (socket.inet_aton(end) for end in FOUR)
    options = bytes([131, 7, 4]) + last + b"\0" if route else b""
    tcp = syn(source, last)
    size = 20 + len(options)
    ip = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(tcp), 1, 0x4000, 64, 6, 0)
    ip += source + (first if route else last) + options
    return b"\x08\0" + ip[:10] + total(ip) + ip[12:] + tcp


def six(route):
    source, last, first = (socket.inet_pton(socket.AF_INET6, end) for end in SIX)
    tcp = syn(source, last)
    header = struct.pack("!BBBBBBH", 6, 4, 4, 1, 1, 0, 0) + last + first if route else b""
    ip = struct.pack("!IHBB", 6 << 28, len(header + tcp), 43 if route else 6, 64)
    return b"\x86\xdd" + ip + source + (first if route else last) + header + tcp


FOUR = "192.0.2.1", "198.51.100.2", "203.0.113.1"
SIX = "2001:db8::1", "2001:db8::2", "2001:db8::3"
with open("source.pcap", "wb") as file:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for second, body in enumerate((four(False), four(True), six(False), six(True))):
        frame = b"\2\0\0\0\0\1\2\0\0\0\0\x09" + body
        file.write(struct.pack("<IIII", 1_600_000_000 + second, 0, len(frame), len(frame)))
        file.write(frame)
PY
export LD_LIBRARY_PATH="$libraries"
root/usr/bin/tcprewrite -i source.pcap -o tcprewrite.pcap
root/usr/bin/tcprewrite --fixcsum -i source.pcap -o fixcsum.pcap
root/usr/bin/bittwiste -I source.pcap -O bittwiste.pcap -T tcp >/dev/null 2>&1
unset LD_LIBRARY_PATH
for name in source tcprewrite fixcsum bittwiste; do
    echo "$name: destination MAC, good checksum (of IPv4, routed, of IPv6, routed)"
    tshark -r $name.pcap -o tcp.check_checksum:TRUE -T fields -E separator=' ' \
        -e eth.dst -e tcp.checksum.status 2>/dev/null | paste -s -d ,
done | tee found
cat >expected <<'END'
source: destination MAC, good checksum (of IPv4, routed, of IPv6, routed)
02:00:00:00:00:01 1,02:00:00:00:00:01 1,02:00:00:00:00:01 1,02:00:00:00:00:01 1
tcprewrite: destination MAC, good checksum (of IPv4, routed, of IPv6, routed)
02:00:00:00:00:01 1,02:00:00:00:00:01 0,33:33:00:00:00:02 1,33:33:00:00:00:03 1
fixcsum: destination MAC, good checksum (of IPv4, routed, of IPv6, routed)
02:00:00:00:00:01 1,02:00:00:00:00:01 0,33:33:00:00:00:02 1,33:33:00:00:00:03 0
bittwiste: destination MAC, good checksum (of IPv4, routed, of IPv6, routed)
02:00:00:00:00:01 1,02:00:00:00:00:01 0,02:00:00:00:00:01 1,02:00:00:00:00:01 1
END
cmp -s found expected
