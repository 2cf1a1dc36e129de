#!/bin/sh
# netconan 0.15.0 anonymizes the addresses of a router's configuration so that prefixes,
# classes and private ranges stay, and leaves masks of IPv4 alone.  But
# - a wildcard mask whose ones are not all at its end, such as 0.255.0.255 (any second
#   byte), is an address for it, so the line of an access list matches others than before,
#   and lines that matched the same no longer do;
# - the ranges of IPv6 are not kept: a link-local address and the default route ::/0 become
#   addresses that IOS refuses there, and an IPv4-mapped one is no address at all.
# Nothing is said.  The masks 0.0.255.255 and 255.255.255.0 stay, and so does the default
# route of IPv4.
# Exit: 0 as described, 1 changed, 77 the version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
python3 -m venv v || exit 1
v/bin/pip -q install netconan==0.15.0 || exit 77
cat >router <<'END'
 permit tcp 10.1.0.0 0.0.255.255 any
 permit tcp 10.1.0.0 0.255.0.255 any
 permit tcp host 10.1.0.0 10.1.0.1 0.0.0.254
ip route 0.0.0.0 0.0.0.0 192.0.2.254
ipv6 route ::/0 2001:DB8::1
 ipv6 address FE80::1 link-local
 ipv6 address ::FFFF:10.1.0.1/128
END
v/bin/netconan -a --salt any -i router -o other 2>/dev/null
paste -d '\n' router other | sed 'n;s/^/    becomes /'
cat >compare.py <<'PY'
import ipaddress
import sys


def words(name):
    with open(name) as file:
        return [line.split() for line in file]


def kept(line, place):
    return [name[line][place] for name in (before, after)]


def valid(text):
    try:
        return ipaddress.ip_address(text.split("/")[0])
    except ValueError:
        return None


before, after = words("router"), words("other")
wildcards = [kept(0, 3), kept(1, 3), kept(2, 5)]
print("wildcard masks kept:", *(old == new for old, new in wildcards))
default = kept(3, 2)
print("default route of IPv4 kept:", default[0] == default[1])
route, local, mapped = after[4][2], after[5][2], after[6][2]
print("default route of IPv6 kept:", route == "::/0")
print("still link-local:", valid(local).is_link_local, "still an address:", bool(valid(mapped)))
sys.exit(
    [old == new for old, new in wildcards] != [True, False, False]
    or default[0] != default[1]
    or route == "::/0"
    or valid(local).is_link_local
    or valid(mapped) is not None
)
PY
python3 compare.py
