#!/bin/sh
# IOS prints the same text for `show access-lists` and for `show ip access-lists`, as long
# as there are lists of IPv4 alone; ntc-templates 9.3.0 has a template for each, and they
# read it differently.  The one of the first command takes a destination's port for the
# source's where the source has none, and leaves out established, flags of TCP, fragments
# and a count of one ("1 match"): `permit tcp any any established` comes back as
# `permit tcp any any`.  The one of the second reads all of them.  Neither raises.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install ntc-templates==9.3.0 textfsm==2.1.0 || exit 77
"$folder/v/bin/python" - <<'PY'
import sys

from ntc_templates.parse import parse_output

HEAD = "Extended IP access list 101\n"
RULES = {
    "permit tcp any host 192.0.2.1 eq www (5 matches)": (
        {"source_port": "www", "operator_source_port": "eq", "matches": "5"},
        {"dst_port": "www", "dst_port_match": "eq", "matches": "5"},
    ),
    "permit tcp any any established (12 matches)": (
        {},
        {"tcp_flag": "established", "matches": "12"},
    ),
    "permit tcp any any match-all +syn -ack (3 matches)": (
        {},
        {"flags_match": "match-all", "tcp_flag": "+syn -ack", "matches": "3"},
    ),
    "deny udp any any fragments (2 matches)": (
        {},
        {"tcp_flag": "fragments", "matches": "2"},
    ),
    "deny ip any any (1 match)": ({}, {"matches": "1"}),
}
COMMANDS = ("show access-lists", "show ip access-lists")
LOOK = ("port", "flag", "matches")


def read(command, rule):
    row = parse_output("cisco_ios", command, f"{HEAD}    10 {rule}\n")[-1]
    return {
        name: value
        for name, value in row.items()
        if value and any(part in name for part in LOOK)
    }


changed = False
for rule, expected in RULES.items():
    found = tuple(read(command, rule) for command in COMMANDS)
    print(rule)
    for command, row in zip(COMMANDS, found):
        print(f"    {command}: {row}")
    changed |= found != expected
sys.exit(changed)
PY
