"""Tests of `Record`: its text, its bounds, and suspicion."""

from __future__ import annotations

import json

import pytest

from syncache.fleet import FleetError
from syncache.fleet.record import BYTES_MAX, STATES, Record, kind_of

FULL = Record(
    name="edge-1",
    time=1_800_000_000.125,
    version=3,
    key=7,
    offset=-0.25,
    refuses=True,
    ahead={"edge-2": 1_800_000_003.0},
    alarms=("away",),
    state="aggressive",
    rates={"syn": 120_000.5},
    sources=(("203.0.113.0/24", 0.9), ("2001:db8::/48", 0.05)),
    targets=(("192.0.2.1", 1.0), ("2001:db8::1", 0.125)),
)


def test_text_comes_back():
    """All of it, and of an idle one less than 100 bytes."""
    assert FULL == Record.decode("edge-1", FULL.encode())
    idle = Record(name="edge-1", time=1_800_000_000.125, version=3, key=7)
    assert idle == Record.decode("edge-1", idle.encode())
    assert len(idle.encode()) < 100
    assert kind_of("edge-1") == idle.kind


def test_text_is_bounded_whatever_is_in_it():
    """What matters least goes first."""
    names = {f"member-with-a-long-name-{n:030}": 1.8e9 for n in range(500)}
    huge = Record(
        name="edge-1",
        time=1.0,
        ahead=names,
        alarms=("a" * 1000,) * 100,
        rates={f"rate-{n}": 1.5 for n in range(100)},
    )
    text = huge.encode()
    assert len(text) <= BYTES_MAX
    assert 1.0 == Record.decode("edge-1", text).time


def test_shares_of_others_are_shares():
    """Whatever they say."""
    record = Record.decode("edge-1", changed(f=[["203.0.113.0/24", 5e9]] * 9))
    assert 4 * (("203.0.113.0/24", 1.0),) == record.sources


def changed(**fields):
    return json.dumps(json.loads(FULL.encode()) | fields).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5",
        b"{}",
        b"\xff",
        b"[" * 1000,
        b" " * 2000,
        changed(t="now"),
        changed(t=True),
        b'{"t":1e999,"v":1,"k":1,"o":0}',
        changed(v=None),
        changed(h=[1]),
        changed(h={"a": "b"}),
        changed(a=[5]),
        changed(a=[["a word"]]),
        changed(a=5),
        changed(s=9),
        changed(s=4),
        changed(s=-1),
        changed(s="calm"),
        changed(n=5),
        changed(f=5),
        changed(f="words"),
        changed(f=[["203.0.113.0/24"]]),
        changed(f=[["203.0.113.1/24", 5]]),
        changed(f=[["\x1b[2J", 5]]),
        changed(d=[["192.0.2.1", "5"]]),
    ],
)
def test_text_that_is_none_is_one_line(body):
    """Of a member that is sick."""
    with pytest.raises(FleetError, match="the record of 'edge-1'"):
        Record.decode("edge-1", body)


def test_words_of_others_steer_no_terminal():
    """They are shown to operators."""
    body = changed(a=["\x1b[2Jgone\n"])
    assert ("?[2Jgone?",) == Record.decode("edge-1", body).alarms
    with pytest.raises(FleetError, match=r"'\?\[2J'"):
        Record.decode("\x1b[2J", body)


def test_text_is_what_members_of_every_version_read():
    """Names, numbers of states and rounding are a promise; nothing that is nothing."""
    idle = Record(name="edge-1", time=5.00049, rates={"syn": 0.0}, offset=0.0126)
    assert b'{"t":5.0,"v":0,"k":0,"o":0.013}' == idle.encode()
    shown = Record(
        name="edge-1",
        time=5.0,
        refuses=True,
        ahead={"b": 6.12345},
        state="paused",
        rates={"syn": 1.26},
        sources=(("192.0.2.0/24", 0.1236),),
    )
    want = '{"t":5.0,"v":0,"k":0,"o":0.0,"r":1,"h":{"b":6.123},"s":3,"n":{"syn":1.3}'
    assert want + ',"f":[["192.0.2.0/24",124]]}' == shown.encode().decode()
    assert ("calm", "cookies", "aggressive", "paused") == STATES


def test_record_that_says_nothing_more_is_calm():
    """A member of an earlier version leaves out what it does not know."""
    record = Record.decode("edge-1", b'{"t":5,"v":1,"k":2,"o":0}')
    assert Record(name="edge-1", time=5.0, version=1, key=2) == record
    assert not record.refuses


def test_lists_of_others_are_cut():
    """So many of each, and so long."""
    networks = [[f"192.0.{n}.0/24", 5] for n in range(5)]
    record = Record.decode(
        "edge-1",
        changed(
            h={f"m{n}": n for n in range(17)},
            a=["a" * 65] * 5,
            n={f"r{n}": n for n in range(9)},
            f=networks,
            d=networks,
        ),
    )
    assert (16, 8, 4, 4) == (
        len(record.ahead),
        len(record.rates),
        len(record.sources),
        len(record.targets),
    )
    assert ("a" * 64,) * 4 == record.alarms


def test_text_of_1024_bytes_is_the_longest():
    """Of a member's, and of ours."""
    body = changed().ljust(1024)
    assert "edge-1" == Record.decode("edge-1", body).name
    with pytest.raises(FleetError, match="too long"):
        Record.decode("edge-1", body + b" ")
    sizes = set()
    for count in range(60, 65):
        for more in range(200):
            ahead = {f"{n:03}" + "x" * (count - 3): 1.0 for n in range(13)}
            rates = {"r" * more: 1.5}
            sizes.add(
                len(Record(name="e", time=1.0, ahead=ahead, rates=rates).encode())
            )
    assert 1024 == max(sizes)
