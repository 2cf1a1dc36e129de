"""A Valkey that lies: whatever it holds, a member goes on, and so do its keys.

Every key that members read has every kind of value: of a wrong type, huge, cut off,
changed, of another group or member, of another kind, and older than what is known.
"""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import replace
from functools import cache

import pytest
import valkey

from syncache.fleet import bloom, conf
from syncache.fleet.alarms import TOLD_MAX
from syncache.fleet.document import KIND, Document
from syncache.fleet.member import LINES_MAX, SIGHTS_MAX, Member
from syncache.fleet.record import AHEAD_MAX, Record, kind_of
from syncache.fleet.seal import Sealer
from syncache.fleet.store import Store, StoreError
from syncache.keyring import Master

SECRET = b"a secret of the group"
FIRST = Document(
    version=5,
    group="web",
    lifetime=32,
    skew_ms=1000,
    ts_key=bytes(16),
    masters=(Master(1, 0, bytes(range(32))), Master(2, 64, bytes(32))),
)
PREFIX = "syncache:web:"
TURNS = 150


@pytest.fixture
def member(server, member_conf, monkeypatch):
    chosen = replace(member_conf("edge-1", server.url), bloom=True)
    made = Member(chosen, Store(chosen))
    assert made.publish(FIRST)
    made.turn()
    yield made
    made.close()


@cache
def sealer(group="web", secret=SECRET):
    """Return a sealer, whose key takes long to derive."""
    return Sealer(group, secret)


def record(name, **fields):
    """Return another member's record, sealed."""
    made = Record(name=name, time=fields.pop("time", time.time()), **fields)
    return sealer().seal(made.kind, made.encode())


def bodies(chance):
    """Return messages that are none, or not what they should be here."""
    document, old = FIRST.encode(), replace(FIRST, version=4)
    sealed = sealer().seal(KIND, document, 5)
    lies = [
        b"",
        b"x",
        b"\0" * 100_000,
        chance.randbytes(chance.randrange(2000)),
        sealed[: chance.randrange(len(sealed))],
        sealed + b"more",
        sealer().seal(KIND, old.encode(), 4),
        sealer().seal(KIND, document, 9),
        sealer().seal(KIND, b"[" * 20_000, 10),
        sealer().seal(
            KIND, replace(FIRST, version=11, masters=FIRST.masters[:1]).encode(), 11
        ),
        sealer().seal(KIND, replace(FIRST, version=12, lifetime=5).encode(), 12),
        sealer().seal(KIND, replace(FIRST, version=13, group="db").encode(), 13),
        sealer(secret=b"a secret of somebody else").seal(
            KIND, replace(FIRST, version=14).encode(), 14
        ),
        sealer("db").seal(KIND, replace(FIRST, version=15).encode(), 15),
        sealer().seal("member:edge-2", document, 16),
        b"syncache-fleet 1 keys 99999999999999999\n" + bytes(64),
        b"syncache-fleet 1 keys 17\n",
    ]
    changed = bytearray(sealed)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return [*lies, bytes(changed)]


def records(chance):
    """Return what stands for records of members."""
    now = time.time()
    return [
        *bodies(chance),
        record("edge-2", time=0.0),
        record("edge-2", time=1e300),
        record("edge-2", time=now, version=10**15, key=-5, offset=1e9),
        record("edge-2", ahead={f"edge-{n}": now for n in range(2 * AHEAD_MAX)}),
        record("edge-2", state="paused", rates={"syn": 1e308}),
        record("edge-2", sources=(("0.0.0.0/0", 1.0), ("::/0", 1.0)), state="cookies"),
        sealer().seal(kind_of("edge-2"), b'{"t":NaN,"v":1,"k":1,"o":0}'),
        sealer().seal(kind_of("edge-2"), b'{"t":1,"v":1,"k":1,"o":0,"s":[]}'),
        sealer().seal(kind_of("edge-2"), b'{"t":1,"v":1,"k":1,"o":0,"f":[["x",1]]}'),
        sealer().seal(kind_of("edge-3"), b"{}"),
        sealer().seal(bloom.kind_of("edge-2"), b"\xff" * 64),
    ]


def put(client, chance, key):
    """Put a lie in place of one key."""
    name = PREFIX + key
    client.delete(name)
    kind = chance.randrange(6)
    if kind == 0:
        client.rpush(name, *bodies(chance)[1:4])
    elif kind == 1:
        client.set(name, chance.choice(bodies(chance)))
    elif kind == 2:
        names = [f"edge-{n}" for n in range(2, 5)] + ["\x1b[2J", "a" * 5000, "edge-1"]
        client.hset(name, mapping={n: chance.choice(records(chance)) for n in names})
    elif kind == 3:
        for _ in range(20):
            fields = {"n": chance.choice(["edge-2", "edge-1", "\xff"])}
            fields[chance.choice("mmmx")] = chance.choice(records(chance))
            client.xadd(name, fields)
    elif kind == 4:
        client.sadd(name, b"x")
    # Else it is not there.


