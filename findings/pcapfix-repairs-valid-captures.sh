#!/bin/sh
# pcapfix 1.1.7 reports corruptions that it has fixed in captures that have none, and what
# it writes is worse than what it read:
# - of a pcap file whose link type is above 255, such as 276 (LINUX_SLL2, what tcpdump -i
#   any writes since 4.99), it makes one of Ethernet, in which no IP is found;
# - of two packets that were recorded a week apart (or joined so, or whose clock was set
#   back) it makes packets of other lengths, from bytes within them;
# - of pcapng it takes a Simple Packet Block for one of wrong size, and the copy can be
#   read no more; a Decryption Secrets Block, and with it the keys, is left out.
# The link type is in its manual, as a limit of its option -t; that it changes the file's
# is not.  tshark 4.0.17 reads the sources without complaint.
# Debian's packages, one unpacked in a temporary folder.
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
apt-get -qq download pcapfix=1.1.7-2 >/dev/null 2>&1 || { echo "pcapfix is gone"; exit 77; }
dpkg-deb -x pcapfix*.deb root
python3 - <<'PY'
import struct

IP = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0)
IP += bytes([192, 0, 2, 1, 198, 51, 100, 2])
IP += struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 9000, 0, 0)
FRAME = bytes(12) + b"\x08\0" + IP
COOKED = struct.pack("!HHIHBB8s", 0x0800, 0, 2, 1, 0, 6, b"") + IP
START, WEEK = 1_600_000_000, 7 * 86400


def pcap(link, packets):
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for second, data in packets:
        file += struct.pack("<IIII", second, 0, len(data), len(data)) + data
    return file


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
section += block(1, struct.pack("<HHI", 1, 0, 65535))
stamp = START * 1_000_000
enhanced = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(FRAME), len(FRAME))
enhanced = block(6, enhanced + FRAME)
secrets = block(10, struct.pack("<II", 0x544C534B, 8) + b"# keys\n\n")
for name, data in {
    "ethernet.pcap": pcap(1, [(START, FRAME), (START + 1, FRAME)]),
    "cooked.pcap": pcap(276, [(START, COOKED), (START + 1, COOKED)]),
    "week.pcap": pcap(1, [(START, FRAME), (START + WEEK, FRAME)]),
    "enhanced.pcapng": section + enhanced,
    "simple.pcapng": section + block(3, struct.pack("<I", len(FRAME)) + FRAME),
    "secrets.pcapng": section + secrets + enhanced,
}.items():
    with open(name, "wb") as file:
        file.write(data)
PY
packets() {
    tshark -r "$1" -T fields -E separator=' ' -e frame.len -e frame.protocols >seen 2>/dev/null ||
        echo "it cannot be read" >>seen
    echo "$(stat -c %s "$1") bytes: $(paste -s -d , seen)"
}
for name in ethernet.pcap cooked.pcap week.pcap enhanced.pcapng simple.pcapng secrets.pcapng; do
    said=$(root/usr/bin/pcapfix -o "copy.$name" $name 2>&1 | tr '\r' '\n' |
        sed -n 's/.*\(SUCCESS\|looks proper\).*/\1/p')
    echo "$name: $said"
    echo "  source, $(packets $name)"
    [ ! -e copy.$name ] || echo "  copy, $(packets copy.$name)"
done | tee found
cat >expected <<'END'
ethernet.pcap: looks proper
  source, 164 bytes: 54 eth:ethertype:ip:tcp,54 eth:ethertype:ip:tcp
cooked.pcap: SUCCESS
  source, 176 bytes: 60 sll:ethertype:ip:tcp,60 sll:ethertype:ip:tcp
  copy, 176 bytes: 60 eth:ethertype:data,60 eth:ethertype:data
week.pcap: SUCCESS
  source, 164 bytes: 54 eth:ethertype:ip:tcp,54 eth:ethertype:ip:tcp
  copy, 164 bytes: 53 eth:ethertype:ip:tcp,13824 eth:llc:data
enhanced.pcapng: looks proper
  source, 136 bytes: 54 eth:ethertype:ip:tcp
simple.pcapng: SUCCESS
  source, 120 bytes: 54 eth:ethertype:ip:tcp
  copy, 122 bytes: it cannot be read
secrets.pcapng: SUCCESS
  source, 164 bytes: 54 eth:ethertype:ip:tcp
  copy, 136 bytes: 54 eth:ethertype:ip:tcp
END
cmp -s found expected
