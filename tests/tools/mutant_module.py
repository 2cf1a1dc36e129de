"""
One module of the package read from another file: `mutate_python.py` runs tests so.

The commands that tests start do the same, by a sitecustomize.py on their path.
"""

from __future__ import annotations

import importlib._bootstrap_external as loaders
import os
from pathlib import Path

HOOK = """
import sys

sys.path.insert(0, {tools!r})
import mutant_module

sys.path.remove({tools!r})
mutant_module.read_in_place()
"""


def hook() -> str:
    """Return the text of a sitecustomize.py."""
    return HOOK.format(tools=str(Path(__file__).parent))


def environment(path: Path, changed: Path, hooked: Path) -> dict[str, str]:
    """Return what makes this process and its children read `changed` for `path`.

    `hooked` is the folder of sitecustomize.py.
    """
    return {
        "PYTHONPATH": str(hooked),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MUTANT_OF": str(path),
        "MUTANT_TEXT": str(changed),
    }


def read_in_place() -> None:
    """Make imports from here on read the changed text in place of the module's file."""
    path, changed = os.environ["MUTANT_OF"], Path(os.environ["MUTANT_TEXT"])
    unchanged = loaders.SourceFileLoader.get_code

    def get_code(self, name):
        if os.path.realpath(self.path) != path:
            return unchanged(self, name)
        return compile(changed.read_text(), path, "exec", dont_inherit=True)

    loaders.SourceFileLoader.get_code = get_code
