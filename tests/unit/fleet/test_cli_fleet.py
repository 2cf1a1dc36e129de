"""syncache/cli/fleet.py: a group made, joined, shown, rotated, and a member put out."""

from __future__ import annotations

import json
import threading

import pytest

from syncache import Keyring
from syncache.cli import Failure, fleet, main
from syncache.fleet import conf, local
from syncache.fleet.document import Document
from syncache.fleet.member import Member, wall_clock
from syncache.fleet.record import Record
from syncache.fleet.store import Store
from syncache.fleet.unseal import KeyFile
from syncache.fleet.view import Snapshot
from syncache.keyring import Master


@pytest.fixture
def place(tmp_path, server):
    """Write the configuration of a member; return its path."""

    def make(name):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        path = folder / "fleet.conf"
        path.write_text(
            f"group = web\nvalkey = {server.url}\nkey = {tmp_path}/fleet.key\n"
            f"keyring = {folder}/ring\nname = {name}\n"
        )
        return path

    return make


@pytest.fixture
def run(capsys):
    """Run the command; return exit status, output and errors."""

    def call(*words):
        status = main(["fleet", *map(str, words)])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def ring(path):
    chosen = conf.read(path)
    return Keyring.from_file(chosen.keyring, wall_offset=0, passphrase=chosen.secret())


def watching(path):
    """A member as `--fleet` runs it."""
    chosen = conf.read(path)
    member = Member(chosen, Store(chosen))
    member.start()
    return member


def test_init_makes_key_group_and_keyring(run, place, tmp_path):
    """Everything that the first machine needs, and no key is shown."""
    one = place("edge-1")
    status, out, err = run("init", one)
    assert (0, "") == (status, err)
    assert "copy it to every member" in out
    key = tmp_path / "fleet.key"
    assert 0o600 == key.stat().st_mode & 0o777
    assert (1, "web") == (len(ring(one).masters), ring(one).group)
    assert ring(one).masters[0].secret.hex() not in out
    assert key.read_text().strip() not in out


def test_init_refuses_a_group_that_exists(run, place):
    """Its members would lose every handshake."""
    one = place("edge-1")
    run("init", one)
    status, _, err = run("init", one)
    assert (1, True) == (status, "the group web is there already" in err)


def test_init_after_a_wipe_names_the_previous_group(run, place, server):
    """Its members put it back."""
    one = place("edge-1")
    run("init", one)
    server.client().flushall()
    status, _, err = run("init", one)
    assert (1, True) == (status, "whose members put it back" in err)


def test_join_brings_the_same_keys(run, place):
    """On every machine that has the key file."""
    one, other = place("edge-1"), place("edge-2")
    run("init", one)
    assert 0 == run("join", other)[0]
    assert ring(one).masters == ring(other).masters
    assert ring(one).ts_key() == ring(other).ts_key()


def test_join_with_a_keyring_that_was_lost_writes_it_again(run, place):
    """From the document that is still here."""
    one = place("edge-1")
    run("init", one)
    before = ring(one).masters
    conf.read(one).keyring.unlink()
    assert 0 == run("join", one)[0]
    assert before == ring(one).masters


def test_join_without_group_is_one_line(run, place, tmp_path):
    """It says which command makes one."""
    key = tmp_path / "fleet.key"
    key.write_text("a secret of the group")
    key.chmod(0o600)
    status, _, err = run("join", place("edge-1"))
    assert (1, 1) == (status, err.count("\n"))
    assert "syncache fleet init" in err


def test_status_lists_members_and_fails_for_one_that_lags(run, place):
    """As text and as JSON."""
    one, other = place("edge-1"), place("edge-2")
    run("init", one)
    members = [Member(c, Store(c)) for c in map(conf.read, (one, other))]
    for member in members:
        member.turn()
        member._record_due = 0.0
        member.turn()
    status, out, _ = run("status", one)
    assert 0 == status
    assert "group web: version 1, lifetime 32 s, skew 1000 ms, unix:" in out
    rows = {line.split()[0]: line for line in out.splitlines() if line[:4] == "edge"}
    assert ["edge-1", "edge-2"] == list(rows)
    assert out.endswith("2 members: no trouble\n")
    run("rotate", one, "--no-wait")
    status, out, _ = run("status", one, "--json")
    said = json.loads(out)
    assert (1, 2) == (status, said["version"])
    assert [["lags"]] * 2 == [member["wrong"] for member in said["members"]]
    _, out, _ = run("status", one)
    assert out.endswith("2 members; lags: edge-1, edge-2\n")
    for member in members:
        member.close()


