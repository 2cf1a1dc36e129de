"""Tests of `Sysctl`: values, rules of change, files, presets."""

import warnings
from pathlib import Path

import pytest

from syncache import Syncache, Sysctl
from syncache.sysctl import UnknownTunable

COOKIES = "net.inet.tcp.syncookies"
X = "net.inet.tcp.syncache.x."
HASHSIZE = "net.inet.tcp.syncache.hashsize"
BUCKETLIMIT = "net.inet.tcp.syncache.bucketlimit"
CACHELIMIT = "net.inet.tcp.syncache.cachelimit"
COUNT = "net.inet.tcp.syncache.count"
REXMTLIMIT = "net.inet.tcp.syncache.rexmtlimit"


class Engine:
    """Counts what a Sysctl tells it."""

    def __init__(self, sysctl, *, refuse=False):
        self.changes = 0
        self.refuse = refuse
        sysctl.attach(self.changed, lambda: 7)

    def changed(self):
        if self.refuse:
            raise ValueError("no")
        self.changes += 1


def test_unset_reads_default():
    """What nobody set has its default."""
    sysctl = Sysctl()
    assert 3 == sysctl[REXMTLIMIT]
    assert "age" == sysctl[X + "pause_policy"]


def test_set_reads_back():
    """A legal value is in force at once."""
    sysctl = Sysctl({REXMTLIMIT: 12})
    assert 12 == sysctl[REXMTLIMIT]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (REXMTLIMIT, 13),
        (REXMTLIMIT, -1),
        (REXMTLIMIT, "3"),
        (REXMTLIMIT, 3.0),
        (REXMTLIMIT, True),
        (HASHSIZE, 500),
        (HASHSIZE, 0),
        (X + "pause_policy", "never"),
        (X + "pause_policy", 0),
        ("net.inet.tcp.syncookies", 2),
    ],
)
def test_illegal_value_raises_and_changes_nothing(name, value):
    """A refused write names what is legal and leaves everything as it was."""
    sysctl = Sysctl()
    before = dict(sysctl)
    with pytest.raises(ValueError, match=sysctl.describe(name).range):
        sysctl[name] = value
    assert before == dict(sysctl)


def test_bool_takes_true():
    """A switch takes a Python bool and stores a number."""
    sysctl = Sysctl({"net.inet.tcp.syncookies_only": True})
    assert sysctl["net.inet.tcp.syncookies_only"] == 1
    assert type(sysctl["net.inet.tcp.syncookies_only"]) is int


@pytest.mark.parametrize(
    "access",
    [
        lambda sysctl, name: sysctl[name],
        lambda sysctl, name: sysctl.update({name: 1}),
        lambda sysctl, name: sysctl.pop(name),
        lambda sysctl, name: sysctl.describe(name),
    ],
    ids=["get", "set", "del", "describe"],
)
def test_unknown_name_raises_key_error_with_nearest(access):
    """A misspelt name is answered with the right one."""
    with pytest.raises(KeyError, match=HASHSIZE):
        access(Sysctl(), HASHSIZE + "s")


def test_read_only_raises_permission_error():
    """Nobody may set a counter."""
    with pytest.raises(PermissionError, match="read only"):
        Sysctl()[COUNT] = 1


def test_cachelimit_follows_hashsize_and_bucketlimit():
    """The default of cachelimit is computed after the overrides."""
    assert 30_720 == Sysctl({HASHSIZE: 1024})[CACHELIMIT]
    assert 1024 * 10 == Sysctl({BUCKETLIMIT: 10, HASHSIZE: 1024})[CACHELIMIT]


def test_explicit_cachelimit_wins_until_deleted():
    """An explicit cachelimit stands; without it the product is back."""
    sysctl = Sysctl({HASHSIZE: 1024, CACHELIMIT: 99})
    assert 99 == sysctl[CACHELIMIT]
    del sysctl[CACHELIMIT]
    assert 30_720 == sysctl[CACHELIMIT]


