"""syncache/cli/privileges.py: another user, with three capabilities left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from syncache.cli import Failure
from syncache.cli.privileges import Account, account, drop

PROGRAM = """
import os, threading
from syncache.cli.privileges import account, drop
drop(account("nobody"))
lines = open("/proc/self/status").read().splitlines()
print(os.getresuid(), os.getgroups())
print([line.split()[1] for line in lines if line.startswith(("CapPrm", "CapEff"))])
try:
    os.setuid(0)
except PermissionError:
    print("no way back")
"""


def test_drop_keeps_three_capabilities_and_there_is_no_way_back():
    """12, 13 and 39: those of interfaces, raw sockets and BPF."""
    if os.geteuid() != 0:  # nobody else can become another user
        with pytest.raises(Failure, match="start as root"):
            drop(account("nobody"))
        return
    words = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    who = account("nobody")
    most = f"{(1 << 12) + (1 << 13) + (1 << 39):016x}"
    first, second, third = done.stdout.splitlines()
    assert f"{(who.uid,) * 3} []" == first
    assert str([most, most]) == second
    assert "no way back" == third


def test_user_or_group_that_does_not_exist_is_one_line():
    """Before anything is opened."""
    with pytest.raises(Failure, match="there is no such user"):
        account("syncache-none")
    with pytest.raises(Failure, match="there is no such group"):
        account("root", "syncache-none")
    assert Account("root", 0, 0) == account("root", "root")


def test_number_is_a_user_or_group_where_there_is_no_such_name():
    """As chown(1) has it; without an entry nothing says which group is meant."""
    nobody = account("nobody")
    assert nobody[1:] == account(str(nobody.uid))[1:]
    assert Account("70001", 70001, 70002) == account("70001", "70002")
    with pytest.raises(Failure, match="70001 has no entry in passwd: --group is"):
        account("70001")


@pytest.mark.parametrize("number", ["4294967295", "-1", "+1", "1_0", "٣", "9" * 5000])
def test_number_that_no_user_has_is_refused(number):
    """The greatest one would be no change to the kernel: root as before."""
    for given in ((number, "root"), ("root", number)):
        with pytest.raises(Failure, match=r"numbers are 0 to 4294967294|no such"):
            account(*given)


def test_who_is_not_root_is_told(monkeypatch):
    """The kernel's refusal is one line."""

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.setgroups", refuse)
    with pytest.raises(Failure, match="--user x: Operation not permitted: start as"):
        drop(Account("x", 1, 1))
