"""syncache/fleet/local.py: the files of a member."""

from __future__ import annotations

import threading

import pytest

from syncache.fleet import local
from syncache.fleet.document import KIND
from syncache.fleet.seal import Sealer

SEALER = Sealer("web", b"a secret of the group")


def test_older_version_is_not_written_over_a_newer_one(member_conf):
    """Another process of this machine may have been faster."""
    conf = member_conf("edge-1")
    assert -1 == local.version_here(conf.sealed)
    for version, kept in ((3, 3), (2, 3), (4, 4)):
        message = SEALER.seal(KIND, b"body", version)
        local.write(conf, message, version, f"ring {version}")
        assert kept == local.version_here(conf.sealed)
        assert f"ring {kept}" == conf.keyring.read_text()
    conf.sealed.write_bytes(b"spoiled")
    assert -1 == local.version_here(conf.sealed)


def test_writers_take_turns(member_conf):
    """The highest version is there in the end, whoever was first."""
    conf = member_conf("edge-1")
    messages = {n: SEALER.seal(KIND, b"body", n) for n in range(1, 21)}
    writers = [
        threading.Thread(target=local.write, args=(conf, message, n, f"ring {n}"))
        for n, message in messages.items()
    ]
    for writer in reversed(writers):
        writer.start()
    for writer in writers:
        writer.join()
    assert (20, "ring 20") == (
        local.version_here(conf.sealed),
        conf.keyring.read_text(),
    )


def test_folder_that_is_missing_raises(member_conf):
    """The caller says what stays."""
    conf = member_conf("edge-1")
    message = SEALER.seal(KIND, b"body", 1)
    conf.key.unlink()
    conf.keyring.parent.rmdir()
    with pytest.raises(OSError, match="No such file"):
        local.write(conf, message, 1, "ring")
