#!/bin/sh
# hier_config 3.7.1 computes the commands that lead from a running configuration to the one
# wanted.  For IOS it knows that lines of a named IPv4 access list have an order: it
# numbers them, so two lines that change places are a difference.  It is none in a numbered
# list (access-list 101), an IPv6 list (whose sequence numbers, where there are any, it
# even takes off before) and the classes of a policy-map, where the first match decides all
# the same: the answer is no commands, with "permit any" before "deny host" on the router.
# A deny that is to be the first of a numbered list is added without more, which puts it
# last.  For NX-OS and IOS XR named lists without numbers are no different.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install hier-config==3.7.1 || exit 77
"$folder/v/bin/python" - <<'PY'
import sys

from hier_config import Platform, get_hconfig

PERMIT, DENY = "permit tcp any any", "deny tcp any host 192.0.2.1"
DENY6 = "deny tcp any host 2001:DB8::1"


def commands(running, wanted, platform=Platform.CISCO_IOS):
    change = get_hconfig(platform, running).config_to_get_to(get_hconfig(platform, wanted))
    return [line.cisco_style_text().strip() for line in change.all_children_sorted()]


def block(head, *lines):
    return "".join((f"{head}\n", *(f" {line}\n" for line in lines)))


def numbered(*lines):
    return "".join(f"access-list 101 {line}\n" for line in lines)


def swapped(make, first, second, *platform):
    return commands(make(first, second), make(second, first), *platform)


named, six = "ip access-list extended A", "ipv6 access-list A"
found = {
    "named list": swapped(lambda *two: block(named, *two), PERMIT, DENY),
    "numbered list": swapped(numbered, PERMIT, DENY),
    "IPv6 list": swapped(lambda *two: block(six, *two), PERMIT, DENY6),
    "IPv6 list, numbers": commands(
        block(six, f"sequence 10 {PERMIT}", f"sequence 20 {DENY6}"),
        block(six, f"sequence 10 {DENY6}", f"sequence 20 {PERMIT}"),
    ),
    "policy-map": swapped(lambda *two: block("policy-map P", *two), "class A", "class B"),
    "deny before permit": commands(numbered(PERMIT), numbered(DENY, PERMIT)),
    "NX-OS": swapped(
        lambda *two: block("ip access-list A", *two), PERMIT, DENY, Platform.CISCO_NXOS
    ),
    "IOS XR": swapped(
        lambda *two: block("ipv4 access-list A", *two), PERMIT, DENY, Platform.CISCO_XR
    ),
}
for name, lines in found.items():
    print(f"{name}: {lines}")
removed, added = (f"no 10 {PERMIT}", f"no 20 {DENY}"), (f"10 {DENY}", f"20 {PERMIT}")
expected = dict.fromkeys(found, [])
expected["named list"] = [named, *removed, *added]
expected["deny before permit"] = [f"access-list 101 {DENY}"]
sys.exit(found != expected)
PY
