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


ECN = """
0 `sysctl net.inet.tcp.ecn.enable={enable}`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
0 listen(3, 1) = 0
0 < {syn} 0:0(0) win 9000 <mss 1000>
0 > {answer} 0:0(0) ack 1 win 65535 <mss 1460>
0 < {third} 1:1(0) ack 1 win 9000
0 accept(3, ..., ...) = 4
"""


@pytest.mark.parametrize("flags", ["PEW.", "PW."])
def test_cwr_of_a_sender_with_marks_has_its_reason(tmp_path, flags):
    """FreeBSD marks what it sends, and says CWR when it was told of congestion."""
    text = ECN.format(enable=1, syn="SEW", answer="SE.", third=".")
    mark = "[ce]" if "E" in flags else "[noecn]"
    text += f"0 < {mark} PE. 1:101(100) ack 1 win 9000\n0 write(4, ..., 100) = 100\n"
    judgement = judged(tmp_path, text + f"0 > {flags} 1:101(100) ack 101")
    assert ("differs", "CWR behind a loss or an ECE") == judgement


def test_ace_counter_of_time_wait_has_its_reason(tmp_path):
    text = ECN.format(enable=3, syn="SEWA", answer="SW.", third="2.")
    text += """
0 close(4) = 0
0 > F5. 1:1(0) ack 1
0 < F5. 1:1(0) ack 2 win 9000
0 > 0. 2:2(0) ack 2
"""
    assert ("differs", "the ACE counter in TIME-WAIT") == judged(tmp_path, text)


def test_rst_that_is_signed_without_a_listener_has_its_reason(tmp_path):
    text = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
0 setsockopt(3, IPPROTO_TCP, TCP_MD5SIG, [1], 4) = 0
0 bind(3, ..., ...) = 0
0 < S 0:0(0) ack 1 win 9000 <mss 1460,sackOK,md5 valid>
0 > R. 0:0(0)! ack 1 win 0 <nop,nop,md5 valid>
"""
    assert "a signed RST from a port without a listener" == judged(tmp_path, text)[1]


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
