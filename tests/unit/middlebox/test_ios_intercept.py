"""syncache/ios/intercept.py: the commands of TCP Intercept."""

from __future__ import annotations

from syncache import Sysctl
from syncache.acl import AccessList, permit
from syncache.ios.config import read
from syncache.ios.intercept import INTERCEPT, configuration


def test_configuration_holds_what_is_not_the_default():
    """Values first, then the lists that they name; it reads as it was written."""
    sysctl = Sysctl({INTERCEPT + "mode": "watch", INTERCEPT + "one_minute.low": 5})
    sysctl[INTERCEPT + "list"] = "WEB"
    text = configuration(sysctl, [AccessList("WEB", [permit("tcp", dport=80)])])
    lines = text.splitlines()
    assert "ip tcp intercept list WEB" == lines[0]
    assert "ip tcp intercept mode watch" in lines
    assert "ip tcp intercept one-minute low 5 high 1100" in lines
    config = read(lines)
    assert "watch" == config.changes[INTERCEPT + "mode"]
    assert 1 <= len(config.lists["WEB"].rules)
