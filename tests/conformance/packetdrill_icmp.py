"""Reads the ICMP errors of packetdrill scripts.

Google's packetdrill writes the quoted segment behind the error, nplab's also in front
of it: `icmp unreachable net_unreachable [0:0(0)]`, `[0:0(0)] icmp unreachable ...`.
"""

from __future__ import annotations

import re

from .script import UNREACHABLE, ScriptError

ICMP = re.compile(
    r"""^(?:\[(?P<before>[^\]]*)\]\s*)?
        icmp(?:v6)?\s+(?P<type>\w+)(?:\s+(?!mtu\b)(?P<code>\w+))?
        (?:\s+mtu\s+(?P<mtu>\d+))?\s*(?:\[(?P<behind>[^\]]*)\])?$""",
    re.VERBOSE,
)
# Names by type, where the code has none of its own or the type is the name.
OF_TYPE = {
    "packet_too_big": "frag_needed",
    "time_exceeded": "ttl_exceeded",
    "redirect": "redirect",
    "unreachable": "net_unreachable",
    "source_quench": "source_quench",
}
SYNONYMS = {
    "ttl_exceeded_in_transit": "ttl_exceeded",
    "exc_hoplimit": "ttl_exceeded",
    "exc_ttl": "ttl_exceeded",
    "exc_fragtime": "frag_reass_exceeded",
    "prot_unreachable": "protocol_unreachable",
    "sr_failed": "source_route_failed",
    "fragmentation_needed": "frag_needed",
    "adm_prohibited": "admin_prohibited",
    "packet_filtered": "admin_prohibited",
    "no_route": "net_unreachable",
    "noroute": "net_unreachable",
    "addr_unreachable": "host_unreachable",
    "not_neighbour": "beyond_scope",
}


def is_icmp(text: str) -> bool:
    """Whether an injected or expected packet is an ICMP error."""
    return re.match(r"(?:\[[^\]]*\]\s*)?icmp(?:v6)?\b", text.strip()) is not None


def read_icmp(text: str, family: int) -> tuple[str, int, int]:
    """Read an ICMP error; return its kind, the quoted sequence number, the MTU."""
    match = ICMP.match(" ".join(text.split()))
    quoted = match and (match["before"] or match["behind"])
    if match is None or not quoted:
        raise ScriptError(f"ICMP error {text!r}")
    seq = re.search(r"(\d+):\d+\(\d+\)", quoted)
    code = match["code"]
    if match["type"] == "parameter_problem":
        kind = "parameter_problem"
    else:
        kind = code or OF_TYPE.get(match["type"], match["type"])
        kind = SYNONYMS.get(kind, kind)
    if kind not in UNREACHABLE or UNREACHABLE[kind][family == 6] is None:
        raise ScriptError(f"ICMP error {kind!r}")
    return kind, int(seq[1]) if seq else 0, int(match["mtu"] or 0)
