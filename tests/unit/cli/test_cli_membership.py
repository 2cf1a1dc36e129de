"""syncache/cli/membership.py: commands as members of a group."""

from __future__ import annotations

import time

import pytest

from syncache import Inspection, Intercept, Keyring, Segment, Syncache, Sysctl
from syncache.acl import AccessList, permit
from syncache.attempts import Asked, Asking, Counted
from syncache.cli import (
    Failure,
    inspect,
    intercept,
    keyopts,
    keys,
    main,
    membership,
    serve,
)
from syncache.fleet.bloom import Redeemed
from syncache.flow import Side
from syncache.keyring import DerivedKeyring, Master
from syncache.options import WindowScale
from syncache.segment import ACK, SYN

X = "net.inet.tcp.syncache.x."
LIFETIME = f"{X}cookie_lifetime"
COMMANDS = {
    "serve": (serve, ["--echo", "--address", "198.18.0.2/24"]),
    "intercept": (intercept, ["--outside", "a", "--inside", "b"]),
    "inspect": (inspect, ["--outside", "a", "--inside", "b"]),
}


@pytest.fixture
def place(fleet_conf, capsys):
    """A member's configuration, of a group with a lifetime of 16 s."""
    words = ["--lifetime", "16", "--skew-ms", "500"]
    assert 0 == main(["fleet", "init", str(fleet_conf), *words])
    capsys.readouterr()
    return fleet_conf


