"""Adapters stay thin: what any host needs belongs into the library (docs/hosts.md).

Lines with code on them, without comments and docstrings; only to shrink.
"""

from __future__ import annotations

import ast
import re

import pytest
from tidy import ROOT

LIMITS = {
    "csrc/adapters/lwip/syncache_lwip.c": 79,
    "csrc/adapters/lwip/syncache_lwip.h": 29,
    "syncache/adapters/pytcp.py": 54,
}


def code_lines(name: str, source: str) -> int:
    """Count the lines that are neither blank nor comment."""
    if name.endswith(".py"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node, clean=False)
                source = source.replace(f'"""{text}"""', "")
        source = re.sub(r"^ *#.*", "", source, flags=re.MULTILINE)
    else:
        source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    return sum(1 for line in source.splitlines() if line.strip())


@pytest.mark.parametrize("name", LIMITS)
def test_adapter_stays_thin(name):
    """As a ratchet: one that shrinks shrinks its limit."""
    found = code_lines(name, (ROOT / name).read_text())
    assert found == LIMITS[name]
