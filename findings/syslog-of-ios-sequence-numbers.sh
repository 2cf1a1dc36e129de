#!/bin/sh
# IOS puts a count before each message that it sends to a server, and, where it is told to,
# its name (`logging origin-id hostname`), a sequence number (`service sequence-numbers`)
# and the time zone (`... show-timezone`), each followed by a colon but the last.  rsyslog
# 8.2302 has a parser of its own for them, pmciscoios, and syslog-ng 3.38.1 cisco-parser().
# - With sequence numbers and no name both take the number for the name of the host
#   (pmciscoios where present.origin is on, which it has to be for names): a new host for
#   each message, and a new file where files are named after hosts.
# - With a name and sequence numbers neither reads any of it: the tag is the count.
# - A time stamp since boot (`service timestamps log uptime`), 1d03h, is a host for syslog-ng;
#   rsyslog does not read such a line.
# - The zone is passed over by both: 13:58:46 CEST is 13:58:46 of the server's own zone.
# Servers on the loopback interface of a network namespace of its own.
# Debian's packages, unpacked in a temporary folder.
# Needs apt-get, dpkg-deb, unshare of util-linux, iproute2 and python3.
# Exit: 0 as described, 1 changed, 77 a version or the namespace is gone.
set -u
for tool in apt-get dpkg-deb unshare ip python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download rsyslog=8.2302.0-1+deb12u2 libestr0 libfastjson4 liblognorm5 \
    syslog-ng-core=3.38.1-5+deb12u1 syslog-ng-scl=3.38.1-5+deb12u1 libivykis0 libnet1 \
    libwrap0 libjson-c5 libpcre3 >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
modules() { dirname "$(find "$folder/root" -name "$1")"; }
cat >rsyslog.conf <<END
module(load="imudp")
module(load="pmciscoios")
parser(name="origin" type="pmciscoios" present.origin="on")
template(name="row" type="string"
         string="%msg%|%hostname%|%timereported:::date-rfc3339%|%syslogtag%\n")
ruleset(name="without" parser=["rsyslog.ciscoios", "rsyslog.rfc3164"]) {
    action(type="omfile" file="$folder/rows.rsyslog" template="row")
}
ruleset(name="with" parser=["origin", "rsyslog.rfc3164"]) {
    action(type="omfile" file="$folder/rows.origin" template="row")
}
input(type="imudp" address="127.0.0.1" port="5514" ruleset="without")
input(type="imudp" address="127.0.0.1" port="5515" ruleset="with")
END
cat >syslog-ng.conf <<END
@version: 3.38
@include "$(find "$folder" -path '*/scl/cisco/plugin.conf')"
source s { network(transport(udp) ip("127.0.0.1") port(5516) flags(no-parse)); };
parser p { cisco-parser(); };
destination d {
    file("$folder/rows.syslog-ng" template("\${MSG}|\${HOST}|\${ISODATE}|\${.cisco.mnemonic}\n"));
};
log { source(s); parser(p); destination(d); };
END
cat >say.py <<'PY'
import datetime
import re
import socket
import subprocess
import sys
import time

MESSAGES = {
    "m1": "29: Apr 29 13:58:46.411: %SYS-5-CONFIG_I: m1",
    "m2": "29: r1: Apr 29 13:58:46.411: %SYS-5-CONFIG_I: m2",
    "m3": "29: 000031: Apr 29 13:58:46.411: %SYS-5-CONFIG_I: m3",
    "m4": "29: r1: 000031: Apr 29 13:58:46.411: %SYS-5-CONFIG_I: m4",
    "m5": "29: 1d03h: %SYS-5-CONFIG_I: m5",
    "m6": "29: Apr 29 13:58:46.411 CEST: %SYS-5-CONFIG_I: m6",
}
rsyslog, syslog_ng = sys.argv[1:]
null = subprocess.DEVNULL
servers = [
    subprocess.Popen(command.split(), stdout=null, stderr=null)
    for command in (
        f"root/usr/sbin/rsyslogd -n -M {rsyslog} -f rsyslog.conf -i {sys.path[0]}/pid",
        "root/usr/sbin/syslog-ng -F --no-caps -f syslog-ng.conf -R persist -c control"
        f" -p {sys.path[0]}/pid.ng --module-path={syslog_ng}",
    )
]
for _ in range(200):
    with open("/proc/net/udp") as file:
        text = file.read()
    if all(f":{port:04X} " in text for port in (5514, 5515, 5516)):
        break
    time.sleep(0.1)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for message in MESSAGES.values():
        for port in (5514, 5515, 5516):
            sender.sendto(f"<189>{message}".encode(), ("127.0.0.1", port))
        time.sleep(0.1)
time.sleep(2)
for server in servers:
    server.terminate()
for server in servers:
    server.wait()
year = datetime.date.today().year
found = {}
for name in ("rsyslog", "origin", "syslog-ng"):
    rows = {}
    with open(f"rows.{name}") as file:
        for line in file.read().splitlines():
            message, host, stamp, kind = line.split("|")
            number = re.search("m[0-9]$", message)[0]
            stamp = stamp[5:19] if stamp[5:10] == "04-29" else "time of arrival"
            rows[number] = (host.replace("127.0.0.1", "localhost"), stamp, kind)
    found[name] = rows
for number, message in MESSAGES.items():
    print(message)
    for name, rows in found.items():
        print(f"    {name}: {rows.get(number, 'not read')}")
stamp, now = "04-29T13:58:46", "time of arrival"
tag, kind = "%SYS-5-CONFIG_I:", "CONFIG_I"
lost = ("localhost", now, "29:")
sys.exit(
    found
    != {
        "rsyslog": {
            "m1": ("localhost", stamp, tag), "m2": lost, "m3": lost, "m4": lost, "m5": lost,
            "m6": ("localhost", stamp, tag),
        },
        "origin": {
            "m1": lost, "m2": ("r1", stamp, tag), "m3": ("000031", stamp, tag), "m4": lost,
            "m5": lost, "m6": lost,
        },
        "syslog-ng": {
            "m1": ("localhost", stamp, kind), "m2": ("r1", stamp, kind),
            "m3": ("000031", stamp, kind), "m5": ("1d03h", now, kind),
            "m6": ("localhost", stamp, kind),
        },
    }
)
PY
export TZ=UTC
rsyslog=$(modules imudp.so) syslog_ng=$(modules libsyslogformat.so)
LD_LIBRARY_PATH=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':') \
    unshare -rn sh -c "ip link set lo up && exec python3 say.py $rsyslog $syslog_ng"
