"""`make test` below the best instruction set level: what is collected there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tidy import ROOT


@pytest.fixture
def passed_over(request):
    """Whether the hook of tests/conftest.py passes over a file, with --isa or not."""
    hooks = request.config.pluginmanager.get_plugin(str(ROOT / "tests" / "conftest.py"))

    def call(path, *, isa: bool) -> bool | None:
        config = SimpleNamespace(getoption={"--isa": isa}.get)
        return hooks.pytest_ignore_collect(path, config)

    return call


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("pytestmark = pytest.mark.isa\n", None),
        ("MARKS = [pytest.mark.isa] if KERNELS else []\n", None),
        ("@mark.isa\ndef test(): ...\n", None),
        ("def test(): ...\n", True),
        ("", True),
    ],
)
def test_file_without_a_mark_is_passed_over_at_the_lower_levels(
    tmp_path, passed_over, text, over
):
    """At the best level every file is collected, and a folder always."""
    path = tmp_path / "test_it.py"
    path.write_text(text)
    assert over is passed_over(path, isa=True)
    assert passed_over(path, isa=False) is None
    assert passed_over(tmp_path, isa=True) is None


def test_marked_files_of_the_tree_are_found(passed_over):
    """Were the marks spelled otherwise, nothing would run there."""
    files = ("c/test_c_units.py", "property/test_bad_input.py")
    assert not any(passed_over(ROOT / "tests" / name, isa=True) for name in files)
    assert passed_over(ROOT / "tests" / "tree" / "test_tidy.py", isa=True)
