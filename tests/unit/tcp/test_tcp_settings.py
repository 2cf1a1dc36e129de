"""The tunables that a connection obeys."""

from __future__ import annotations

from dataclasses import fields

from syncache import Sysctl
from syncache.tcp.settings import Settings


def test_each_field_is_a_tunable_of_its_name():
    """Read once, when the connection is made."""
    sysctl = Sysctl({"net.inet.tcp.msl": 1234})
    settings = Settings.of(sysctl)
    assert 1234 == settings.msl
    for field in fields(Settings):
        assert sysctl[f"net.inet.tcp.{field.name}"] == getattr(settings, field.name)
