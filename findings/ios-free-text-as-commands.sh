#!/bin/sh
# An IOS configuration has free text between two delimiters, in which anything may stand.
# ciscoconfparse2 0.9.18 knows banner motd, login, exec and incoming, but puts their lines
# among its objects, so that find_objects(r"^interface") returns a line of a notice as an
# interface; of banner prompt-timeout and slip-ppp, of `menu NAME title` and of `aaa
# authentication banner` and `fail-message` it takes the text for commands of the router.
# netutils 1.19.2 knows every banner, but not the other three.  Neither warns.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install ciscoconfparse2==0.9.18 netutils==1.19.2 || exit 77
"$folder/v/bin/python" - 2>/dev/null <<'PY'
import sys

from ciscoconfparse2 import CiscoConfParse
from netutils.config.parser import IOSConfigParser

TEXT = "interface Loopback1\n"
BANNERS = ("motd", "login", "exec", "incoming", "prompt-timeout", "slip-ppp")
OTHERS = ("menu M title", "aaa authentication banner", "aaa authentication fail-message")
FRAME = "hostname r\n!\n{}!\ninterface Loopback0\n ip address 192.0.2.1 255.255.255.255\n!\nend\n"


def by_ciscoconfparse(text):
    """Texts taken for interfaces, and whether such a line is a command of its own."""
    found = CiscoConfParse(text.splitlines(), syntax="ios").find_objects(r"^interface")
    mistaken = [each for each in found if each.text == TEXT.strip()]
    if not mistaken:
        return "text"
    return "object" if mistaken[0].parent is not mistaken[0] else "command"


def by_netutils(text):
    lines = IOSConfigParser(text).config_lines
    own = any(each.config_line == TEXT.strip() and not each.parents for each in lines)
    return "command" if own else "text"


found = {}
for name in (*(f"banner {kind}" for kind in BANNERS), *OTHERS):
    text = FRAME.format(f"{name} ^C\n{TEXT}^C\n")
    found[name] = by_ciscoconfparse(text), by_netutils(text)
    print(f"{name}: ciscoconfparse2 {found[name][0]}, netutils {found[name][1]}")
expected = {f"banner {kind}": ("object", "text") for kind in BANNERS[:4]}
expected |= {f"banner {kind}": ("command", "text") for kind in BANNERS[4:]}
expected |= dict.fromkeys(OTHERS, ("command", "command"))
sys.exit(found != expected)
PY
