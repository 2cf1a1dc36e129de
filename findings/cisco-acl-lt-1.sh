#!/bin/sh
# cisco_acl 3.3.5 has port numbers from 1 on for lt, gt and neq, though eq takes 0.  For it
# `lt 1`, which IOS takes and which is port 0 alone, is a condition of no port, and that is
# what a line without a condition looks like: the line shades every other of its action, and
# delete_shadow(), which is to delete lines that never match, deletes them.  Of two lines,
# the first of which lets port 0 in and the second port 80, the first is left.
# Exit: 0 as described, 1 changed, 77 the version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install cisco-acl==3.3.5 || exit 77
"$folder/v/bin/python" - <<'PY'
import sys

from cisco_acl import Ace, Acl

found = {}
for first in ("eq 0", "lt 1", "lt 2"):
    ace = Ace(f"permit tcp any any {first}", platform="ios")
    lines = (f"permit tcp any any {first}", "permit tcp any any eq 8080")
    acl = Acl("ip access-list extended A\n " + "\n ".join(lines), platform="ios")
    shadow = acl.delete_shadow()
    left = [line.strip() for line in acl.line.splitlines()[1:]]
    found[first] = ace.dstport.ports, len(left)
    print(f"{' / '.join(lines)}: ports of the first {ace.dstport.ports}, left {left}")
ports = Ace("permit tcp any any neq 80", platform="ios").dstport.ports
print("neq 80 has port 0:", 0 in ports)
sys.exit(found != {"eq 0": ([0], 2), "lt 1": ([], 1), "lt 2": ([1], 2)} or 0 in ports)
PY
