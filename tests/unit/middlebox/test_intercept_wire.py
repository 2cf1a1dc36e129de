"""What `Intercept` puts on the wire: headers, options, the second half's SYN.

Both families, by `receive()` and by `burst()`.
"""

from __future__ import annotations

import pytest
from small_box import SMALL

from syncache import Ring, Segment, Sysctl
from syncache.acl import AccessList, permit
from syncache.flow import Side
from syncache.intercept import Intercept
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import ACK, FIN, RST, SYN

I = "net.inet.tcp.intercept."  # noqa: E741
ENDS = {4: ("192.0.2.1", "198.51.100.5"), 6: ("2001:db8::1", "2001:db8:5::5")}
C, S = 5_000, 900_000
M32 = 0xFFFFFFFF
ALL = (Mss(1460), WindowScale(7), SackPermitted(), Timestamps(100, 0))


class Box:
    """A client, a server and the box; both ends' segments as values."""

    def __init__(self, family, way, **tunables):
        self.client, self.server = ENDS[family]
        self.way, self.now = way, 0.0
        self.port, self.header = 40000, {}
        values = Sysctl(
            {**SMALL, **{I + name: value for name, value in tunables.items()}}
        )
        web = AccessList("web", [permit(dport=80)])
        self.box = Intercept(values, acl=web, seed=b"seed")

    def packet(self, side, flags, seq, ack=0, payload=b"", options=(), window=60000):
        """Make a packet of one end's."""
        mine = side is Side.CLIENT
        return Segment(
            src=self.client if mine else self.server,
            dst=self.server if mine else self.client,
            sport=self.port if mine else 80,
            dport=80 if mine else self.port,
            seq=seq & M32,
            ack=ack & M32,
            flags=flags,
            window=window,
            payload=payload,
            options_bytes=encode(tuple(options)),
            **self.header,
        ).packet()

    def give(self, side, flags, seq, ack=0, **more):
        """Let one end send; return what leaves to the client and to the server."""
        packet = self.packet(side, flags, seq, ack, **more)
        if self.way == "receive":
            self.box.receive(packet, side, self.now)
            return self.sent()
        rx, to_client, to_server = Ring(4), Ring(64), Ring(64)
        rx.push(packet)
        assert 1 == self.box.burst(rx, side, to_client, to_server, self.now)
        out = {Side.CLIENT: to_client, Side.SERVER: to_server}
        there = Side.SERVER if side is Side.CLIENT else Side.CLIENT
        left = {
            s: [Segment.parse(bytes(r[i])) for i in range(len(r))]
            for s, r in out.items()
        }
        left[there] = [Segment.parse(bytes(rx[i])) for i in rx.passed] + left[there]
        return left[Side.CLIENT], left[Side.SERVER]

    def sent(self):
        """What leaves by timers or was kept."""
        left = {Side.CLIENT: [], Side.SERVER: []}
        for side, packet in self.box.packets_to_send(self.now):
            left[side].append(Segment.parse(packet))
        return left[Side.CLIENT], left[Side.SERVER]

    def run(self, seconds):
        """Let time pass."""
        self.now += seconds
        self.box.handle_timer(self.now)
        return self.sent()

    def asked(self, *options, **more):
        """The client's SYN; return the answer."""
        (answer,), _ = self.give(Side.CLIENT, SYN, C, options=options, **more)
        return answer

    def opened(self, *options):
        """The first half; return the SYN-ACK and the SYN to the server."""
        answer = self.asked(*options)
        _, (syn,) = self.give(Side.CLIENT, ACK, C + 1, answer.seq + 1)
        return answer, syn

    def spliced(self, *options):
        """Both halves; return the SYN-ACK, and the segments to both ends at the end."""
        answer, _ = self.opened()
        return answer, *self.give(Side.SERVER, SYN | ACK, S, C + 1, options=options)


@pytest.fixture(params=["receive", "burst"])
def way(request):
    """How packets are given."""
    return request.param


def test_first_client_of_a_server_is_told_what_any_server_takes(family, way):
    """RFC 9293 MUST-15: 536 and 1220, until the server has said more."""
    box = Box(family, way, learn_time=0)
    assert (Mss(536 if family == 4 else 1220),) == box.asked(*ALL).options
    for told in (536, 1380):
        box.port += 1
        box.spliced(Mss(told))
        box.port += 1
        assert told == box.asked(*ALL).options[0].mss


