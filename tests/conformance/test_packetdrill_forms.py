"""Forms of packetdrill's language that the public suites use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conformance import packetdrill
from tests.conformance.packetdrill_sysctl import read_shell
from tests.conformance.player import play
from tests.conformance.script import Icmp

LISTENING = """
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
"""
HANDSHAKE = """
+0 < S 0:0(0) win 32767 <mss 1000,sackOK,eol,eol>
+0 > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,eol,eol>
+0 < . 1:1(0) ack 1 win 32767
"""
ESTABLISHED = f"{LISTENING}{HANDSHAKE}+0 accept(3, ..., ...) = 4\n"


def steps(text):
    return packetdrill.read(text, "text").steps


def failures(text, **options):
    return play(packetdrill.read(text, "text", **options))


def test_blocking_call_returns_when_its_time_has_come():
    """Times behind it count from where it began; what waits for it comes later."""
    early = HANDSHAKE.replace("+0 <", "+.1 <", 2)
    text = f"{LISTENING}+0...0.2 accept(3, ..., ...) = 4{early}"
    write = "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1 win ..."
    assert [] == failures(f"{text}{write}")
    (later,) = failures(f"{text}{write}".replace("0...0.2", "0...0.15"))
    assert "accept()" in later


def test_blocking_write_goes_on_as_room_appears():
    """A write of more than the send buffer, which one that does not block cuts."""
    size = 100_000
    write = f"+0 write(4, ..., {size}) = {size}\n"
    every = "".join(
        f"+0 > . {at}:{at + 1000}(1000) ack 1 win ...\n"
        f"+0 < . 1:1(0) ack {at + 1000} win 1000\n"
        for at in range(1, size, 1000)
    )
    tune = "`sysctl net.inet.tcp.sendspace=8192`\n"
    slow = ESTABLISHED.replace("win 32767\n+0 acc", "win 1000\n+0 acc")
    found = failures(f"{tune}{slow}{write}{every}", option_order="any")
    assert [] == [text for text in found if "flags" not in text]
    not_blocking = "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
    assert "write()" in failures(f"{tune}{slow}{not_blocking}{write}")[0]


@pytest.mark.parametrize(
    ("digit", "letters"), [("0", ""), ("1", "E"), ("2", "W"), ("5", "EN"), ("7", "ENW")]
)
def test_digit_among_the_flags_is_the_ace_counter(digit, letters):
    (step,) = steps(f"0 < {digit}. 1:1(0) ack 1 win 1")
    assert set("A" + letters) == set(step.shape.flags)


@pytest.mark.parametrize("words", ["class 0x28", "tclass 0x28", "tos 0x28"])
def test_class_has_three_names(words):
    (step,) = steps(f"0 < ({words}, flowlabel 0x12345) . 1:1(0) ack 1 win 1")
    assert (0x28, 0x12345) == (step.shape.ip_tos, step.shape.ip_label)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<icmp unreachable net_unknown [0:0(0)]", "net_unknown"),
        ("< [7:7(0)] icmp unreachable host_prohibited", "host_prohibited"),
        ("< icmp source_quench [0:0(0)]", "source_quench"),
        ("< icmp redirect [0:0(0)]", "redirect"),
        ("< icmp time_exceeded ttl_exceeded_in_transit [0:0(0)]", "ttl_exceeded"),
        ("< icmp time_exceeded frag_reass_exceeded [0:0(0)]", "frag_reass_exceeded"),
        ("< icmp parameter_problem code_1 [0:0(0)]", "parameter_problem"),
        ("< icmp unreachable packet_filtered [0:0(0)]", "admin_prohibited"),
    ],
)
def test_icmp_error_in_every_form(text, kind):
    """With the quoted segment on either side, and with all words of RFC 792."""
    (step,) = steps(f"0 {text}")
    assert isinstance(step, Icmp)
    assert (kind, 7 if "[7" in text else 0) == (step.kind, step.seq)


def test_icmp_word_of_the_other_family_is_an_error():
    with pytest.raises(ValueError, match="net_unknown"):
        steps("--ip_version=ipv6\n0 < icmp unreachable net_unknown [0:0(0)]")


def test_valid_signature_is_made_and_compared():
    """With the secret of the script; another one is not valid."""
    text = """
    --tcp_md5_secret=secret
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    +0 setsockopt(3, IPPROTO_TCP, TCP_MD5SIG, [1], 4) = 0
    +0 listen(3, 1) = 0
    +0 < S 0:0(0) win 32767 <mss 1460,sackOK,md5 valid>
    +0 > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,md5 valid>
    +0 < . 1:1(0) ack 1 win 32767 <nop,nop,md5 valid>
    +0 accept(3, ..., ...) = 4
    """
    assert [] == failures(text)
    right, wrong = text.rsplit("md5 valid", 1)
    forged = f"{right}md5 00112233445566778899aabbccddeeff{wrong}"
    assert "accept()" in failures(forged)[0]


def test_sack_blocks_are_relative_as_every_number():
    """Those we send of the peer's numbers, those it sends of ours."""
    hole = "+0 < . 101:201(100) ack 1 win 32767\n+0 > . 1:1(0) ack 1 win ... {}"
    assert [] == failures(ESTABLISHED + hole.format("<nop,nop,sack 101:201>"))
    assert "sack" in failures(ESTABLISHED + hole.format("<nop,nop,sack 101:202>"))[0]


