"""Texts in a configuration that are no commands, and how far lines are indented."""

from __future__ import annotations

import pytest

from syncache.ios.config import read


@pytest.mark.parametrize("margin", [" ", "    ", "\t"])
def test_configuration_may_be_indented_as_a_whole(margin):
    """As one that was cut from a page; blocks are what is indented further."""
    lines = ["hostname r1", "banner motd ^C", "!", "^C", "ip access-list extended web"]
    lines += [" permit tcp any any", "interface Fa0/0", " ip address 192.0.2.1 /24"]
    config = read([margin + line for line in lines])
    assert 1 == len(config.lists["web"].rules)
    assert config.skipped == read(lines).skipped == 5


def test_banner_that_does_not_end_is_one_line():
    """The lines behind it are read; one before it that ends is text."""
    lines = ["banner exec ^C", "access-list 1 permit x", "^C", "banner motd ^CWelcome^"]
    config = read([*lines, "access-list 100 permit tcp any any eq 80"])
    assert {"100"} == set(config.lists)
    assert ["line 4: a banner does not end: it is taken for one line"] == config.notes


@pytest.mark.parametrize("end", ["}", " fi}", "}  "])
def test_shell_of_a_macro_is_text(end):
    """Its braces hold lines that would be commands."""
    lines = ["macro auto execute NEW_PHONE {", "if [[ $LINKUP == YES ]]", "then conf t"]
    lines += ["ip inspect x", "fi", end, "macro auto execute A builtin B {}"]
    config = read([*lines, "access-list 100 permit tcp any any eq 80"])
    assert {"100"} == set(config.lists)
    assert (7, []) == (config.skipped, config.notes)


def test_banners_of_firewalls_are_lines():
    """They have no end mark, so that a character that comes twice ends nothing."""
    lines = ["ASA Version 9.8(2)", "banner motd", "banner motd Test of it"]
    lines += ["access-list W extended permit tcp any any eq www", "hostname T"]
    config = read(lines)
    assert ["permit tcp any any eq 80"] == [str(r) for r in config.lists["W"].rules]
    assert 4 == config.skipped
    (note,) = config.notes
    assert "ASA" in note


def test_banner_without_its_end_is_named():
    """All that follows would be its text."""
    config = read(["banner motd %", "ip tcp intercept mode watch"])
    assert "a banner does not end" in config.notes[0]


def test_file_of_an_old_encoding_is_text(tmp_path):
    """A banner's end mark is what it was, and no other letter is taken for it."""
    path = tmp_path / "r.conf"
    text = "banner motd § accès\nip inspect x\n§\naccess-list 1 permit any\n"
    for encoding in ("latin-1", "utf-8"):
        path.write_bytes(text.encode(encoding))
        assert {"1"} == set(read(path).lists)
    path.write_bytes("hostname §\nhostname \xfc".encode("latin-1"))
    assert 2 == read(path).skipped
    for binary in (b"\x7fELF\0\0", b"ab\x81cd"):
        path.write_bytes(binary)
        with pytest.raises(ValueError, match="1: this is not text"):
            read(path)