@pytest.mark.parametrize("synack", ["cache", "cookie"])
def test_syn_to_the_server_has_the_clients_ip_header(family, way, synack):
    """TTL, class and label are its own; the client's ECN bits are not a wish."""
    box = Box(family, way, learn_time=0, synack=synack)
    label = {"flow_label": 0xABCDE} if family == 6 else {}
    box.header = {"hop_limit": 61, "tos": 0xB9, **label}
    answer, syn = box.opened()
    assert (64, 0) == (answer.hop_limit, answer.tos)
    assert (61, 0xB8, label.get("flow_label", 0)) == (
        syn.hop_limit,
        syn.tos,
        syn.flow_label,
    )
    (window,), (ack, *_) = box.give(Side.SERVER, SYN | ACK, S, C + 1)
    assert (61, 0xB8, syn.flow_label) == (ack.hop_limit, ack.tos, ack.flow_label)
    assert 64 == window.hop_limit


@pytest.mark.parametrize("synack", ["cache", "cookie"])
def test_ttl_security_is_kept_to_both_ends(family, way, synack):
    """RFC 5082: from 255 to 255, by all that we send until both ends speak."""
    box = Box(family, way, learn_time=0, synack=synack)
    box.header = {"hop_limit": 255}
    answer, syn = box.opened()
    seen = [answer, syn]
    for segments in (
        box.give(Side.SERVER, SYN | ACK, S, C + 1),
        box.run(0.2),
        box.give(Side.SERVER, SYN | ACK, S, C + 1),
    ):
        seen += segments[0] + segments[1]
    box.port += 1
    box.opened()
    reset, _ = box.give(Side.SERVER, RST | ACK, 0, C + 1)
    box.port += 1
    refused = box.give(Side.SERVER, ACK, 77, 88)[1]
    assert reset
    assert refused
    assert {255} == {segment.hop_limit for segment in [*seen, *reset, *refused]}
    assert 6 <= len(seen)


def test_watched_connection_is_reset_with_the_clients_hop_limit(family, way):
    """A server with TTL security would not take another."""
    box = Box(family, way, mode="watch")
    box.header = {"hop_limit": 255}
    assert box.give(Side.CLIENT, SYN, C)[1]
    _, (reset,) = box.run(30.0)
    assert (RST, 255) == (reset.flags, reset.hop_limit)


def test_repeated_syn_with_fewer_options_is_answered_as_it_asks(family, way):
    """Nothing that it no longer offers; the first answer's ACK is still good."""
    for late in (False, True):
        box = Box(family, way, learn_time=0, options="client")
        first = box.asked(*ALL)
        assert len(ALL) == len(first.options)
        again = box.asked(Mss(1460))
        assert (Mss,) == tuple(type(option) for option in again.options)
        answer = first if late else again
        stamp = (Timestamps(101, first.options[-1].tsval),) if late else ()
        _, (syn,) = box.give(Side.CLIENT, ACK, C + 1, answer.seq + 1, options=stamp)
        assert (len(ALL) if late else 1) == len(syn.options)


def test_client_whose_ack_has_no_timestamps_is_opened_without(family, way):
    """RFC 7323 3.2: it offered them and does not use them."""
    box = Box(family, way, learn_time=0, options="client")
    answer = box.asked(*ALL)
    assert any(isinstance(option, Timestamps) for option in answer.options)
    _, (syn,) = box.give(Side.CLIENT, ACK, C + 1, answer.seq + 1)
    assert not any(isinstance(option, Timestamps) for option in syn.options)
    to_client, to_server = box.give(
        Side.SERVER, SYN | ACK, S, C + 1, options=(Mss(1460), WindowScale(7))
    )
    assert [ACK] == [segment.flags for segment in to_client]
    assert ACK == to_server[0].flags


def test_challenge_ack_of_the_server_draws_a_rst_and_the_syn_again(family, way):
    """At once; and not twice within one wait, or they might go on for ever."""
    box = Box(family, way, learn_time=0)
    box.opened()
    _, (reset, syn) = box.give(Side.SERVER, ACK, 4711, 815)
    assert (RST, 815) == (reset.flags, reset.seq)
    assert (SYN, C) == (syn.flags, syn.seq)
    _, (reset,) = box.give(Side.SERVER, ACK, 4711, 815)
    assert RST == reset.flags
    _, (syn,) = box.run(1.0)
    assert SYN == syn.flags
    _, (reset, syn) = box.give(Side.SERVER, ACK, 4711, 815)
    assert SYN == syn.flags


