#!/bin/sh
# Unpacks Debian's lwIP source, with its port to Unix: sh source.sh DIRECTORY
#
# By apt, from the archives that this machine uses already; installs nothing and
# writes nothing outside the directory.
set -e
mkdir -p "$1/parts" "$1/lists/partial"
cd "$1"
to=$(pwd)
for list in /etc/apt/sources.list.d/*.sources; do
	grep -q debian-archive-keyring "$list" 2>/dev/null || continue
	sed 's/^Types:.*/Types: deb-src/' "$list" >"parts/${list##*/}"
done
if [ -s /etc/apt/sources.list ]; then
	sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >parts/main.list
fi
apt() {
	apt-get -qq -o Dir::Etc::SourceList=/dev/null \
		-o Dir::Etc::SourceParts="$to/parts" \
		-o Dir::State::Lists="$to/lists" -o APT::Sandbox::User=root "$@"
}
apt update
apt source --download-only lwip
tar xf lwip_*.orig.tar.*
tar xf lwip_*.debian.tar.* debian/patches/port
cd lwip-*/
# Of the port alone: its changes to the sources are for the shared library.
patch -s -p1 <../debian/patches/port
tar xf ../lwip_*.orig.tar.* --strip-components=1
