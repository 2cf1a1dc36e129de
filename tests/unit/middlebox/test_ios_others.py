"""Configurations of other systems."""

from __future__ import annotations

import pytest

from syncache.ios import config as ios_config
from syncache.ios.others import LOOKED_AT, refuse_others

OTHERS = {
    "CatOS": "#version 8.5(9)\nset system name s1\nset vlan 1\n",
    "Junos": "system {\n    host-name j;\n}\n",
    "Junos, set": "set system host-name j\nset interfaces ge-0/0/0 unit 0\n",
    "FortiOS": "config system global\n    set hostname f\nend\n",
    "iptables": "# Generated\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n",
    "nftables": "table inet filter {\n}\n",
    "RouterOS": "/ip address\nadd address=192.0.2.1/24\n",
    "HTML": "<!DOCTYPE html>\n<html></html>\n",
    "XML": "<?xml version='1.0'?>\n",
    "JSON": '{\n  "a": 1\n}\n',
    "a patch": "--- r1.cfg\n+++ r1.cfg\n+ip inspect name A tcp\n",
    "a playbook": "- name: secure\n  ios_config:\n",
    "bytes": "\x7fELF\0\0\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_configuration_of_another_system_is_refused(name):
    """One line names the system and where it shows."""
    with pytest.raises(ValueError, match=r"^line \d+: this is .*configuration"):
        ios_config.read(OTHERS[name].split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "hostname r1\nip http server\nend",
        "ASA Version 9.8(2)\nnameif outside\n",
        "switchname nx\nfeature ospf\n",
        "!! IOS XR Configuration 7.1.1\nhostname xr\n",
        "",
        "banner motd #\n{\n#\nip inspect name X tcp",
    ],
)
def test_configuration_of_a_router_is_read_whatever_it_lacks(text):
    """Nothing of ours in it is no fault, and a brace in a banner no Junos."""
    ios_config.read(text.split("\n"))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (": Saved\n:\nASA Version 9.8(2)", "ASA or PIX"),
        ("!Command: show running-config\nversion 7.0(3)I7(4)", "NX-OS"),
        ("switchname nx", "NX-OS"),
        ("!! IOS XR Configuration 7.1.1", "IOS XR"),
        ("! device: s1 (DCS-7050, EOS-4.20)", "EOS"),
    ],
)
def test_relative_of_ios_is_named(head, name):
    """Its access lists are read; that nothing else is, it says."""
    lines = [*head.split("\n"), "access-list L extended permit tcp any any", "end"]
    (note,) = ios_config.read(lines).report("access lists")[:1]
    assert f"this is {name}, not IOS: its access lists alone are read" in note
    lines.append("ip inspect name X tcp")
    assert not any("not IOS" in text for text in ios_config.read(lines).notes)


def test_only_the_beginning_is_looked_at():
    """A long file costs no more."""
    refuse_others(["hostname r1"] * LOOKED_AT + ["config system global"], "line ")
