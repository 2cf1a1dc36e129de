"""syncache/links/linktypes.py: link types that are not read have names."""

from __future__ import annotations

import ctypes.util

from needs import wanted

from syncache.links import capture
from syncache.links.linktypes import LINKTYPES
from syncache.links.replay import CaptureReader

LIBPCAP = ctypes.util.find_library("pcap")
# Numbers of libpcap for one system, which files do not have.
OF_PROGRAMS = {16}


@wanted(found=LIBPCAP is not None, what="libpcap: apt-get install libpcap0.8")
def test_every_link_type_of_libpcap_is_read_or_named(tmp_path):
    """A frame of each; the report does not say a number alone."""
    name_of = ctypes.CDLL(LIBPCAP).pcap_datalink_val_to_name
    name_of.restype = ctypes.c_char_p
    unnamed = []
    for number in range(400):
        if name_of(number) is None or number in OF_PROGRAMS:
            continue
        path = tmp_path / f"{number}.pcap"
        frame = b"\x3f" * 64
        path.write_bytes(capture.header(number, 65535) + capture.record(1.0, frame))
        reader = CaptureReader(path)
        assert [] == list(reader)
        (passed,) = reader.passed
        if passed.reason == "linktype" and passed.number not in LINKTYPES:
            unnamed.append(number)
        reader.close()
    assert [] == unnamed
