"""docs/peers.md, made of what `python -m tests.stacks` found (docs/peers.json)."""

from __future__ import annotations

WAYS = {
    "cache": "served from the cache: `syncache serve --echo --packet`",
    "cookie": "served by cookie: the same with `net.inet.tcp.syncookies_only=1`",
    "xdp": "the same over AF_XDP: `syncache serve --echo --xdp`",
    "intercept": "a client of a kernel's server through `syncache intercept`",
    "server": "a server behind `syncache intercept`, for a kernel's client",
    "watch": "through `syncache intercept --mode watch`",
    "inspect": "through `syncache inspect`",
}

HEAD = (
    "# Peers\n\n"
    "<!-- Written by `make peers`; tests/stacks has the programs. -->\n\n"
    "Other TCP stacks, scanners and tools against ours, each in network namespaces of "
    "its own on one machine.\n"
    "`make peers` runs all that are installed and writes this page; the others are "
    "named as absent.\n"
    "A peer sends 20,000 bytes (a tool its own probe), ends its side, and has to get "
    "them back; IPv4 and IPv6 where it has both.\n\n"
)


def page(document: dict) -> str:
    """Return the page."""
    lines = [HEAD + f"Taken on {document['date']}.\n"]
    lines += [f"- {way}: {what}" for way, what in WAYS.items()]
    lines += ["", "## Results", ""]
    lines += ["| peer | version | " + " | ".join(WAYS) + " |"]
    lines += ["|---" * (len(WAYS) + 2) + "|"]
    for peer in document["peers"]:
        cells = [peer["results"].get(way, "") for way in WAYS]
        version = peer["version"] or "absent"
        lines += ["| " + " | ".join([peer["name"], version, *cells]) + " |"]
    lines += ["", "## What they send, and what to know", ""]
    lines += ["| peer | options of its SYN | window | sent again after | to know |"]
    lines += ["|---|---|---|---|---|"]
    for peer in document["peers"]:
        syn = peer["syn"]
        again = ", ".join(f"{seconds} s" for seconds in peer["again"])
        options = ", ".join(syn.get("options", ())) or ("none" if syn else "")
        cells = [options, str(syn.get("window", "")), again, peer["note"]]
        lines += ["| " + " | ".join([peer["name"], *cells]) + " |"]
    lines += [
        "",
        "Times are those within eight seconds of silence, of one row for each program.",
        "",
    ]
    return "\n".join(lines)
