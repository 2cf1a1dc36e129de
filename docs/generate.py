# ruff: noqa: INP001
"""Write the pages of docs/ that are made of what the code says, and mirrors of C.

    python docs/generate.py            write them
    python docs/generate.py --check    exit 1 if something is not what would be written

What is told of a tunable is its row, in a header or in syncache/tunables/, what is told
of a counter or a verdict in csrc/syncache.h, what a connection does in its table of
transitions, syncache/tcp/state.py, what was proven in tests/conformance/trace.txt; the
pages only arrange it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs import mirrors  # noqa: E402
from syncache import Reason, Sysctl  # noqa: E402
from syncache.stats import CACHE_LINES, COOKIE_LINES, COUNTERS  # noqa: E402
from syncache.sysctl import BUCKETLIMIT, CACHELIMIT, HASHSIZE  # noqa: E402
from syncache.tcp.state import (  # noqa: E402
    TRANSITIONS,
    Action,
    Happening,
    State,
    Transition,
)
from syncache.tunables import NOT_ABOVE  # noqa: E402
from tests.conformance import suite, trace  # noqa: E402

SETTABLE = {"boot": "before an engine uses it", "always": "any time", "never": "never"}
ROWS = "csrc/syncache_tunables.h, csrc/flow/flow_tunables.h and syncache/tunables/"
NOTE = "<!-- Written by docs/generate.py; edit {source} instead. -->"


def tunables_page() -> str:
    """Return docs/tunables.md."""
    freebsd, intime = Sysctl(), Sysctl()
    freebsd.preset("freebsd")
    intime.preset("intime")
    lines = [
        "# Tunables",
        "",
        NOTE.format(source=f"the rows of {ROWS}"),
        "",
        "FreeBSD's names where it has one; ours are under `net.inet.tcp.syncache.x.`.",
        "The columns `freebsd` and `intime` say what those presets change.",
        f"`{CACHELIMIT}` is `{HASHSIZE}` times `{BUCKETLIMIT}` unless it is set.",
        "",
        "| name | default | freebsd | intime | unit | legal | may change | meaning |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for knob in Sysctl().walk():
        presets = [
            f"`{preset[knob.name]}`" if preset[knob.name] != knob.default else ""
            for preset in (freebsd, intime)
        ]
        cells = [
            f"`{knob.name}`",
            f"`{knob.default}`",
            *presets,
            knob.unit,
            knob.range,
            SETTABLE[knob.settable],
            knob.meaning,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "Between tunables these relations hold at all times:", ""]
    for low, low_times, high, high_times in NOT_ABOVE:
        lines.append(
            f"- {_times(low_times)}`{low}` is at most {_times(high_times)}`{high}`"
        )
    return "\n".join(lines) + "\n"


def _times(factor: int) -> str:
    return "" if factor == 1 else f"{factor} times "


def counters_page() -> str:
    """Return docs/counters.md."""
    header = (ROOT / "csrc" / "syncache.h").read_text("utf-8")
    meanings = comments(header, "struct syncache_stats", r"uint64_t (\w+)[;\[]")
    verdicts = comments(header, "enum syncache_verdict", r"SYNCACHE_(\w+)(?: = 0)?,")
    netstat = {name: more for name, _, _, more, _ in (*CACHE_LINES, *COOKIE_LINES)}
    lines = [
        "# Counters",
        "",
        NOTE.format(source="csrc/syncache.h"),
        "",
        "`Syncache.stats` is a snapshot of all of them; none ever falls.",
        "`sc_` names are FreeBSD's `tcps_sc_*`, with the words of `netstat -s`.",
        "",
        "| counter | netstat | counts |",
        "|---|---|---|",
    ]
    for name in COUNTERS:
        words = f"`N {netstat[name]}`" if name in netstat else ""
        lines.append(f"| `{name}` | {words} | {meanings[name]} |")
    lines += [
        "",
        "## Verdicts",
        "",
        "`Stats.verdicts` counts packets by what became of them, each packet once.",
        "",
        "| reason | when |",
        "|---|---|",
    ]
    lines += [f"| `{r.name}` | {verdicts[r.name]} |" for r in Reason]
    return "\n".join(lines) + "\n"


def comments(header: str, what: str, member: str) -> dict[str, str]:
    """Return the comment of each member of a struct or enum, by name."""
    body = re.search(re.escape(what) + r" \{(.*?)\n\};", header, re.DOTALL)
    assert body is not None
    line = re.compile(r"^ +" + member + r"[^/\n]*(?:/\* (.*?) \*/)?$", re.MULTILINE)
    return {m[1]: m[2] or "" for m in line.finditer(body[1])}


def states_page() -> str:
    """Return docs/states.md."""
    lines = [
        "# States of a connection",
        "",
        NOTE.format(source="syncache/tcp/state.py"),
        "",
        "What happens to a connection (RFC 9293 3.10), and where it leads.",
        "LISTEN is the listener's.",
        "SYN-RECEIVED is a cache entry; only TCP Fast Open makes it a connection.",
        "There is no active open.",
        "",
        "An empty cell changes nothing.",
        "",
        "| state | " + " | ".join(map(str, Happening)) + " |",
        "|---" * (len(Happening) + 1) + "|",
    ]
    for state in State:
        cells = [_transition(state, TRANSITIONS[state, kind]) for kind in Happening]
        lines.append(f"| {state} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _transition(state: State, transition: Transition) -> str:
    """Say what a transition does, and where it goes if it goes anywhere."""
    where = "" if transition.state is state else f"{transition.state}: "
    if transition.action is Action.NOTHING:
        return where.removesuffix(": ")
    return f"{where}{transition.action.value}"


PAGES = {
    "tunables.md": tunables_page,
    "counters.md": counters_page,
    "states.md": states_page,
    "conformance.md": trace.page,
    "packetdrill.md": suite.page,
}


def main(arguments: list[str]) -> int:
    """Write blocks and pages, or tell whether they are up to date."""
    check = arguments == ["--check"]
    blocks = [
        (path, text)
        for path in mirrors.modules(ROOT)
        if (text := mirrors.written(path)) != path.read_text("utf-8")
    ]
    pages = [(ROOT / "docs" / name, page()) for name, page in PAGES.items()]
    stale = blocks + [
        (path, text)
        for path, text in pages
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path, text in stale:
        if not check:
            path.write_text(text, "utf-8")
        sys.stdout.write(f"{path.name}: {'stale' if check else 'written'}\n")
    if blocks and not check:  # pages are made of the modules, which are imported by now
        os.execv(sys.executable, [sys.executable, __file__])  # noqa: S606 - ourselves
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
