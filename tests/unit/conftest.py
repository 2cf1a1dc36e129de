"""A server of groups that lives as long as one test, and a member's configuration."""

from __future__ import annotations

import needs
import pytest
from valkey_server import ValkeyServer


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
