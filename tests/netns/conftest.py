"""Everything here needs a network namespace, and fails in one line without."""

from __future__ import annotations

from pathlib import Path

import pytest
from namespace import Namespace, Wire

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.netns)


@pytest.fixture
def namespace():
    try:
        made = Namespace()
    except OSError as error:
        pytest.fail(str(error), pytrace=False)
    yield made
    made.close()


@pytest.fixture
def queues():
    """Of the veth pair of `wire`; a module with another number overrides it."""
    return 1


@pytest.fixture
def wire(queues):
    try:
        made = Wire(queues)
    except OSError as error:
        pytest.fail(str(error), pytrace=False)
    yield made
    made.close()