def test_status_names_what_is_lost_and_what_does_not_open(run, place, server):
    """Records of members that ended, and of another key."""
    one = place("edge-1")
    run("init", one)
    chosen = conf.read(one)
    member = Member(chosen, Store(chosen), lambda: fleet.wall_clock() - 60)
    member.turn()
    member.close()
    server.client().hset("syncache:web:members", "strange\x1b", b"x")
    status, out, _ = run("status", one)
    assert 1 == status
    assert "lost" in out
    assert "strange?" in out


@pytest.fixture
def leap(monkeypatch):
    """Whoever waits for a time of the wall clock is there at once."""
    ahead = [0.0]
    real = fleet.wall_clock

    def wait_until(wall, _clock):
        ahead[0] += max(wall - real() - ahead[0], 0.0)

    monkeypatch.setattr(fleet, "wall_clock", lambda: real() + ahead[0])
    monkeypatch.setattr(fleet, "wait_until", wait_until)


def test_rotate_waits_for_members_and_deletes_the_old_key(run, place, leap):
    """Published, had by all, in force, and the one before is gone."""
    one, other = place("edge-1"), place("edge-2")
    run("init", one)
    members = [watching(path) for path in (one, other)]
    status, out, err = run("rotate", one)
    for member in members:
        member.close()
    assert (0, "") == (status, err)
    said = ["is published", "every member has key 2", "is in force", "are deleted"]
    assert all(
        words in line for words, line in zip(said, out.splitlines(), strict=True)
    )
    assert [2] == [master.number for master in ring(one).masters]


def test_rotate_goes_on_without_a_member_that_lags(run, place, leap):
    """And names it; with --all the change is put off until it has the key."""
    one, other = place("edge-1"), place("edge-2")
    run("init", one, "--lifetime", 1, "--skew-ms", 100)
    chosen = conf.read(other)
    late = Member(chosen, Store(chosen))
    late.turn()
    late._record_due = 0.0
    late.turn()  # it says that it has version 1, and hears nothing more
    status, out, _ = run("rotate", one, "--lead", 2)
    assert (1, True) == (status, "go on without edge-2" in out)
    late._record_due = 0.0
    late.turn()
    late._record_due = 0.0
    late.turn()
    timer = threading.Timer(2.5, late.start)
    timer.start()
    status, out, _ = run("rotate", one, "--lead", 2, "--all")
    timer.join()
    late.close()
    assert 0 == status
    assert "put off: edge-2" in out
    assert "every member has key 3" in out


def test_revoke_leaves_the_member_behind(run, place, tmp_path):
    """Those who stay have the new key file."""
    one, other = place("edge-1"), place("edge-2")
    run("init", one)
    run("join", other)
    out_key = tmp_path / "edge-2" / "own.key"
    out_key.write_text((tmp_path / "fleet.key").read_text())
    out_key.chmod(0o600)
    text = other.read_text().replace(f"{tmp_path}/fleet.key", str(out_key))
    other.write_text(text)
    new = tmp_path / "new.key"
    new.write_text("another secret of the group")
    new.chmod(0o600)
    status, out, _ = run("revoke", one, "--member", "edge-2", "--new-key", new)
    assert 0 == status
    assert "edge-2 is revoked; key 2 is in force from" in out
    assert 2 == len(ring(one).masters)
    status, _, err = run("join", other)
    assert (1, True) == (status, "sealed with another key" in err)
    assert 1 == len(ring(other).masters)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rotate", "--lead", "1"], "--lead is 2 to 86400 seconds"),
        (["rotate", "--lead", "nan"], "--lead is 2 to 86400 seconds"),
        (["revoke"], "revoke needs --member NAME"),
        (["init", "--lifetime", "0"], "--lifetime is 1 to 3600"),
        (["init", "--skew-ms", "17000"], "0 to 15750: half of the lifetime"),
    ],
)
def test_operators_mistake_is_one_line(run, place, words, hint):
    """Exit status 1, and what is legal."""
    status, _, err = run(words[0], place("edge-1"), *words[1:])
    assert (1, 1) == (status, err.count("\n"))
    assert hint in err


