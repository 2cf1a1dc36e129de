"""syncache/cli/sysctl.py: flags, output and exit status of sysctl(8)."""

from __future__ import annotations

import json
import struct

import pytest

from syncache.cli import main

COOKIES = "net.inet.tcp.syncookies"
LIMIT = "net.inet.tcp.syncache.rexmtlimit"
HASHSIZE = "net.inet.tcp.syncache.hashsize"
LAYOUT = "net.inet.tcp.syncache.x.cookie_layout"
SECMOD = "net.inet.tcp.syncache.x.secmod"


@pytest.fixture
def sysctl(capfd):
    """Run the command; return exit status, output and errors."""

    def run(*words):
        status = main(["sysctl", *map(str, words)])
        out, err = capfd.readouterr()
        return status, out, err

    return run


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], f"{LIMIT}: 3\n"),
        (["-n"], "3\n"),
        (["-N"], f"{LIMIT}\n"),
        (["-e"], f"{LIMIT}=3\n"),
        (["-t"], f"{LIMIT}: integer\n"),
        (["-nt"], "integer\n"),
        (["-x"], f"{LIMIT}: 0x00000003\n"),
        (["-l"], f"{LIMIT}: 4: 3\n"),
        (["-ln"], "4: 3\n"),
        (["-le"], f"{LIMIT}=4=3\n"),
        (["-F"], f"{LIMIT}: I\n"),
        (["-B", "4096"], f"{LIMIT}: 3\n"),
        (["-w"], f"{LIMIT}: 3\n"),
        (["-o", "-q"], f"{LIMIT}: 3\n"),
        (["-T"], ""),
        (["-W"], f"{LIMIT}: 3\n"),
    ],
)
def test_flags_choose_what_is_printed(sysctl, flags, expected):
    """Each flag, alone or in a cluster, prints what sysctl(8) prints."""
    assert (0, expected, "") == sysctl(*flags, LIMIT)


def test_description_is_one_line_with_the_unit(sysctl):
    """-d tells what a tunable means."""
    status, out, _ = sysctl("-d", "net.inet.tcp.rexmit_initial")
    assert 0 == status
    assert out.startswith("net.inet.tcp.rexmit_initial: ")
    assert out.endswith(" (ms)\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (LAYOUT, "string"),
        (SECMOD, "uint64_t"),
        ("net.inet.tcp.syncache.cachelimit", "unsigned integer"),
    ],
)
def test_types_have_bsd_names(sysctl, name, expected):
    """-t names the type as a kernel would store it."""
    assert (0, f"{expected}\n", "") == sysctl("-tn", name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (LIMIT, struct.pack("=I", 3)),
        (SECMOD, bytes(8)),
        (LAYOUT, b"wide\0"),
    ],
)
def test_raw_values_are_bytes(capfdbinary, name, expected):
    """-b writes the value as it lies in memory."""
    assert 0 == main(["sysctl", "-b", name])
    assert expected == capfdbinary.readouterr().out


def test_all_lists_every_tunable_once(sysctl):
    """-a walks the whole registry; -T and -W divide what is settable."""
    everything = sysctl("-aN")[1].split()
    boot = sysctl("-aNT")[1].split()
    always = sysctl("-aNW")[1].split()
    assert len(set(everything)) == len(everything) > 50
    assert HASHSIZE in boot
    assert LIMIT in always
    assert not set(boot) & set(always)


def test_prefix_lists_its_subtree(sysctl):
    """A name that is no leaf stands for everything below it."""
    names = sysctl("-N", "net.inet.tcp.syncache")[1].split()
    assert LIMIT in names
    assert all(name.startswith("net.inet.tcp.syncache.") for name in names)


def test_equals_output_can_be_read_back(sysctl, tmp_path):
    """-e prints what a sysctl.conf holds."""
    file = tmp_path / "sysctl.conf"
    file.write_text(sysctl("-aeW")[1])
    assert (0, "", "") == sysctl("-f", file)


def test_setting_prints_old_and_new(sysctl):
    """A setting says what it changed."""
    assert (0, f"{LIMIT}: 3 -> 5\n", "") == sysctl(f"{LIMIT}=5")
    assert (0, "3 -> 5\n", "") == sysctl("-n", f"{LIMIT} = 5")
    assert (0, f"{LIMIT}=3 -> 5\n", "") == sysctl("-e", f"{LIMIT}=5")


def test_setting_accepts_hexadecimal(sysctl):
    """Numbers may be hexadecimal, as in sysctl.conf."""
    assert (0, f"{LIMIT}: 3 -> 10\n", "") == sysctl(f"{LIMIT}=0xa")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        (f"{LIMIT}=13", "0 to 12"),
        (f"{LIMIT}=many", "0 to 12"),
        (f"{HASHSIZE}=500", "power of two"),
        (f"{LAYOUT}=tall", "wide, freebsd, mss"),
        ("net.inet.tcp.syncache.count=1", "read only"),
        ("net.inet.tcp.syncache.bucketlimt", "net.inet.tcp.syncache.bucketlimit"),
        ("nonsense=1", "nonsense"),
    ],
)
def test_mistake_is_one_line_and_status_1(sysctl, word, hint):
    """What is wrong is said in one line that names what is legal."""
    status, out, err = sysctl(word)
    assert (1, "") == (status, out)
    assert hint in err
    assert 1 == err.count("\n")
    assert err.startswith("syncache sysctl: ")


