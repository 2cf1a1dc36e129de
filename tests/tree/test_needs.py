"""tests/tools/needs.py: what this machine lacks is said once, in one line."""

from __future__ import annotations

import needs
import pytest


def test_every_program_names_its_package():
    """One line of .ci/tools each; either of two programs may be named."""
    assert "iproute2" == needs.packages()["ip"]
    assert "redis-server" == needs.packages()["valkey-server/redis-server"]


def test_program_that_is_absent_is_missing(monkeypatch, tmp_path):
    """Either of two will do."""
    monkeypatch.setattr(needs, "PATH", str(tmp_path))
    assert needs.packages() == needs.missing()
    redis = tmp_path / "redis-server"
    redis.touch(mode=0o755)
    assert "valkey-server/redis-server" not in needs.missing()


def test_what_a_machine_lacks_skips_a_test_and_fails_it_on_a_build_machine(monkeypatch):
    """A build machine must not go green by skipping."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="lacks user namespaces"):
        needs.lacks("no user namespaces")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="lacks user namespaces"):
        needs.lacks("user namespaces")


def test_run_ends_with_one_line():
    """However many tests were skipped; others' reasons are not ours to repeat."""
    reasons = [f"Skipped: {needs.MARK}dig: apt-get install x"] * 3 + ["no tshark"]
    assert (
        "3 tests skipped, since this machine lacks dig: apt-get install x"
        == needs.summary(reasons)
    )
    assert needs.summary(["no tshark"]) == ""


def test_large_program_that_is_absent_skips_a_test_everywhere(monkeypatch, tmp_path):
    """Build machines do without; the target of make that has it is named."""
    monkeypatch.setattr(needs, "PATH", str(tmp_path))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.skip.Exception, match="lacks promtool: make monitoring"):
        needs.want("promtool", "prometheus", "monitoring")
    with pytest.raises(pytest.skip.Exception, match="lacks rustc: apt-get install"):
        needs.want("rustc", "rustc")
    (tmp_path / "promtool").touch(mode=0o755)
    needs.want("promtool", "prometheus", "monitoring")
