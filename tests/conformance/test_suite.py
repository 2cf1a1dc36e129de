"""Folders of packetdrill scripts, and the page of differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import suite
from tests.conformance.differences import PLAYED, UNPLAYABLE

ROOT = Path(__file__).parents[2]
LISTENING = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
0 listen(3, 1) = 0
0 < S 0:0(0) win 1
"""
GOOD = f"{LISTENING}0 > S. 0:0(0) ack 1 win ... <mss 1460>"


def judged(tmp_path, text, **options):
    path = tmp_path / "one.pkt"
    path.write_text(text)
    word, reason, _ = suite.judge(path, **options)
    return word, reason.what if reason else ""


def test_page_is_what_the_tables_say():
    """If not: python docs/generate.py."""
    page = (ROOT / "docs" / "packetdrill.md").read_text("utf-8")
    assert suite.page() == page, "docs/packetdrill.md is stale: python docs/generate.py"


@pytest.mark.parametrize(
    "line",
    [
        "0 connect(3, ..., ...) = 0",
        "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3",
        "0 < udp (100)",
        "0 > sctp: INIT[flgs=0]",
        "0 < gre: 1.1.1.1 > 2.2.2.2: . 1:1(0) ack 1",
        "0 < S 0:0(0) win 1 <mss 1,mpcapable v1 flags[flag_h] nokey>",
        "0 epoll_create(1) = 5",
        "0 poll([{fd=4, events=POLLIN}], 1, 0) = 1",
        "0 splice(4, 0, 5, 0, 1, 0) = 1",
    ],
)
def test_what_no_passive_stack_can_play_is_named(tmp_path, line):
    word, what = judged(tmp_path, line)
    assert "unplayable" == word
    assert what


def test_what_is_not_understood_is_not_called_unplayable(tmp_path):
    assert ("unread", "") == judged(tmp_path, "0 < S 0:0(0) win 1 <mystery 3>")


def test_played_script_agrees_differs_or_is_unexplained(tmp_path):
    assert ("agrees", "") == judged(tmp_path, GOOD)
    assert "differs" == judged(tmp_path, GOOD.replace("> S.", "> [ect0] S."))[0]
    assert ("unexplained", "") == judged(tmp_path, GOOD.replace("0 > S.", "0 > P."))


def test_settings_of_a_runner_for_linux(tmp_path):
    scaled = GOOD.replace("win 1\n", "win 1 <wscale 1>\n")
    wanted = scaled.replace("<mss 1460>", "<mss 1460,nop,wscale 8>")
    assert ("agrees", "") == judged(tmp_path, wanted, linux=True)
    assert "differs" == judged(tmp_path, wanted)[0]


def test_folder_is_played_whole_and_summed_up(tmp_path, capsys):
    """A script that cannot be read does not end the run."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.pkt").write_text("0 connect(3, ..., ...) = 0")
    (tmp_path / "b.pkt").write_text(GOOD)
    assert 0 == suite.main([str(tmp_path)])
    out = capsys.readouterr().out
    assert "1 of 2 played, 1 of them from the active side" in out
    (tmp_path / "c.pkt").write_text("0 < Q 0:0(0)")
    assert 1 == suite.main(["-v", str(tmp_path)])
    out = capsys.readouterr().out
    assert "c:1: segment 'Q 0:0(0)'" in out
    assert "    1 agrees\n" in out


def test_every_reason_says_what_and_why():
    for reason in (*UNPLAYABLE, *PLAYED):
        assert reason.what
        assert reason.why.endswith(".")