def test_update_is_all_or_nothing():
    """One bad value among good ones changes nothing."""
    sysctl = Sysctl()
    with pytest.raises(ValueError, match="rexmtlimit"):
        sysctl.update({HASHSIZE: 1024, REXMTLIMIT: 99})
    assert 512 == sysctl[HASHSIZE]


def test_pair_changes_together():
    """A pair can move where each alone would break their relation."""
    sysctl = Sysctl()
    low, high = "net.inet.tcp.rexmit_min", "net.inet.tcp.rexmit_max"
    sysctl[high] = 100
    with pytest.raises(ValueError, match="may not exceed"):
        sysctl[low] = 200
    sysctl.update({low: 200, high: 300})
    assert (200, 300) == (sysctl[low], sysctl[high])


def test_del_restores_default():
    """Deleting is resetting."""
    sysctl = Sysctl({REXMTLIMIT: 5})
    del sysctl[REXMTLIMIT]
    assert 3 == sysctl[REXMTLIMIT]


def test_clear_restores_what_may_change():
    """After start clear() leaves boot-only values alone."""
    sysctl = Sysctl({REXMTLIMIT: 5, HASHSIZE: 1024})
    Engine(sysctl)
    sysctl.clear()
    assert (3, 1024) == (sysctl[REXMTLIMIT], sysctl[HASHSIZE])


def test_pop_restores_default_and_popitem_refuses():
    """The mapping's other exits keep the set of names."""
    sysctl = Sysctl({REXMTLIMIT: 5})
    assert 5 == sysctl.pop(REXMTLIMIT)
    assert 3 == sysctl[REXMTLIMIT]
    with pytest.raises(TypeError):
        sysctl.popitem()


def test_attached_boot_only_raises_permission_error():
    """What is settable at boot is fixed once an engine uses it; the rest is not."""
    sysctl = Sysctl()
    engine = Engine(sysctl)
    for name in (HASHSIZE, BUCKETLIMIT, CACHELIMIT):
        with pytest.raises(PermissionError, match="before an engine"):
            sysctl[name] = 1
        with pytest.raises(PermissionError, match="before an engine"):
            del sysctl[name]
    assert 0 == engine.changes
    sysctl[REXMTLIMIT] = 4
    assert 1 == engine.changes


def test_attached_count_is_live():
    """The count of entries comes from the engine."""
    sysctl = Sysctl()
    assert 0 == sysctl[COUNT]
    Engine(sysctl)
    assert 7 == sysctl[COUNT]


def test_second_engine_raises():
    """A Sysctl belongs to one engine."""
    sysctl = Sysctl()
    Engine(sysctl)
    with pytest.raises(ValueError, match="another engine"):
        Engine(sysctl)


def test_engine_refuses_and_nothing_changes():
    """What the engine refuses is not kept."""
    sysctl = Sysctl()
    Engine(sysctl, refuse=True)
    with pytest.raises(ValueError, match="no"):
        sysctl[REXMTLIMIT] = 4
    assert 3 == sysctl[REXMTLIMIT]


@pytest.mark.parametrize("size", [500, 0])
def test_nonstrict_hashsize_falls_back_to_512(size):
    """With x.strict=0 a wrong hashsize is FreeBSD's: 512 and a warning."""
    sysctl = Sysctl({X + "strict": 0})
    with pytest.warns(RuntimeWarning, match="falling back to 512"):
        sysctl[HASHSIZE] = size
    assert 512 == sysctl[HASHSIZE]


def test_nonstrict_counts_in_the_same_update():
    """Leniency set together with the value that needs it is in force for it."""
    sysctl = Sysctl()
    with pytest.warns(RuntimeWarning):
        sysctl.update({HASHSIZE: 500, X + "strict": 0})
    assert 512 == sysctl[HASHSIZE]


def test_nonstrict_switch_takes_any_number():
    """With x.strict=0 any non-zero number is on; a limit still refuses."""
    sysctl = Sysctl({X + "strict": 0, "net.inet.tcp.syncookies": 2})
    assert 1 == sysctl["net.inet.tcp.syncookies"]
    with pytest.raises(ValueError, match="0 to 12"):
        sysctl[REXMTLIMIT] = 13