def test_expected_super_segment_is_as_many_of_ours():
    write = "+0 write(4, ..., 2000) = 2000\n+0 > P. 1:{}({}) ack 1 win ..."
    assert [] == failures(ESTABLISHED + write.format(2001, 2000))
    assert failures(ESTABLISHED + write.format(2002, 2001))


@pytest.mark.parametrize(
    ("option", "raw"),
    [
        ("ECN e1b 1 ceb 0 e0b 2", "ae0b000001000000000002"),
        ("ECN e0b 1", "ac05000001"),
        ("ECN", "ac02"),
        ("FOEXP", "fe04f989"),
        ("FOEXP 0011223344556677", "fe0cf9890011223344556677"),
    ],
)
def test_rare_option(option, raw):
    """Accurate ECN's counters, Fast Open's experimental form."""
    (step,) = steps(f"0 < S 0:0(0) win 1 <{option}>")
    assert (("raw", raw),) == step.shape.opts


def test_settings_for_linux_are_ours_where_they_mean_the_same():
    """By sysctl, by set_sysctls.py, with quotation marks, by the file of defaults."""
    settings, notices = read_shell(
        './set_sysctls.py /proc/sys/net/ipv4/tcp_rmem="1 2 3" x=1; sysctl -q '
        'net.ipv4.tcp_rmem="4 5 $((6*7))" net.ipv4.tcp_fastopen=0x1'
    )
    assert ("kern.ipc.maxsockbuf", 3) in settings
    assert ("net.inet.tcp.fastopen.server_enable", 0) in settings
    assert ["passed over: x=1"] == [n for n in notices if "rmem" not in n]
    settings, _ = read_shell("../common/defaults.sh")
    assert ("kern.ipc.maxsockbuf", 15_728_640) in settings


def test_options_come_in_any_order_in_scripts_for_linux():
    """Unless the script says otherwise."""
    swapped = ESTABLISHED.replace("<mss 1460,sackOK,eol,eol>", "<sackOK,mss 1460>")
    linux = f"`sysctl -q net.ipv4.tcp_mem=1`\n{swapped}"
    assert [] == failures(linux)
    assert failures(f"--option_order=exact\n{linux}")
    assert failures(swapped)
    assert [] == failures(swapped, linux=True)
    padded = ESTABLISHED.replace("sackOK,eol,eol>", "nop,nop,sackOK>")
    assert [] == failures(padded)
    assert failures(f"--option_order=exact\n{padded}")


def test_option_that_is_set_behind_listen_holds_for_later_connections():
    late = f"{LISTENING}+0 setsockopt(3, IPPROTO_TCP, TCP_MAXSEG, [900], 4) = 0\n"
    syn = "+0 < S 0:0(0) win 1 <mss 1000>\n+0 > S. 0:0(0) ack 1 win ... <mss {}>"
    assert [] == failures(late + syn.format(900))


def test_close_with_linger_zero_resets():
    linger = "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0\n"
    reset = "+0 close(4) = 0\n+0 > R. 1:1(0) ack 1 win ..."
    assert [] == failures(ESTABLISHED + linger + reset)


def test_shutdown_of_the_reading_side_sends_nothing():
    assert [] == failures(f"{ESTABLISHED}+0 shutdown(4, SHUT_RD) = 0")


def test_calls_by_several_names():
    """sendto, writev, sendmsg are writes; recvfrom, readv are reads; SIOCINQ."""
    sent = "+0 > P. 1:11(10) ack 1 win ...\n"
    for call in (
        "sendto(4, ..., 10, 0, ..., ...) = 10",
        "writev(4, [{..., 4}, {..., 6}], 2) = 10",
        "sendmsg(4, {msg_iov(2)=[{..., 4},{..., 6}], msg_flags=0}, 0) = 10",
    ):
        assert [] == failures(f"{ESTABLISHED}+0 {call}\n{sent}"), call
    data = "+0 < P. 1:11(10) ack 1 win 9\n+.04 > . 1:1(0) ack 11 win ...\n"
    for call in (
        "recvfrom(4, ..., 10, 0, ..., ...) = 10",
        "readv(4, [{..., 10}], 1) = 10",
    ):
        asked = "+0 ioctl(4, SIOCINQ, [10]) = 0\n"
        assert [] == failures(f"{ESTABLISHED}{data}{asked}+0 {call}"), call


def test_error_of_a_reset_is_told_once():
    """By a read or a write; the next write is EPIPE."""
    reset = "+0 < R 1:1(0) win 0\n"
    write = "+0 write(4, ..., 1) = -1 {}\n"
    told = write.format("ECONNRESET(reset)") + write.format("EPIPE (Broken pipe)")
    assert [] == failures(f"{ESTABLISHED}{reset}{told}")
    assert [] == failures(
        f"{ESTABLISHED}{reset}+0 read(4, ..., 1) = -1 ECONNRESET\n"
        "+0 read(4, ..., 1) = 0"
    )


