#!/bin/sh
# pmacctd 1.7.7 reads a capture file (pcap_savefile, -I) two seconds after its start.  If
# print_refresh_time passes within these, which it does with 1 s, its print plugin counts
# wrong from then on: of a file of 10 packets each one twice, of 1,000 packets 73 and of
# 100,000 packets 73 as well.  No warning, and all of it looks like a smaller recording.
# With a longer time (60 s is the default) and for live traffic its figures are right.
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
apt-get -qq download pmacct=1.7.7-1+b1 libjansson4 libmariadb3 libmaxminddb0 \
    libnetfilter-log1 libnfnetlink0 libnorm1 libpcap0.8 libpgm-5.3-0 libpq5 librabbitmq4 \
    librdkafka1 libsodium23 libsqlite3-0 libzmq5 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
python3 - <<'PY'
import struct

for count in (10, 1000, 100000):
    with open(f"{count}.pcap", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for number in range(count):
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, number & 0xFFFF, 0x4000, 64, 6, 0)
            ip += bytes([192, 0, 2, 1, 198, 51, 100, 2])
            ip += struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 9000, 0, 0)
            file.write(struct.pack("<IIII", 1_600_000_000, number, len(ip), len(ip)) + ip)
PY
for refresh in 3600 1; do
    for count in 10 1000 100000; do
        printf '%s\n' "plugins: print" "print_output: csv" "print_refresh_time: $refresh" \
            "aggregate: src_host, dst_host" "pcap_savefile: $count.pcap" >conf
        seen=$(LD_LIBRARY_PATH="$libraries" timeout 30 root/usr/sbin/pmacctd -f conf 2>errors |
            sed -n 's/^192\.0\.2\.1,198\.51\.100\.2,//p')
        echo "$count packets of 40 bytes, print_refresh_time $refresh: counted $seen"
        grep -i missing errors
    done
done | tee found
cat >expected <<'END'
10 packets of 40 bytes, print_refresh_time 3600: counted 10,400
1000 packets of 40 bytes, print_refresh_time 3600: counted 1000,40000
100000 packets of 40 bytes, print_refresh_time 3600: counted 100000,4000000
10 packets of 40 bytes, print_refresh_time 1: counted 20,800
1000 packets of 40 bytes, print_refresh_time 1: counted 73,2920
100000 packets of 40 bytes, print_refresh_time 1: counted 73,2920
END
cmp -s found expected
