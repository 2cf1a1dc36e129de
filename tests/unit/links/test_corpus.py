"""Captures of every encapsulation, counted as tshark counts them.

The frames are those of `encapsulations`, the files are made by scapy, editcap, mergecap
and text2pcap; one run of tshark over all of them is the truth.
"""

from __future__ import annotations

import collections
import shutil
import struct
import subprocess

from encapsulations import CASES, EDGE, behind, conversation
from needs import wanted
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from syncache import Inspection
from syncache.cli.replay import Replay
from syncache.cli.sources import Captures
from syncache.links.replay import CaptureReader

TOOLS = ("tshark", "mergecap", "editcap", "text2pcap")
pytestmark = wanted(
    found=all(map(shutil.which, TOOLS)), what="tshark: apt-get install tshark"
)


def classic(path, linktype, frames, magic=0xA1B2C3D4, order="<", more=0):
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, linktype)
    for i, frame in enumerate(frames):
        head = (1_600_000_000 + i // 10, i % 10 * 100_000, len(frame), len(frame))
        data += struct.pack(f"{order}IIII", *head) + bytes(more) + frame
    path.write_bytes(data)


def run(*words, data=None):
    return subprocess.run(
        words, check=True, capture_output=True, timeout=300, input=data
    ).stdout.decode()


def variants(folder, first):
    """The same packets in files of other forms; paths by name."""
    frames = [behind(EDGE)(p) for p in conversation(first)]
    forms = {"big-endian": (0xA1B2C3D4, ">"), "nanoseconds": (0xA1B23C4D, "<")}
    found = {}
    for name, (magic, order) in forms.items():
        found[name] = folder / f"{name}.pcap"
        classic(found[name], 1, frames, magic, order)
    found["modified"] = folder / "modified.pcap"
    classic(found["modified"], 1, frames, 0xA1B2CD34, "<", 8)
    base = folder / "base.pcap"
    wrpcap(str(base), [Ether(f) for f in frames])
    for name, words in {
        "pcapng": ("-F", "pcapng"),
        "snapped": ("-s", "60"),
        "doubled headers gone": ("-C", "0"),
    }.items():
        found[name] = folder / f"{name.replace(' ', '-')}.out"
        run("editcap", *words, str(base), str(found[name]))
    dump = "".join(
        "000000 " + " ".join(f"{byte:02x}" for byte in frame) + "\n\n"
        for frame in frames
    )
    found["text2pcap"] = folder / "text.pcap"
    run("text2pcap", "-q", "-", str(found["text2pcap"]), data=dump.encode())
    return found


def truth(path):
    """Packets, SYNs and streams of TCP of each interface of a file, by tshark."""
    words = ["tshark", "-n", "-r", str(path), "-Y", "tcp", "-T", "fields"]
    for field in ("frame.interface_id", "tcp.flags", "tcp.stream"):
        words += ["-e", field]
    packets, syns, streams = {}, {}, {}
    for line in run(*words).splitlines():
        # A tunnel may hold several; the last is the innermost.
        number, flags, stream = (each.split(",")[-1] for each in line.split("\t"))
        packets[number] = packets.get(number, 0) + 1
        syns[number] = syns.get(number, 0) + (int(flags, 16) & 0x12 == 2)
        streams.setdefault(number, set()).add(stream)
    order = sorted(packets, key=lambda number: int(number or 0))
    return {int(n or 0): (packets[n], syns[n], len(streams[n])) for n in order}


def counted(path):
    """The same by our reader and engine."""
    engine = Inspection(seed=bytes(16))
    replay = Replay(engine, Captures((str(path),), tunnels=True))
    collections.deque(replay.seconds(), maxlen=0)
    syns = 0
    for _, packet in CaptureReader(path, tunnels=True):
        at = (packet[0] & 15) * 4
        if packet[0] >> 4 == 6:
            at = 40 if packet[6] == 6 else 48 + packet[41] * 8
        syns += packet[at + 13] & 0x12 == 2
    statistics = engine.statistics()
    assert [] == replay.passed
    return statistics.tcp_packets, syns, statistics.sessions_created


def test_every_encapsulation_is_counted_as_tshark_counts(tmp_path):
    """Packets, SYNs and sessions of each file are equal."""
    paths = {}
    port = 1024
    for name, (linktype, wrap, versions) in CASES.items():
        frames = []
        for version in versions:
            frames += [wrap(packet) for packet in conversation(port, version)]
            port += 2
        paths[name] = tmp_path / f"{len(paths)}.pcap"
        classic(paths[name], linktype, frames)
    merged = tmp_path / "merged.pcapng"  # as many interfaces as files
    run("mergecap", "-I", "none", "-a", "-w", str(merged), *map(str, paths.values()))
    found = truth(merged)
    expected = {name: found.get(number) for number, name in enumerate(paths)}
    assert expected == {name: counted(path) for name, path in paths.items()}
    assert all(counts[1:] >= (2, 2) for counts in expected.values())
    several = Inspection(seed=bytes(16))
    captures = Captures(tuple(map(str, paths.values())), tunnels=True)
    collections.deque(Replay(several, captures).seconds(), maxlen=0)
    total = sum(counts[0] for counts in expected.values())
    assert total == several.statistics().tcp_packets == counted(merged)[0]


def test_every_form_of_file_is_counted_as_tshark_counts(tmp_path):
    """Byte orders, resolutions, cut packets, and files of other programs."""
    for name, path in variants(tmp_path, 1024).items():
        assert truth(path) == {0: counted(path)}, name
