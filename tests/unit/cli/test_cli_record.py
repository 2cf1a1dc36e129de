"""syncache/cli/record.py: packets with their verdicts, sampled on live links."""

from __future__ import annotations

import errno
import os
import re
import threading

import pytest

from syncache import Inspection, Intercept, Ring, Segment
from syncache.acl import AccessList, permit
from syncache.cli import Failure, main, record, sink
from syncache.cli.record import (
    Recorder,
    Writer,
    flow_name,
    kind_of,
    reason_name,
    recording,
    shard_file,
    spoken,
)
from syncache.flow import Side, Verdict
from syncache.verdict import Reason

SEED = bytes(16)


def packet(sport, dport=80, flags=2, **more):
    return Segment(
        src="192.0.2.10",
        dst="198.51.100.5",
        sport=sport,
        dport=dport,
        flags=flags,
        **more,
    ).packet()


def comments(path):
    """Return the comments of a file, in order."""
    return [
        text.decode()
        for text in re.findall(rb"\x01\0[\x01-\xff]\0([ -~]+)", path.read_bytes())
    ]


def test_every_verdict_is_spoken():
    """With its name, for those who look for it."""
    for name in (*(v.name for v in Verdict), *(r.name for r in Reason)):
        text = spoken(name)
        assert text.endswith(f"({name})")
        assert re.match(
            r"(accepted|consumed|dropped|forwarded|passed to the stack|answered)", text
        )
    assert "dropped: bad ack (DROP_BAD_ACK)" == spoken("DROP_BAD_ACK")
    assert "FORWARD" == flow_name(0)
    assert "PASS_NOT_TCP" == reason_name(0)


def test_live_packets_are_recorded_with_verdicts(tmp_path, capsys):
    """As they came, before they are rewritten, from either side."""
    path = tmp_path / "x.pcapng"
    box = Intercept(acl=AccessList("a", [permit("tcp", dport=80)]), seed=SEED)
    with recording(path, flow_name) as box.observer:
        rx, client, server = Ring(), Ring(), Ring()
        rx.push(packet(1000))
        rx.push(packet(1001, flags=16, ack=5, seq=7))
        rx.push(packet(1002, dport=22))
        box.burst(rx, Side.CLIENT, client, server, 1.0)
        rx.clear()
        rx.push(packet(1003))
        box.burst(rx, Side.SERVER, client, server, 1.0)
    found = comments(path)
    assert "consumed (CONSUMED), from outside" in found
    assert "forwarded (FORWARD), from outside" in found
    assert any(text.endswith("from inside") for text in found)
    assert packet(1000) in path.read_bytes()
    assert "5 packets recorded" in capsys.readouterr().err