def test_good_names_are_shown_beside_a_bad_one(sysctl):
    """One unknown name fails the command, not the other names."""
    status, out, err = sysctl("no.such", LIMIT)
    assert (1, f"{LIMIT}: 3\n") == (status, out)
    assert "no.such" in err


def test_unknown_names_are_ignored_on_request(sysctl):
    """-i makes unknown names no failure; -q only silences it."""
    assert (0, "", "") == sysctl("-i", "no.such")
    assert (1, "", "") == sysctl("-q", "no.such")


def test_nothing_named_is_a_mistake(sysctl):
    """Without a name there is nothing to do."""
    status, out, err = sysctl()
    assert (1, "") == (status, out)
    assert "-a" in err


def test_file_is_applied_and_reported(sysctl, tmp_path):
    """-f alone tells what a file changes."""
    file = tmp_path / "sysctl.conf"
    file.write_text(f"# ours\n{LIMIT}=5\n\n{COOKIES} = 1\n")
    assert (0, f"{LIMIT}: 3 -> 5\n", "") == sysctl("-f", file)


def test_names_show_what_the_file_says(sysctl, tmp_path):
    """-f with a name shows the configuration, not the default."""
    file = tmp_path / "sysctl.conf"
    file.write_text(f"{LIMIT}=5\n")
    assert (0, f"{LIMIT}: 5\n", "") == sysctl("-f", file, LIMIT)


def test_setting_with_file_edits_it_in_place(sysctl, tmp_path):
    """Comments, order and everything else of the file stay."""
    file = tmp_path / "sysctl.conf"
    file.write_text(f"# head\n{LIMIT}=5  # why\n{COOKIES}=0\n")
    file.chmod(0o640)
    assert 0 == sysctl("-f", file, f"{LIMIT}=7")[0]
    assert f"# head\n{LIMIT}=7  # why\n{COOKIES}=0\n" == file.read_text()
    assert 0 == sysctl("-f", file, f"{SECMOD}=9")[0]
    assert file.read_text().endswith(f"{COOKIES}=0\n{SECMOD}=9\n")
    assert 0o640 == file.stat().st_mode & 0o777


def test_setting_with_new_file_creates_it(sysctl, tmp_path):
    """A configuration may begin with its first setting."""
    file = tmp_path / "new.conf"
    assert 0 == sysctl("-f", file, f"{LIMIT}=7")[0]
    assert f"{LIMIT}=7\n" == file.read_text()


def test_refused_setting_leaves_the_file(sysctl, tmp_path):
    """What is not legal is not written."""
    file = tmp_path / "sysctl.conf"
    file.write_text(f"{LIMIT}=5\n")
    assert 1 == sysctl("-f", file, f"{LIMIT}=99")[0]
    assert f"{LIMIT}=5\n" == file.read_text()


@pytest.mark.parametrize("text", ["gibberish\n", f"{LIMIT}=99\n", "no.such=1\n"])
def test_bad_file_is_named_with_its_line(sysctl, tmp_path, text):
    """A mistake in a file is found by file and line."""
    file = tmp_path / "sysctl.conf"
    file.write_text("# fine\n" + text)
    status, out, err = sysctl("-f", file)
    assert (1, "") == (status, out)
    assert f"{file}:2" in err
    assert 1 == err.count("\n")


def test_missing_file_is_named(sysctl, tmp_path):
    """A file that is not there is one line."""
    status, _, err = sysctl("-f", tmp_path / "none")
    assert 1 == status
    assert str(tmp_path / "none") in err
    assert 1 == err.count("\n")


def test_preset_changes_what_is_shown(sysctl):
    """--preset shows the tunables of a preset."""
    shown = "net.inet.tcp.syncache.x.cookie_layout"
    assert (0, f"{shown}: freebsd\n", "") == sysctl("--preset", "freebsd", shown)
    status, _, err = sysctl("--preset", "solaris", shown)
    assert 1 == status
    assert "freebsd" in err


def test_json_is_one_object(sysctl):
    """--json prints names and values for machines."""
    status, out, _ = sysctl("--json", LIMIT, LAYOUT)
    assert 0 == status
    assert {LIMIT: 3, LAYOUT: "wide"} == json.loads(out)


def test_socket_without_process_is_one_line(sysctl, tmp_path):
    """A process that is not there is named by its socket."""
    status, out, err = sysctl("--socket", tmp_path / "none", LIMIT)
    assert (1, "") == (status, out)
    assert str(tmp_path / "none") in err
    assert 1 == err.count("\n")


