#!/bin/sh
# Unpacks Debian's lwIP sources, with the port to Unix: sh source.sh DIRECTORY
#
# Those of this release, 2.1.3 in Debian 12, and of Debian 13, 2.2.1: by apt, from the
# archives that this machine uses already; installs nothing and writes nothing outside
# the directory.
set -e
mkdir -p "$1"
cd "$1"
to=$(pwd)

apt() {
	apt-get -qq -o Dir::Etc::SourceList=/dev/null \
		-o Dir::Etc::SourceParts="$to/$part/parts" \
		-o Dir::State::Lists="$to/$part/lists" -o APT::Sandbox::User=root "$@"
}

# unpack SUITE: that of the machine's own sources if it is empty.
unpack() {
	part=parts${1:+-$1}
	mkdir -p "$part/parts" "$part/lists/partial"
	for list in /etc/apt/sources.list.d/*.sources; do
		grep -q debian-archive-keyring "$list" 2>/dev/null || continue
		sed "s/^Types:.*/Types: deb-src/
			${1:+s/^Suites:.*-security.*/Enabled: no/
			s/^Suites:.*/Suites: $1/}" "$list" >"$part/parts/${list##*/}"
	done
	if [ -z "$1" ] && [ -s /etc/apt/sources.list ]; then
		sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$part/parts/main.list"
	fi
	cd "$part"
	apt update && apt source --download-only lwip || return 1
	tar xf lwip_*.orig.tar.*
	tar xf lwip_*.debian.tar.* debian/patches
	cd lwip-*/
	# 2.1 has no port but Debian's, whose other changes are for the shared library.
	if [ -f ../debian/patches/port ]; then
		patch -s -p1 <../debian/patches/port
		tar xf ../lwip_*.orig.tar.* --strip-components=1
	fi
	cd "$to"
	mv "$part"/lwip-*/ .
}

unpack ''
# On Debian 13 it is the same one.
(unpack trixie) 2>/dev/null || echo "lwIP of Debian 13 left out" >&2
