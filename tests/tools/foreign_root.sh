#!/bin/sh
# foreign_root.sh DEBIAN-ARCHITECTURE DIRECTORY [PACKAGE]: unpacks Debian's Python of
# another processor, with what it is linked to, for an emulator; or another package.
#
# By apt, from the archives that this machine uses already; installs nothing and
# writes nothing outside the directory.
set -e
arch=$1
packages=${3:-python3-minimal libpython3-stdlib libpython3-dev}
mkdir -p "$2/parts" "$2/lists/partial" "$2/cache/archives/partial" "$2/root"
cd "$2"
to=$(pwd)
for list in /etc/apt/sources.list.d/*.sources; do
	grep -q debian-archive-keyring "$list" 2>/dev/null && cp "$list" parts/
done
[ ! -s /etc/apt/sources.list ] || cp /etc/apt/sources.list parts/main.list
apt() {
	tool=$1
	shift
	"$tool" -qq -o Dir::Etc::SourceList=/dev/null \
		-o Dir::Etc::SourceParts="$to/parts" \
		-o Dir::State="$to" -o Dir::State::Lists="$to/lists" \
		-o Dir::State::Status=/dev/null -o Dir::Cache="$to/cache" \
		-o APT::Architecture="$arch" -o APT::Architectures="$arch" \
		-o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"
}
apt apt-get update || true # a list that fails leaves the others
apt apt-get install --download-only --no-install-recommends -y \
	$packages >/dev/null
for deb in cache/archives/*.deb; do
	case ${deb##*/} in
	lib[a-z]*-dev_*) # headers alone
		dpkg-deb --fsys-tarfile "$deb" | tar x -C root ./usr/include 2>/dev/null ||
			true
		;;
	*) dpkg-deb -x "$deb" root ;;
	esac
done
rm -rf cache lists parts