def test_walk_takes_whole_words():
    """A prefix is a path of words, and a full name is its own subtree."""
    names = [knob.name for knob in Sysctl().walk("net.inet.tcp.syncache")]
    assert HASHSIZE in names
    assert "net.inet.tcp.syncookies" not in names
    assert [HASHSIZE] == [knob.name for knob in Sysctl().walk(HASHSIZE)]
    assert len(Sysctl()) == len(list(Sysctl().walk()))


def test_load_reads_lines():
    """sysctl.conf: comments, blank lines, blanks, quotes, hexadecimal, last wins."""
    sysctl = Sysctl()
    sysctl.load(
        [
            "# comment",
            "",
            f" {REXMTLIMIT} = 5 # why",
            f'{X}pause_policy="none"',
            f"{X}secmod=0xffffffffffffffff",
            f"{REXMTLIMIT}=6",
        ]
    )
    assert 6 == sysctl[REXMTLIMIT]
    assert "none" == sysctl[X + "pause_policy"]
    assert 2**64 - 1 == sysctl[X + "secmod"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (REXMTLIMIT, ValueError),
        (f"{REXMTLIMIT}=99", ValueError),
        (f"{REXMTLIMIT}=many", ValueError),
        (f"{REXMTLIMIT}=", ValueError),
        (f"{X}pause_policy=7", ValueError),
        (f"{X}clock_skew_ms=1800000", ValueError),
        ("net.inet.tcp.syncache.no=1", KeyError),
        ("net.inet.inspect.no=1", KeyError),
        (f"{COUNT}=1", PermissionError),
    ],
)
def test_load_error_names_file_and_line_and_changes_nothing(tmp_path, line, error):
    """A bad line is found by file and number; the good ones before it do not stick."""
    path = tmp_path / "sysctl.conf"
    path.write_text(f"net.inet.tcp.syncookies=0\n\n{line}\n")
    sysctl = Sysctl()
    with pytest.raises(error, match=r"sysctl\.conf:3: "):
        sysctl.load(path)
    assert 1 == sysctl["net.inet.tcp.syncookies"]


def test_load_takes_a_path_as_str(tmp_path):
    """A str is a path, never a line."""
    path = Path(tmp_path, "a.conf")
    path.write_text(f"{REXMTLIMIT}=1\n")
    sysctl = Sysctl()
    sysctl.load(str(path))
    assert 1 == sysctl[REXMTLIMIT]
    with pytest.raises(FileNotFoundError):
        sysctl.load(f"{REXMTLIMIT}=2")


def test_preset_freebsd_is_the_last_column_of_the_table():
    """Each departure has its FreeBSD value."""
    expected = {
        "x.pause_policy": "bucket",
        "x.pause_age_ms": 1000,
        "x.cookie_gate": "bucket",
        "x.ecn_in_cookie": 1,
        "rst_on_sock_fail": 1,
        "x.offer_timeout": 0,
        "x.dupsyn_limit": 0,
        "x.replay_entries": 0,
        "x.cookie_ts": "off",
        "x.clock_skew_ms": 1000,
        "x.cookie_lifetime": 15,
        "x.cookie_layout": "freebsd",
        "x.strict": 0,
        "x.failcookie_rst": 1,
        "x.overflow": "evict",
        "x.secmod": 0,
        "cachelimit": 15_360,
    }
    sysctl = Sysctl()
    sysctl.preset("freebsd")
    for name, value in expected.items():
        assert value == sysctl["net.inet.tcp.syncache." + name], name


def test_preset_intime_is_freebsd_4():
    """The six tunables of the INtime help page, and its timers."""
    sysctl = Sysctl()
    sysctl.preset("intime")
    assert 15_359 == sysctl[CACHELIMIT]
    assert (512, 30, 3) == tuple(
        sysctl[name] for name in (HASHSIZE, BUCKETLIMIT, REXMTLIMIT)
    )
    assert 3000 == sysctl["net.inet.tcp.rexmit_initial"]
    assert 0 == sysctl["net.inet.tcp.rexmit_slop"]
    assert 4 == 2 * sysctl[X + "cookie_lifetime"]
    assert "mss" == sysctl[X + "cookie_layout"]