def test_capture_is_recorded_whole(tmp_path, capsys):
    """Each packet once, at its own time, and read again with the same result."""
    source, path = tmp_path / "x.pcap", tmp_path / "x.pcapng"
    head = b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(8) + b"\xff\xff\0\0\x65\0\0\0"
    records = []
    for number in range(600):
        raw = packet(1000 + number)
        time = (1_795_942_620 + number // 50).to_bytes(4, "little") + bytes(4)
        size = len(raw).to_bytes(4, "little")
        records.append(time + size + size + raw)
    source.write_bytes(head + b"".join(records))
    assert 0 == main(["inspect", str(source), "--pcapng", str(path)])
    assert "600 packets recorded" in capsys.readouterr().err
    assert 600 == len(comments(path))
    assert {"forwarded (FORWARD), from tap"} == set(comments(path))
    assert 0 == main(["inspect", str(source)])
    first = capsys.readouterr().out
    assert 0 == main(["inspect", str(path)])
    again = capsys.readouterr().out
    assert first.splitlines()[:-2] == again.splitlines()[:-2]


def test_live_link_is_sampled(tmp_path, monkeypatch, capsys):
    """So many of a ring, evenly, and so many a second; the rest is counted."""
    monkeypatch.setattr(record, "A_SECOND", 20)
    monkeypatch.setattr(record.time, "monotonic", lambda: 5.0)
    path = tmp_path / "x.pcapng"
    engine = Inspection(seed=SEED)
    with recording(path, flow_name) as engine.observer:
        for _ in range(5):
            rx, client, server = Ring(), Ring(slots=1024), Ring(slots=1024)
            for port in range(64):
                rx.push(packet(2000 + port))
            engine.burst(rx, Side.CLIENT, client, server, 1.0)
    received = [text for text in comments(path) if text.endswith("from outside")]
    assert 20 == len(received)
    err = capsys.readouterr().err
    passed_over = int(re.search(r"(\d+) passed over by sampling", err)[1])
    assert passed_over >= 300
    ports = {port for port in range(64) if packet(2000 + port) in path.read_bytes()}
    assert {0, 8, 16, 24, 32, 40, 48, 56} <= ports


def test_slow_file_delays_nobody(tmp_path, monkeypatch):
    """What finds no room in the queue is lost and counted."""
    monkeypatch.setattr(record, "QUEUE_BYTES", 1000)
    monkeypatch.setattr(record, "CLOSE_SECONDS", 0.05)
    path = tmp_path / "x"
    gate = threading.Event()

    def slow(_, data):
        gate.wait(30)
        return data[:0], None

    monkeypatch.setattr(sink, "write_all", slow)
    writer = Writer(path, live=True)
    for _ in range(100):
        writer.write(bytes(100))
    assert writer.lost >= 80
    writer.close()
    assert "too slow" in writer.trouble
    gate.set()


def test_pipe_without_a_reader_holds_nobody_up(tmp_path, monkeypatch):
    """Its buffer takes what fits; a reader that comes finds a whole beginning."""
    monkeypatch.setattr(record, "CLOSE_SECONDS", 0.05)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Writer(path, live=True, head=b"head")
    for _ in range(100):
        writer.write(bytes(10_000))
    reader = os.open(path, os.O_RDONLY)
    assert os.read(reader, 65536).startswith(b"head\0\0")
    writer.close()
    os.close(reader)


def test_file_of_another_process_is_refused(tmp_path):
    """It would be emptied under its hands."""
    path = tmp_path / "x"
    writer = Writer(path, live=True, head=b"head")
    with pytest.raises(Failure, match=f"--pcapng {path}: another process writes it"):
        Writer(path, live=True)
    writer.close()
    assert b"head" == path.read_bytes()


def test_disk_that_was_full_gets_whole_packets_again(tmp_path, monkeypatch, caplog):
    """The file is cut behind its last whole block, and goes on there."""
    monkeypatch.setattr(record, "RETRY_SECONDS", 0.0)
    path = tmp_path / "x"
    is_full = threading.Event()
    write_all = sink.write_all

    def disk(descriptor, data):
        if not is_full.is_set():
            return write_all(descriptor, data)
        os.write(descriptor, data[: len(data) // 2])
        return data[:1], OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sink, "write_all", disk)
    writer = Writer(path, live=True, head=b"head")
    for state, block in ((1, b"lost"), (0, b"one"), (1, b"gone"), (0, b"two")):
        (is_full.set if state else is_full.clear)()
        writer._put([block])
    writer.close()
    assert b"headonetwo" == path.read_bytes()
    assert 2 == writer.lost
    assert 1 == caplog.text.count("No space left on device; packets are not recorded")


@pytest.mark.parametrize("what", ["text", "missing", "filter"])
@pytest.mark.parametrize("before", [None, b"mine"])
def test_refused_capture_leaves_the_file_as_it_was(tmp_path, capsys, what, before):
    """Neither emptied nor made."""
    source, path = tmp_path / "x.pcap", tmp_path / "x.pcapng"
    if before is not None:
        path.write_bytes(before)
    if what == "text":
        source.write_text("no capture")
    elif what == "filter":
        head = b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(12) + b"\x65\0\0\0"
        sizes = (40).to_bytes(4, "little") * 2
        source.write_bytes(head + bytes(8) + sizes + packet(1)[:40])
    more = ["--filter", "nonsense ("] if what == "filter" else []
    assert 1 == main(["inspect", str(source), "--pcapng", str(path), *more])
    assert "recorded" not in capsys.readouterr().err
    assert before == (path.read_bytes() if path.exists() else None)


def test_capture_without_packets_is_recorded_as_one(tmp_path, capsys):
    """A file that others read, too."""
    source, path = tmp_path / "x.pcap", tmp_path / "x.pcapng"
    source.write_bytes(b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(12) + b"\x01\0\0\0")
    assert 0 == main(["inspect", str(source), "--pcapng", str(path)])
    assert "0 packets recorded" in capsys.readouterr().err
    assert 0 == main(["inspect", str(path)])


def test_capture_whose_recording_found_no_room_is_an_error(tmp_path, capsys):
    """Behind the results, and it claims no packets."""
    source = tmp_path / "x.pcap"
    source.write_bytes(b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(12) + b"\x01\0\0\0")
    assert 1 == main(["inspect", str(source), "--pcapng", "/dev/full"])
    out, err = capsys.readouterr()
    assert "not looked at: nothing" in out
    assert "/dev/full: No space left on device; the recording is not whole" in err
    assert "recorded" not in err


def test_full_disk_costs_packets_and_is_reported(tmp_path, capsys):
    """The engine goes on."""
    engine = Inspection(seed=SEED)
    with recording(tmp_path / "x", flow_name) as engine.observer:
        recorder = engine.observer
        assert isinstance(recorder, Recorder)
        recorder._writer._fail(OSError(errno.ENOSPC, "No space left on device"))
        engine.receive(packet(5), Side.CLIENT, 1.0)
        rx, client, server = Ring(), Ring(), Ring()
        rx.push(packet(6))
        engine.burst(rx, Side.CLIENT, client, server, 1.0)
    assert "No space left" in capsys.readouterr().err
    assert 2 == len(engine.sessions())


def test_file_that_cannot_be_written_is_one_line(tmp_path):
    """Before anything is opened."""
    with pytest.raises(Failure, match="--pcapng"), recording(tmp_path, flow_name):
        raise AssertionError
    with recording(None, flow_name) as nothing:
        assert nothing is None


def flags_of(path):
    """Return (comment, direction) of each packet of a file: 1 is in, 2 is out."""
    found = re.findall(
        rb"\x01\0[\x01-\xff]\0([ -~]+)\0*\x02\0\x04\0(.)\0\0\0", path.read_bytes()
    )
    return [(text.decode(), direction[0]) for text, direction in found]


def test_packets_of_our_own_are_recorded_with_their_direction(tmp_path, capsys):
    """What they are and where they go; received ones are inbound."""
    path = tmp_path / "x.pcapng"
    box = Intercept(acl=AccessList("a", [permit("tcp", dport=80)]), seed=SEED)
    with recording(path, flow_name) as box.observer:
        rx, client, server = Ring(), Ring(), Ring()
        rx.push(packet(1000))
        box.burst(rx, Side.CLIENT, client, server, 1.0)
    assert [
        ("consumed (CONSUMED), from outside", 1),
        ("sent: SYN-ACK, to outside", 2),
    ] == flags_of(path)
    assert bytes(client[0]) in path.read_bytes()
    assert "2 packets recorded" in capsys.readouterr().err


def test_flood_leaves_room_for_packets_of_our_own(tmp_path, monkeypatch, capsys):
    """Both directions have their own number a second, and both are counted."""
    monkeypatch.setattr(record, "A_SECOND", 20)
    monkeypatch.setattr(record.time, "monotonic", lambda: 5.0)
    path = tmp_path / "x.pcapng"
    box = Intercept(acl=AccessList("a", [permit("tcp", dport=80)]), seed=SEED)
    with recording(path, flow_name) as box.observer:
        for _ in range(5):
            rx, client, server = Ring(), Ring(slots=256), Ring(slots=256)
            for port in range(64):
                rx.push(packet(2000 + port))
            box.burst(rx, Side.CLIENT, client, server, 1.0)
    directions = [direction for _, direction in flags_of(path)]
    assert (20, 20) == (directions.count(1), directions.count(2))
    err = capsys.readouterr().err
    assert "40 packets recorded, 600 passed over by sampling" in err


def test_tap_has_no_directions(tmp_path):
    """Both come there; a reset that is sent is outbound all the same."""
    path = tmp_path / "x.pcapng"
    engine = Inspection(seed=SEED)
    with recording(path, flow_name) as engine.observer:
        rx, client, server = Ring(), Ring(), Ring()
        rx.push(packet(1000))
        engine.burst(rx, Side.TAP, client, server, 1.0)
    assert ["forwarded (FORWARD), from tap"] == comments(path)
    assert [] == flags_of(path)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (packet(1, flags=0x12), "SYN-ACK"),
        (packet(1, flags=0x14), "RST-ACK"),
        (packet(1, flags=4), "RST"),
        (packet(1, flags=0), "segment without flags"),
        (Segment(src="::1", dst="::2", sport=1, dport=2, flags=16).packet(), "ACK"),
        (packet(1)[:9] + b"\x01" + packet(1)[10:], "ICMP"),
        (packet(1)[:9] + b"\x99" + packet(1)[10:], "packet of protocol 153"),
        (packet(1)[:30], "packet"),
        (b"", "packet"),
    ],
)
def test_packets_of_our_own_are_named(raw, name):
    """By protocol and flags."""
    assert name == kind_of(raw)


def test_each_shard_has_a_file_of_its_own(tmp_path):
    """It is there before they begin, or one line says why not."""
    assert shard_file(None, 1) is None
    own = shard_file(tmp_path / "x.pcapng", 1)
    assert tmp_path / "x.pcapng.1" == own
    assert own.exists()
    with pytest.raises(Failure, match=r"--pcapng .*none/x\.1: No such file"):
        shard_file(tmp_path / "none" / "x", 1)
