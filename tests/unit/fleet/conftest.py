"""A group in a folder."""

from __future__ import annotations

import pytest

from syncache.fleet.conf import Conf


@pytest.fixture(autouse=True)
def _light(light_seals):
    """Nobody shall guess these keys."""


@pytest.fixture
def member_conf(tmp_path):
    """Make the configuration of a member, with the group's key."""

    def make(name, url="unix:///nowhere", secret="a secret of the group"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        key = folder / "key"
        key.write_text(secret)
        key.chmod(0o600)
        return Conf("web", url, key, folder / "ring", name)

    return make
