"""`Shield` without a kernel: arguments.

What it does is in netns/test_shield.py.
"""

from __future__ import annotations

import pytest
from tidy import ROOT

from syncache._core import shield as core
from syncache.links import LinkError
from syncache.links.shield import Shield


def test_every_counter_is_explained():
    """By its name, in the page that says what passes."""
    page = (ROOT / "docs" / "shield.md").read_text()
    assert [] == [name for name in core.COUNTERS if f"`{name}`" not in page]


def test_interface_that_is_not_there_is_one_line():
    with pytest.raises(LinkError, match="no interface syncache-none"):
        Shield("syncache-none")


def test_scale_that_is_none_is_refused():
    with pytest.raises(ValueError, match="wscale is 0 to 14, not 15"):
        Shield("lo", wscale=15)
