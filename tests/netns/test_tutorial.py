"""docs/tutorial.md, its shell blocks: pasted one after the other they work."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from namespace import ROOT, Namespace

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def namespace():
    """An empty network namespace."""
    made = Namespace()
    yield made
    made.close()


@pytest.mark.netns
def test_blocks_of_the_tutorial_run_in_order(namespace, tmp_path):
    """Server, client, control socket, capture and advice, as a reader meets them."""
    blocks = BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text())
    assert {"sh", "python"} == {language for language, _ in blocks}
    python = "".join(text for language, text in blocks if language == "python")
    shell = "".join(text for language, text in blocks if language == "sh")
    (tmp_path / "blocks.py").write_text(python)
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "blocks.sh").write_text(
        f"set -e\nexport PATH='{search}'\ncd '{tmp_path}'\n"
        f"{sys.executable} blocks.py\n{shell}"
    )
    out = namespace.run("sh", tmp_path / "blocks.sh")
    assert "b'hello'" in out
    assert "1 syncache entry added" in out
    assert "net.inet.tcp.syncookies_only: 0 -> 1" in out
    assert "net.inet.inspect." in (tmp_path / "inspect.conf").read_text()
