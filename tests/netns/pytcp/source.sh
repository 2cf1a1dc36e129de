#!/bin/sh
# Unpacks PyTCP 3.0.9 with the Python 3.14 that it needs: sh source.sh DIRECTORY PYTHON
#
# Python is Debian's of the next release, by apt, from the archives that this machine
# uses already; PyTCP and cffi come by the pip of PYTHON.  Installs nothing and writes
# nothing outside the directory; DIRECTORY/python runs it.
set -e
mkdir -p "$1/parts" "$1/lists/partial" "$1/archives/partial" "$1/site"
python=$(command -v "$2")
case $python in /*) ;; *) python=$(pwd)/$python ;; esac
cd "$1"
to=$(pwd)
for list in /etc/apt/sources.list.d/*.sources; do
	grep -q debian-archive-keyring "$list" 2>/dev/null || continue
	sed 's/^Suites:.*-security.*/Enabled: no/
		s/^Suites:.*/Suites: testing/' "$list" >"parts/${list##*/}"
done
if [ -s /etc/apt/sources.list ]; then
	sed -n 's/^deb \(\[.*\] \)\{0,1\}\([^ ]*\) [a-z]* .*/deb \1\2 testing main/p' \
		/etc/apt/sources.list | grep -v security | head -1 >parts/main.list
fi
: >status # as if nothing were installed: the C library comes too
apt() {
	apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$to/parts" \
		-o Dir::State::Lists="$to/lists" -o Dir::State::status="$to/status" \
		-o Dir::Cache::archives="$to/archives" -o APT::Sandbox::User=root "$@"
}
apt update
apt -y --no-install-recommends --download-only install python3.14-minimal \
	libpython3.14-stdlib libc6 >/dev/null
for package in archives/*.deb; do
	dpkg-deb --fsys-tarfile "$package" | tar x
done
rm -r archives lists
loader=$(echo usr/lib/*/ld-linux*.so.*)
cat >python <<'END'
#!/bin/sh
here=${0%/*}
PYTHONHOME=$here/usr PYTHONPATH=$here/site:$PYTHONPATH exec "$here/LOADER" \
	--library-path "$here/FOLDER" "$here/usr/bin/python3.14" "$@"
END
sed -i "s|LOADER|$loader|; s|FOLDER|${loader%/*}|" python
chmod +x python
"$python" -m pip install -qq --disable-pip-version-check --no-deps \
	--only-binary :all: --python-version 3.14 --target site \
	PyTCP==3.0.9 PyTCP-net_addr==3.0.9 PyTCP-net_proto==3.0.9 cffi
./python -c 'import _cffi_backend, pytcp.stack'
