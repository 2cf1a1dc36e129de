"""The given handshake cases, the player's own judgement, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance import cases
from tests.conformance.__main__ import main
from tests.conformance.differences import DIFFERENCES
from tests.conformance.player import play

pytestmark = pytest.mark.isa

FILE = Path(__file__).parent / "cases" / "handshake.json"
SCRIPTS = cases.load(FILE)
SYN = {"dir": "in", "t_ms": 0, "flags": "S", "seq": 0, "ack": None, "win": 32767}
SYN |= {"opts": [["mss", 1460]], "len": 0}
SYN_ACK = {"dir": "out", "t_ms": 0, "flags": "SA", "seq": 0, "ack": 1, "win": 65535}
SYN_ACK |= {"opts": [["mss", 1460]], "len": 0}
ACK = {"dir": "in", "t_ms": 30, "flags": "A", "seq": 1, "ack": 1, "win": 32767}
ACK |= {"opts": [], "len": 0}


def case(*steps, expect=None, **more):
    """A case of these steps, as a script."""
    given = {"family": 4, "listening": True, "tunables": {}}
    made = {"name": "made", "given": given, "steps": steps, "expect": expect or {}}
    return cases.read_case({**made, **more}, {})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_case(script):
    """What FreeBSD does with these packets, we do."""
    failures = play(script)
    if script.name in DIFFERENCES:
        assert failures, "no difference any more: take it off the list"
    else:
        assert [] == failures


def test_differences_name_cases_that_exist():
    """A renamed case must not leave its excuse behind."""
    assert set(DIFFERENCES) <= {script.name for script in SCRIPTS}


WRONG = {
    "flags": (SYN_ACK | {"flags": "S"}, "flags"),
    "ack": (SYN_ACK | {"ack": 2}, "ack 1, not 2"),
    "window": (SYN_ACK | {"win": 100}, "win"),
    "option value": (SYN_ACK | {"opts": [["mss", 1400]]}, "option"),
    "option kinds": (SYN_ACK | {"opts": []}, "opts"),
    "length": (SYN_ACK | {"len": 3}, "len"),
    "time": (SYN_ACK | {"t_ms": 50}, "sent at"),
    "mark": (SYN_ACK | {"ip_ecn": 1}, "ip_ecn"),
    "ttl": (SYN_ACK | {"ip_ttl": 5}, "ttl"),
}


@pytest.mark.parametrize(("step", "words"), WRONG.values(), ids=WRONG)
def test_player_notices_a_wrong_field(step, words):
    """Each field of an expected segment is compared."""
    assert [] == play(case(SYN, SYN_ACK))
    (failure,) = play(case(SYN, step))
    assert words in failure


def test_player_notices_silence_and_noise():
    """A packet that does not come, and one that nobody asked for."""
    (failure,) = play(case(SYN, SYN_ACK, SYN_ACK | {"t_ms": 20}))
    assert "nothing sent, expected SA" in failure
    (failure,) = play(case(SYN, ACK))
    assert "unexpected SA" in failure


@pytest.mark.parametrize(
    "expect",
    [
        {"state": "listen"},
        {"entries": 0},
        {"accepted": 2},
        {"counters": {"dupsyn": 1}},
        {"expired_at_ms": 15_000},
        {"expired_at_ms": 16_000},
        {"nonsense": 1},
    ],
    ids=str,
)
def test_player_notices_a_wrong_end(expect):
    """Each thing that a case says about the end is looked at."""
    steps = [SYN, SYN_ACK]
    steps += [SYN_ACK | {"t_ms": t_ms} for t_ms in (1000, 3200, 7400)]
    steps = steps if "expired_at_ms" in expect else steps[:2]
    assert 1 <= len(play(case(*steps, expect=expect)))


@pytest.mark.parametrize(
    "key", ["peer_mss", "peer_ws", "our_ws", "readable", "snd_wnd"]
)
def test_player_notices_a_wrong_connection(key):
    """What a case says about the connection is looked at; without one, it fails."""
    script = case(SYN, SYN_ACK, ACK, expect={key: 77})
    assert [f"{key} is"] == [text[: len(key) + 3] for text in play(script)]
    script = case(SYN, SYN_ACK, expect={key: 0})
    assert ["no connection"] == [text[:13] for text in play(script)]


def test_unknown_field_is_refused():
    """A field that nobody looks at would be an assertion lost."""
    with pytest.raises(ValueError, match="jitter"):
        case(SYN | {"jitter": 1})


def test_command_prints_a_line_each_and_the_sum(tmp_path, capsys):
    """One line a case, the sum, exit status 1 on any failure."""
    good = {"name": "good", "given": {"listening": True}, "steps": [SYN, SYN_ACK]}
    bad = {"name": "bad", "given": {"listening": True}, "steps": [SYN, ACK]}
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"format": "handshake_cases/1", "cases": [good, bad]}))
    assert 1 == main([str(path)])
    lines = capsys.readouterr().out.splitlines()
    assert ["pass good", "fail bad", "1 passed, 1 failed"] == lines
    path.write_text(json.dumps({"format": "handshake_cases/1", "cases": [good]}))
    assert 0 == main([str(path)])


def test_command_names_a_file_that_is_none(tmp_path, capsys):
    """A broken file is one line on stderr."""
    path = tmp_path / "broken.json"
    path.write_text("{")
    assert 1 == main([str(path)])
    assert str(path) in capsys.readouterr().err
