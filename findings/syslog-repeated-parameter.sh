#!/bin/sh
# A host of several addresses may say `[origin ip="..." ip="..."]` (RFC 5424 7.2.1): a name
# can come twice in an element.  Of such a message syslog-ng 3.38.1 relays the last one
# alone, and the first is gone for whatever is behind it.  rsyslog 8.2302 relays both, but
# its own module for structured data, mmpstrucdata, keeps the last.  Of Python's parsers
# syslog-rfc5424-parser 0.3.2 keeps the last too, and leaves the backslashes of escapes in
# a value, which the other two remove.  None of them warns.
# Debian's packages, unpacked in a temporary folder, and one of PyPI.
# Needs apt-get, dpkg-deb, and logger of util-linux.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in apt-get dpkg-deb logger; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download rsyslog=8.2302.0-1+deb12u2 libestr0 libfastjson4 liblognorm5 \
    syslog-ng-core=3.38.1-5+deb12u1 libivykis0 libnet1 libwrap0 libjson-c5 libpcre3 \
    >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
python3 -m venv v || exit 1
v/bin/pip -q install syslog-rfc5424-parser==0.3.2 || exit 77
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
modules() { dirname "$(find "$folder/root" -name "$1")"; }
cat >rsyslog.conf <<END
module(load="imuxsock" SysSock.Use="off")
module(load="mmpstrucdata")
input(type="imuxsock" Socket="$folder/rsyslog" CreatePath="off" useSpecialParser="off"
      ParseHostname="on")
template(name="row" type="string" string="%structured-data% %\$!rfc5424-sd%\n")
action(type="mmpstrucdata")
action(type="omfile" file="$folder/rows.rsyslog" template="row")
END
cat >syslog-ng.conf <<END
@version: 3.38
source s { unix-dgram("$folder/syslog-ng" flags(syslog-protocol)); };
destination d { file("$folder/rows.syslog-ng" template("\${SDATA}\n")); };
log { source(s); destination(d); };
END
LD_LIBRARY_PATH="$libraries" root/usr/sbin/rsyslogd -n -M "$(modules imuxsock.so)" \
    -f rsyslog.conf -i pid 2>/dev/null &
rsyslog=$!
LD_LIBRARY_PATH="$libraries" root/usr/sbin/syslog-ng -F --no-caps -f syslog-ng.conf \
    -R persist -c control -p pid.syslog-ng \
    --module-path="$(modules libsyslogformat.so)" 2>/dev/null &
syslog_ng=$!
for _ in $(seq 100); do [ -S rsyslog ] && [ -S syslog-ng ] && break; sleep 0.1; done
say() { # the socket, the element, its parameters
    target=$folder/$1 name=$2
    shift 2
    for each; do set -- "$@" --sd-param "$each"; shift; done
    logger --rfc5424=notq --tag app --socket "$target" --sd-id "$name" "$@" hello
    sleep 1
}
for daemon in rsyslog syslog-ng; do
    say $daemon origin 'ip="192.0.2.1"' 'ip="198.51.100.2"'
    say $daemon a@32473 'b="say \"x\""'
done
kill $rsyslog $syslog_ng
wait $rsyslog $syslog_ng 2>/dev/null
cat >parse.py <<'END'
import json
from syslog_rfc5424_parser import SyslogMessage
for element in ('[origin ip="192.0.2.1" ip="198.51.100.2"]', r'[a@32473 b="say \"x\""]'):
    message = f"<165>1 2026-01-02T03:04:05Z host app - - {element} hello"
    print(json.dumps(SyslogMessage.parse(message).sd))
END
v/bin/python parse.py >rows.python
cat >expected <<'END'
rows.rsyslog:[origin ip="192.0.2.1" ip="198.51.100.2"] { "origin": { "ip": "198.51.100.2" } }
rows.rsyslog:[a@32473 b="say \"x\""] { "a@32473": { "b": "say \"x\"" } }
rows.syslog-ng:[origin ip="198.51.100.2"]
rows.syslog-ng:[a@32473 b="say \"x\""]
rows.python:{"origin": {"ip": "198.51.100.2"}}
rows.python:{"a@32473": {"b": "say \\\"x\\\""}}
END
# A number of syslog-ng's own, for messages of this machine, is left out.
grep -H . rows.rsyslog rows.syslog-ng rows.python | sed 's/\[meta sequenceId=.*//' | tee found
cmp -s found expected