def test_revoke_with_the_old_key_is_refused(run, place, tmp_path):
    """The member that is put out has it."""
    one = place("edge-1")
    run("init", one)
    words = ["--member", "edge-2", "--new-key", tmp_path / "fleet.key"]
    status, _, err = run("revoke", one, *words)
    assert (1, True) == (status, "is the key that edge-2 has too" in err)


def test_server_that_is_away_is_one_line(run, place, server):
    """With its address."""
    one = place("edge-1")
    run("init", one)
    server.close()
    for action in ("init", "join", "status", "rotate"):
        status, _, err = run(action, one)
        assert (1, 1) == (status, err.count("\n")), err
        assert "Valkey at unix:" in err


@pytest.mark.parametrize(
    ("name", "hint"),
    [("edge-1", "edge-1 is this machine"), ("a b", "'a b' is not a name of a member")],
)
def test_revoke_of_the_wrong_name_is_one_line(run, place, tmp_path, name, hint):
    """Nothing has changed."""
    one, key = place("edge-1"), tmp_path / "next"
    run("init", one)
    key.write_text("another secret")
    key.chmod(0o600)
    status, _, err = run("revoke", one, "--member", name, "--new-key", key)
    assert (1, 1, True) == (status, err.count("\n"), hint in err)
    assert 0 == run("join", one)[0]


def test_revoke_that_came_too_late_leaves_the_key(run, place, tmp_path, monkeypatch):
    """Else this machine would be out as well; a name that nobody has is noted."""
    one, key = place("edge-1"), tmp_path / "next"
    run("init", one)
    key.write_text("another secret")
    key.chmod(0o600)
    words = ["--member", "edge-7", "--new-key", key]
    with monkeypatch.context() as patched:
        patched.setattr(Store, "publish", lambda *_: False)
        status, out, err = run("revoke", one, *words)
    assert (1, True) == (status, "another version came first" in err)
    assert "no member edge-7 has a record" in out
    assert 0 == run("join", one)[0]
    assert 0 == run("revoke", one, *words)[0]


def test_rotate_forgets_who_was_lost_a_day_ago(run, place, server):
    """Else it would be lost for ever."""
    one = place("edge-1")
    run("init", one)
    for name, age in (("edge-8", 90_000), ("edge-9", 80_000)):
        chosen = conf.Conf.read(one, {"SYNCACHE_FLEET_NAME": name})
        member = Member(chosen, Store(chosen), lambda age=age: wall_clock() - age)
        member.turn()
    assert 0 == run("rotate", one, "--no-wait")[0]
    assert [b"edge-9"] == server.client().hkeys("syncache:web:members")


@pytest.fixture
def next_key(tmp_path):
    """The key file of those who stay."""
    path = tmp_path / "next"
    path.write_text("another secret of the group")
    path.chmod(0o600)
    return path


def test_join_after_revoke_makes_a_member_again(run, place, tmp_path, next_key):
    """With the key file of those who stayed, and with no other."""
    one, other = place("edge-1"), place("edge-2")
    old = tmp_path / "old"
    run("init", one)
    run("join", other)
    old.write_text((tmp_path / "fleet.key").read_text())
    old.chmod(0o600)
    run("revoke", one, "--member", "edge-2", "--new-key", next_key)
    kept = other.read_text()
    other.write_text(kept.replace(f"{tmp_path}/fleet.key", str(old)))
    assert 1 == run("join", other)[0]
    other.write_text(kept)
    status, out, err = run("join", other)
    assert (0, True) == (status, "edge-2 was revoked, and is a member again" in out), (
        err
    )
    member = watching(other)
    member.turn()
    member.close()
    assert "revoked" not in member.alarms
    assert (0, False) == (run("join", other)[0], "again" in run("join", other)[1])


