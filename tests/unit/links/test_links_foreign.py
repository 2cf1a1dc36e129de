"""Capture files of other formats are named, with the command that helps."""

from __future__ import annotations

import pytest

from syncache.links.foreign import advice, named, pipe
from syncache.links.link import LinkError
from syncache.links.replay import CaptureReader


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"snoop\0\0\0\0\0\0\2", "the format snoop: editcap a.cap - | syncache"),
        (b"GMBU\0\2", "the format Network Monitor: editcap a.cap - |"),
        (b"TRSNIFF data    \x1a", "the format Sniffer: editcap a.cap - |"),
        (b"ObserverPktBufferVersion=15.00", "the format Observer: editcap"),
        (b"+---------+---------------+----------+\r\n", "the format K12 text:"),
        (b"\1\x10\0\0", "Wireshark's editcap may know its format: editcap a.cap -"),
        (b"Nov 29 10:00:00 r1 %SYS-5\n" * 9, "but text: `syncache log a.cap` reads"),
        ("0000  45 00 \xe4".encode() * 99, "text2pcap makes a capture of a hex dump"),
        (b"\x80\x81text", "may know its format"),
    ],
)
def test_format_and_command_are_one_line(head, words):
    """Also of a character that the first bytes end within."""
    line = advice("a.cap", head)
    assert line.startswith("a.cap is not a pcap or pcapng file")
    assert words in line
    assert "\n" not in line


def test_a_name_is_quoted_for_the_shell_and_standard_input_is_any_file():
    """The line can be copied as it is."""
    assert "editcap 'my file' - | syncache inspect -" == pipe(
        "editcap FILE -", "my file"
    )
    assert "FILE" == named("-")


def test_the_reader_looks_at_enough_of_the_file(tmp_path):
    """Not only at the few bytes that tell compressed files apart."""
    path = tmp_path / "a.cap"
    path.write_bytes(b"TRSNIFF data    \x1a" + bytes(100))
    with pytest.raises(LinkError, match="of the format Sniffer: editcap"):
        CaptureReader(path)