def test_preset_host_bounds_repeated_syn_acks():
    """As syncache_tunables_host() does for stacks in C, and nothing else."""
    sysctl = Sysctl()
    sysctl.preset("host")
    changed = {
        k.name: sysctl[k.name] for k in sysctl.walk() if sysctl[k.name] != k.default
    }
    assert {X + "rexmit_rate": 50} == changed
    source = Path(__file__).parents[3] / "csrc" / "core" / "preset.c"
    assert "#define PRESET_REXMIT_RATE 50u" in source.read_text()


def test_preset_embedded_is_small():
    """188 entries: what the table of docs/hosts.md has for 16 KB."""
    sysctl = Sysctl()
    sysctl.preset("embedded")
    engine = Syncache(sysctl, established_max=0)
    assert 188 == sysctl[CACHELIMIT] == sysctl[HASHSIZE] * sysctl[BUCKETLIMIT]
    assert 50 == sysctl[X + "rexmit_rate"]
    engine.listen(80)


def test_preset_unknown_names_the_known():
    """A preset that does not exist is answered with those that do."""
    with pytest.raises(KeyError, match=r"freebsd.*intime"):
        Sysctl().preset("../presets/freebsd")


def test_default_loads_without_warning():
    """Presets are legal under strict rules of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("freebsd", "intime", "host", "embedded"):
            Sysctl().preset(name)


def test_repr_shows_what_was_set():
    """And nothing that is a default."""
    sysctl = Sysctl()
    assert "Sysctl({})" == repr(sysctl)
    sysctl[REXMTLIMIT] = 4
    assert f"Sysctl({{{REXMTLIMIT!r}: 4}})" == repr(sysctl)


@pytest.mark.parametrize("value", [None, 1.0, "1", [1], {}])
def test_value_of_a_wrong_type_raises_and_changes_nothing(value):
    """None is no value either: `del` restores a default."""
    sysctl = Sysctl({COOKIES: 0})
    with pytest.raises(ValueError, match="syncookies is 0 to 1, not"):
        sysctl[COOKIES] = value
    with pytest.raises(ValueError, match="syncookies is 0 to 1, not"):
        sysctl.update({COOKIES: value})
    assert 0 == sysctl[COOKIES]


def test_load_reads_what_windows_editors_write(tmp_path):
    """A byte order mark and carriage returns are no part of a name or value."""
    path = tmp_path / "sysctl.conf"
    path.write_bytes(f"{COOKIES}=0\r\n".encode("utf-8-sig"))
    sysctl = Sysctl()
    sysctl.load(path)
    assert 0 == sysctl[COOKIES]


def test_load_ends_a_comment_only_at_the_end_of_its_line(tmp_path):
    """Python knows ten ways to end a line; a file of lines knows one."""
    path = tmp_path / "sysctl.conf"
    path.write_text(f"# once\u2028{COOKIES}=0\x0b{COOKIES}=0\n", encoding="utf-8")
    sysctl = Sysctl()
    sysctl.load(path)
    assert 1 == sysctl[COOKIES]


def test_load_binary_file_raises_one_short_line(tmp_path):
    """What is shown of it is bounded and cannot move a terminal's cursor."""
    path = tmp_path / "sysctl.conf"
    path.write_bytes(b"\x1b[2J\xff\0" * 1000)
    with pytest.raises(ValueError, match="not of the form name=value") as caught:
        Sysctl().load(path)
    message = str(caught.value)
    assert message.isprintable()
    assert 600 > len(message) - len(str(path))


def test_load_goes_on_behind_lines_that_only_others_know():
    """A name without a value, and a comment of Linux's, are warnings; ours is not."""
    sysctl = Sysctl()
    lines = ["; Linux", "kern.ostype", "-net.ipv4.x = 1", "=5", "a b", f"{COOKIES}=0"]
    with pytest.warns(UnknownTunable, match="line ignored") as caught:
        sysctl.load(lines)
    assert (5, 0) == (len(caught), sysctl[COOKIES])
    for line in (COOKIES, f"{COOKIES}\t1", "net.inet.inspect.x 1", "\xa0"):
        with pytest.raises(ValueError, match=r"line 1: .* not of the form name=value"):
            sysctl.load([line])


