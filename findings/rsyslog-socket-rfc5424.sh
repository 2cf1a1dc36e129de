#!/bin/sh
# rsyslog 8.2302 reads RFC 5424 from UDP, but not from a Unix socket of imuxsock with its
# defaults: there a special parser for the messages of libc takes the version "1" for the
# name of the program, and the rest of the header for text.  So what
# `logger --rfc5424 --tag app` of util-linux writes to /dev/log is logged as of a program
# "1".  With `useSpecialParser="off"` the same datagram is read as it should be.
# Debian's packages, unpacked in a temporary folder.  Needs apt-get, dpkg-deb, logger.
# Exit: 0 as described, 1 changed, 77 that version cannot be had.
set -u
version=8.2302.0-1+deb12u2
for tool in apt-get dpkg-deb logger; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 77
chmod 755 "$folder"
apt-get -qq download "rsyslog=$version" libestr0 libfastjson4 liblognorm5 \
    >/dev/null 2>&1 || { echo "rsyslog $version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
modules=$(dirname "$(find root -name imuxsock.so)")
cat >conf <<END
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$folder/default" CreatePath="off")
input(type="imuxsock" Socket="$folder/plain" CreatePath="off" useSpecialParser="off"
      ParseHostname="on")
template(name="row" type="string" string="app=%app-name% id=%msgid% text=%msg%\n")
action(type="omfile" file="$folder/rows" template="row")
END
LD_LIBRARY_PATH="$libraries" root/usr/sbin/rsyslogd -v | head -1
LD_LIBRARY_PATH="$libraries" root/usr/sbin/rsyslogd -n -M "$folder/$modules" \
    -f conf -i pid 2>/dev/null &
daemon=$!
for _ in $(seq 100); do [ -S default ] && [ -S plain ] && break; sleep 0.1; done
for socket in default plain; do
    logger --rfc5424=notq --msgid ID --tag app --socket "$folder/$socket" hello
    sleep 1
done
kill $daemon
wait $daemon 2>/dev/null
cat rows
grep -q '^app=1 id=- text=.*app .*ID.* hello' rows &&
    grep -q '^app=app id=ID text=hello' rows
