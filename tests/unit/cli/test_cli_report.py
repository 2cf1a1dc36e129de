"""syncache/cli/report.py: figures, table and picture of made-up runs."""

from __future__ import annotations

import sys

import pytest

from syncache.cli.report import Run, cell, quantile, save_picture, show_table


def sample(t, **values):
    empty = dict.fromkeys(("syns", "syn_acks", "half_open", "evicted", "pauses"), 0)
    return {"t": t, "rss": 1000, "waited": 0.0} | empty | values


@pytest.fixture
def run():
    """Two of three clients served; a flood from 1 to 3; memory grows by 24 late."""
    return Run(
        name="made up",
        clients=[
            {"client": 0, "start": 1.5, "served": True, "connect_ms": 4.0},
            {"client": 1, "start": 1.6, "served": True, "connect_ms": 2.0},
            {"client": 2, "start": 1.7, "served": False, "connect_ms": 9.0},
        ],
        samples=[
            sample(0.5, rss=10),
            sample(1.0, syns=100, rss=900),
            sample(2.0, syns=1100, half_open=50, evicted=7, pauses=1),
            sample(
                3.0,
                syns=2100,
                syn_acks=2000,
                half_open=20,
                evicted=9,
                rss=1024,
                waited=0.25,
            ),
        ],
        cache_bytes=4096,
        flood=(1.0, 3.0),
        sent=2500,
        warm_up=1.0,
    )


def test_figures_count_what_happened(run):
    """Rates are taken within the flood, memory from the end of the warm-up."""
    figures = run.figures()
    expected = {
        "clients": 3,
        "served": 2,
        "connect_ms_p50": 4.0,
        "connect_ms_p99": 4.0,
        "syns_sent": 2500,
        "syns_received": 2100,
        "syns_per_second": 1000,
        "syn_acks_sent": 2000,
        "half_open_peak": 50,
        "rss_growth_bytes": 24,
        "evicted": 9,
        "waited": 0.12,
    }
    assert expected == {name: figures[name] for name in expected}


def test_quantile_is_a_value_of_the_list():
    """A quantile is something that happened; of nothing there is none."""
    assert 2 == quantile([1, 2, 3], 0.5)
    assert 3 == quantile([1, 2, 3], 0.99)
    assert 1 == quantile([1, 2, 3], 0.0)
    assert quantile([], 0.5) is None


def test_table_has_a_column_for_each_run(run, capsys):
    """The table prints what the figures say."""
    show_table([run, run])
    out = capsys.readouterr().out
    assert ["run", "made", "up", "made", "up"] == out.splitlines()[0].split()
    assert 2 == out.count("2 of 3")
    assert 1 == len({len(line) for line in out.splitlines()[:2]})


def test_busy_machine_is_named_below_the_table(run, capsys):
    """Or a newcomer takes what other work costs for what the library does."""
    show_table([run])
    assert "busy" not in capsys.readouterr().out
    run.samples[-1]["waited"] = 0.9
    show_table([run])
    assert "up to 45% of a flood the server waited" in capsys.readouterr().out


def test_missing_figure_is_a_dash():
    """A run that served nobody has no connect time."""
    assert "-" == cell({"connect_ms_p50": None}, "connect_ms_p50")


def test_picture_is_a_png_whose_path_is_printed(run, capsys, tmp_path):
    """The picture lands where it is said to."""
    pytest.importorskip("matplotlib")
    place = tmp_path / "p.png"
    save_picture([run], place)
    assert place.read_bytes().startswith(b"\x89PNG")
    assert str(place) in capsys.readouterr().out


def test_no_picture_without_matplotlib(run, capsys, monkeypatch, tmp_path):
    """A missing library costs the picture, not the run."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    save_picture([run], tmp_path / "p.png")
    assert "tcp-syncache[plot]" in capsys.readouterr().out