def test_fin_whose_ack_was_lost_is_translated_after_a_minute(family, way):
    """finrst_timeout begins once both FINs are acknowledged."""
    box = Box(family, way, learn_time=0)
    answer, *_ = box.spliced()
    box.give(Side.CLIENT, FIN | ACK, C + 1, answer.seq + 1)
    for wait in (0.2, 5.0, 60.0):
        (fin,), _ = box.give(Side.SERVER, FIN | ACK, S + 1, C + 2)
        assert answer.seq + 1 & M32 == fin.seq
        box.run(wait)
    _, (ack,) = box.give(Side.CLIENT, ACK, C + 2, answer.seq + 2)
    assert S + 2 == ack.ack
    box.run(5.0)
    to_client, (reset,) = box.give(Side.SERVER, FIN | ACK, S + 1, C + 2)
    assert ([], RST) == (to_client, reset.flags)


def test_client_is_told_a_window_of_one_segment(family, way):
    """No more than is kept; none where none is."""
    box = Box(family, way, learn_time=0)
    assert (536 if family == 4 else 1220) == box.asked().window
    box.spliced(Mss(1460))
    box.port += 1
    assert 1460 == box.asked().window
    box = Box(family, way, learn_time=0, synack_window=0)
    assert 0 == box.asked().window


@pytest.mark.parametrize("synack", ["cache", "cookie"])
@pytest.mark.parametrize("with_ack", [True, False], ids=["with-ack", "after-ack"])
def test_first_data_is_kept_until_the_server_is_there(family, way, synack, with_ack):
    """It goes on behind our ACK at once; its sender need not send it again."""
    box = Box(family, way, learn_time=0, synack=synack)
    answer = box.asked(*ALL)
    ack, data = answer.seq + 1, b"first"
    if not with_ack:
        assert SYN == box.give(Side.CLIENT, ACK, C + 1, ack)[1][0].flags
    to_client, to_server = box.give(Side.CLIENT, ACK, C + 1, ack, payload=data)
    assert ([], [SYN] * with_ack) == (to_client, [s.flags for s in to_server])
    again = box.give(Side.CLIENT, ACK, C + 1, ack, payload=data)
    assert ([], []) == again
    assert ([], []) == box.give(Side.CLIENT, ACK, C + 6, ack, payload=b"more")
    (window,), sent = box.give(Side.SERVER, SYN | ACK, S, C + 1)
    assert (ACK, C + 1, b"") == (window.flags, window.ack, window.payload)
    assert (ACK, b"") == (sent[0].flags, sent[0].payload)
    assert (C + 1, S + 1, data) == (sent[1].seq, sent[1].ack, sent[1].payload)
    # The server's answer to it, and what follows, as in any spliced connection.
    (heard,), _ = box.give(Side.SERVER, ACK, S + 1, C + 6)
    assert (ack & M32, C + 6) == (heard.seq, heard.ack)
    _, (more,) = box.give(Side.CLIENT, ACK, C + 6, ack, payload=b"more")
    assert (C + 6, b"more") == (more.seq, more.payload)
    assert ([], []) == box.run(2.0)


def test_fin_behind_the_first_data_is_kept_with_it(family, way):
    """A client that writes and shuts down: one segment, data and FIN."""
    box = Box(family, way, learn_time=0)
    answer = box.asked()
    ack = answer.seq + 1
    box.give(Side.CLIENT, ACK, C + 1, ack, payload=b"last")
    assert ([], []) == box.give(Side.CLIENT, FIN | ACK, C + 5, ack)
    _, (_, last, *_) = box.give(Side.SERVER, SYN | ACK, S, C + 1)
    assert (FIN | ACK, C + 1, b"last") == (last.flags, last.seq, last.payload)


@pytest.mark.parametrize(
    ("flags", "dseq", "dack", "payload"),
    [
        (ACK, 1, 0, b"ahead"),
        (ACK, -1, 0, b"behind"),
        (ACK, 0, 1, b"of another"),
        (ACK | SYN, 0, 0, b"syn"),
        (0, 0, 0, b"no ack"),
        (ACK, 0, 0, b""),
        (ACK, 0, 0, bytes(2000)),
    ],
)
def test_other_early_segment_is_not_kept(family, way, flags, dseq, dack, payload):
    """Only what the window that was told allows, and the ACK proves."""
    box = Box(family, way, learn_time=0)
    answer, _ = box.opened()
    ack = answer.seq + 1 + dack
    if way == "burst" and len(payload) > 1000:
        return
    left = box.give(Side.CLIENT, flags, C + 1 + dseq, ack, payload=payload)
    assert ([], []) == left
    _, sent = box.give(Side.SERVER, SYN | ACK, S, C + 1)
    assert all(segment.payload == b"" for segment in sent)