def test_exit_status_is_the_number_of_names_that_failed(capsys):
    """As sysctl(8) counts them."""
    assert 2 == main(["sysctl", "a.b", "net.inet.tcp.syncache.hashsize", "c.d"])
    assert 2 == capsys.readouterr().err.count("no tunable")


def test_colon_assigns_as_equals_does(sysctl):
    """name:value and name: value are settings, on the command line and in a file."""
    assert (0, f"{LIMIT}: 3 -> 5\n", "") == sysctl(f"{LIMIT}:5")
    assert (0, f"{LIMIT}: 3 -> 5\n", "") == sysctl(f"{LIMIT}: '5'")


def test_numbers_are_spelled_as_in_c(sysctl):
    """A leading zero means octal; what Python alone reads is refused."""
    assert (0, f"{HASHSIZE}: 512 -> 1024\n", "") == sysctl(f"{HASHSIZE}=02000")
    for word in ("08", "1_0", "0b11", "0o7", "1e3", "\u0665"):
        assert 1 == sysctl(f"{LIMIT}={word}")[0], word


def test_t_with_d_prints_both(sysctl):
    """The type stands before the description."""
    description = sysctl("-dn", LIMIT)[1]
    assert (0, f"{LIMIT}: integer: {description}", "") == sysctl("-td", LIMIT)


def test_h_groups_the_thousands(sysctl):
    """-h is for people."""
    assert (0, "15,360\n", "") == sysctl("-hn", "net.inet.tcp.syncache.cachelimit")


def test_x_is_as_wide_as_the_type(sysctl):
    """-x pads with zeroes; a zero has no 0x, as in C."""
    assert (0, "0x00003c00\n", "") == sysctl("-xn", "net.inet.tcp.syncache.cachelimit")
    assert (0, "0" * 18 + "\n", "") == sysctl("-xn", SECMOD)


@pytest.mark.parametrize(
    ("name", "form"), [(LAYOUT, "A"), (SECMOD, "QU"), (LIMIT, "I")]
)
def test_formats_are_a_kernels(sysctl, name, form):
    """-F prints the letters that a kernel describes a value with."""
    assert (0, form + "\n", "") == sysctl("-Fn", name)


def test_old_flags_stand_for_two(sysctl):
    """-A is -ao and -X is -ax; a name in the command line makes them void."""
    assert sysctl("-ao") == sysctl("-A")
    assert sysctl("-ax") == sysctl("-X")
    assert sysctl("-x", LIMIT) == sysctl("-X", LIMIT)


@pytest.mark.parametrize(
    "words",
    [["-Nn", LIMIT], ["-Nl", LIMIT], ["-T", f"{LIMIT}=4"], ["-B", "many", LIMIT]],
)
def test_flags_that_exclude_each_other_are_one_line(sysctl, words):
    """A usage mistake has status 1 and changes nothing."""
    status, out, err = sysctl(*words)
    assert (1, "") == (status, out)
    assert 1 == err.count("\n")


def test_d_with_a_setting_describes_and_sets_nothing(sysctl):
    """-d wins over a value."""
    assert sysctl("-d", LIMIT) == sysctl("-d", f"{LIMIT}=4")


FOREIGN = f"kern.maxfiles=1\n{LIMIT}=5\nnet.inet.tcp.tso: 0\n"


def test_file_goes_on_behind_names_of_other_programs(sysctl, tmp_path):
    """Each is a line with file and line, and counts in the exit status."""
    file = tmp_path / "sysctl.conf"
    file.write_text(FOREIGN)
    status, out, err = sysctl("-f", file)
    assert (2, f"{LIMIT}: 3 -> 5\n") == (status, out)
    assert [f"{file}:1", f"{file}:3"] == [
        line.removeprefix("syncache: ").partition(": ")[0] for line in err.splitlines()
    ]


@pytest.mark.parametrize(("flag", "status"), [("-i", 0), ("-q", 2)])
def test_file_with_unknown_names_may_be_read_in_silence(sysctl, tmp_path, flag, status):
    """-i makes them no failure, also misspelt ones of ours; -q only silences."""
    file = tmp_path / "sysctl.conf"
    own = "net.inet.tcp.syncache.bucketlimt=1\n" if flag == "-i" else ""
    file.write_text(FOREIGN + own)
    assert (status, f"{LIMIT}: 5\n", "") == sysctl(flag, "-f", file, LIMIT)


def test_edit_finds_a_name_behind_a_colon(sysctl, tmp_path):
    """A file that says name: value is edited where it says it."""
    file = tmp_path / "sysctl.conf"
    file.write_text(f"{LIMIT}: '5' # why\n")
    assert 0 == sysctl("-f", file, f"{LIMIT}=7")[0]
    assert f"{LIMIT}=7  # why\n" == file.read_text()