def test_numbers_of_a_syn_are_where_all_others_begin():
    """As packetdrill has it: behind SYN and SYN-ACK, 1 is the first byte."""
    far = ESTABLISHED.replace("S 0:0(0) win", "S 999000:999000(0) win")
    far = far.replace("S. 0:0(0) ack 1", "S. 1234:1234(0) ack 999001")
    data = "+0 < P. 1:11(10) ack 1 win 9\n+.04 > . 1:1(0) ack 11 win ...\n"
    assert [] == failures(far + data)
    assert failures(far.replace("ack 999001", "ack 999002") + data)


def test_each_listener_has_a_peer_of_its_own():
    """What is left of the one before is not looked at."""
    first = f"{ESTABLISHED}+0 close(4) = 0\n+0 close(3) = 0\n"
    script = packetdrill.read(first + ESTABLISHED, "text")
    assert "unexpected FA" in play(script)[0]
    assert [] == play(replace(script, open_end=True))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+0 > P. 1:11(10) ack 1 win 9", "win 65535, not 9"),
        ("+0 > . 1:11(10) ack 1 win ...", "(push)"),
        ("+0 > [ect0] P. 1:11(10) ack 1 win ...", "ip_ecn 0, not 2"),
        ("+0 > P. 1:11(10) ack 1 win ... <ECN e0b 1>", "no AccECN option"),
    ],
)
def test_slight_difference_does_not_end_a_script(line, words):
    """Nothing behind it depends on it, and what differs there is said first."""
    write = f"{ESTABLISHED}+0 write(4, ..., 10) = 10\n{line}\n"
    (only,) = failures(write)
    assert words in only
    first, second = failures(f"{write}+0 read(4, ..., 1) = 7\n")
    assert "read() = EAGAIN" in first
    assert words in second


def test_clock_and_end_of_a_script_for_another_system():
    """A public suite's time stamps are any; behind the last step nobody looks."""
    text = ESTABLISHED.replace(
        "<mss 1000,sackOK,eol,eol>", "<mss 1000,TS val 1 ecr 0,nop,nop>"
    ).replace("<mss 1460,sackOK,eol,eol>", "<mss 1460,TS val 100 ecr 1>")
    text = text.replace(
        "win 32767\n+0 acc", "win 32767 <TS val 2 ecr 100,nop,nop>\n+0 acc"
    )
    write = "+0 write(4, ..., 10) = 10\n"
    sent = "+0 > P. 1:11(10) ack 1 win ... <nop,nop,TS val 999 ecr 2>\n"
    script = packetdrill.read(text + write + sent, "text", linux=True)
    assert "option ('ts'" in play(script)[0]
    assert [] == play(replace(script, open_end=True))
    script = packetdrill.read(text + write, "text", linux=True)
    assert "unexpected PA" in play(script)[0]
    assert [] == play(replace(script, open_end=True))


def test_sack_blocks_that_are_more_or_less_are_said():
    hole = "+0 < . {}:{}(10) ack 1 win 9\n+0 > . 1:1(0) ack 1 win ... <nop,nop,sack {}>"
    one = hole.format(101, 111, "101:111")
    assert [] == failures(f"{ESTABLISHED}{one}")
    two = hole.format(201, 211, "201:211")
    assert "more blocks" in failures(f"{ESTABLISHED}{one}\n{two}")[0]
    less = one.replace("sack 101:111", "sack 101:121")
    assert "less of a block" in failures(f"{ESTABLISHED}{less}")[0]


def test_mtu_of_the_device():
    """By packetdrill's own flag, ifconfig or ip."""
    syn = "+0 < S 0:0(0) win 1 <mss 9000>\n+0 > S. 0:0(0) ack 1 win ... <mss 8960>"
    for line in (
        "--mtu=9000",
        "`ifconfig tun0 mtu 9000`",
        "`ip link set dev tun0 mtu 9000`",
    ):
        assert [] == failures(f"{line}{LISTENING}{syn}"), line


def test_buffer_that_a_shell_multiplies():
    settings, notices = read_shell('sysctl net.ipv4.tcp_rmem="4096 8192 $((4*1024))"')
    assert ([("kern.ipc.maxsockbuf", 4096)], []) == (settings, notices)


@pytest.mark.parametrize(
    "line",
    ["`tc qdisc add dev tun0 root pfifo limit 0`", "+0 recvmsg(4, MSG_ERRQUEUE) = 0"],
)
def test_faults_and_queues_of_a_kernel_cannot_be_played(line):
    with pytest.raises(ValueError, match="files or faults"):
        failures(ESTABLISHED + line)


def test_error_without_a_code_is_an_unreachable_net():
    (icmp,) = steps("+0 < icmp unreachable [5:6(1)]")
    assert Icmp(0.0, "net_unreachable", 5, 0) == icmp


def test_listener_cannot_be_read():
    assert [] == failures(f"{LISTENING}+0 read(3, ..., 9) = -1 ENOTCONN")