def test_early_data_with_a_wrong_checksum_is_not_kept(family, way):
    """The server would drop it, and its sender has another."""
    box = Box(family, way, learn_time=0)
    answer, _ = box.opened()
    good = box.packet(Side.CLIENT, ACK, C + 1, answer.seq + 1, payload=b"data")
    box.packet = lambda *_, **__: good[:-1] + b"?"
    box.give(Side.CLIENT, ACK, C + 1)
    del box.packet
    _, sent = box.give(Side.SERVER, SYN | ACK, S, C + 1)
    assert all(segment.payload == b"" for segment in sent)


def test_places_for_early_data_are_bounded_and_given_back(family, way):
    """With as many sessions as places: each server that answers frees one."""
    box = Box(family, way, learn_time=0, sessions_max=4)
    for round_ in range(3):
        ports = range(40000 + 10 * round_, 40004 + 10 * round_)
        for box.port in ports:
            ack = box.asked().seq + 1
            box.give(Side.CLIENT, ACK, C + 1, ack, payload=b"%d" % box.port)
        for box.port in ports:
            _, sent = box.give(Side.SERVER, SYN | ACK, S, C + 1)
            assert b"%d" % box.port in [segment.payload for segment in sent]
            box.give(Side.SERVER, RST | ACK, S + 1, C + 1 + 5)
        box.run(6.0)


def test_timestamps_that_one_of_several_servers_refuses_are_promised_once(family, way):
    """They are put into what it sends, since a promise cannot be taken back."""
    box = Box(family, way, learn_time=0)
    box.spliced(Mss(1460), Timestamps(7, 0))
    box.port += 1
    answer = box.asked(*ALL)
    stamp = next(o for o in answer.options if isinstance(o, Timestamps))
    echo = (Timestamps(101, stamp.tsval),)
    box.give(Side.CLIENT, ACK, C + 1, answer.seq + 1, options=echo)
    to_client, to_server = box.give(
        Side.SERVER, SYN | ACK, S - 7, C + 1, options=(Mss(1460),)
    )
    assert [] == to_client
    assert [RST, SYN] == [segment.flags for segment in to_server]
    assert Mss(1448) in to_server[1].options
    (window,), _ = box.give(Side.SERVER, SYN | ACK, S, C + 1, options=(Mss(1460),))
    assert 101 == window.timestamps.tsecr
    data = bytes(range(256)) * 5
    (segment,), _ = box.give(Side.SERVER, ACK, S + 1, C + 1, payload=data)
    assert data == segment.payload
    assert 101 == segment.timestamps.tsecr
    assert stamp.tsval <= segment.timestamps.tsval
    options = (Timestamps(140, segment.timestamps.tsval),)
    ack = answer.seq + 1 + len(data)
    _, (segment,) = box.give(Side.CLIENT, ACK, C + 1, ack, options=options)
    assert segment.timestamps is None
    assert S + 1 + len(data) == segment.ack
    for port in range(3):
        box.port += 1
        answer = box.asked(*ALL)
        assert not any(isinstance(o, Timestamps) for o in answer.options)
        box.give(Side.CLIENT, ACK, C + 1, answer.seq + 1)
        box.give(Side.SERVER, SYN | ACK, S + port, C + 1, options=(Timestamps(9, 100),))


def test_client_that_forgot_its_half_is_challenged_and_begins_anew(family, way):
    """RFC 5961 4.2, while the server is waited for; an established one goes on."""
    box = Box(family, way, learn_time=0)
    box.spliced(*ALL)  # from now on all of it is granted
    box.port += 1
    answer, _ = box.opened(*ALL)
    shift = next(o.shift for o in answer.options if isinstance(o, WindowScale))
    (challenge,), _ = box.give(Side.CLIENT, SYN, C + 70_000, options=ALL)
    assert (ACK, C + 1) == (challenge.flags, challenge.ack)
    assert answer.seq + 1 == challenge.seq
    assert answer.window <= challenge.window << shift < answer.window + (1 << shift)
    assert ([], []) == box.give(Side.CLIENT, RST, challenge.ack)
    (again,), _ = box.give(Side.CLIENT, SYN, C + 70_000, options=ALL)
    assert (SYN | ACK, C + 70_001) == (again.flags, again.ack)
