"""Several captures as one, by the times of their packets."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
from pathlib import Path

import pytest
from needs import wanted

from syncache import Inspection, Segment
from syncache.cli import main
from syncache.cli.replay import Replay
from syncache.cli.sources import Captures, Merged
from syncache.links import capture
from syncache.links import filter as filters
from syncache.links.link import LinkError


def syn(port):
    return Segment(
        src="192.0.2.1", dst="198.51.100.5", sport=port, dport=80, flags=2
    ).packet()


@pytest.fixture
def write(tmp_path):
    def write(name, *times):
        records = (capture.record(t, syn(round(t * 10) % 60000)) for t in times)
        data = capture.header(101, 65535) + b"".join(records)
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        return str(path)

    return write


def order(captures):
    """The times of packets as they come."""
    found = []
    merged = Merged(captures)
    for source, limit in merged.turns():
        rx = source.rx
        while rx.next < len(rx) and rx.handle(rx.next) / 1000 <= limit:
            found.append(rx.handle(rx.next) / 1000)
            rx.advance(1)
    merged.close()
    return found, merged.summary


def test_files_that_follow_one_another_need_no_order_of_names(write):
    """As of a rotating recorder, compressed or not."""
    paths = write("b", 20.0, 21.0), write("c.gz", 30.0), write("a", 10.0, 11.0)
    found, summary = order(Captures(paths))
    assert [10.0, 11.0, 20.0, 21.0, 30.0] == found
    assert (5, 0) == (summary.counts["packets"], summary.counts["steps"])


def test_files_of_the_same_time_are_merged(write):
    """As of two interfaces of one host."""
    first = [10.0 + i for i in range(600)]
    second = [10.5 + i for i in range(600)]
    found, _ = order(Captures((write("a", *first), write("b", *second))))
    assert sorted(first + second) == found


def test_merged_files_give_what_one_file_gives(write):
    """Sessions, times and seconds alike."""
    times = [100.0 + i * 0.7 for i in range(900)]
    whole = Inspection(seed=bytes(16))
    one = Replay(whole, Captures((write("all", *times),)))
    ticks = [tick for tick in one.seconds() if tick.seconds]
    parts = Inspection(seed=bytes(16))
    paths = [write(f"p{i}", *times[i::3]) for i in range(3)]
    several = Replay(parts, Captures(tuple(paths)))
    assert ticks == [tick for tick in several.seconds() if tick.seconds]
    assert whole.statistics() == parts.statistics()
    assert (one.packets, one.span) == (several.packets, several.span)


def test_files_in_which_time_steps_back_are_merged_with_others(write, capsys):
    """Each on a clock of its own, which goes on at the step; none is refused."""
    a = write("a", 10.0, 11.0, 5.0, 6.0, 100.0)
    b = write("b", 10.5, 11.5, 20.0)
    assert 0 == main(["inspect", a, b])
    out = capsys.readouterr().out
    assert "8 packets of 96 s; " in out
    assert "time steps back once, by 6 s at most" in out


def test_standard_input_is_one_of_several(write, monkeypatch, capsys):
    """Once."""
    stdin = io.BytesIO(Path(write("b", 12.0, 13.0)).read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stdin))
    assert 0 == main(["inspect", write("a", 10.0, 14.0), "-"])
    assert "4 packets of 4 s; " in capsys.readouterr().out
    assert 1 == main(["inspect", "-", "-"])
    assert "only once" in capsys.readouterr().err


def test_each_damaged_file_is_named_and_the_others_are_whole(write, capsys):
    """Status 3 for all."""
    paths = [write(name, 10.0, 11.0) for name in ("a", "b", "c")]
    for path in paths[:2]:
        with Path(path).open("ab") as file:
            file.write(b"cut")
    assert 3 == main(["inspect", *paths])
    out, err = capsys.readouterr()
    assert "6 packets of 1 s; " in out
    assert [f"syncache inspect: {path} is damaged" in err for path in paths] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("command", ["inspect", "advise"])
def test_help_documents_the_exit_status(command, capsys):
    """A script has to know what 3 means."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "3: a capture is damaged" in " ".join(capsys.readouterr().out.split())


def test_an_empty_capture_among_others_is_no_mistake(write):
    """It holds nothing, and says nothing."""
    found, summary = order(Captures((write("a"), write("b", 5.0))))
    assert ([5.0], []) == (found, summary.damages)


def test_what_is_no_capture_among_others_is_a_mistake(write, tmp_path):
    """Before anything is read."""
    other = tmp_path / "other"
    other.write_bytes(b"GIF89a" * 9)
    with pytest.raises(LinkError, match="other is not a pcap"):
        Merged(Captures((write("a", 1.0), str(other))))


def test_captures_that_can_be_read_again_are_files(write):
    """Their sizes add up; a pipe has none."""
    a, b = write("a", 1.0), write("b", 1.0, 2.0)
    assert 24 + 56 + 24 + 112 == Captures((a, b)).size
    assert Captures((a, b)).is_repeatable
    assert not Captures((a, "-")).is_repeatable
    assert 0 == Captures((a, "-")).size


libpcap = wanted(
    found=filters._library() or shutil.which("tcpdump"),
    what="libpcap: apt-get install libpcap0.8",
)