@pytest.mark.parametrize(
    "step",
    ["KeyFile.announce", "Store.publish", "KeyFile.change", "local.write"],
)
@pytest.mark.parametrize("after", [False, True])
def test_revoke_that_is_killed_is_no_end_of_the_machine(
    run, place, tmp_path, next_key, monkeypatch, step, after
):
    """Its commands go on before and after each step; so does `revoke` itself."""
    one = place("edge-1")
    run("init", one)
    owner, name = step.split(".")
    owner = {"KeyFile": KeyFile, "Store": Store, "local": local}[owner]
    real = getattr(owner, name)

    def killed(*words):
        if after:
            real(*words)
        raise KeyboardInterrupt

    words = ["--member", "edge-2", "--new-key", next_key]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            fleet.run(fleet.parser().parse_args(["revoke", str(one), *map(str, words)]))
    status, out, err = run("join", one)
    assert (0, "") == (status, err), out
    if "another secret" not in (tmp_path / "fleet.key").read_text():
        assert 0 == run("revoke", one, *words)[0]
    document = Member(conf.read(one), Store(conf.read(one))).following()
    assert ("edge-2",) == document.revoked
    assert 2 == len(ring(one).masters)


def test_folder_of_the_keyring_is_made_for_its_owner(run, place, tmp_path):
    """As the page's first steps leave it to the commands; where it is none: a line."""
    for action, name in (("init", "edge-1"), ("join", "edge-2")):
        path = place(name)
        kept = tmp_path / name / "a" / "b"
        path.write_text(path.read_text().replace(f"/{name}/ring", f"/{name}/a/b/ring"))
        assert 0 == run(action, path)[0]
        assert (0o700, True) == (kept.stat().st_mode & 0o777, (kept / "ring").exists())
    (tmp_path / "file").write_text("")
    path.write_text(path.read_text().replace("/edge-2/a/b/ring", "/file/ring"))
    status, _, err = run("join", path)
    assert (1, 1) == (status, err.count("\n"))


def test_disk_that_is_full_keeps_nobody_from_looking_and_rotating(
    run, place, monkeypatch
):
    """A note says so."""
    one = place("edge-1")
    run("init", one)

    def full(path, _):
        raise OSError(28, "No space left on device", str(path))

    conf.read(one).keyring.unlink()
    monkeypatch.setattr("syncache.cli.files.replace", full)
    for words in (["status", one], ["rotate", one, "--no-wait"]):
        status, _, err = run(*words)
        assert (0, 1) == (status, err.count("\n"))
        assert "note: " in err
        assert "No space left" in err
    status, _, err = run("join", one)
    assert (1, True) == (status, "No space left" in err)


def test_init_that_was_killed_leaves_no_half_of_a_key(run, place, tmp_path):
    """What lay beside the key file is written over; a key file is not."""
    one = place("edge-1")
    (tmp_path / "fleet.key.new").write_text("hal")
    assert 0 == run("init", one)[0]
    assert not (tmp_path / "fleet.key.new").exists()
    before = (tmp_path / "fleet.key").read_text()
    with pytest.raises(Failure, match="File exists"):
        fleet.make_key(tmp_path / "fleet.key")
    assert before == (tmp_path / "fleet.key").read_text()


def test_two_operators_who_rotate_make_one_key_at_a_time(run, place):
    """The other one is told; no key number comes twice."""
    one, other = place("edge-1"), place("edge-2")
    run("init", one)
    run("join", other)
    rotations = [
        threading.Thread(
            target=lambda path=path: main(["fleet", "rotate", str(path), "--no-wait"])
        )
        for path in (one, other) * 4
    ]
    for rotation in rotations:
        rotation.start()
    for rotation in rotations:
        rotation.join()
    run("join", one)
    numbers = [master.number for master in ring(one).masters]
    assert numbers == [*range(1, len(numbers) + 1)]
    assert len(numbers) > 1


def test_status_of_thousands_names_some_in_trouble_and_keeps_its_columns():
    """The last line says how many there are; a name may be as long as it is."""
    document = Document(
        version=2,
        group="web",
        lifetime=32,
        skew_ms=1000,
        ts_key=bytes(16),
        masters=(Master(1, 0, bytes(32)),),
    )
    long = "x" * 63
    names = [long, *(f"edge-{n}" for n in range(2000))]
    records = [Record(name=n, time=100.0, version=1, key=1) for n in names]
    records.append(Record(name="well", time=100.0, version=2, alarms=("disk",)))
    seen = Snapshot(document=document, records=records, strange=["odd"], now=101.0)
    assert (
        f"2,002 members; lags: {long}, edge-0, edge-1, edge-2, edge-3 and 1,996 more; "
        "disk: well; not opened: odd"
    ) == fleet.summary(seen)
    lines = {fleet.line(r, [], 101.0, 63).index("1s") for r in records}
    assert 1 == len(lines)
