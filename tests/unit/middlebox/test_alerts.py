"""syncache/alerts/__init__.py: one door to messages, their parser and their folder."""

from __future__ import annotations

from syncache import alerts
from syncache.alerts import folder as alert_folder
from syncache.alerts import message as alert_message
from syncache.alerts import parser as alert_parser


def test_every_public_name_is_that_of_the_module_it_comes_from():
    """Nothing is defined twice."""
    homes = (alert_message, alert_parser, alert_folder)
    for name in alerts.__all__:
        found = [vars(home)[name] for home in homes if name in vars(home)]
        assert found, name
        assert all(getattr(alerts, name) is one for one in found)


def test_every_message_is_public():
    """A new kind of message is not forgotten."""
    kinds = {
        name
        for name, kind in vars(alert_message).items()
        if isinstance(kind, type) and issubclass(kind, alert_message.Message)
    }
    assert kinds <= set(alerts.__all__)