def test_value_for_a_part_of_names_is_named_as_such():
    """It exists, and is no tunable."""
    with pytest.raises(KeyError, match=r"syncache is a part of names, and has no val"):
        Sysctl()["net.inet.tcp.syncache"] = 3


@pytest.mark.parametrize("name", ["freebsd", "intime"])
def test_preset_of_a_running_engine_raises_and_changes_nothing(name):
    """It holds boot-only tunables, so all of it comes too late."""
    sysctl = Sysctl()
    Engine(sysctl)
    before = {knob.name: sysctl[knob.name] for knob in sysctl.walk()}
    with pytest.raises(PermissionError, match=f"{name}.conf:.* before an engine uses"):
        sysctl.preset(name)
    assert before == {knob.name: sysctl[knob.name] for knob in sysctl.walk()}


def test_file_may_quote_a_value_either_way():
    """Single quotes are as good as double ones."""
    sysctl = Sysctl()
    sysctl.load(["net.inet.tcp.syncache.hashsize='1024'"])
    assert 1024 == sysctl["net.inet.tcp.syncache.hashsize"]


def test_load_goes_on_behind_names_of_other_programs():
    """Each draws one warning with its place; the lines of ours are in force."""
    sysctl = Sysctl()
    lines = ["kern.maxfiles=1", f"{REXMTLIMIT}=5", "net.inet.tcp.syncookie=0"]
    with pytest.warns(UnknownTunable) as caught:
        sysctl.load(lines)
    assert 5 == sysctl[REXMTLIMIT]
    assert [
        "line 1: no tunable 'kern.maxfiles', line ignored",
        f"line 3: no tunable {COOKIES[:-1]!r}, line ignored; the nearest is {COOKIES}",
    ] == [str(warning.message) for warning in caught]


def test_nonstrict_load_goes_on_behind_any_unknown_name():
    """With x.strict=0 a misspelt name of ours draws a warning too."""
    sysctl = Sysctl()
    with pytest.warns(UnknownTunable, match="line 2: .*bucketlimt"):
        sysctl.load([f"{REXMTLIMIT}=5", X + "bucketlimt=3", X + "strict=0"])
    assert 5 == sysctl[REXMTLIMIT]


def test_load_may_ignore_unknown_names():
    """Then nothing is said of them, whose ever they are."""
    sysctl = Sysctl()
    sysctl.load([f"{REXMTLIMIT}=5", X + "no=3", "a.b=1"], ignore_unknown=True)
    assert 5 == sysctl[REXMTLIMIT]


def test_adopt_takes_every_value_of_another_registry():
    """Its defaults too: what was set before and is not there is as by default."""
    running = Sysctl({REXMTLIMIT: 12, COOKIES: 0})
    engine = Engine(running)
    running.adopt(Sysctl({REXMTLIMIT: 5}))
    assert (5, 1, 1) == (running[REXMTLIMIT], running[COOKIES], engine.changes)


def test_adopt_with_another_value_fixed_at_the_start_changes_nothing():
    """The same value is no fault, and stays."""
    running = Sysctl({HASHSIZE: 64, REXMTLIMIT: 12})
    engine = Engine(running)
    with pytest.raises(PermissionError, match="it is 64, not 512"):
        running.adopt(Sysctl({REXMTLIMIT: 5}))
    assert (12, 0) == (running[REXMTLIMIT], engine.changes)
    running.adopt(Sysctl({HASHSIZE: 64}))
    assert (3, 64) == (running[REXMTLIMIT], running[HASHSIZE])
    assert 64 * running[BUCKETLIMIT] == running[CACHELIMIT]


def test_adopt_that_the_engine_refuses_changes_nothing():
    """As any other change."""
    running = Sysctl({REXMTLIMIT: 12})
    Engine(running, refuse=True)
    with pytest.raises(ValueError, match="no"):
        running.adopt(Sysctl())
    assert 12 == running[REXMTLIMIT]
