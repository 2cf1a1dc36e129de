"""Captures in compressed files: whole, in parts, cut short, and without a library."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import sys

import lz4.frame
import pytest
import zstandard

from syncache import Ring, Segment
from syncache.links import capture
from syncache.links.link import LinkError
from syncache.links.replay import CaptureReader, DamagedError

SYN = Segment(src="192.0.2.1", dst="192.0.2.2", sport=1, dport=2, flags=2).packet()
DATA = capture.header(101, 65535) + b"".join(
    capture.record(1.0 + i, SYN) for i in range(20_000)
)
KINDS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
}
EACH = pytest.mark.parametrize("kind", KINDS)


def packets(reader):
    """Read all; how many came, and the damage behind them."""
    rx, count = Ring(256, 256), 0
    try:
        while reader.receive(rx):
            count += len(rx)
            rx.clear()
    except DamagedError as error:
        return count, str(error)
    finally:
        reader.close()
    return count, ""


@EACH
def test_a_compressed_capture_is_known_by_its_first_bytes(tmp_path, kind):
    """Whatever its name."""
    path = tmp_path / "a.pcap"
    path.write_bytes(KINDS[kind](DATA))
    assert (20_000, "") == packets(CaptureReader(path))


@EACH
def test_several_compressed_parts_are_one_file(tmp_path, kind):
    """As of programs that append; a part may end within a record."""
    path = tmp_path / "a.pcap"
    at = len(DATA) // 2 + 3
    path.write_bytes(KINDS[kind](DATA[:at]) + KINDS[kind](DATA[at:]))
    assert (20_000, "") == packets(CaptureReader(path))


@EACH
def test_a_compressed_capture_that_is_cut_short_gives_what_is_whole(tmp_path, kind):
    """And one line behind it."""
    path = tmp_path / "a.pcap"
    whole = KINDS[kind](DATA[:600_000]) + KINDS[kind](DATA[600_000:])
    path.write_bytes(whole[:-9])
    count, damage = packets(CaptureReader(path))
    assert 10_000 < count <= 20_000
    assert f"{path} is damaged: " in damage


@EACH
def test_a_cut_between_two_records_is_seen_too(tmp_path, kind):
    """The compressed data says that there was more."""
    path = tmp_path / "a.pcap"
    noise = capture.record(1.0, SYN + bytes(range(256)) * 2)
    data = DATA[: 24 + 56 * 40] + noise
    path.write_bytes(KINDS[kind](data)[:-4])
    try:
        _, damage = packets(CaptureReader(path))
    except DamagedError as error:  # nothing of it came out
        damage = str(error)
    assert f"{path} is damaged: its compressed data is cut short" in damage


@EACH
def test_any_changed_byte_gives_packets_or_one_line(tmp_path, kind):
    """Damage of any kind raises nothing but LinkError."""
    path = tmp_path / "a.pcap"
    whole = KINDS[kind](DATA[:10_000])
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            packets(CaptureReader(path))
        except LinkError as error:
            assert str(path) in str(error)  # noqa: PT017  any of several lines


@EACH
def test_standard_input_may_be_compressed(monkeypatch, kind):
    """It cannot be sought in."""
    data = io.BytesIO(KINDS[kind](DATA))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(data)))
    assert (20_000, "") == packets(CaptureReader("-"))


@pytest.mark.parametrize(
    ("kind", "library", "program"),
    [("zstd", "zstandard", "zstdcat"), ("lz4", "lz4.frame", "lz4cat")],
)
def test_a_missing_library_names_the_extra_and_the_pipe(
    tmp_path, monkeypatch, kind, library, program
):
    """One line with both ways out."""
    path = tmp_path / "a.pcap"
    path.write_bytes(KINDS[kind](DATA))
    real = importlib.import_module

    def without(name, *rest):
        if name == library:
            raise ModuleNotFoundError(name=name.partition(".")[0])
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(LinkError) as caught:
        CaptureReader(path)
    assert "pip install 'tcp-syncache[pcap]'" in str(caught.value)
    assert f"{program} {path} | syncache inspect -" in str(caught.value)


@pytest.mark.parametrize(
    ("magic", "program"), [(b"PK\3\4", "unzip -p"), (b"\x1f\x9d\x90", "zcat")]
)
def test_other_archives_name_the_pipe(tmp_path, magic, program):
    """They are not read, but there is a program that writes their contents."""
    path = tmp_path / "a.zip"
    path.write_bytes(magic + bytes(100))
    with pytest.raises(LinkError, match=f"{program} .*a.zip | syncache inspect -"):
        CaptureReader(path)
