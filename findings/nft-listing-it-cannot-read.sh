#!/bin/sh
# Two rulesets of nft 1.0.6 that it lists in a form which it then refuses, so that saving
# and restoring loses all of it (a file is loaded as a whole or not at all):
# - with a synproxy object, `nft -j list ruleset | nft -j -f -` is "Unknown object passed
#   to add command", though the JSON is its own; the listing as text is good;
# - a raw match on a TCP option of a kind that it knows, at a place without a name, such
#   as the first byte of a Fast Open cookie (`tcp option @34,16,8 3`), is listed as `tcp
#   option fastopen unknown 3`, an error in both forms.  With an unknown kind it is good.
# Debian's packages, unpacked in a temporary folder.  Needs apt-get, dpkg-deb, unshare.
# Exit: 0 as described, 1 changed, 77 that version, or a namespace, cannot be had.
set -u
for tool in apt-get dpkg-deb unshare; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
version=1.0.6-2+deb12u2
apt-get -qq download nftables=$version libnftables1=$version libnftnl11 libjansson4 \
    libmnl0 libxtables12 libedit2 libbsd0 >/dev/null 2>&1 || { echo "nft is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
libraries=$(find "$folder/unpacked" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
cat >synproxy <<'END'
table inet t {
    synproxy web {
        mss 1460
        wscale 7
        timestamp sack-perm
    }
    chain c {
        type filter hook input priority filter
        tcp dport 80 ct state invalid,untracked synproxy name "web"
    }
}
END
for kind in 34 253; do
    cat >option-$kind <<END
table inet t {
    chain c {
        type filter hook input priority filter
        tcp option @$kind,16,8 3 drop
    }
}
END
done
cat >restore.sh <<'END'
nft() { LD_LIBRARY_PATH="$1" unpacked/usr/sbin/nft $2 $3 $4; }
for name in synproxy option-34 option-253; do
    for form in "" -j; do
        nft "$1" -f $name || exit 77
        nft "$1" "$form" list ruleset >saved
        nft "$1" flush ruleset
        word=restored
        nft "$1" "$form" -f saved 2>error || word="refused ($(head -1 error | cut -d: -f3-))"
        nft "$1" flush ruleset
        echo "$name${form:+ as JSON}: $word"
    done
done
END
LD_LIBRARY_PATH="$libraries" unpacked/usr/sbin/nft --version
unshare -rn sh restore.sh "$libraries" | tee found
[ -s found ] || exit 77
cat >expected <<'END'
synproxy: restored
synproxy as JSON: refused
option-34: refused
option-34 as JSON: refused
option-253: restored
option-253 as JSON: restored
END
sed 's/ (.*//' found | cmp -s - expected
