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
    """0.5 is absolute, +.2 relative, a~b a range, * any time; a...b returns at b."""
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
    assert [0.5, 0.7, 1, 1, 4, 4] == pytest.approx([step.at for step in got])
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
        "`ifconfig tun0 up`\n0 %{ assert tcpi_state == 1 }%\n--wire_client_dev=x",
        "text",
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
        "mystery(3) = 0",
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


LISTENING = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
0 bind(3, ..., ...) = 0
0 listen(3, 1) = 0
"""
ESTABLISHED = (
    LISTENING
    + """
0 < S 0:0(0) win 32767 <mss 1000,nop,nop,TS val 100 ecr 0>
0 > S. 0:0(0) ack 1 win 65535 <mss 1460,nop,nop,TS val 1 ecr 100>
0 < . 1:1(0) ack 1 win 32767 <nop,nop,TS val 101 ecr 1>
0 accept(3, ..., ...) = 4
"""
)


def failures(text, **options):
    """What a script that is read so complains of."""
    return play(packetdrill.read(text, "text", **options))


def test_any_number_of_an_expected_segment():
    """... for seq, ack, win, TSval: nothing is compared; what is told still is."""
    more = "+0 write(4, ..., 10) = 10\n+0 > P. {} ack {} win {} <nop,nop,TS val {}>"
    any_ = more.format("...:...(10)", "...", "...", "... ecr 101")
    assert [] == failures(ESTABLISHED + any_)
    for wrong in (
        more.format("...:...(11)", "...", "...", "... ecr 101"),
        more.format("...:...(10)", "2", "...", "... ecr 101"),
        more.format("...:...(10)", "...", "5", "... ecr 101"),
        more.format("...:...(10)", "...", "...", "... ecr 102"),
    ):
        assert 1 == len(failures(ESTABLISHED + wrong)), wrong


@pytest.mark.parametrize(
    "text",
    [
        "0 < . ...:...(0) ack 1 win 1",
        "0 < . 1:1(0) ack ... win 1",
        "0 < . 1:1(0) ack 1 win 1 <nop,nop,TS val ... ecr 1>",
    ],
)
def test_any_number_cannot_be_sent(text):
    """The script has to tell it."""
    with pytest.raises(ValueError, match="cannot be sent"):
        steps(text)


def test_number_of_the_wire_is_not_translated():
    """The RST for a segment without ACK has SEQ 0, and a TSecr may be made up."""
    (step,) = steps("+0 > R. 0!:0!(0) ack 5 win 0")
    shape = step.shape
    assert (0, True) == (shape.seq, shape.absolute)
    (stamp,) = steps("0 < . 1:1(0) ack 1 win 1 <TS val 5 ecr 7!>")[0].shape.opts
    assert ("ts", 5, 7, "absolute") == stamp
    old = "+0 < P. 1:11(10) ack 1 win 32767 <nop,nop,TS val 102 ecr 7!>"
    ack = "+.04 > . 1:1(0) ack 11 <nop,nop,TS val ... ecr 102>"
    assert [] == failures(
        f"{ESTABLISHED}{old}\n{ack.replace('ack 11', 'ack 11 win ...')}"
    )


def test_class_and_ttl_are_compared_and_sent():
    """In brackets, alone or with an ECN mark; tos is the whole byte."""
    sent, mark = steps("0 < [tos 0x48, ttl 9] S 0:0(0) win 1\n0 > (ttl 64) . 1:1(0)")
    assert (0x48, 0, 9) == (sent.shape.ip_tos, sent.shape.ip_ecn, sent.shape.ip_ttl)
    assert (None, None, 64) == (
        mark.shape.ip_tos,
        mark.shape.ip_ecn,
        mark.shape.ip_ttl,
    )
    syn = "0 < S 0:0(0) win 1 <mss 1000>\n+0 > [tos 0x48, ttl {}] S. 0:0(0) ack 1 <...>"
    assert [] == failures(
        LISTENING + syn.format(61).replace("ack 1 <", "ack 1 win ... <")
    )
    wrong = failures(LISTENING + syn.format(60).replace("ack 1 <", "ack 1 win ... <"))
    assert "ttl 61, not 60" in wrong[0]


def test_conditions_choose_by_symbol():
    """#ifdef, #ifndef, #else, #define, nested; a plain # stays a comment."""
    text = """
    # a comment
    #ifdef linux
    0 do something
    #else
    #ifndef BSD
    0 < S 0:0(0) win 1
    #define MORE
    #endif
    #ifdef MORE
    0 < S 0:0(0) win 2
    #endif
    #endif
    0 < S 0:0(0) win 3
    """
    assert [1, 2, 3] == [step.shape.win for step in steps(text)]
    script = packetdrill.read(text, "text", defined=frozenset({"BSD"}))
    assert [3] == [step.shape.win for step in script.steps]
    with pytest.raises(ValueError, match="text:4: neither"):
        packetdrill.read(text, "text", defined=frozenset({"linux"}))


@pytest.mark.parametrize("text", ["#else", "#endif", "#ifdef A\n0 < S 0:0(0) win 1"])
def test_condition_without_its_other_end_is_an_error(text):
    """Nothing is left out by mistake."""
    with pytest.raises(ValueError, match="#"):
        packetdrill.read(text, "text")


def test_options_may_come_in_any_order_if_the_file_says_so():
    """By a line in it, or by the caller; by default they are compared as written."""
    wrong = ESTABLISHED.replace(
        "<mss 1460,nop,nop,TS val 1 ecr 100>", "<TS val 1 ecr 100,mss 1460>"
    )
    assert "opts" in failures(wrong)[0]
    assert [] == failures(f"--option_order=any\n{wrong}")
    assert [] == failures(wrong, option_order="any")
    less = wrong.replace("TS val 1 ecr 100,mss 1460", "mss 1460")
    assert "opts" in failures(less, option_order="any")[0]


def test_getsockopt_is_compared_where_it_tells_something():
    """MSS, the error of a reset; what only a kernel has is passed over, and said."""
    ask = "+0 getsockopt(4, IPPROTO_TCP, {}, [{}], [4]) = 0\n"
    assert [] == failures(ESTABLISHED + ask.format("TCP_MAXSEG", 988))
    assert "TCP_MAXSEG 988" in failures(ESTABLISHED + ask.format("TCP_MAXSEG", 7))[0]
    reset = "+0 < R 1:1(0) win 0\n"
    error = ask.format("SO_ERROR", "ECONNRESET")
    assert [] == failures(ESTABLISHED + ask.format("SO_ERROR", 0) + reset + error)
    assert "SO_ERROR 0" in failures(ESTABLISHED + error)[0]
    script = packetdrill.read(ask.format("TCP_FUNCTION_BLK", 0), "text")
    assert 1 == len(script.notices)
    assert () == script.steps