class Taker:
    """An engine that notes what it is given."""

    paused = False

    def __init__(self):
        self.given = []

    def rekey(self, ring):
        self.given.append(ring)

    def stats(self):
        return dict.fromkeys(
            ("requests", "cookies_sent", "cookies_redeemed", "aggressive"), 0
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_tunables_are_the_groups(place, name):
    """A preset does not change them; a setting that does is refused."""
    command, given = COMMANDS[name]

    def make(*words):
        options = command.parser().parse_args([*given, "--fleet", str(place), *words])
        source = keyopts.source(options)
        if name != "serve":
            return command.make(options, source).sysctl
        sysctl = serve.tunables(options, source.settings)
        source.check(sysctl)
        return sysctl

    sysctl = make("--preset", "freebsd")
    assert (16, "always") == (sysctl[LIFETIME], sysctl[keys.GATE])
    assert 750 == sysctl["net.inet.tcp.syncache.x.clock_skew_ms"]  # and a margin
    for setting, words in (
        (f"{LIFETIME}=32", "is 16 in the group web, and here 32"),
        (f"{X}cookie_layout=freebsd", "cookie_layout is wide in the group"),
        (f"{X}secmod=7", "secmod is 0 in the group"),
        ("kern.ipc.maxsockbuf=4194240", "maxsockbuf is 4194241 to 8388480 in a group"),
        ("kern.ipc.maxsockbuf=8388481", "another window scale would not be redeemed"),
    ):
        with pytest.raises(Failure, match=words):
            make("--sysctl", setting)
    make("--sysctl", "kern.ipc.maxsockbuf=8388480")


@pytest.mark.parametrize("option", ["--fleet", "--keyring"])
def test_commands_of_a_group_redeem_each_others_cookies_as_they_are(
    place, tmp_path, option
):
    """Without a setting of anybody, window scales included; of a file too."""
    chosen = place if option == "--fleet" else tmp_path / "keys"
    Keyring.derived((Master.generate(),), wall_offset=0.0, group="web").save(
        tmp_path / "keys"
    )
    options = serve.parser().parse_args([*COMMANDS["serve"][1], option, str(chosen)])
    source = keyopts.source(options)
    sysctl = serve.tunables(options, source.settings)
    source.check(sysctl)
    assert 7 == source.wscale
    stack = Syncache(sysctl, keys=source.keys)
    stack.listen(80)
    command, given = COMMANDS["intercept"]
    options = command.parser().parse_args([*given, option, str(chosen)])
    options.list = tmp_path / "acl"
    options.list.write_text("permit tcp any any eq 80\n")
    box = command.make(options, source)
    now = time.monotonic()
    scale = {"options_bytes": b"\2\4\5\xb4\3\3\7\1"}
    ends = {"src": "198.51.100.7", "dst": "192.0.2.1", "sport": 9, "dport": 80}
    sysctl["net.inet.tcp.syncookies_only"] = 1
    answer = stack.packet(Segment(**ends, seq=1, flags=SYN, **scale).packet(), now)
    assert 7 == next(o.shift for o in answer.reply.options if type(o) is WindowScale)
    ack = Segment(**ends, seq=2, ack=answer.reply.seq + 1, flags=ACK).packet()
    assert opens(box, ack)


def test_keys_of_this_machine_alone_set_no_scale(tmp_path):
    """A keyring without a group is for one machine's next life."""
    path = tmp_path / "keys"
    Keyring.derived((Master.generate(),), wall_offset=0.0).save(path)
    source = keyopts.source(
        serve.parser().parse_args([*COMMANDS["serve"][1], "--keyring", str(path)])
    )
    assert (None, []) == (source.wscale, source.settings)


@pytest.mark.parametrize("name", COMMANDS)
def test_machine_without_keys_is_one_line(capsys, tmp_path, place, name, server):
    """It names the command; and with --keyring there would be two rings."""
    server.close()
    (tmp_path / "ring.group").unlink()
    for words, hint in (
        (["--fleet", place], "syncache fleet join"),
        (["--fleet", place, "--keyring", place], "leave them out"),
        (["--fleet", tmp_path / "none"], "No such file"),
    ):
        (tmp_path / "ring").unlink(missing_ok=True)
        assert 1 == main([name, *COMMANDS[name][1], *map(str, words)])
        error = capsys.readouterr().err
        assert (1, True) == (error.count("\n"), hint in error)


def test_member_that_was_away_starts_with_the_newest_key(place, tmp_path, capsys):
    """Those who stayed may have changed to it; a machine that is new joins."""
    conf = place.read_text().replace("edge-1", "edge-2")
    other = tmp_path / "edge-2"
    other.mkdir()
    (other / "fleet.conf").write_text(conf.replace("/ring", "/edge-2/ring"))
    for count in (1, 2):
        source = membership.FleetSource(other / "fleet.conf")
        assert count == len(source.keys.masters)
        assert 0 == main(["fleet", "rotate", str(place), "--no-wait"])


def test_keyring_that_was_lost_is_written_again(place, server, tmp_path):
    """From the copy of the group's document, without Valkey."""
    server.close()
    (tmp_path / "ring").unlink()
    assert 1 == len(membership.FleetSource(place).keys.masters)


def test_start_needs_no_valkey(place, server):
    """The file is enough."""
    server.close()
    source = membership.FleetSource(place)
    assert "web" == source.keys.group


def test_engine_takes_a_key_that_another_machine_rotated(place, capsys):
    """Without a signal, and the log has lines about it."""
    source, taker, lines = membership.FleetSource(place), Taker(), []
    watch = source.watch()
    assert 0 == main(["fleet", "rotate", str(place), "--no-wait"])
    try:
        end = keys.wall_clock() + 60
        while not taker.given and keys.wall_clock() < end:
            if watch.waiting:
                watch.take(taker, lines.append)
            time.sleep(0.01)
    finally:
        watch.close()
    assert [1, 2] == [master.number for master in taker.given[-1].masters]
    assert any("the newest is key 2, " in line for line in lines)
    watch.take(taker, lines.append)
    assert watch.ended


def test_wrong_clock_puts_keys_of_this_machine_alone_into_the_engine(place):
    """And the group's again when it is right; a rotation between is not lost."""
    source, taker, lines = membership.FleetSource(place), Taker(), []
    watch = source.watch()
    watch._member.close()  # what it would say is said here
    watch._member.refuses = True
    assert watch.waiting
    watch.take(taker, lines.append)
    assert not taker.given[-1].shared
    watch._ready = rotated = source.keys.with_master(
        type(source.keys.masters[0]).generate(2)
    )
    watch.take(taker, lines.append)
    assert not taker.given[-1].shared
    watch._member.refuses = False
    watch.take(taker, lines.append)
    assert rotated is taker.given[-1]
    assert isinstance(taker.given[-1], DerivedKeyring)
    watch.close()


def test_shards_are_members_of_their_own_on_one_keyring(place):
    """Each has a name."""
    source = membership.FleetSource(place)
    assert source is source.of_shard(1)
    assert ("edge-1.1", source.path) == (source.member.conf.name, source.conf.keyring)


def test_meter_makes_rates_of_counters():
    """Of the half-open side: cookies are what it stores nothing of."""
    engine, meter = Syncache(keys=Keyring.from_seed(b"seed")), membership.Meter()
    engine.listen(80)
    assert {} == meter.read(engine, 1.0).rates
    engine.sysctl["net.inet.tcp.syncookies_only"] = 1
    for port in range(1000, 1010):
        syn = Segment(
            src="198.51.100.7", dst="192.0.2.1", sport=port, dport=80, flags=SYN
        )
        engine.packet(syn.packet(), 1.0)
    record = meter.read(engine, 3.0)
    assert (5.0, 5.0, "cookies") == (
        record.rates["syn"],
        record.rates["cookie"],
        record.state,
    )
    assert "calm" == meter.read(engine, 4.0).state


def test_meter_reads_middleboxes():
    """Aggressive mode is a state of its own."""
    web = AccessList("web", [permit(dport=80)])
    engine, meter = Intercept(acl=web, seed=b"seed"), membership.Meter()
    engine.sysctl.update(
        {
            "net.inet.tcp.intercept.max_incomplete.low": 1,
            "net.inet.tcp.intercept.max_incomplete.high": 2,
        }
    )
    meter.read(engine, 1.0)
    for port in range(1000, 1010):
        syn = Segment(
            src="198.51.100.7", dst="192.0.2.1", sport=port, dport=80, flags=SYN
        )
        engine.receive(syn.packet(), Side.CLIENT, 1.0)
    record = meter.read(engine, 2.0)
    assert (10.0, "aggressive") == (record.rates["syn"], record.state)
    assert "calm" == meter.read(Inspection(seed=b"seed"), 3.0).state


def test_meter_has_the_shares_of_the_last_second():
    """Without a SYN since, nothing is added."""
    engine, meter = Syncache(keys=Keyring.from_seed(b"seed")), membership.Meter()
    engine.listen(80)
    meter.read(engine, 1.0)
    syn = Segment(
        src="198.51.100.7", dst="192.0.2.1", sport=1000, dport=80, flags=SYN
    ).packet()
    engine.packet(syn, 1.5)
    asked = [Asked("192.0.2.1", 80, 4, 1)]
    counted = Counted(4, 1, asked, [Asking("198.51.100.0/24", 3)])
    record = meter.read(engine, 2.0, lambda: counted)
    assert (("198.51.100.0/24", 0.75),) == record.sources
    assert (("192.0.2.1", 1.0),) == record.targets
    other = Counted(400, 1, [], [])
    assert 0.75 == meter.read(engine, 3.0, lambda: other).sources[0][1]


def test_watch_reports_and_adopts(place):
    """What it was told of the link is what blocks."""
    place.write_text(place.read_text() + "adopt = block\n")
    source, engine, blocked = membership.FleetSource(place), Syncache(), []
    watch = membership.FleetWatch(source)
    watch._member.close()
    watch.beside(lambda: None, blocked.append)
    watch._member.attacked, watch._member.blocks = 2, ("203.0.113.0/24",)
    watch._report_due = 0.0
    watch.take(engine, lambda _: None)
    watch.close()
    assert 1 == engine.sysctl["net.inet.tcp.syncookies_only"]
    assert [("203.0.113.0/24",)] == blocked


def accepted(port, *, cookies):
    """Complete a handshake at an engine of the group's keys."""
    engine = Syncache(keys=Keyring.from_seed(b"seed"))
    engine.listen(80)
    engine.sysctl["net.inet.tcp.syncookies_only"] = int(cookies)
    ends = {"src": "198.51.100.7", "dst": "192.0.2.1", "sport": port, "dport": 80}
    answer = engine.packet(Segment(**ends, seq=1, flags=SYN).packet(), 1.0).reply
    ack = Segment(**ends, seq=2, ack=answer.seq + 1, flags=ACK)
    return engine.packet(ack.packet(), 1.0).conn


GATE = "net.inet.tcp.syncache.x.cookie_gate"
COOKIES = {"net.inet.tcp.intercept.synack": "cookie", GATE: "always"}


def middlebox():
    """One of several with the same keys."""
    web = AccessList("web", [permit(dport=80)])
    ring = DerivedKeyring((Master(1, 0, bytes(32)),), wall_offset=1e9, group="web")
    return Intercept(Sysctl(COOKIES), acl=web, keys=ring)


def cookie_ack(box, port):
    """Return the ACK to a middlebox's cookie."""
    now = time.monotonic()
    ends = {"src": "198.51.100.7", "dst": "192.0.2.1", "sport": port, "dport": 80}
    box.receive(Segment(**ends, seq=1, flags=SYN).packet(), Side.CLIENT, now)
    ((_, answer),) = box.packets_to_send(now)
    ack = Segment.parse(answer).seq + 1
    return Segment(**ends, seq=2, ack=ack, flags=ACK).packet()


def opens(box, ack):
    """Whether an ACK makes a connection to the server."""
    now = time.monotonic()
    box.receive(ack, Side.CLIENT, now)
    sent = [Segment.parse(packet) for _, packet in box.packets_to_send(now)]
    return [SYN] == [segment.flags for segment in sent]


def test_handshake_that_another_member_redeemed_is_not_admitted(place):
    """With `bloom = yes`; the log has one line."""
    watch = membership.FleetWatch(membership.FleetSource(place))
    watch._member.close()
    conn, lines = accepted(1000, cookies=True), []
    assert watch.admit(conn)
    assert watch.admit(conn)
    watch._member.redeemed, other = Redeemed(bytes(16), 64), Redeemed(bytes(16), 64)
    assert watch.admit(conn)
    watch._member.redeemed, body = other, watch._member.redeemed.take()
    other.hear(body)
    assert not watch.admit(conn)
    assert watch.admit(accepted(1001, cookies=True))
    watch._report_due = 0.0
    watch.take(Syncache(), lines.append)
    watch.close()
    assert ["fleet web: 1 ACKs refused that another has redeemed\n"] == lines[-1:]


def test_middlebox_hears_what_others_redeemed_and_tells_its_own(place):
    """Through the same filters as `serve`; the log has one line."""
    box, twin = middlebox(), middlebox()
    watch, lines = membership.FleetWatch(membership.FleetSource(place)), []
    watch._member.close()
    watch.take(box, lines.append)
    assert not watch._has_filters
    first, other = Redeemed(bytes(16), 64), Redeemed(bytes(16), 64)
    watch._member.redeemed = first
    watch.take(box, lines.append)
    told, new = cookie_ack(box, 1000), cookie_ack(box, 1001)
    assert opens(box, told)
    watch.take(box, lines.append)
    watch._member.redeemed, watch._shared = other, None
    watch.take(twin, lines.append)
    other.hear(first.take())
    assert watch.waiting
    watch.take(twin, lines.append)
    assert (False, True) == (opens(twin, told), opens(twin, new))
    watch._report_due = 0.0
    watch.take(twin, lines.append)
    watch.close()
    assert ["fleet web: 1 ACKs refused that another has redeemed\n"] == lines[-1:]


def test_wall_clock_that_is_set_is_an_alarm_until_others_agree(place, monkeypatch):
    """The engine has keys of its own meanwhile, and then those of the new time."""
    watch = membership.FleetWatch(membership.FleetSource(place))
    member, taker, lines = watch._member, Taker(), []
    member.close()
    before, right = watch._source.keys.wall_offset, keys.wall_clock
    monkeypatch.setattr(keys, "wall_clock", lambda: right() + 30.0)
    watch.look()
    assert (True, 30.0) == (watch.refuses, pytest.approx(member.doubt.step, abs=0.2))
    watch.take(taker, lines.append)
    assert not taker.given[-1].shared
    assert member._record().refuses
    assert any("ALARM step: our wall clock was set by +30.0 s" in x for x in lines)
    watch.look()
    assert watch.refuses
    member.doubt._voices["edge-2"] = True
    watch.look()
    watch.take(taker, lines.append)
    assert (False, {}) == (watch.refuses, member.alarms)
    assert 30.0 == pytest.approx(taker.given[-1].wall_offset - before, abs=0.2)
    assert "fleet web: alarm step is over\n" == lines[-1]
    watch.close()


def test_wall_clock_that_is_set_back_is_believed_at_once(place, monkeypatch):
    """What was in force is in force again."""
    watch = membership.FleetWatch(membership.FleetSource(place))
    taker, right = Taker(), keys.wall_clock
    watch._member.close()
    for step, shared in ((-5.0, False), (0.0, True)):
        monkeypatch.setattr(keys, "wall_clock", lambda step=step: right() + step)
        watch.look()
        watch.take(taker, lambda _: None)
        assert shared == taker.given[-1].shared
    assert watch._source.keys is taker.given[-1]
    watch.close()


def test_wall_clock_that_is_set_within_the_skew_is_followed(place, monkeypatch):
    """Epochs and timestamps, without a word."""
    watch = membership.FleetWatch(membership.FleetSource(place))
    taker, lines, right = Taker(), [], keys.wall_clock
    before = watch._source.keys.wall_offset
    watch._member.close()
    watch._member.lines.clear()
    monkeypatch.setattr(keys, "wall_clock", lambda: right() + 0.4)
    watch.look()
    watch.take(taker, lines.append)
    assert 0.4 == pytest.approx(taker.given[-1].wall_offset - before, abs=0.05)
    assert [] == lines
    watch.close()


def test_others_judge_a_wall_clock_that_is_set(place, tmp_path, monkeypatch):
    """One that was wrong and is put right is believed; a right one is not put wrong."""
    other_place = tmp_path / "edge-2"
    other_place.mkdir()
    conf = place.read_text().replace("edge-1", "edge-2")
    (other_place / "fleet.conf").write_text(conf.replace("/ring", "/edge-2/ring"))
    other = membership.FleetSource(other_place / "fleet.conf").member
    right, error = keys.wall_clock, 30.0
    monkeypatch.setattr(keys, "wall_clock", lambda: right() + error)
    watch = membership.FleetWatch(membership.FleetSource(place))
    ours, taker = watch._member, Taker()
    ours.close()
    ours._wall = keys.wall_clock
    refused = []
    for error in (30.0, 0.0, -30.0, 0.0):
        monkeypatch.setattr(keys, "wall_clock", lambda error=error: right() + error)
        ours._wall = keys.wall_clock
        watch.look()
        for _ in range(4):
            for member in (ours, other):
                member._record_due = member._clock_due = 0.0
                member.turn()
            time.sleep(0.01)  # so that the next record is a later one
            watch.look()
        refused.append(watch.refuses)
        watch.take(taker, lambda _: None)
        assert refused[-1] != taker.given[-1].shared
    assert [True, False, True, False] == refused
    watch.close()
