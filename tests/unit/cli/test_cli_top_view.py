"""syncache/cli/top_view.py: the lines of `syncache top`, without a terminal."""

from __future__ import annotations

import pytest

from syncache.cli.top_data import Seen, added
from syncache.cli.top_view import (
    KEYS,
    View,
    frame,
    grouped,
    percent,
    rate_of,
    span,
    sparkline,
)
from syncache.lookout import RATES

ALARM = (
    "SYN flood on 192.0.2.1:80: 41,200 SYNs in 1 s from about 12,000 prefixes; "
    "answered with SYN cookies, nothing is stored; honest clients notice nothing but "
    "a rounded MSS and window scale"
)


def seen(name="/run/web", **changes):
    """A process that is flooded."""
    rates = dict.fromkeys(RATES, 0) | {"syns": 41_200, "ring-lost": 17}
    top = {
        "engine": "syncache",
        "state": "cookies",
        "since": 192.4,
        "floods": ["192.0.2.1:80"],
        "rates": rates,
        "tables": {"half-open": [12_300, 15_360], "connections": [10, 65_536]},
        "links": {"link_received": 9000, "link_kernel_dropped": 1000},
        "attempts": {
            "seconds": 2.0,
            "total": 82_400,
            "prefixes": 12_000,
            "asked": [
                ["192.0.2.1", 80, 82_000, 12_000],
                ["192.0.2.1", 25, 300, 2],
                ["2001:db8:1111:2222:3333:4444:5555:6666", 443, 100, 1],
            ],
            "asking": [["203.0.113.0/24", 8000]],
        },
        "alarms": [{"ago": 190.0, "kind": "flood", "text": ALARM}],
    }
    made = Seen(name, top | changes)
    made.history.extend([n * 1000, *[0] * 8] for n in range(60))
    made.half_open = [("192.0.2.1", 80, "198.51.100.0/24")] * 30
    made.half_open += [("192.0.2.9", 22, "203.0.113.0/24")] * 10
    return made


def text(total, view=View(), width=80, height=24):  # noqa: B008 - it is frozen
    lines = frame(total, view, width, height)
    assert height == len(lines)
    assert all(sum(len(t) for t, _ in line) <= width for line in lines)
    return ["".join(t for t, _ in line).rstrip() for line in lines]


def test_80_columns_and_24_lines_have_all_of_it():
    """State, rates and history, tables, losses, rankings, alarms, keys."""
    lines = text(added([seen()]))
    whole = "\n".join(lines)
    assert lines[0] == "syncache /run/web  COOKIES since 0:03:12  flood: 192.0.2.1:80"
    assert "syns        41,200/s ▆▆" in lines[1]
    assert "█" in lines[1]
    for name in RATES:
        assert f"{name} " in whole
    assert "] " in whole
    assert "   12,300 of    15,360   80 %" in whole
    assert "ring lost   link 1,000 (10.0 %)" in whole
    assert "192.0.2.1:80           41,000     9,225" in whole
    assert "203.0.113.0/24          4,000     3,075" in whole
    assert "[2001:db8…6666]:443        50         0" in whole
    assert "(~12,000)" in whole
    assert "0:03:10 ago SYN flood on 192.0.2.1:80: 41,200 SYNs" in whole
    assert "rounded MSS and window scale" in whole
    assert KEYS == lines[-1]


@pytest.mark.parametrize(("width", "height"), [(40, 8), (60, 12), (80, 24), (200, 60)])
def test_any_size_has_lines_that_fit(width, height):
    """With one process, several, and one that does not answer."""
    gone = Seen("/run/gone", error="/run/gone: Connection refused")
    for many in ([seen()], [seen(), seen("/run/b")], [seen(), gone], [gone]):
        for view in (View(), View(process=1, sort=1, group=2, paused=True, of=2)):
            text(added(many), view, width, height)


@pytest.mark.parametrize("height", [0, 1, 8, 24, 60])
def test_smaller_terminal_than_useful_is_cut_and_does_not_fail(height):
    """Nothing is shown there, but it may grow again."""
    total = added([seen()])
    for width in range(44):
        lines = frame(total, View(), width, height)
        assert max(8, height) == len(lines)
        widths = [sum(len(text) for text, _ in line) for line in lines]
        assert max(widths) <= max(40, width)


def test_order_and_grouping_follow_the_view():
    """By half-open connections; by address alone; by port alone."""
    whole = "\n".join(text(added([seen()]), View(sort=1)))
    assert whole.index("192.0.2.9:22") < whole.index("192.0.2.1:25")
    whole = "\n".join(text(added([seen()]), View(group=1)))
    assert "192.0.2.1              41,150     9,225" in whole
    assert "\nport 80 " in "\n".join(text(added([seen()]), View(group=2)))
    asked = {("192.0.2.1", 80): (1, 2), ("2001:db8::1", 80): (3, 4)}
    assert {"port 80": (4, 6)} == grouped(asked, 2)
    assert {"192.0.2.1:80", "[2001:db8::1]:80"} == set(grouped(asked, 0))


def test_processes_are_named_in_the_head_and_in_alarms():
    """Which one is shown, and who does not answer."""
    gone = Seen("/run/gone", error="/run/gone: Connection refused")
    lines = text(added([seen(), seen("/run/b")]))
    assert "2 processes" in lines[0]
    assert "/run/b: SYN flood" in "\n".join(lines)
    chosen = text(added([seen("/run/b")]), View(process=2, of=2))
    assert "/run/b (2 of 2)" in chosen[0].replace("…", "")
    assert "NO ANSWER  1 do not answer" in text(added([seen(), gone]), width=100)[0]


def test_calm_process_says_so():
    """No alarm, no losses, nobody who asks."""
    idle = {"seconds": 1.0, "total": 0, "prefixes": 0, "asked": [], "asking": []}
    calm = seen(state="calm", floods=[], alarms=[], attempts=idle, links={})
    calm.half_open = []
    whole = "\n".join(text(added([calm])))
    assert "CALM since 0:03:12" in whole
    assert "no alarm so far" in whole
    assert "not counted by this link" in whole


def test_words_of_numbers():
    """Short, whatever their size."""
    assert ["7 s", "0:01:00", "99:59:59", "4 days"] == [
        span(7.9),
        span(60),
        span(359_999),
        span(360_000),
    ]
    assert ["999,999/s", "1.00M/s"] == [rate_of(999_999), rate_of(1_000_000)]
    assert "▁▁" == sparkline([0, 0], 5)
    assert "▁▄█" == sparkline([99, 0, 5, 10], 3)
    assert "" == sparkline([1], 0)
    assert ["80 %", ">999 %", "0 %"] == [
        percent(12_300, 15_360),
        percent(155_133, 1100),
        percent(1, 0),
    ]