@libpcap
def test_a_filter_that_leaves_packets_out_says_how_many(write, capsys):
    """They are not among those that were not looked at."""
    assert 0 == main(["inspect", write("a", 10.0, 10.1), "--filter", "src port 101"])
    out = capsys.readouterr().out
    assert "the filter left out 1 packet" in out
    assert "1 packet of 0 s; " in out


@libpcap
def test_a_wrong_filter_is_one_line(write, capsys):
    """With the word of the compiler."""
    assert 1 == main(["inspect", write("a", 10.0), "--filter", "sorc port 1"])
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert "filter 'sorc port 1': " in err


def test_packets_that_were_recorded_twice_are_named(tmp_path, capsys):
    """As by a bond and its VLAN; each session counts once, and other files do not."""
    times = [float(n) for n in range(1, 41)]
    records = [capture.record(t, syn(1024 + round(t))) for t in times]
    for name, copies in (("twice", 2), ("once", 1)):
        data = capture.header(101, 65535)
        data += b"".join(record * copies for record in records)
        (tmp_path / name).write_bytes(data)
        assert main(["inspect", str(tmp_path / name)]) == 0
        shown = capsys.readouterr().out
        assert ("40 packets were recorded twice" in shown) == (copies == 2)
        assert "startup or last reset 40\n" in shown


@pytest.mark.parametrize("dedup", [False, True])
def test_packets_that_were_recorded_twice_are_left_out_by_choice(
    tmp_path, capsys, dedup
):
    """Then every number is that of a capture which has each packet once."""
    times = [float(n) for n in range(1, 41)]
    records = [capture.record(t, syn(1024 + round(t))) for t in times]
    path = tmp_path / "twice"
    path.write_bytes(capture.header(101, 65535) + b"".join(r * 2 for r in records))
    words = ["inspect", str(path), *(["--dedup"] if dedup else [])]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "startup or last reset 40\n" in shown
    assert f"tcp packets: [{40 if dedup else 80}:0]" in shown
    assert ("40  recorded before, left out by --dedup" in shown) == dedup
    assert ("--dedup leaves the doubles out" in shown) != dedup


@pytest.mark.parametrize("dedup", [False, True])
@pytest.mark.parametrize("first", [0, 1])
def test_packets_of_two_taps_count_once_by_choice(tmp_path, capsys, dedup, first):
    """ACKs too, behind a router, and with an Ethernet header and its padding."""
    here, there = [], []
    for n in range(40):
        for flags in (2, 16):
            packet = bytearray(syn(1024 + n))
            packet[33] = flags
            here.append(capture.record(1.0 + n, bytes(packet)))
            packet[8] -= 1
            frame = bytes(12) + b"\x08\x00" + bytes(packet) + bytes(6)
            there.append(capture.record(1.003 + n, frame))
    files = [tmp_path / "here", tmp_path / "there"]
    files[0].write_bytes(capture.header(101, 65535) + b"".join(here))
    files[1].write_bytes(capture.header(1, 65535) + b"".join(there))
    words = [str(files[first]), str(files[1 - first])]
    assert main(["inspect", *words, *(["--dedup"] if dedup else [])]) == 0
    shown = capsys.readouterr().out
    assert "startup or last reset 40\n" in shown
    assert f"tcp packets: [{80 if dedup else 160}:0]" in shown
    assert ("80  recorded before, left out by --dedup" in shown) == dedup
    assert ("80 packets were recorded twice" in shown) != dedup


@pytest.mark.parametrize(
    ("seqs", "flags", "sessions", "note"),
    [
        ((7, 7, 7), 2, 1, ""),
        ((7, 8, 8, 8), 2, 1, "1 SYN had another number"),
        ((7, 8, 9), 2, 1, "2 SYNs had another number"),
        ((7, 7), 3, 0, "2 SYNs with FIN or RST are not requests"),
        ((7, 7), 6, 0, "2 SYNs with FIN or RST are not requests"),
    ],
)
def test_syns_that_begin_no_session_are_named(
    tmp_path, capsys, seqs, flags, sessions, note
):
    """Of other programs each may be a connection; a repeated one is of none."""
    records = []
    for at, seq in enumerate(seqs):
        packet = bytearray(syn(1024))
        packet[24:28] = seq.to_bytes(4, "big")
        packet[33] = flags
        records.append(capture.record(1.0 + at, bytes(packet)))
    path = tmp_path / "syns"
    path.write_bytes(capture.header(101, 65535) + b"".join(records))
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"startup or last reset {sessions}\n" in shown
    assert note in shown
    assert ("SYN" in shown) == bool(note)


@pytest.mark.parametrize(("gap", "again"), [(9.0, 0), (40.0, 1)])
def test_session_that_a_repeated_syn_begins_again_is_named(
    tmp_path, capsys, gap, again
):
    """The first one was over by then; another SYN of the client is one of its own."""
    records = [capture.record(t, syn(1024)) for t in (1.0, 1.0 + gap)]
    other = bytearray(syn(1025))
    path = tmp_path / "retried"
    path.write_bytes(
        capture.header(101, 65535)
        + b"".join(records)
        + capture.record(60.0, bytes(other))
    )
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"startup or last reset {2 + again}\n" in shown
    assert ("1 session began with the SYN of one that" in shown) == bool(again)
