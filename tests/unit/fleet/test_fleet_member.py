"""Tests of `Member`: what it takes, what it refuses, and what survives its server."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from first_document import FIRST

from syncache import Keyring
from syncache.fleet import FleetError
from syncache.fleet.document import KIND
from syncache.fleet.member import Member
from syncache.fleet.record import Record, kind_of
from syncache.fleet.seal import Sealer
from syncache.fleet.store import Store


class Clock:
    def __init__(self):
        self.now, self.error = 1_800_000_000.0, 0.0

    def __call__(self):
        return self.now + self.error


@pytest.fixture
def member(server, member_conf):
    """Make members with clocks of their own."""
    made = []

    def make(name, clock=None):
        conf = member_conf(name, server.url)
        one = Member(conf, Store(conf), clock or Clock())
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def begin(member):
    """Make the group at this member."""
    assert member.publish(FIRST)
    return member


def numbers(member):
    """The keys of the file that engines read."""
    ring = Keyring.from_file(
        member.conf.keyring, wall_offset=0, passphrase=member.conf.secret()
    )
    return [master.number for master in ring.masters]


def test_member_takes_what_another_published(member):
    """Into the file of its engines, which is sealed."""
    one, other = begin(member("edge-1")), member("edge-2")
    other.turn()
    assert FIRST == other.document
    assert [1] == numbers(other)
    assert "sealed" in other.conf.keyring.read_text().splitlines()[0]
    assert one.publish(FIRST.rotated(1000, 60))
    other.turn()
    assert [1, 2] == numbers(other)
    assert {} == other.alarms
    assert "version 2, newest key 2" in other.lines[-1]


def test_valkey_holds_nothing_in_clear(member, server):
    """Neither a key nor what a member says of itself."""
    one = begin(member("edge-1"))
    one.report(Record(name="x", time=0, state="cookies", rates={"syn": 98765.5}))
    one.turn()
    client = server.client()
    held = client.dump("syncache:web:keys") + client.dump("syncache:web:members")
    for secret in (FIRST.masters[0].secret.hex(), one.conf.secret().decode()):
        assert secret.encode() not in held
    assert FIRST.masters[0].secret not in held
    assert b"98765" not in held


def test_member_that_starts_again_knows_the_highest_version(member, server):
    """An older document is refused after a restart too."""
    begin(member("edge-1")).publish(FIRST.rotated(1000, 60))
    again = member("edge-1")
    assert 2 == again.document.version
    server.client().set("syncache:web:keys", again.sealer.seal(KIND, FIRST.encode(), 1))
    again.turn()
    assert (2, [1, 2]) == (again.document.version, numbers(again))
    assert "version 1, and 2 is known" in again.alarms["lower"]


def test_older_document_raises_an_alarm_and_is_put_right(member, server):
    """A backup of before, for example; the alarm clears by itself."""
    one, other = begin(member("edge-1")), member("edge-2")
    old = server.client().get("syncache:web:keys")
    one.publish(FIRST.rotated(1000, 60))
    other.turn()
    server.client().set("syncache:web:keys", old)
    other.turn()
    assert "lower" in other.alarms
    other.turn()
    assert {} == other.alarms
    assert [1, 2] == numbers(other)
    assert ["ALARM lower", "alarm lower"] == [
        " ".join(line.split()[2:4]).rstrip(":") for line in other.lines
    ][-2:]


def test_wiped_server_is_filled_again(member, server):
    """By whoever comes first; nothing changes on any machine."""
    one = begin(member("edge-1"))
    server.client().flushall()
    one.turn()
    assert "Valkey holds nothing" in one.alarms["lower"]
    one.turn()
    assert {} == one.alarms
    fresh = member("edge-3")
    fresh.turn()
    assert FIRST == fresh.document


def test_server_that_is_away_is_an_alarm_and_no_more(member, server, monkeypatch):
    """The file stays, and the alarm clears when it is back, empty."""
    one = begin(member("edge-1"))
    monkeypatch.setattr(one._end, "wait", lambda _: None)
    before = one.conf.keyring.read_bytes()
    server.close()
    for _ in range(3):
        one.attempt()
    assert "the keys in force stay" in one.alarms["away"]
    assert 1 == sum("ALARM away" in line for line in one.lines)
    server.start()
    for _ in range(2):
        one.attempt()
    assert {} == one.alarms
    assert before == one.conf.keyring.read_bytes()


def test_server_that_is_stopped_is_away(member, server, monkeypatch):
    """It accepts connections and answers nothing."""
    one = begin(member("edge-1"))
    monkeypatch.setattr(one._end, "wait", lambda _: None)
    monkeypatch.setattr("syncache.fleet.store.ANSWER_SECONDS", 0.1)
    server.send_signal(signal.SIGSTOP)
    one.attempt()
    server.send_signal(signal.SIGCONT)
    assert "away" in one.alarms
    one.attempt()
    assert "away" not in one.alarms


@pytest.mark.parametrize(
    ("message", "alarm"),
    [
        (b"syncache-fleet 1 keys 9\n" + bytes(100), "sealed"),
        (b"something else", "foreign"),
        (Sealer("web", b"another secret").seal(KIND, b"x", 9), "sealed"),
        (Sealer("web", b"a secret of the group").seal(KIND, b"x", 9), "document"),
        (
            Sealer("web", b"a secret of the group").seal(
                KIND, replace(FIRST, version=9, lifetime=5).encode(), 9
            ),
            "document",
        ),
    ],
    ids=["no seal", "foreign", "another secret", "no document", "odd lifetime"],
)
def test_lie_is_an_alarm_and_changes_nothing(member, server, message, alarm):
    """Sealed with another key, not sealed at all, or sealed nonsense."""
    one = begin(member("edge-1"))
    good = server.client().get("syncache:web:keys")
    before = one.conf.keyring.read_bytes()
    server.client().set("syncache:web:keys", message)
    one.turn()
    assert [alarm] == list(one.alarms)
    assert (before, FIRST) == (one.conf.keyring.read_bytes(), one.document)
    server.client().set("syncache:web:keys", good)
    one.turn()
    assert {} == one.alarms


def test_nonsense_of_members_is_left_out(member, server):
    """Records that do not open, or open to nothing."""
    one = begin(member("edge-1"))
    sealed = one.sealer.seal(kind_of("edge-3"), b"nonsense")
    records = {"edge-2": b"x", "edge-3": sealed, "\x1b": b"y", "edge-4": sealed}
    server.client().hset("syncache:web:members", mapping=records)
    one.turn()
    assert ({}, {}) == (one.seen, one.alarms)


def test_local_copy_that_is_spoiled_is_an_alarm_until_the_next_document(member):
    """It is fetched again."""
    one = begin(member("edge-1"))
    one.conf.sealed.write_bytes(b"spoiled")
    again = member("edge-1")
    assert ("disk", None) == (*again.alarms, again.document)
    again.turn()
    assert ({}, FIRST) == (again.alarms, again.document)


def test_member_whose_clock_is_wrong_refuses_and_says_so(member):
    """And makes cookies again when it is right."""
    clocks = [Clock() for _ in range(3)]
    members = [member(f"edge-{n}", clock) for n, clock in enumerate(clocks)]
    begin(members[0])

    def rounds(count):
        for _ in range(count):
            for clock in clocks:
                clock.now += 1
            for one in members:
                one._record_due = 0.0
                one.turn()

    rounds(3)
    assert [False] * 3 == [one.refuses for one in members]
    for error in (3.0, -3.0):
        clocks[1].error = error
        rounds(4)
        assert [False, True, False] == [one.refuses for one in members], error
        assert "differs from the others'" in members[1].alarms["clock"]
        clocks[1].error = 0.0
        rounds(70)
        assert [False] * 3 == [one.refuses for one in members]
        assert {} == members[1].alarms


def test_clock_of_valkey_alone_stops_nobody(member, monkeypatch):
    """It may lie."""
    members = [begin(member("edge-0")), member("edge-1"), member("edge-2")]
    for one in members:
        look = one._store.look
        monkeypatch.setattr(
            one._store, "look", lambda look=look, **kw: replace(look(**kw), clock=5.0)
        )
    for _ in range(3):
        for one in members:
            one._record_due = one._clock_due = 0.0
            one.turn()
    assert all(one.offset < -1e9 for one in members)
    assert [False] * 3 == [one.refuses for one in members]


def test_revoked_member_is_told_and_not_listened_to(member):
    """Those who have the next key go on; who has not is left behind."""
    one, other, out = begin(member("edge-1")), member("edge-2"), member("edge-3")
    for each in (other, out):
        each.turn()
    other.conf.next_key.write_text("another secret")
    other.conf.next_key.chmod(0o600)
    after = one.following().revoking("edge-3", 1000, 60)
    assert one.publish(after, b"another secret")
    other.turn()
    out.turn()
    assert (2, 1) == (other.document.version, out.document.version)
    assert [1, 2] == numbers(other)
    assert "another secret" == other.conf.key.read_text()
    assert not other.conf.next_key.exists()
    assert "sealed with another key" in out.alarms["sealed"]
    assert [1] == numbers(out)


def test_key_file_that_was_replaced_is_read_again(member):
    """Before `.next` is looked for."""
    one, other = begin(member("edge-1")), member("edge-2")
    other.turn()
    one.publish(FIRST.rotated(1000, 60), b"another secret")
    other.turn()
    assert "sealed" in other.alarms
    other.conf.key.write_text("another secret\n")
    other.turn()
    assert ({}, 2) == (other.alarms, other.document.version)


def test_published_record_says_who_has_what(member, server):
    """For `status`, and for those who rotate."""
    one = begin(member("edge-1"))
    one.report(Record(name="x", time=0, state="aggressive", rates={"syn": 5.0}))
    one.turn()
    sealed = server.client().hget("syncache:web:members", "edge-1")
    record = Record.decode("edge-1", one.sealer.open(kind_of("edge-1"), sealed)[1])
    assert ("edge-1", 1, 1) == (record.name, record.version, record.key)
    assert ("aggressive", {"syn": 5.0}) == (record.state, record.rates)


@pytest.mark.parametrize(
    ("states", "attacked"),
    [
        ([], 0),
        (["calm"], 0),
        (["cookies"], 1),
        (["cookies", "calm"], 0),
        (["cookies", "aggressive", "calm", "calm"], 2),
    ],
)
def test_attack_on_others_needs_two_who_say_so(member, states, attacked):
    """Unless there is only one other; and what is old does not count."""
    clock = Clock()
    one = begin(member("edge-1", clock))
    for number, state in enumerate(states):
        one._note(Record(name=f"m{number}", time=clock.now, state=state))
    one.turn()
    assert attacked == one.attacked
    clock.now += 31
    one.turn()
    assert 0 == one.attacked


BAD, WIDE = "203.0.113.0/24", "203.0.112.0/23"


@pytest.mark.parametrize(
    ("records", "blocks"),
    [
        ([("cookies", BAD, 0.5)], (BAD,)),
        ([("cookies", BAD, 0.5), ("calm", BAD, 0.5)], ()),
        ([("cookies", BAD, 0.5), ("cookies", BAD, 0.3), ("calm", BAD, 1)], (BAD,)),
        ([("cookies", BAD, 0.5), ("cookies", BAD, 0.1)], ()),
        ([("cookies", WIDE, 0.5), ("cookies", WIDE, 0.5)], ()),
        ([("cookies", "0.0.0.0/0", 1.0), ("cookies", "::/0", 1.0)], ()),
    ],
)
def test_network_is_blocked_when_two_who_are_attacked_name_it(member, records, blocks):
    """Nobody can have more of the world blocked than a network of sources."""
    clock = Clock()
    one = begin(member("edge-1", clock))
    for number, (state, network, share) in enumerate(records):
        sources = ((network, share),)
        one._note(
            Record(name=f"m{number}", time=clock.now, state=state, sources=sources)
        )
    one.turn()
    assert blocks == one.blocks


def test_sights_are_bounded(member, monkeypatch):
    """Of many members the oldest are forgotten."""
    monkeypatch.setattr("syncache.fleet.member.SIGHTS_MAX", 4)
    clock = Clock()
    one = begin(member("edge-1", clock))
    for number in range(20):
        clock.now += 1
        one._note(Record(name=f"m{number}", time=clock.now))
    assert {"m16", "m17", "m18", "m19"} == set(one._sights) == set(one.seen)


def test_record_shown_again_says_nothing_new(member):
    """An old one neither: a liar may show both."""
    clock = Clock()
    one = begin(member("edge-1", clock))
    one._note(Record(name="m", time=clock.now))
    seen = one._sights["m"].seen
    clock.now += 20
    one._note(Record(name="m", time=clock.now - 20))
    one._note(Record(name="m", time=clock.now - 30))
    assert seen == one._sights["m"].seen


def test_thread_takes_what_is_published_and_ends(member):
    """As a command runs it."""
    import threading

    one, other = begin(member("edge-1")), member("edge-2")
    taken = threading.Event()
    other.after = lambda: taken.set() if other.document else None
    other.start()
    assert taken.wait(30)
    other.close()
    assert not other._thread.is_alive()
    assert one.document == other.document


def test_fault_of_ours_does_not_end_the_thread(member, monkeypatch):
    """It is an alarm, with its kind."""
    one = member("edge-1")
    monkeypatch.setattr(one._end, "wait", lambda _: None)

    def fails():
        raise RuntimeError("a fault")

    with monkeypatch.context() as patched:
        patched.setattr(one, "turn", fails)
        one.attempt()
    assert "RuntimeError: a fault" == one.alarms["agent"]
    one.turn()
    assert "agent" not in one.alarms
    one.after = fails
    one.attempt()
    assert "RuntimeError: a fault" == one.alarms["agent"]


def test_document_is_needed_for_the_next_one(member):
    """Nobody rotates what does not exist."""
    one = member("edge-1")
    one.turn()
    with pytest.raises(FleetError, match="there is no group web"):
        one.following()
    one.restore()
    assert not one.conf.keyring.exists()


def test_handshakes_are_exchanged_if_the_configuration_says_so(member):
    """One that another has redeemed is known a round later; a restart learns it too."""
    one, other = begin(member("edge-1")), member("edge-2")
    for each in (one, other):
        each.turn()
        assert each.redeemed is None
        each.conf = replace(each.conf, bloom=True)
        each.turn()
    assert one.redeemed.admit(b"client", by_cookie=True)
    one.turn()
    other.turn()
    assert not other.redeemed.admit(b"client", by_cookie=True)
    again = member("edge-3")
    again.conf = replace(again.conf, bloom=True)
    again.turn()
    assert not again.redeemed.admit(b"client", by_cookie=True)
    assert one.redeemed.kept == 0  # its own


def test_filters_of_nobody_are_left_out(member, server):
    """Sealed by no member, or too full."""
    one = begin(member("edge-1"))
    one.conf = replace(one.conf, bloom=True)
    client = server.client()
    full = one.sealer.seal("seen:edge-2", b"\xff" * 64)
    for sealed in (b"nonsense", one.sealer.seal("seen:edge-3", bytes(64)), full):
        client.xadd("syncache:web:seen", {"n": "edge-2", "m": sealed})
    one.turn()
    assert (0, {}) == (one.redeemed.kept, one.alarms)


def test_member_that_leaves_is_forgotten_and_one_that_is_killed_is_not(member, server):
    """`status` names who is lost, not who was taken out of service."""
    one, other = begin(member("edge-1")), member("edge-2")
    for each in (one, other):
        each.turn()
    one.start()
    one.close()
    assert [b"edge-2"] == server.client().hkeys("syncache:web:members")


def test_round_that_does_not_end_is_an_alarm(member):
    """A server that answers byte by byte; it is over with the next round."""
    one = begin(member("edge-1"))
    one.look_after(one._begun + 9)
    assert {} == one.alarms
    one.look_after(one._begun + 11)
    assert "answers too slowly" in one.alarms["away"]
    one.turn()
    assert {} == one.alarms


def test_rounds_are_bounded_however_often_it_is_woken(member, monkeypatch):
    """A liar's news without end."""
    one, waits = begin(member("edge-1")), []
    monkeypatch.setattr(one._store, "wait", lambda _: None)
    monkeypatch.setattr(one._end, "wait", waits.append)
    for _ in range(3):
        one.attempt()
    assert len(waits) == 3
    assert all(0.1 >= seconds > -60 for seconds in waits)
