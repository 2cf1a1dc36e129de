"""syncache/cli/group_view.py: a view of a group, or one line that says why not."""

from __future__ import annotations

import pytest

from syncache.cli import Failure
from syncache.cli.group_view import opened
from syncache.fleet import FleetError


def test_view_needs_no_group_until_it_looks(fleet_conf, tmp_path):
    """A command starts while the group is away, and has its name already."""
    key = tmp_path / "key"
    key.write_text("a secret of the group")
    key.chmod(0o600)
    view, group = opened(fleet_conf)
    assert group == "web"
    with pytest.raises(FleetError):
        view.look()


def test_configuration_that_cannot_be_used_is_a_failure_of_one_line(tmp_path):
    """With the path in it."""
    with pytest.raises(Failure, match=r"fleet\.conf: .+") as caught:
        opened(tmp_path / "fleet.conf")
    assert "\n" not in str(caught.value)
