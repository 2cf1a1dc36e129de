"""A server of groups that lives as long as one test, and a member's configuration.

scrypt, which is made to take long, is most of what a test of groups takes: here it is
made once for the same words, and files are sealed with little of it.
"""

from __future__ import annotations

import needs
import pytest
import scrypt_once
from valkey_server import ValkeyServer

from syncache import keyring

# Members of a group derive the same key from the same file, all in one process; some
# are made where a module is imported, which every worker does.
scrypt_once.remember(setattr)


@pytest.fixture
def light_seals(monkeypatch):
    """Seal keyrings, which say how, at a thousandth of the cost."""
    monkeypatch.setattr(keyring, "SCRYPT_LOG2_N", 5)


@pytest.fixture
def server(tmp_path):
    """A real Valkey, or what is at hand in its place."""
    try:
        made = ValkeyServer(tmp_path)
    except FileNotFoundError as error:
        needs.lacks(str(error))
    yield made
    made.close()


@pytest.fixture
def fleet_conf(tmp_path, server):
    """The configuration of edge-1, in a group that `fleet init` has yet to make."""
    path = tmp_path / "fleet.conf"
    path.write_text(
        f"group = web\nvalkey = {server.url}\nkey = {tmp_path}/key\n"
        f"keyring = {tmp_path}/ring\nname = edge-1\n"
    )
    return path