@pytest.mark.parametrize("seed", range(4))
def test_whatever_valkey_holds_the_member_and_its_keys_go_on(member, server, seed):
    """No round raises but for a server that is away; nothing grows; keys stay."""
    chance, client = random.Random(seed), server.client()
    print(f"seed {seed}")
    before = member.conf.keyring.read_bytes()
    for _ in range(TURNS):
        for key in chance.sample(["keys", "news", "members", "seen"], 2):
            put(client, chance, key)
        member._record_due = member._clock_due = member._heal_due = 0.0
        with contextlib.suppress(StoreError):
            member.turn()
        assert all("\n" not in text for text in member.alarms.values())
    assert (before, FIRST) == (member.conf.keyring.read_bytes(), member.document)
    assert not member.refuses
    assert len(member.lines) <= LINES_MAX
    assert len(member.seen) <= SIGHTS_MAX
    assert ((), True) == (member.blocks, member.redeemed.kept <= 4096)
    client.flushall()
    member._heal_due = 0.0
    member.turn()
    member.turn()
    assert {} == member.alarms
    assert sealer().open(KIND, client.get(PREFIX + "keys"))[0] == FIRST.version


def test_same_lie_is_one_line_however_often_it_is_told(member, server):
    """The log is no way to fill a disk."""
    client = server.client()
    member.lines.clear()
    for _ in range(50):
        client.set(PREFIX + "keys", b"something else")
        member.turn()
    assert 1 == len(member.lines)


def test_lies_by_turns_are_some_lines_a_minute(member, server):
    """Alarms that come and go are folded; what stays is told in the end."""
    client, good = server.client(), server.client().get(PREFIX + "keys")
    member.lines.clear()
    for number in range(60):
        lie = (
            b"something else"
            if number % 2
            else b"syncache-fleet 1 keys 9\n" + bytes(50)
        )
        for value in (lie, good):
            client.set(PREFIX + "keys", value)
            member.turn()
    assert len(member.lines) <= 4 * TOLD_MAX
    assert {} == member.alarms


@pytest.mark.parametrize("told", [-1e18, -1, 0, 1e12, 1e18])
def test_clock_of_valkey_that_lies_refuses_nothing(member, monkeypatch, told):
    """With other members about, it decides nothing; and no number is too large."""
    look = member._store.look

    def lie(**words):
        return replace(look(**words), clock=told)

    monkeypatch.setattr(member._store, "look", lie)
    for name in ("edge-2", "edge-3"):
        member._store._valkey.hset(PREFIX + "members", name, record(name))
    member._clock_due = member._record_due = 0.0
    member.turn()
    assert not member.refuses
    assert member._record().encode()


@pytest.mark.parametrize(
    "fault",
    [
        valkey.ReadOnlyError("You can't write against a read only replica."),
        valkey.AuthenticationError("WRONGPASS invalid username-password pair"),
        valkey.BusyLoadingError("Valkey is loading the dataset in memory"),
        valkey.ResponseError("OOM command not allowed when used memory > 'maxmemory'"),
        valkey.ResponseError("NOPERM this user has no permissions"),
        valkey.ConnectionError("Error 104\r\nConnection reset"),
        OSError(24, "Too many open files"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        MemoryError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_refusal_of_every_kind_is_an_alarm_of_one_line(member, monkeypatch, fault):
    """The agent's round ends with it, and the next one is as ever."""

    def refuse(*_, **__):
        raise fault

    pipeline = member._store._valkey.pipeline
    monkeypatch.setattr(member._end, "wait", lambda _: None)
    monkeypatch.setattr(member._store._valkey, "pipeline", refuse)
    member.attempt()
    assert member.alarms
    assert all("\n" not in text for text in member.alarms.values())
    monkeypatch.setattr(member._store._valkey, "pipeline", pipeline)
    member.attempt()
    assert {} == member.alarms


def test_names_of_files_are_never_valkeys(member, server):
    """What is written lies where the configuration says."""
    folder = member.conf.keyring.parent
    known = {path.name for path in folder.iterdir()}
    for name in ("../../etc/passwd", "a/b", "\0"):
        server.client().hset(PREFIX + "members", name, b"x")
    member._record_due = 0.0
    member.turn()
    assert known == {path.name for path in folder.iterdir()}
    assert conf.NAME.fullmatch("../x") is None
