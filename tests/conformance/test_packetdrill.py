"""Our packetdrill scripts, and the importer's grammar."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import packetdrill
from tests.conformance.player import play
from tests.conformance.script import Call, Expect, Icmp, Inject, Tune

FOLDER = Path(__file__).parent / "scripts"
FILES = sorted(FOLDER.glob("*.pkt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_script(path):
    """Each script passes under the freebsd preset."""
    assert [] == play(packetdrill.load(path))


def test_there_are_a_few_dozen_scripts_with_a_sentence_each():
    """A script opens with what it shows."""
    assert 36 <= len(FILES)
    assert [] == [p.name for p in FILES if not p.read_text().startswith("// ")]


def steps(text):
    """The steps of a script."""
    return packetdrill.read(text, "text").steps


def test_times_absolute_relative_range_and_any():
    """0.5 is absolute, +.2 relative, a~b a range, * any time."""
    got = steps(
        """
        0.5 < S 0:0(0) win 1
        +.2 < S 0:0(0) win 1
        1~2 > . 1:1(0) ack 1
        * > . 1:1(0) ack 1
        3...4 accept(3, ..., ...) = 4
        +1 accept(3, ..., ...) = 5
        """
    )
    assert [0.5, 0.7, 1, 1, 4, 5] == pytest.approx([step.at for step in got])
    assert 2 <= got[2].until < 2.1
    assert got[3].floating


def test_segment_fields():
    """Flags, numbers, window, options, ECN mark, urgent pointer."""
    (step,) = steps(
        "0 < [ect0] PU.N 1:11(10) ack 7 win 99 urg 3 <mss 9,sackOK,eol,nop>"
    )
    shape = step.shape
    assert set("PUAN") == set(shape.flags)
    got = (shape.seq, shape.len, shape.ack, shape.win, shape.urg, shape.ip_ecn)
    assert (1, 10, 7, 99, 3, 2) == got
    assert (("mss", 9), ("sack_ok",), ("eol",), ("nop",)) == shape.opts


def test_options_dots_are_any_and_absence_is_none():
    """<...> compares nothing; no list means no options."""
    any_, none = steps("0 > . 1:1(0) ack 1 <...>\n0 > . 1:1(0) ack 1")
    assert (None, ()) == (any_.shape.opts, none.shape.opts)


def test_kinds_of_events():
    """Packets, calls, ICMP errors, tunables."""
    got = steps(
        """
        `sysctl net.inet.tcp.rfc1323=0`
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
        0 < S 0:0(0) win 1 <mss 1000>
        0 > S. 0:0(0) ack 1 <...>
        0 < icmp unreachable frag_needed mtu 1200 [0:0(0)]
        0 `sysctl -w net.ipv4.tcp_syncookies=2`
        """
    )
    kinds = [Call, Inject, Expect, Icmp, Tune, Tune]
    assert kinds == [type(step) for step in got]
    assert ("frag_needed", 0, 1200) == (got[3].kind, got[3].seq, got[3].mtu)


def test_settings_before_the_first_step_are_there_from_the_start():
    """So that a script can set what only boot can."""
    script = packetdrill.read(
        "`sysctl net.inet.tcp.syncache.hashsize=1 net.ipv4.tcp_sack=0`", "text"
    )
    assert {
        "net.inet.tcp.syncache.hashsize": 1,
        "net.inet.tcp.sack.enable": 0,
    } == script.tunables


def test_asserts_and_other_commands_are_passed_over_with_a_notice():
    """Said, not hidden."""
    script = packetdrill.read(
        "`ifconfig tun0 mtu 1400`\n0 %{ assert tcpi_state == 1 }%\n--mtu=1400", "text"
    )
    assert 3 == len(script.notices)
    assert () == script.steps


def test_comments_and_continued_lines():
    """//, # and /* */ are comments; a line without a time goes on."""
    (step,) = steps(
        """// one
        # two
        /* three
           four */
        0 < S 0:0(0) win 1
          <mss 1000> // five
        """
    )
    assert (("mss", 1000),) == step.shape.opts


@pytest.mark.parametrize(
    "text",
    [
        "0 < S 0:0(0) win 1 <mystery 3>",
        "0 < S 0:5(0) win 1",
        "0 < Q 0:0(0)",
        "0 do something",
        "0 close(3) = ok",
        "0 < icmp unreachable",
        "0 < icmp unreachable mystery [0:0(0)]",
        "0 < [ect9] S 0:0(0)",
    ],
)
def test_what_is_not_understood_is_an_error_with_its_line(text):
    """Nothing is skipped in silence."""
    with pytest.raises(ValueError, match="text:2: "):
        steps("\n" + text)


@pytest.mark.parametrize(
    "name",
    ["net.inet.tcp.hostcache.purgenow", "kern.hz", "net.ipv4.tcp_mem"],
)
@pytest.mark.parametrize("before", ["", "0 socket(..., SOCK_STREAM, 0) = 3\n"])
def test_sysctl_that_we_have_not_is_passed_over_with_a_notice(name, before):
    """From the start and later, FreeBSD's and Linux's."""
    script = packetdrill.read(f"{before}0 `sysctl -w {name}=1`", "text")
    assert (f"passed over: {name}=1",) == script.notices
    assert [] == play(script)


@pytest.mark.parametrize("before", ["", "0 socket(..., SOCK_STREAM, 0) = 3\n"])
@pytest.mark.parametrize(
    "setting",
    ["net.inet.tcp.syncookies=x", "net.inet.tcp.syncache.rexmtlimit=99999999999"],
)
def test_setting_that_is_refused_is_a_failure_that_names_it(before, setting):
    """A script that asks for an illegal value must not pass, nor end the run."""
    (failure,) = play(packetdrill.read(f"{before}0 `sysctl {setting}`", "text"))
    assert setting.split("=")[0] in failure


@pytest.mark.parametrize(
    "call",
    [
        "sendfile(3) = 0",
        "close(9) = 0",
        "accept(3, ..., ...) = 4",
        "read() = 0",
        "read(3, ..., 9) = 0",
        "write(3, ..., -1) = 9",
        "listen(3, many) = 0",
    ],
)
def test_call_that_cannot_be_made_is_a_failure_that_names_it(call):
    """A script that calls what we have not must not pass, nor end the run."""
    text = f"0 socket(..., SOCK_STREAM, 0) = 3\n0 {call}"
    (failure,) = play(packetdrill.read(text, "text"))
    assert call.partition("(")[0] + "()" in failure
