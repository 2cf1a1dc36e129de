#!/bin/sh
# The package netflow 0.12.2 gives a flow of NetFlow 9 as a dict of its fields' names; all
# fields that it does not know have one name, UNKNOWN_FIELD_TYPE, so of several the last
# is there.  It does not know 153 (the end of a flow in milliseconds, of which the start,
# 152, is NF_F_FLOW_CREATE_TIME_MSEC), 136 (why the flow ended) nor 239 (its direction); in
# which order a template has them decides which one is left.  In IPFIX, for the same
# elements, it has all names.
# A template that both pmacct (152, 153) and softflowd (136) could send, by hand.
# Exit: 0 as described, 1 changed, 77 the version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install netflow==0.12.2 || exit 77
"$folder/v/bin/python" - <<'PY'
import struct
import sys

import netflow

START, END = 1_600_000_010_000, 1_600_000_012_500
SYN = [(8, b"\xc0\0\2\1"), (12, b"\xc6\x33\x64\2"), (7, b"\x9c\x40"), (11, b"\0\x50"), (4, b"\6")]
TIMES = [(152, struct.pack("!Q", START)), (153, struct.pack("!Q", END))]
REASON, DIRECTION = (136, b"\1"), (239, b"\2")


def message(version, fields):
    template = struct.pack("!HH", 256, len(fields))
    template += b"".join(struct.pack("!HH", kind, len(value)) for kind, value in fields)
    flow = b"".join(value for _, value in fields)
    flow += bytes(-len(flow) % 4)
    body = struct.pack("!HH", 0 if version == 9 else 2, 4 + len(template)) + template
    body += struct.pack("!HH", 256, 4 + len(flow)) + flow
    if version == 9:
        return struct.pack("!HHIIII", 9, 2, 60_000, END // 1000, 0, 7) + body
    return struct.pack("!HHIII", 10, 16 + len(body), END // 1000, 0, 7) + body


found = []
for title, version, fields in (
    ("NetFlow 9", 9, [*SYN, *TIMES, REASON, DIRECTION]),
    ("NetFlow 9, the times last", 9, [*SYN, REASON, DIRECTION, *TIMES]),
    ("IPFIX", 10, [*SYN, *TIMES, REASON, DIRECTION]),
):
    packet = netflow.parse_packet(message(version, fields), {"netflow": {}, "ipfix": {}})
    data = packet.flows[0].data
    others = dict(sorted((name, data[name]) for name in data if data[name] in (START, END, 1, 2)))
    found.append((len(fields), len(data), others))
    print(f"{title}: {len(fields)} fields, {len(data)} in the dict, of the last four {others}")
sys.exit(
    found
    != [
        (9, 7, {"NF_F_FLOW_CREATE_TIME_MSEC": START, "UNKNOWN_FIELD_TYPE": 2}),
        (9, 7, {"NF_F_FLOW_CREATE_TIME_MSEC": START, "UNKNOWN_FIELD_TYPE": END}),
        (
            9,
            9,
            {
                "biflowDirection": 2,
                "flowEndMilliseconds": END,
                "flowEndReason": 1,
                "flowStartMilliseconds": START,
            },
        ),
    ]
)
PY
