"""`Offload` without a privilege: what it refuses.

What it does is in netns/test_offload.py.
"""

from __future__ import annotations

import pytest

from syncache import AccessList, Intercept
from syncache.links.link import LinkError
from syncache.links.memory import pair
from syncache.links.offload import Offload


def test_links_that_are_no_interfaces_are_refused():
    """Before anything is asked of the kernel."""
    engine = Intercept(acl=AccessList.parse(["permit tcp any any"]))
    link, other = pair()
    with pytest.raises(LinkError, match="two interfaces"):
        Offload(engine, link, other)
    engine.close()
